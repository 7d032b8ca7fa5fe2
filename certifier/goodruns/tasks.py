"""Periodic work of this room."""

from __future__ import annotations

from celery import shared_task

from . import summaries


@shared_task(name="goodruns.refresh_summaries")
def refresh_summaries() -> dict[str, int]:
    """Bring what home and the runs list show up to date. Returns how many runs and lists there were to do."""
    done = summaries.refresh_summaries()
    return {"runs": done.runs, "lists": done.lists}
