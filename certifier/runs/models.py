"""Runs, their lumisections and what was true of the machine meanwhile; and the feed of everything that changes."""

from __future__ import annotations

from django.db import models

from certifier.audit.append_only import AppendOnlyModel
from certifier.lumi import LumiSet

from .fields import LumiSetField


class Run(models.Model):
    number = models.PositiveIntegerField(unique=True, help_text="the experiment's own run number")
    # Lumisections are numbered 1..last_lumisection; 0 means that none is known yet.
    last_lumisection = models.PositiveIntegerField(default=0)
    project = models.CharField(max_length=60, blank=True, help_text="data18_13TeV; CMS: Collisions18")
    period = models.CharField(max_length=20, blank=True, help_text="A, B, C …: data-taking period, CMS era")
    fill = models.PositiveIntegerField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    beam = models.CharField(max_length=20, blank=True, help_text="pp, HI, cosmics")
    energy_gev = models.FloatField(null=True, blank=True, help_text="beam energy")
    attributes = models.JSONField(default=dict, blank=True)
    version = models.PositiveIntegerField(default=1)
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-number"]
        indexes = [
            models.Index(fields=["period", "number"]),
            models.Index(fields=["project", "number"]),
            models.Index(fields=["fill"]),
            models.Index(fields=["updated_at"]),
        ]

    def __str__(self) -> str:
        return f"run {self.number}"

    @property
    def domain(self) -> LumiSet:
        """All lumisections of the run: what a negation ranges over."""
        return LumiSet.whole(self.last_lumisection)

    @property
    def still_going(self) -> bool:
        return self.started_at is not None and self.ended_at is None


class Dataset(models.Model):
    """One processing of a run's data (express, prompt, re-reconstruction): what histograms and scores belong to."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="datasets")
    name = models.CharField(max_length=200)
    stage = models.CharField(max_length=10, blank=True, help_text="express, bulk or final, where it is one of these")
    attributes = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["run", "name"]
        constraints = [models.UniqueConstraint(fields=["run", "name"], name="dataset_once_per_run")]

    def __str__(self) -> str:
        return f"{self.name} of {self.run}"


class Lumisection(models.Model):
    """The facts of one lumisection. Luminosities in inverse nanobarn; NULL is not known.

    A run has rows 1..n without a gap, n the length of its `RunProfile`: what was never sent is a row of NULLs.
    """

    # Run and number are what a lumisection is; a key of its own would cost a third of the space and of writing time.
    pk = models.CompositePrimaryKey("run", "number")
    # No constraint in the database: PostgreSQL would look the run up once per row, which takes longer than writing it.
    # Rows are written while their run is locked, and runs are never deleted.
    run = models.ForeignKey(
        Run, on_delete=models.PROTECT, related_name="lumisections", db_index=False, db_constraint=False
    )
    number = models.PositiveIntegerField()
    started_at = models.DateTimeField(null=True)
    duration_s = models.FloatField(null=True)
    delivered_inv_nb = models.FloatField(null=True)
    recorded_inv_nb = models.FloatField(null=True)
    pileup = models.FloatField(null=True)

    class Meta:
        ordering = ["run", "number"]
        constraints = [
            models.CheckConstraint(condition=models.Q(number__gte=1), name="lumisection_zero_does_not_exist"),
        ]

    def __str__(self) -> str:
        return f"{self.run} lumisection {self.number}"


class RunProfile(models.Model):
    """The columns of a run's lumisections packed into one row, for sums over many runs.

    `columns` holds float64 little-endian arrays of `length` values each, lumisection 1 first, NaN where unknown, in the
    order of `runs.profile.COLUMNS`. Derived: written with the lumisections by the one service that writes them.
    """

    run = models.OneToOneField(Run, primary_key=True, on_delete=models.PROTECT, related_name="profile")
    length = models.PositiveIntegerField()
    columns = models.BinaryField()
    delivered_inv_nb = models.FloatField(null=True)
    recorded_inv_nb = models.FloatField(null=True)

    def __str__(self) -> str:
        return f"profile of {self.run_id}"


class ConditionFlag(models.Model):
    """Where a condition held: stable_beams, detector_ready, a prescale state."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="flags")
    name = models.CharField(max_length=60)
    lumisections = LumiSetField()

    class Meta:
        ordering = ["run", "name"]
        constraints = [models.UniqueConstraint(fields=["run", "name"], name="flag_once_per_run")]

    def __str__(self) -> str:
        return f"{self.name} of run {self.run_id}: {self.lumisections}"


class ReferenceRun(models.Model):
    """Which run the shifters of a system compare a run with. Numbers, not keys: such maps name runs we may not have.

    A run that is certified several times may be compared with another run each time; the last one counts now.
    """

    run_number = models.PositiveIntegerField()
    reference_number = models.PositiveIntegerField()
    position = models.PositiveIntegerField(help_text="1 for the first reference of this run")
    source = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["run_number", "position"]
        constraints = [
            models.UniqueConstraint(fields=["run_number", "reference_number"], name="reference_once_per_run"),
            models.UniqueConstraint(fields=["run_number", "position"], name="reference_position_once"),
        ]

    def __str__(self) -> str:
        return f"run {self.run_number} is compared with run {self.reference_number}"


class Change(AppendOnlyModel):
    """The feed a mirror follows: sequence 1, 2, 3 … in commit order without a gap. Written by `runs.changes` only."""

    sequence = models.BigIntegerField(primary_key=True)
    kind = models.CharField(max_length=40)
    run = models.PositiveIntegerField(null=True, help_text="run number, where the change is about one")
    at = models.DateTimeField()
    by = models.CharField(max_length=150)
    data = models.JSONField(default=dict)

    class Meta(AppendOnlyModel.Meta):
        ordering = ["sequence"]

    def __str__(self) -> str:
        return f"{self.sequence} {self.kind}"


class ChangeCounter(models.Model):
    """One row: the last sequence given out. Its row lock is what puts commits in order."""

    id = models.PositiveSmallIntegerField(primary_key=True)
    value = models.BigIntegerField()
