"""Background work of this room: the sweep of the schedule, and sending."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from certifier.ops.jobs import JobHandle, background
from certifier.ops.models import Trigger

from . import outbox


@background(outbox.KIND)
def deliver(job: JobHandle) -> dict[str, Any]:
    """Send what is due. Harmless to repeat: what arrived is not sent again."""
    return outbox.deliver(job)


@shared_task(name="notices.find")
def find() -> dict[str, int]:
    """Tell what is new, and start a job where something waits to be sent: also what an earlier one left."""
    from .services import find as tell

    counts = tell()
    if outbox.due().exists():
        outbox.start(trigger=Trigger.SCHEDULE)
    return counts
