"""How far each source has been read, and what came of every pass."""

from __future__ import annotations

from django.db import models

from certifier.audit.append_only import AppendOnlyModel
from certifier.ops.models import Job


class Cursor(models.Model):
    """Where the next pass goes on. What it holds is the reader's own affair; it moves in the transaction that writes
    what was read up to there.
    """

    source = models.CharField(max_length=60, primary_key=True)
    value = models.JSONField(default=dict)
    # What was read and could not be written, asked for again by every pass: {run: reason}.
    refused = models.JSONField(default=dict)
    version = models.PositiveIntegerField(default=0)
    # Who follows has it to himself until then, and asks for more time with everything he writes.
    held_until = models.DateTimeField(null=True)
    looked_at = models.DateTimeField(null=True, help_text="when a pass last came to its end")

    def __str__(self) -> str:
        return f"cursor of {self.source}"


class Outcome(models.TextChoices):
    DONE = "done", "in step"
    REFUSED = "refused", "in step but for some"
    FAILED = "failed", "failed"


class Pass(AppendOnlyModel):
    """One time that a source was read to its end, or as far as it answered.

    The beat looks every few minutes; of that only what brought something, or ended otherwise than the time before, is
    kept.
    """

    source = models.CharField(max_length=60)
    job = models.ForeignKey(Job, null=True, on_delete=models.PROTECT, related_name="+")
    outcome = models.CharField(max_length=7, choices=Outcome)
    words = models.TextField(blank=True, help_text="what went wrong, empty when nothing did")
    # {"runs_created": n, "runs_updated": n, "runs_unchanged": n, "lumisections_changed": n, "flags_changed": n}
    counts = models.JSONField(default=dict)
    began_at = models.DateTimeField()
    took_s = models.FloatField()
    by_name = models.CharField(max_length=150)

    class Meta(AppendOnlyModel.Meta):
        ordering = ["-id"]
        verbose_name_plural = "passes"
        indexes = [models.Index(fields=["source", "-id"])]

    def __str__(self) -> str:
        return f"pass {self.pk} over {self.source}"
