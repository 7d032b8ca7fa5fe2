"""Sign-off: who has looked at a system of a run, at which stage. Unchecked is the state before any row."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from certifier.accounts.models import System
from certifier.audit.append_only import AppendOnlyModel
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

    class Meta(AppendOnlyModel.Meta):
        ordering = ["id"]
        indexes = [models.Index(fields=["run", "system", "stage", "id"], name="signoff_state")]

    def __str__(self) -> str:
        return f"{self.by_name} {self.action} {self.system_id} {self.stage} of run {self.run_id}"
