"""Background work of this room."""

from __future__ import annotations

from celery import shared_task

from . import services


@shared_task(name="trends.look")
def look() -> dict[str, int]:
    """Raise alarms where a watched trend left its band."""
    return {"alarms": services.look()}
