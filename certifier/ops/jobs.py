"""Jobs: how background work is asked for, done, watched and found again after a crash.

A room writes a task as a plain function of a `Job` handle and registers it:

    @background("goodruns.build", queue="default")
    def build(job: JobHandle, *, selection: str) -> dict[str, Any]:
        for done, run in enumerate(runs, start=1):
            ...
            job.progress(done / len(runs), f"run {run}")
        return {"lists": 1}

    start("goodruns.build", key=f"goodruns.build:{selection}", arguments={"selection": selection}, actor=chi)

1. `start` writes the row, then sends the row's id when the transaction commits. A live job of the same key is returned
   instead of a second one.
2. The worker takes the row by compare-and-swap (queued -> running); a message delivered twice finds it taken.
3. Progress and the end are written to the row; a job is idempotent, so doing it again is harmless.
4. `sweep` finds running rows without a sign of life and queued rows whose message is lost, and sends them again, three
   times at most. The queue may forget; the row does not.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from celery import shared_task
from django.db import IntegrityError, transaction
from django.utils import timezone

from certifier.accounts.models import User
from certifier.audit.request_id import request_id_scope
from certifier.audit.unit import unit_of_work

from .models import LIVE, Job, JobState, Trigger

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
SILENT_AFTER = timedelta(minutes=5)
UNDELIVERED_AFTER = timedelta(minutes=2)

Work = Callable[..., Any]


@dataclass(frozen=True)
class Kind:
    name: str
    queue: str
    work: Work


KINDS: dict[str, Kind] = {}


class UnknownJobKind(LookupError):
    """No task of that name is registered."""


class JobHandle:
    """What the work sees of its own row."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._written = 0.0

    def progress(self, fraction: float, message: str = "") -> None:
        """Write how far the work is (0 to 1), at most twice a second; also the sign of life that `sweep` looks for."""
        if time.monotonic() - self._written < 0.5 and fraction < 1.0:
            return
        self._written = time.monotonic()
        Job.objects.filter(pk=self.job.pk).update(
            progress=min(max(fraction, 0.0), 1.0), message=message[:200], beat_at=timezone.now()
        )


def background(name: str, *, queue: str = "default") -> Callable[[Work], Work]:
    """Register a function as the work of jobs of kind `name`."""

    def register(work: Work) -> Work:
        KINDS[name] = Kind(name, queue, work)
        return work

    return register


def start(
    kind: str,
    *,
    key: str,
    arguments: dict[str, Any] | None = None,
    actor: User | None = None,
    trigger: Trigger = Trigger.PERSON,
) -> Job:
    """Ask for work. Returns the new job, or the live one of the same key. The caller has checked the permission."""
    if kind not in KINDS:
        raise UnknownJobKind(f"There is no background task “{kind}”.")
    with unit_of_work(actor) as unit:
        live = Job.objects.filter(key=key, state__in=LIVE).first()
        if live:
            return live
        try:
            with transaction.atomic():
                job = Job.objects.create(
                    kind=kind, key=key, queue=KINDS[kind].queue, arguments=arguments or {}, requested_by=actor, trigger=trigger
                )
        except IntegrityError:  # somebody asked in the same moment
            return Job.objects.get(key=key, state__in=LIVE)
        unit.audit("ops.start_job", f"job {job.pk}", {"kind": kind, "key": key})
        _send_on_commit(job)
    return job


def _send_on_commit(job: Job) -> None:
    transaction.on_commit(lambda: perform.apply_async([job.pk], queue=job.queue))


@shared_task(name="ops.perform")
def perform(job_id: int) -> None:
    """Do one job. Safe to deliver twice: only one delivery finds the row queued."""
    now = timezone.now()
    taken = Job.objects.filter(pk=job_id, state=JobState.QUEUED).update(
        state=JobState.RUNNING, started_at=now, beat_at=now, progress=0.0, message=""
    )
    if not taken:
        logger.info("job %s is not queued any more, nothing to do", job_id)
        return
    job = Job.objects.get(pk=job_id)
    Job.objects.filter(pk=job_id).update(attempt=job.attempt + 1)
    with request_id_scope(f"job-{job_id}"):
        try:
            result = KINDS[job.kind].work(JobHandle(job), **job.arguments)
        except Exception as error:  # any failure of the work belongs to the row, whatever it is
            logger.exception("job %s (%s) failed", job_id, job.key)
            _end(job_id, JobState.FAILED, error="".join(traceback.format_exception(error))[-8000:], message=str(error))
        else:
            _end(job_id, JobState.DONE, result=result, progress=1.0, message="")


def _end(job_id: int, state: JobState, *, message: str, **fields: Any) -> None:
    Job.objects.filter(pk=job_id).update(state=state, finished_at=timezone.now(), message=message[:200], **fields)


def sweep() -> dict[str, int]:
    """Send again what was lost; give up on what was lost too often. Idempotent; two sweeps at once are harmless."""
    now = timezone.now()
    silent = Job.objects.filter(state=JobState.RUNNING, beat_at__lt=now - SILENT_AFTER)
    undelivered = Job.objects.filter(state=JobState.QUEUED, queued_at__lt=now - UNDELIVERED_AFTER)
    counts = {"sent again": 0, "given up": 0}
    for job in [*silent, *undelivered]:
        same = Job.objects.filter(pk=job.pk, state=job.state, beat_at=job.beat_at)
        if job.state == JobState.RUNNING and job.attempt >= MAX_ATTEMPTS:
            text = f"Its worker died {job.attempt} times. Look at the worker's log, then start it again."
            counts["given up"] += same.update(state=JobState.LOST, finished_at=now, error=text, message=text[:200])
        elif same.update(state=JobState.QUEUED, beat_at=now):
            _send_on_commit(job)
            counts["sent again"] += 1
    return counts
