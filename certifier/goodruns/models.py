"""Good-run lists: immutable, with the provenance of every lumisection in them."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from certifier.audit.append_only import AppendOnlyModel
from certifier.defects.models import Tag
from certifier.runs.fields import LumiSetField
from certifier.runs.models import Run


class Origin(models.TextChoices):
    BUILT = "built", "built"
    IMPORTED = "imported", "imported"
    COMBINED = "combined", "combined"


class GoodRunList(AppendOnlyModel):
    name = models.CharField(max_length=200, unique=True)
    description = models.TextField(blank=True)
    origin = models.CharField(max_length=8, choices=Origin)
    # sha256 of the canonical golden JSON, which names the content independently of any name.
    sha256 = models.CharField(max_length=64, db_index=True)
    # How a built list was asked for; empty for imported and combined ones.
    tag = models.ForeignKey(Tag, null=True, on_delete=models.PROTECT, related_name="lists")
    entry_id = models.BigIntegerField(default=0, help_text="the highest entry that was read: what HEAD meant then")
    logic = models.PositiveIntegerField(default=0, help_text="the logic version that was read")
    require = models.JSONField(default=list)
    ignore = models.JSONField(default=list)
    run_selection = models.TextField(blank=True)
    signed_off = models.BooleanField(default=True)
    stage = models.CharField(max_length=8, blank=True)
    # Expressions as they stood, runs left out and why, source file, operation and parents of a combination.
    provenance = models.JSONField(default=dict)
    # GRL XML metadata and layout of an imported file, kept verbatim for export.
    metadata = models.JSONField(default=dict)
    run_count = models.PositiveIntegerField()
    lumisection_count = models.PositiveIntegerField()
    # As it was known when the list was made (`ListLuminosity` has today's): the sum over the lumisections
    # that have a value, how many these are, and null where none has.
    delivered_inv_nb = models.FloatField(null=True)
    recorded_inv_nb = models.FloatField(null=True)
    delivered_lumisections = models.PositiveIntegerField(default=0)
    recorded_lumisections = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(AppendOnlyModel.Meta):
        ordering = ["-id"]

    # Set by services on what they return: the list was there with this very content, and nothing was written.
    already_there = False

    def __str__(self) -> str:
        return self.name


class GoodRunListRun(AppendOnlyModel):
    """The lumisections of one run in a list. A number, not a key: a list may name runs we do not have."""

    list = models.ForeignKey(GoodRunList, on_delete=models.PROTECT, related_name="runs")
    run_number = models.PositiveIntegerField()
    lumisections = LumiSetField()

    class Meta(AppendOnlyModel.Meta):
        ordering = ["list", "run_number"]
        constraints = [models.UniqueConstraint(fields=["list", "run_number"], name="run_once_per_list")]
        indexes = [models.Index(fields=["run_number"], name="lists_of_a_run")]

    def __str__(self) -> str:
        return f"{self.run_number}: {self.lumisections}"


class ListLuminosity(models.Model):
    """The luminosity of a list as it is known today: a list stays as it is, calibrations and late imports do
    not.

    Derived; `sequence` is the change up to which it holds.
    """

    list = models.OneToOneField(GoodRunList, primary_key=True, on_delete=models.CASCADE, related_name="luminosity")
    delivered_inv_nb = models.FloatField(null=True)
    recorded_inv_nb = models.FloatField(null=True)
    delivered_lumisections = models.PositiveIntegerField(default=0, help_text="how many have a value")
    recorded_lumisections = models.PositiveIntegerField(default=0, help_text="how many have a value")
    sequence = models.BigIntegerField(default=0)
    refreshed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"luminosity of {self.list_id}"


class ListLoss(models.Model):
    """The loss and efficiency tables of a built list (without conditions), reckoned beforehand: over a year that takes
    seconds.

    Derived; it holds as long as no run of the list has changed after `sequence` and the systems stand in the same
    `order`.
    """

    list = models.OneToOneField(GoodRunList, primary_key=True, on_delete=models.CASCADE, related_name="loss")
    table = models.JSONField()
    # Null where it was noted before there was such a table.
    efficiency = models.JSONField(null=True)
    order = models.CharField(max_length=64, help_text="digest of the systems in their order")
    sequence = models.BigIntegerField()
    refreshed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"loss of {self.list_id}"


class ListDocument(AppendOnlyModel):
    """A document that came with a list, for example the cut-flow report of the group that made it."""

    list = models.ForeignKey(GoodRunList, on_delete=models.PROTECT, related_name="documents")
    name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    content = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta(AppendOnlyModel.Meta):
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["list", "sha256"], name="document_once_per_list")]

    def __str__(self) -> str:
        return self.name


class RunSummary(models.Model):
    """What home and the runs list show of a run: derived, refreshed by a task that looks for runs the feed
    has touched.

    Pages say how old it is; nothing is decided from it.
    """

    run = models.OneToOneField(Run, primary_key=True, on_delete=models.PROTECT, related_name="summary")
    good = LumiSetField(
        help_text="lumisections where the experiment's main virtual defect is absent and all systems signed"
    )
    required = models.CharField(max_length=100, blank=True, help_text="the virtual defect it was computed for")
    delivered_inv_nb = models.FloatField(null=True)
    recorded_inv_nb = models.FloatField(null=True)
    good_inv_nb = models.FloatField(null=True)
    defect_count = models.PositiveIntegerField(default=0, help_text="primary defects present")
    intolerable_count = models.PositiveIntegerField(default=0)
    signed_systems = models.PositiveIntegerField(default=0)
    open_systems = models.PositiveIntegerField(default=0)
    sequence = models.BigIntegerField(default=0, help_text="the change up to which it holds")
    refreshed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"summary of run {self.run_id}"


class SummaryWatermark(models.Model):
    """One row: the change up to which every summary was brought, and the rule they were computed by.

    Set when a refresh has finished, so a refresh that died is simply done again.
    """

    id = models.PositiveSmallIntegerField(primary_key=True)
    sequence = models.BigIntegerField(default=0)
    rule = models.CharField(max_length=64, blank=True, help_text="digest of the definitions and systems in force")

    def __str__(self) -> str:
        return f"summaries up to change {self.sequence}"
