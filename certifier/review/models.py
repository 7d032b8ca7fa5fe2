"""Sign-off: who has looked at a system of a run, at which stage. And the queue: what waits for an expert's word.

Of both the truth is rows that are only added: unchecked is the state before any row, and undoing is a row, too.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from certifier.accounts.models import System
from certifier.audit.append_only import AppendOnlyModel
from certifier.precert.models import Finding, Scoring, Verdict
from certifier.runs.fields import LumiSetField
from certifier.runs.models import Run


class Stage(models.TextChoices):
    """In the order in which a run is looked at: the prompt pass, the bulk reconstruction, the last word of a
    period.
    """

    EXPRESS = "express", "express"
    BULK = "bulk", "bulk"
    FINAL = "final", "final"


class Action(models.TextChoices):
    SIGN = "sign", "sign"
    REOPEN = "reopen", "reopen"


class Checklist(AppendOnlyModel):
    """What is to be looked at before a stage of a system is signed. A change is a new row: of a system and stage, the
    highest number holds, and without any points there is none."""

    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="checklists", db_index=False)
    stage = models.CharField(max_length=8, choices=Stage)
    number = models.PositiveIntegerField(help_text="1, 2, 3 … of the system and stage")
    points = models.JSONField(default=list, help_text="texts, in their order")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    by_name = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta(AppendOnlyModel.Meta):
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["system", "stage", "number"], name="one_checklist_per_number")]

    def __str__(self) -> str:
        return f"checklist {self.number} of {self.system_id} {self.stage}"


class SignOff(AppendOnlyModel):
    """One act. The state of (run, system, stage) is the newest row's action; no row means unchecked."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="sign_offs")
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="sign_offs")
    stage = models.CharField(max_length=8, choices=Stage)
    action = models.CharField(max_length=6, choices=Action)
    comment = models.TextField(blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="sign_offs")
    by_name = models.CharField(max_length=150)
    at = models.DateTimeField()
    # What the signer had before their eyes: later entries do not count as looked at.
    entry_id = models.BigIntegerField(default=0, help_text="the highest defect entry of the run when signed")
    # The list the signer was shown, and which of its points they ticked; none for scripts, which are shown nothing.
    checklist = models.ForeignKey(Checklist, null=True, on_delete=models.PROTECT, related_name="sign_offs")
    ticked = models.JSONField(default=list, help_text="places of the points that were ticked, from 0")

    class Meta(AppendOnlyModel.Meta):
        ordering = ["id"]
        indexes = [models.Index(fields=["run", "system", "stage", "id"], name="signoff_state")]

    def __str__(self) -> str:
        return f"{self.by_name} {self.action} {self.system_id} {self.stage} of run {self.run_id}"

    @property
    def points(self) -> list[tuple[str, bool]]:
        """The points the signer was shown, and whether they ticked each."""
        shown = self.checklist.points if self.checklist is not None else []
        return [(text, place in self.ticked) for place, text in enumerate(shown)]


class ShiftNote(AppendOnlyModel):
    """What somebody on shift tells whoever comes next."""

    text = models.TextField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    by_name = models.CharField(max_length=150)
    at = models.DateTimeField(db_index=True)

    class Meta(AppendOnlyModel.Meta):
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.by_name} at {self.at:%Y-%m-%d %H:%M}"


# --- the queue ------------------------------------------------------------------------------------------------


class Kind(models.TextChoices):
    """Where an item comes from. Nobody is told while it is open: see `Item.is_blind`."""

    FINDING = "finding", "finding"
    AUDIT = "audit", "audit"
    RETURN = "return", "returned"


class ItemState(models.TextChoices):
    OPEN = "open", "open"
    DECIDED = "decided", "decided"
    SUPERSEDED = "superseded", "superseded"


