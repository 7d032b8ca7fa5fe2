"""Background work of this room."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from certifier.accounts.models import System
from certifier.ops import jobs
from certifier.ops.jobs import JobHandle, background
from certifier.ops.models import Trigger

KIND = "watch.check"


@background(KIND, queue="score")
def check(job: JobHandle, *, system: str) -> dict[str, Any]:
    """Look at one system. Harmless to repeat: a second look says the same."""
    from .services import check as look

    job.progress(0.1, f"reading what experts answered about {system}")
    row = look(System.objects.get(code=system))
    return {"check": row.number, "stops": row.stops, "words": row.words}


@shared_task(name="watch.find_due")
def find_due() -> dict[str, int]:
    """Start a job for every system of which something new is known."""
    from .services import due

    systems = due()
    for system in systems:
        jobs.start(KIND, key=f"{KIND}:{system.code}", arguments={"system": system.code}, trigger=Trigger.SCHEDULE)
    return {"due": len(systems)}
