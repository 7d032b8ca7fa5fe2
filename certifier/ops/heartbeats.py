"""Which queues have a living worker. A heartbeat is a row that a worker wrote, never one that somebody assumes.

A worker lives when it starts, does a job, or takes a heartbeat from its queue. Only the last of these says anything
about messages: whatever was sent before that heartbeat has left the queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Subquery
from django.utils import timezone

from .models import Heartbeat

PREFIX = "worker:"
ARRIVED = "arrived:"


def beat(queue: str, *, arrived: bool = False) -> None:
    """A worker of this queue lives now; `arrived` when it knows from a heartbeat that came through the queue."""
    now, prefixes = timezone.now(), (PREFIX, ARRIVED) if arrived else (PREFIX,)
    Heartbeat.objects.bulk_create(
        [Heartbeat(name=f"{prefix}{queue}", at=now) for prefix in prefixes],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["at"],
    )


def newest_heartbeats() -> dict[str, datetime]:
    """Queue -> when one of its workers last did something. Queues never served are not in it."""
    return _newest(PREFIX)


def newest_arrivals() -> dict[str, datetime]:
    """Queue -> when a heartbeat last came through it."""
    return _newest(ARRIVED)


def _newest(prefix: str) -> dict[str, datetime]:
    rows = Heartbeat.objects.filter(name__startswith=prefix).values_list("name", "at")
    return {name.removeprefix(prefix): at for name, at in rows}


@dataclass(frozen=True)
class QueueHealth:
    queue: str
    last_heard: datetime | None
    age_s: float | None

    @property
    def is_served(self) -> bool:
        return self.age_s is not None and self.age_s <= settings.WORKER_MISSING_AFTER_S

    @property
    def words(self) -> str:
        if self.age_s is None:
            return f"No worker has ever served the queue “{self.queue}”."
        if self.is_served:
            return f"A worker served the queue “{self.queue}” {self.age_s:.0f} s ago."
        silence = timedelta(seconds=round(self.age_s))
        return f"Nothing has been heard from a worker of the queue “{self.queue}” for {silence}."


def queue_health(heard: Mapping[str, datetime] | None = None) -> list[QueueHealth]:
    """One line per queue, in the order of settings.QUEUES. One query, none when `heard` is known."""
    heard, now = newest_heartbeats() if heard is None else heard, timezone.now()
    return [
        QueueHealth(queue, at, max((now - at).total_seconds(), 0.0) if at else None)
        for queue in settings.QUEUES
        for at in [heard.get(queue)]
    ]


def worker_missing(heard: Mapping[str, datetime] | None = None) -> list[str]:
    """Queues that nobody serves now: what the banner of every page names. Empty when all is well. One query, none when
    `heard` is known."""
    return [health.queue for health in queue_health(heard) if not health.is_served]


def heard_columns() -> dict[str, Subquery]:
    """When each queue was last heard, as columns `heard_0`, `heard_1` … of another query, in the order of QUEUES."""
    return {
        f"heard_{place}": Subquery(Heartbeat.objects.filter(name=f"{PREFIX}{queue}").values("at")[:1])
        for place, queue in enumerate(settings.QUEUES)
    }