class Item(models.Model):
    """A stretch of a run of which the program wants to know what an expert says. Only its state ever changes.

    `place` tells the items of one scoring apart: the first lumisection of what was called good, the number of a finding
    counted on from the last lumisection.
    """

    scoring = models.ForeignKey(Scoring, on_delete=models.PROTECT, related_name="review_items", db_index=False)
    kind = models.CharField(max_length=7, choices=Kind)
    place = models.PositiveIntegerField()
    finding = models.ForeignKey(Finding, null=True, on_delete=models.PROTECT, related_name="review_items")
    # Of the scoring, kept beside it: what the queue is asked by.
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="review_items", db_index=False)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="review_items", db_index=False)
    lumisections = LumiSetField()
    verdict = models.CharField(max_length=8, choices=[(each.value, each.label) for each in Verdict])
    # The verdict is shown only after the decision: every audit sample, and findings chosen at random among which
    # nobody can tell the samples.
    is_blind = models.BooleanField()
    # With which probability it was to be sent; 1 for findings, which all are.
    chance = models.FloatField(default=1.0)
    state = models.CharField(max_length=10, choices=ItemState, default=ItemState.OPEN)
    # What the order of the queue is made of: see `order`.
    recorded_inv_nb = models.FloatField(null=True, help_text="at stake; null where it is not known")
    weight = models.FloatField(help_text="luminosity at stake times uncertainty")
    # Since when somebody waits for an answer about it: longer than the row is there when evidence was replaced.
    since = models.DateTimeField()
    came_from = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="went_to", help_text="decided before, and asked again"
    )
    what_changed = models.TextField(blank=True, help_text="why it is asked again, in words")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["scoring", "place"], name="asked_once_per_scoring")]
        indexes = [
            models.Index(fields=["system", "state"], name="item_queue"),
            models.Index(fields=["run", "system"], name="item_run"),
        ]

    def __str__(self) -> str:
        return f"item {self.pk}"

    @property
    def shows_verdict(self) -> bool:
        return not self.is_blind or self.state == ItemState.DECIDED


class Pull(AppendOnlyModel):
    """A scoring was turned into items. Of a run and system, the newest says which scoring the queue is up to."""

    scoring = models.ForeignKey(Scoring, on_delete=models.PROTECT, related_name="+")
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="+", db_index=False)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="+", db_index=False)
    opened = models.PositiveIntegerField()
    superseded = models.PositiveIntegerField()
    at = models.DateTimeField()

    class Meta(AppendOnlyModel.Meta):
        ordering = ["id"]
        indexes = [models.Index(fields=["system", "run", "id"], name="pull_of_run")]

    def __str__(self) -> str:
        return f"items of scoring {self.scoring_id}"


class Claim(models.Model):
    """Who holds an item, and until when. A lease: it ends by itself, by a decision, or when somebody takes over."""

    item = models.OneToOneField(Item, on_delete=models.CASCADE, related_name="claim")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="review_claims")
    by_name = models.CharField(max_length=150)
    at = models.DateTimeField()
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.by_name} holds item {self.item_id}"


class Answer(models.TextChoices):
    """Confirm: something is wrong there, as suspected. Override: data are fine, or it is something else. Undo."""

    CONFIRM = "confirm", "confirm"
    OVERRIDE = "override", "override"
    UNDO = "undo", "undo"


class Decision(AppendOnlyModel):
    """What an expert said of an item: the label that models learn from. An undoing is a decision that names another.

    `good` and `bad` do not overlap. What is bad has at least one defect.
    """

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="decisions", db_index=False)
    number = models.PositiveIntegerField(help_text="1, 2, 3 … of the item")
    answer = models.CharField(max_length=8, choices=Answer)
    undoes = models.OneToOneField("self", null=True, on_delete=models.PROTECT, related_name="undone_by")
    good = LumiSetField()
    bad = LumiSetField()
    # Primary keys of defects: their names may change.
    defects = models.JSONField(default=list)
    # Primary keys of the entries it wrote.
    entries = models.JSONField(default=list)
    was_blind = models.BooleanField(default=False, help_text="the verdict was not shown")
    # Decisions of one bulk share it.
    batch = models.CharField(max_length=32, blank=True)
    comment = models.TextField(blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="decisions")
    by_name = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta(AppendOnlyModel.Meta):
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["item", "number"], name="one_decision_after_another"),
            models.CheckConstraint(
                condition=Q(answer="undo", undoes__isnull=False) | (~Q(answer="undo") & Q(undoes__isnull=True)),
                name="an_undo_names_what_it_undoes",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.by_name}: {self.answer} item {self.item_id}"


class Said(models.TextChoices):
    COMMENT = "comment", "comment"
    SKIP = "skip", "skipped"
    TAKE_OVER = "take-over", "took over"


class Remark(AppendOnlyModel):
    """What was said about an item without deciding it."""

    item = models.ForeignKey(Item, on_delete=models.PROTECT, related_name="remarks")
    kind = models.CharField(max_length=9, choices=Said)
    text = models.TextField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    by_name = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta(AppendOnlyModel.Meta):
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.by_name} {self.kind} item {self.item_id}"
