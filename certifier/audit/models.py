"""What happened: one row per change of the world, written in the same transaction as the change."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from .append_only import AppendOnlyModel


class AuditEvent(AppendOnlyModel):
    at = models.DateTimeField(auto_now_add=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    # Kept beside the key: it is what people read, and what stays readable in an export.
    actor_name = models.CharField(max_length=150)
    code = models.CharField(max_length=60, help_text="room.verb, for example defects.record_entries")
    subject = models.CharField(
        max_length=200, help_text="what was changed, in words people use: run 350479, tag pro22-04"
    )
    data = models.JSONField(default=dict)
    # Events of one click or one task share it.
    request_id = models.CharField(max_length=64, db_index=True)

    class Meta(AppendOnlyModel.Meta):
        ordering = ["-id"]
        indexes = [models.Index(fields=["code", "id"]), models.Index(fields=["subject", "id"])]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.actor_name} {self.code} {self.subject}"
