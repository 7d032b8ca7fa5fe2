"""Definitions, entries and tags. Nothing here is ever overwritten: HEAD is a function of the rows, a tag an "as of"."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower

from certifier.accounts.models import System
from certifier.audit.append_only import AppendOnlyModel
from certifier.runs.fields import LumiSetField
from certifier.runs.models import Run


class LogicVersion(AppendOnlyModel):
    """One change of the definitions. Numbers ascend; a tag keeps the number it was made at."""

    number = models.PositiveIntegerField(primary_key=True)
    at = models.DateTimeField(auto_now_add=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    summary = models.CharField(max_length=200)

    class Meta(AppendOnlyModel.Meta):
        ordering = ["number"]

    def __str__(self) -> str:
        return f"logic {self.number}: {self.summary}"


class Defect(models.Model):
    """The identity of a defect. What it is called and what it means now is its newest `Definition`, copied here so that
    rows can be joined and names be unique; what it meant at a tag is the newest definition up to that tag's version."""

    name = models.CharField(max_length=100)
    name_key = models.CharField(
        max_length=100, unique=True, help_text="lower case: names are unique ignoring case, over both kinds"
    )
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="defects")
    description = models.TextField(blank=True)
    # Null for a primary defect, the canonical expression for a virtual one. The kind never changes.
    expression = models.TextField(null=True, blank=True)  # noqa: DJ001 - null is another kind, not an empty text
    intolerable = models.BooleanField(default=False)
    needs_comment = models.BooleanField(default=False, help_text="nobody may record it without saying why")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name_key"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_virtual(self) -> bool:
        return self.expression is not None


class Definition(AppendOnlyModel):
    """What a defect was called and meant from a logic version on."""

    defect = models.ForeignKey(Defect, on_delete=models.PROTECT, related_name="definitions")
    version = models.ForeignKey(LogicVersion, on_delete=models.PROTECT, related_name="definitions")
    name = models.CharField(max_length=100)
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="+")
    description = models.TextField(blank=True)
    expression = models.TextField(null=True)  # noqa: DJ001 - as in Defect
    intolerable = models.BooleanField()
    needs_comment = models.BooleanField(default=False)

    class Meta(AppendOnlyModel.Meta):
        ordering = ["defect", "version"]
        constraints = [models.UniqueConstraint(fields=["defect", "version"], name="one_definition_per_version")]

    def __str__(self) -> str:
        return f"{self.name} since logic {self.version_id}"


class Source(models.TextChoices):
    PAGE = "page", "page"
    REST = "rest", "REST"
    UPLOAD = "upload", "upload text"
    IMPORT = "import", "import"
    REVIEW = "review", "review"
    ROBOT = "robot", "robot"


# Where somebody speaks now, and may be asked to say why. What was said elsewhere before is taken as it is.
SPOKEN = frozenset({Source.PAGE, Source.REST, Source.UPLOAD, Source.ROBOT})


class Entry(AppendOnlyModel):
    """Somebody said: on these lumisections this defect is present (or absent). A later entry (higher id) wins where the
    two overlap, and only there."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="entries", db_index=False)
    defect = models.ForeignKey(Defect, on_delete=models.PROTECT, related_name="entries", db_index=False)
    lumisections = LumiSetField()
    present = models.BooleanField()
    recoverable = models.BooleanField(default=False, help_text="a reprocessing may repair it")
    comment = models.TextField(blank=True)
    # Whose word it is: the actor's name, or the name that an import found in its source (sys:hancool).
    user = models.CharField(max_length=150)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    source = models.CharField(max_length=8, choices=Source)
    entered_at = models.DateTimeField()

    class Meta(AppendOnlyModel.Meta):
        ordering = ["id"]
        verbose_name_plural = "entries"
        indexes = [
            models.Index(fields=["run", "id"], name="entry_run"),
            # Holds all that counting the uses of a defect needs.
            models.Index(fields=["defect", "run", "id"], name="entry_defect"),
        ]

    def __str__(self) -> str:
        return f"{self.defect_id} {'present' if self.present else 'absent'} on {self.lumisections} of run {self.run_id}"


class Tag(AppendOnlyModel):
    """A frozen pair: entries up to `entry_id`, definitions up to `logic`. With `runs`, only for these runs."""

    name = models.CharField(max_length=100, unique=True)
    description = models.TextField(blank=True)
    entry_id = models.BigIntegerField(help_text="the highest entry that belongs to the tag")
    logic = models.ForeignKey(LogicVersion, null=True, on_delete=models.PROTECT, related_name="tags")
    runs = models.TextField(blank=True, help_text="run selection; empty means all runs")
    from_tag = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(AppendOnlyModel.Meta):
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(Lower("name"), name="tag_name_ignoring_case")]

    def __str__(self) -> str:
        return self.name
