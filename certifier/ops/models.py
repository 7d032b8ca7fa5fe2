"""Background work as people see it. The database, not the queue, knows what is to be done."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models


class JobState(models.TextChoices):
    QUEUED = "queued", "queued"
    RUNNING = "running", "running"
    DONE = "done", "done"
    FAILED = "failed", "failed"
    LOST = "lost", "lost"


LIVE = [JobState.QUEUED, JobState.RUNNING]


class Trigger(models.TextChoices):
    SCHEDULE = "schedule", "schedule"
    PERSON = "person", "person"
    COMMAND = "command", "command"


class Job(models.Model):
    """One background task: who asked, how far it is, what came of it.

    `key` names the work ("goodruns.build:358031-364292"); two live jobs of one key cannot exist, which is what makes
    asking twice harmless.
    """

    kind = models.CharField(max_length=60, db_index=True, help_text="the task's name")
    key = models.CharField(max_length=200)
    queue = models.CharField(max_length=20, default="default")
    trigger = models.CharField(max_length=10, choices=Trigger, default=Trigger.PERSON)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    arguments = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=JobState, default=JobState.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0)
    progress = models.FloatField(default=0.0, help_text="0 to 1")
    message = models.CharField(max_length=200, blank=True, help_text="what it is doing now, in words")
    result = models.JSONField(null=True)
    error = models.TextField(blank=True)
    queued_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    beat_at = models.DateTimeField(null=True, help_text="last sign of life from its worker")
    finished_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True, help_text="somebody has seen the failure")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["key"], condition=models.Q(state__in=["queued", "running"]), name="one_live_job_per_key"
            ),
        ]
        indexes = [models.Index(fields=["state", "queue"])]

    def __str__(self) -> str:
        return f"job {self.pk} {self.key} {self.state}"

    @property
    def took(self) -> timedelta | None:
        """How long the work itself took; None while it has not ended, or never began."""
        return self.finished_at - self.started_at if self.finished_at and self.started_at else None


class Heartbeat(models.Model):
    """The last time a worker of a queue did something. A queue nobody serves has an old one or none."""

    name = models.CharField(max_length=60, unique=True, help_text="worker:default")
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} {self.at:%H:%M:%S}"
