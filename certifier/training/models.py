"""What came of each attempt to learn anew, and whether a system learns by itself at all. Rows are only ever added."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from certifier.accounts.models import System
from certifier.audit.append_only import AppendOnlyModel
from certifier.ops.models import Job, Trigger
from certifier.precert.models import ModelVersion


class Outcome(models.TextChoices):
    PROMOTED = "promoted", "promoted"
    SHADOW = "shadow", "kept in shadow"
    REJECTED = "rejected", "rejected"
    UNCHANGED = "unchanged", "nothing new to learn"
    TOO_FEW = "too-few", "too few labels"
    PAUSED = "paused", "paused"
    FAILED = "failed", "failed"


# The outcomes that leave a model behind.
LEARNED = (Outcome.PROMOTED, Outcome.SHADOW, Outcome.REJECTED)


class Training(AppendOnlyModel):
    """One attempt that came to an end: what it learned from, what it made, and what the gate said, in words."""

    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="trainings", db_index=False)
    number = models.PositiveIntegerField(help_text="1, 2, 3 … of the system")
    # None: a command on the server did it. A job that a killed worker left behind begins anew, and ends once.
    job = models.OneToOneField(Job, null=True, on_delete=models.PROTECT, related_name="training")
    trigger = models.CharField(max_length=10, choices=Trigger)
    outcome = models.CharField(max_length=9, choices=Outcome)
    words = models.TextField(help_text="why it came out so")
    fingerprint = models.CharField(max_length=64, blank=True, help_text="of labels, weights, histograms and recipe")
    # {source: {"good": n, "bad": n}}, lumisections
    labels = models.JSONField(default=dict)
    # {"runs": n, "lumisections": n, "first_run": n, "last_run": n}
    extent = models.JSONField(default=dict)
    champion = models.ForeignKey(
        ModelVersion, null=True, on_delete=models.PROTECT, related_name="+", help_text="when the gate compared"
    )
    challenger = models.OneToOneField(
        ModelVersion, null=True, on_delete=models.PROTECT, related_name="training", help_text="the model it made"
    )
    # What the gate measured: docs/training.md describes it.
    gate = models.JSONField(default=dict)
    took_s = models.FloatField()
    peak_mb = models.FloatField(null=True, help_text="most memory that its process held")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    by_name = models.CharField(max_length=150, help_text="who asked for it")
    at = models.DateTimeField()

    class Meta(AppendOnlyModel.Meta):
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["system", "number"], name="training_number_once_per_system"),
            models.CheckConstraint(
                condition=Q(outcome__in=[each.value for each in LEARNED], challenger__isnull=False)
                | (~Q(outcome__in=[each.value for each in LEARNED]) & Q(challenger__isnull=True)),
                name="a_model_or_the_reason_why_there_is_none",
            ),
        ]

    def __str__(self) -> str:
        return f"training {self.number} of {self.system.code}"


class Act(AppendOnlyModel):
    """What a coordinator decided about the learning of a system, and why."""

    number = models.PositiveIntegerField(help_text="1, 2, 3 … of the system")
    reason = models.TextField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    by_name = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta(AppendOnlyModel.Meta):
        abstract = True
        ordering = ["id"]


class Pause(Act):
    """A coordinator lets a system learn by itself no more, or again. The newest row holds; no row means it learns."""

    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="training_pauses", db_index=False)
    is_paused = models.BooleanField()

    class Meta(Act.Meta):
        constraints = [
            models.UniqueConstraint(fields=["system", "number"], name="one_training_pause_after_another"),
        ]

    def __str__(self) -> str:
        return f"{self.system_id} {'pauses' if self.is_paused else 'learns again'}"


class RecipeChoice(Act):
    """What the models of a system are made of from now on. The newest row holds; no row means the standard recipe."""

    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="recipe_choices", db_index=False)
    recipe = models.CharField(max_length=40, help_text="its name in certifier/training/recipes.py")

    class Meta(Act.Meta):
        constraints = [
            models.UniqueConstraint(fields=["system", "number"], name="one_recipe_choice_after_another"),
        ]

    def __str__(self) -> str:
        return f"{self.system_id} {self.recipe}"


class LeftOut(Act):
    """A coordinator lets nothing be learned from some runs of a system, or again. Of a run the newest row that names it
    holds; no row means that it is learned from."""

    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="left_out_runs", db_index=False)
    first_run = models.PositiveBigIntegerField()
    last_run = models.PositiveBigIntegerField()
    is_left_out = models.BooleanField()

    class Meta(Act.Meta):
        constraints = [
            models.UniqueConstraint(fields=["system", "number"], name="one_left_out_after_another"),
            models.CheckConstraint(condition=Q(first_run__lte=models.F("last_run")), name="left_out_runs_ascend"),
        ]

    def __str__(self) -> str:
        return f"{self.system_id} {'without' if self.is_left_out else 'with'} runs {self.first_run} to {self.last_run}"
