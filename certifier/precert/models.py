"""What machines say of lumisections: which model of a system counts, what it found, and what its word is worth.

Every table is append-only. What holds now is a function of the newest rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from django.conf import settings
from django.db import models
from django.db.models import F, Q

from certifier.accounts.models import System
from certifier.audit.append_only import AppendOnlyModel
from certifier.lumi import LumiSet
from certifier.monitoring.models import Part
from certifier.runs.fields import LumiSetField
from certifier.runs.models import Dataset

# How scores are packed: 4 bytes for each lumisection, the first first, NaN where there is none.
PACKED = np.dtype("<f4")


class State(models.TextChoices):
    """What a model version is to its system. A candidate is registered and nothing more."""

    CANDIDATE = "candidate", "candidate"
    SHADOW = "shadow", "shadow"
    CHAMPION = "champion", "champion"
    PAUSED = "paused", "paused"
    RETIRED = "retired", "retired"


class Mode(models.TextChoices):
    """Assist: every verdict waits for a person. Auto: a good verdict counts as checked. Stopped: assist, and why."""

    ASSIST = "assist", "assist"
    AUTO = "auto", "auto"
    STOPPED = "stopped", "stopped"


class Verdict(models.TextChoices):
    GOOD = "good", "good"
    BAD = "bad", "bad"
    UNSURE = "unsure", "unsure"
    UNSCORED = "unscored", "not scored"


# What findings are made of.
LOOKED_AT = [(each.value, each.label) for each in (Verdict.BAD, Verdict.UNSURE)]


class ModelVersion(AppendOnlyModel):
    """A trained model: a folder of `mlcore.artifacts` in the storage, never changed, and what it says of itself."""

    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="model_versions")
    number = models.PositiveIntegerField(help_text="1, 2, 3 … of the system")
    # Of the manifest, which holds the hash of every file: whoever changes a file, or the manifest, is found out.
    digest = models.CharField(max_length=64)
    kind = models.CharField(max_length=200, help_text="its class in mlcore")
    fingerprint = models.CharField(max_length=200, blank=True, help_text="of the data it was trained on")
    manifest = models.JSONField()
    metrics = models.JSONField(default=dict)
    guarantee = models.JSONField(default=dict)
    lineage = models.JSONField(default=dict)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    by_name = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta(AppendOnlyModel.Meta):
        ordering = ["system", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["system", "number"], name="model_number_once_per_system"),
            models.UniqueConstraint(fields=["system", "digest"], name="model_content_once_per_system"),
        ]

    # Set by services on what they return: it was there, and nothing was written.
    already_there = False

    def __str__(self) -> str:
        return f"{self.system.code} model {self.number}"

    @property
    def folder(self) -> str:
        """Where its files lie in the storage."""
        return f"models/{self.system.code}/{self.number}"


class Promotion(AppendOnlyModel):
    """One act on the models of a system. The newest says which is the champion: there can be no second one.

    `number` counts the acts of a system without a gap, so of two people who act on the same state one comes too late.
    """

    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="promotions")
    number = models.PositiveIntegerField()
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="promotions")
    state = models.CharField(max_length=9, choices=[choice for choice in State.choices if choice[0] != State.CANDIDATE])
    champion = models.ForeignKey(
        ModelVersion, null=True, on_delete=models.PROTECT, related_name="+", help_text="of the system after this act"
    )
    is_rollback = models.BooleanField(default=False)
    # What a gate measured before it decided; empty when a person did.
    gate = models.JSONField(default=dict)
    reason = models.TextField(blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    by_name = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta(AppendOnlyModel.Meta):
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["system", "number"], name="one_promotion_after_another"),
            models.CheckConstraint(
                condition=Q(state="champion", champion__isnull=False, champion=F("version"))
                | (~Q(state="champion") & (Q(champion__isnull=True) | ~Q(champion=F("version")))),
                name="who_becomes_champion_is_it",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version_id} became {self.state}"


class SystemMode(AppendOnlyModel):
    """What the verdicts of a system are worth from now on, who said so and why. No row means assist."""

    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="modes")
    number = models.PositiveIntegerField(help_text="1, 2, 3 … of the system")
    mode = models.CharField(max_length=7, choices=Mode)
    # Whose guarantee somebody looked at who switched auto on.
    version = models.ForeignKey(ModelVersion, null=True, on_delete=models.PROTECT, related_name="+")
    # Which bound or test stopped it, in numbers; empty when a person did.
    bound = models.JSONField(default=dict)
    reason = models.TextField()
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    by_name = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta(AppendOnlyModel.Meta):
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["system", "number"], name="one_mode_after_another"),
            models.CheckConstraint(
                condition=~Q(mode="auto") | (Q(by__isnull=False) & Q(version__isnull=False)),
                name="auto_by_somebody_on_a_guarantee",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.system_id} {self.mode}"


class Scoring(AppendOnlyModel):
    """What one version said of one dataset. Of a version and a dataset the newest counts.

    Good, bad, unsure and unscored are a partition of lumisections 1 to `last`.
    """

    # The indexes below begin with each of them.
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="scorings", db_index=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, related_name="scorings", db_index=False)
    # What it saw: the histograms up to this part, of a run of this length. What came later asks for a new scoring.
    newest_part = models.ForeignKey(Part, on_delete=models.PROTECT, related_name="+", db_index=False)
    last = models.PositiveIntegerField()
    good = LumiSetField()
    bad = LumiSetField()
    unsure = LumiSetField()
    unscored = LumiSetField()
    # {reason in words: lumisections}
    why_unscored = models.JSONField(default=dict)
    packed = models.BinaryField(help_text="the score of each lumisection: see PACKED")
    # Whether scores are P(bad); of a model that never saw bad data they only order the lumisections.
    is_probability = models.BooleanField(default=True)
    took_s = models.FloatField(help_text="reading histograms and model included")
    at = models.DateTimeField()

    class Meta(AppendOnlyModel.Meta):
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["version", "dataset", "newest_part", "last"], name="scored_once"),
        ]
        indexes = [models.Index(fields=["dataset", "version", "id"], name="scoring_of_dataset")]

    # Set by services on what they return: it was there, and nothing was written.
    already_there = False

    def __str__(self) -> str:
        return f"{self.version_id} on {self.dataset_id}"

    @property
    def scores(self) -> npt.NDArray[np.floating[Any]]:
        """(last,) from 0 to 1, higher = worse, lumisection 1 first, NaN where there is none."""
        return np.frombuffer(self.packed, dtype=PACKED)

    def of(self, verdict: Verdict) -> LumiSet:
        found: LumiSet = getattr(self, verdict.value)
        return found


class Finding(AppendOnlyModel):
    """A stretch of a scoring that is bad, or of which the model is not sure: what an expert looks at."""

    scoring = models.ForeignKey(Scoring, on_delete=models.PROTECT, related_name="findings", db_index=False)
    number = models.PositiveIntegerField(help_text="1, 2, 3 … along the run")
    lumisections = LumiSetField()
    verdict = models.CharField(max_length=8, choices=LOOKED_AT)
    # A name, not a key: a model knows the names of its labels, and defects are renamed.
    suspected_defect = models.CharField(max_length=200, blank=True)
    score = models.FloatField(null=True, help_text="the highest in the stretch")
    # elements with their bins and pulls, contributions, similar past cases
    evidence = models.JSONField(default=dict)

    class Meta(AppendOnlyModel.Meta):
        ordering = ["scoring", "number"]
        constraints = [models.UniqueConstraint(fields=["scoring", "number"], name="finding_number_once")]

    def __str__(self) -> str:
        return f"{self.verdict} {self.lumisections}"
