"""Monitoring elements and where their histograms per lumisection lie. The counts themselves are in files."""

from __future__ import annotations

from django.db import models

from certifier.accounts.models import System
from certifier.audit.append_only import AppendOnlyModel
from certifier.runs.fields import LumiSetField
from certifier.runs.models import Dataset


class Element(models.Model):
    """A histogram or map that is filled per lumisection: `EcalBarrel/occupancy`."""

    path = models.CharField(max_length=200, unique=True)
    # [{"name", "label", "unit", "circular", "edges": [...]}] from the first axis on. They never change: what is filled
    # with other bins is another element, since nothing could be compared across the change.
    axes = models.JSONField()
    system = models.ForeignKey(System, null=True, blank=True, on_delete=models.PROTECT, related_name="elements")
    physics_object = models.CharField(max_length=60, blank=True, help_text="muons, jets …: how errors are grouped")
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["path"]

    def __str__(self) -> str:
        return self.path

    @property
    def bins(self) -> tuple[int, ...]:
        return tuple(len(axis["edges"]) - 1 for axis in self.axes)

    @property
    def is_map(self) -> bool:
        return len(self.axes) == 2

    @property
    def is_quantity(self) -> bool:
        """Whether it is one number per lumisection, which has no shape."""
        return all(count == 1 for count in self.bins)


class Part(AppendOnlyModel):
    """The histograms of one element that came together for a dataset: one row group of a Parquet file.

    What is sent again, in a reprocessing or a correction, is a later part. Of the parts that hold a lumisection the
    latest counts.
    """

    # The two indexes below begin with each of them.
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="parts", db_index=False)
    element = models.ForeignKey(Element, on_delete=models.PROTECT, related_name="parts", db_index=False)
    lumisections = LumiSetField()
    file = models.CharField(max_length=300, help_text="its name in the storage")
    row_group = models.PositiveIntegerField()
    # Of the counts, axes and lumisections, not of the file: the same histograms in another file are the same.
    sha256 = models.CharField(max_length=64)
    histograms = models.PositiveIntegerField(help_text="how many lumisections")
    entries = models.FloatField(help_text="sum of all counts within the axes")
    at = models.DateTimeField()

    class Meta(AppendOnlyModel.Meta):
        ordering = ["id"]
        indexes = [
            models.Index(fields=["dataset", "element", "id"], name="part_of_element"),
            models.Index(fields=["element", "dataset"], name="part_by_element"),
        ]

    def __str__(self) -> str:
        return f"{self.element_id} in {self.dataset_id}: {self.lumisections}"
