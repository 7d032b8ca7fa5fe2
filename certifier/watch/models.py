"""What the blind audit, the overturned verdicts and the histograms have said of a system, each time it was asked."""

from __future__ import annotations

from django.db import models

from certifier.accounts.models import System
from certifier.audit.append_only import AppendOnlyModel
from certifier.precert.models import ModelVersion


class Check(AppendOnlyModel):
    """One look at the automation of a system. The newest is what the page shows; `stops` says that this one ended it.

    `decision` and `scoring` are the last rows that it knew: nothing is looked at twice.
    """

    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="checks")
    number = models.PositiveIntegerField(help_text="1, 2, 3 … of the system")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+", help_text="the champion then")
    # Answers about verdicts from before do not count: automation began anew.
    since = models.DateTimeField(null=True)
    decision = models.PositiveBigIntegerField(default=0)
    scoring = models.PositiveBigIntegerField(default=0)
    pending = models.PositiveIntegerField(help_text="audit samples that wait for an answer")
    # limit, confidence, estimate, lower, upper, audited, runs, words, series: see `realised.Side`
    pollution = models.JSONField()
    loss = models.JSONField()
    overturned = models.JSONField()
    drift = models.JSONField()
    stops = models.BooleanField(default=False)
    words = models.TextField()
    at = models.DateTimeField()

    class Meta(AppendOnlyModel.Meta):
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["system", "number"], name="one_check_after_another")]

    def __str__(self) -> str:
        return f"check {self.number} of {self.system_id}"
