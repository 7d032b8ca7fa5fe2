"""Trends that people keep, and the alarms of those that are watched."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from certifier.audit.append_only import AppendOnlyModel
from certifier.runs.models import Run


class Per(models.TextChoices):
    RUN = "run", "run"
    LUMISECTION = "lumisection", "lumisection"


class Trend(models.Model):
    """A picture with a name. Who keeps it, or a coordinator, changes it; it is put away, never deleted."""

    name = models.CharField(max_length=100, unique=True)
    draw = models.CharField(max_length=1000, help_text="y : x : colour")
    where = models.CharField(max_length=1000, blank=True)
    aliases = models.JSONField(default=dict, blank=True)
    per = models.CharField(max_length=11, choices=Per, default=Per.RUN)
    runs = models.CharField(max_length=1000, blank=True, help_text="empty: the latest")
    # Whether new runs that leave the band raise an alarm, and the first run that may.
    is_watched = models.BooleanField(default=False)
    since_run = models.PositiveIntegerField(default=0)
    looked_sequence = models.BigIntegerField(default=0, help_text="the change of the feed at the last look for alarms")
    sigmas = models.FloatField(default=4.0, help_text="half width of the band in standard deviations")
    floor = models.FloatField(default=0.0, help_text="least half width, in the unit of y")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    changed_at = models.DateTimeField()
    put_away_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def keeper(self) -> int:
        """Whose it is; 0 where the installation made it."""
        return self.by_id or 0


class Alarm(AppendOnlyModel):
    """A run at which a watched trend left its band: once per trend and run."""

    trend = models.ForeignKey(Trend, on_delete=models.PROTECT, related_name="alarms", db_index=False)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="+")
    draw = models.CharField(max_length=1000, help_text="what was drawn then")
    value = models.FloatField()
    low = models.FloatField()
    high = models.FloatField()
    at = models.DateTimeField()

    class Meta(AppendOnlyModel.Meta):
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["trend", "run", "draw"], name="alarm_once_per_trend_and_run")]

    def __str__(self) -> str:
        return f"{self.trend_id} left its band at run {self.run_id}"
