"""Background work of this room: one training on the queue of that name, and the weekly one of every system."""

from __future__ import annotations

import time
from typing import Any

from celery import shared_task
from django.utils import timezone

from certifier.accounts.models import System
from certifier.accounts.selectors import system_named
from certifier.monitoring.models import Element
from certifier.ops.jobs import JobHandle, background
from certifier.ops.models import LIVE, Job, JobState, Trigger

from . import services
from .errors import TrainingFailed
from .models import Outcome, Training
from .own_process import Limits, train_in_own_process
from .selectors import KIND
from .services import Asked


@background(KIND, queue="train")
def train(job: JobHandle, *, system: str, week: str = "") -> dict[str, Any]:
    """One system in a process of its own. Harmless to repeat: a job that ended before is not done again."""
    began = time.monotonic()
    asked = Asked(system_named(system), Trigger(job.job.trigger), job.job)
    try:
        if services.done_before(asked) is None:
            train_in_own_process(system, job.job, Limits.of_settings())
    except TrainingFailed as error:
        took = time.monotonic() - began
        services.record(actor=None, asked=asked, outcome=Outcome.FAILED, words=str(error), took_s=took)
        raise
    row = services.done_before(asked)
    if row is None:
        raise TrainingFailed("Its process ended without a word. Look at the worker's log.")
    if row.outcome == Outcome.FAILED:
        raise TrainingFailed(row.words)
    return said(row)


def said(row: Training) -> dict[str, Any]:
    """What came of it, for the row of the job."""
    model = row.challenger.number if row.challenger else None
    return {"training": row.number, "outcome": row.outcome, "model": model, "words": row.words}


@shared_task(name="training.weekly")
def weekly() -> dict[str, int]:
    """Start a job for every system that has histograms, once a week: two beats, or a clock that was moved, start none
    for a week that has one which waits, runs or is done.
    """
    year, number, _ = timezone.now().isocalendar()
    week = f"{year}-W{number:02d}"
    systems = System.objects.filter(pk__in=Element.objects.filter(system__isnull=False).values("system"))
    jobs_of_week = Job.objects.filter(
        kind=KIND, trigger=Trigger.SCHEDULE, arguments__week=week, state__in=[*LIVE, JobState.DONE]
    )
    done = {arguments["system"] for arguments in jobs_of_week.values_list("arguments", flat=True)}
    waiting = [system for system in systems if system.code not in done]
    for system in waiting:
        services.ask(actor=None, system=system, trigger=Trigger.SCHEDULE, week=week)
    return {"systems": len(systems), "started": len(waiting)}
