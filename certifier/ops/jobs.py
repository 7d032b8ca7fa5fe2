"""Jobs: how background work is asked for, done, watched and found again after a crash.

A room writes a task as a plain function of a `JobHandle` and registers it:

    @background("goodruns.build", queue="default")
    def build(job: JobHandle, *, selection: str) -> dict[str, Any]:
        for done, run in enumerate(runs, start=1):
            ...
            job.progress(done / len(runs), f"run {run}")
        return {"lists": 1}

    start("goodruns.build", key=f"goodruns.build:{selection}", arguments={"selection": selection}, actor=chi)

1. `start` writes the row, then sends the row's id when the transaction commits. A live job of the same key is
   returned instead of a second one.
2. The worker takes the row by compare-and-swap (queued -> running, attempt + 1); a message delivered twice finds it
   taken.
3. While the work runs, a thread beside it writes a sign of life every few seconds, so a long silent step is not taken
   for a death. Progress and the end are written only while the row still carries this worker's attempt: a worker that
   was given up on and comes back can overwrite nothing.
4. `sweep` sends running rows without a sign of life again, three times at most, and queued rows whose message is lost.
   A job may therefore run again after half of it was done: the work must be harmless to repeat.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from celery import current_app, shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from certifier.accounts.models import User
from certifier.audit.errors import NotFound
from certifier.audit.request_id import request_id_scope
from certifier.audit.unit import unit_of_work
from certifier.schedule import HEARTBEAT_EXPIRES_S

from .heartbeats import beat, newest_arrivals
from .models import LIVE, Job, JobState, Trigger

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
SIGN_OF_LIFE_EVERY_S = 10.0
SILENT_AFTER = timedelta(minutes=2)
UNDELIVERED_AFTER = timedelta(minutes=2)

Work = Callable[..., Any]


@dataclass(frozen=True)
class Kind:
    name: str
    queue: str
    work: Work


KINDS: dict[str, Kind] = {}


class UnknownJobKind(NotFound):
    """No task of that name is registered."""


class JobHandle:
    """What the work sees of its own row."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._written = float("-inf")

    def progress(self, fraction: float, message: str = "") -> None:
        """Write how far the work is (0 to 1) and what it is doing, at most twice a second."""
        if time.monotonic() - self._written < 0.5 and fraction < 1.0:
            return
        self._written = time.monotonic()
        own_row(self.job).update(progress=min(max(fraction, 0.0), 1.0), message=message[:200], beat_at=timezone.now())


def background(name: str, *, queue: str = "default") -> Callable[[Work], Work]:
    """Register a function as the work of jobs of kind `name`."""
    if queue not in settings.QUEUES:
        raise ValueError(f"There is no queue {queue!r}; use one of {', '.join(settings.QUEUES)}.")

    def register(work: Work) -> Work:
        KINDS[name] = Kind(name, queue, work)
        return work

    return register


def kind_named(name: str) -> Kind:
    """The registered kind; a web process may not have met the room's tasks yet and imports them first."""
    if name not in KINDS:
        current_app.loader.import_default_modules()
    if name not in KINDS:
        raise UnknownJobKind(f"There is no background task “{name}”.")
    return KINDS[name]


def start(
    kind: str,
    *,
    key: str,
    arguments: dict[str, Any] | None = None,
    actor: User | None = None,
    trigger: Trigger = Trigger.PERSON,
) -> Job:
    """Ask for work. Returns the new job, or the live one of the same key. The caller has checked the permission."""
    queue = kind_named(kind).queue
    with unit_of_work(actor) as unit:
        while True:
            live = Job.objects.filter(key=key, state__in=LIVE).first()
            if live:
                return live
            try:
                with transaction.atomic():
                    job = Job.objects.create(
                        kind=kind,
                        key=key,
                        queue=queue,
                        arguments=arguments or {},
                        requested_by=actor,
                        trigger=trigger,
                    )
                break
            except IntegrityError:  # somebody asked in the same moment: theirs is the live one, or it has just ended
                continue
        unit.audit("ops.start_job", f"job {job.pk}", {"kind": kind, "key": key})
        _send_on_commit(job)
    return job


def _send_on_commit(job: Job) -> None:
    transaction.on_commit(lambda: _send(job))


def _send(job: Job) -> None:
    """Without a broker the row waits: whoever asked has asked, and the sweep sends what did not arrive."""
    # The limits by name: Celery keeps those that the task had when the process first sent anything.
    limits = {"soft_time_limit": settings.CELERY_TASK_SOFT_TIME_LIMIT, "time_limit": settings.CELERY_TASK_TIME_LIMIT}
    try:
        perform.apply_async([job.pk], queue=job.queue, **limits)
    except (BrokerError, OSError) as error:
        logger.warning("job %s (%s) waits: the message broker does not take it now (%s)", job.pk, job.key, error)


@shared_task(name="ops.perform")
def perform(job_id: int) -> None:
    """Do one job. Safe to deliver twice: only one delivery finds the row queued."""
    now = timezone.now()
    taken = Job.objects.filter(pk=job_id, state=JobState.QUEUED).update(
        state=JobState.RUNNING,
        attempt=F("attempt") + 1,
        started_at=now,
        beat_at=now,
        progress=0.0,
        message="",
    )
    if not taken:
        logger.info("job %s is not queued any more, nothing to do", job_id)
        return
    job = Job.objects.get(pk=job_id)
    with request_id_scope(f"job-{job_id}"), signs_of_life(job):
        try:
            result = kind_named(job.kind).work(JobHandle(job), **job.arguments)
            _end(job, JobState.DONE, result=plain(result), progress=1.0)
        except SoftTimeLimitExceeded:
            text = (
                f"It was stopped after {timedelta(seconds=settings.CELERY_TASK_SOFT_TIME_LIMIT)}, the most a job may "
                "take. Ask for less at once, or raise JOB_TIME_LIMIT_S."
            )
            logger.error("job %s (%s): %s", job_id, job.key, text)
            _end(job, JobState.FAILED, error=text, message=text)
        except Exception as error:  # any failure of the work belongs to the row, whatever it is
            logger.exception("job %s (%s) failed", job_id, job.key)
            text = "".join(traceback.format_exception(error))[-8000:]
            _end(job, JobState.FAILED, error=text, message=str(error) or type(error).__name__)


def plain(result: Any) -> Any:
    """A result as the row can hold it: JSON. TypeError when it is not, which fails the job with that reason."""
    return json.loads(json.dumps(result, cls=DjangoJSONEncoder, allow_nan=False))


def own_row(job: Job) -> QuerySet[Job]:
    """The row, as long as this worker's attempt is the one that counts."""
    return Job.objects.filter(pk=job.pk, state=JobState.RUNNING, attempt=job.attempt)


def _end(job: Job, state: JobState, *, message: str = "", **fields: Any) -> None:
    ended = own_row(job).update(state=state, finished_at=timezone.now(), message=message[:200], **fields)
    if not ended:
        logger.warning("job %s was given to another worker meanwhile; this end does not count", job.pk)


@contextmanager
def signs_of_life(job: Job) -> Iterator[None]:
    """Say every few seconds, from a thread, that the process that does this job lives."""
    ended = threading.Event()

    def say() -> None:
        try:
            while not ended.wait(SIGN_OF_LIFE_EVERY_S):
                try:
                    own_row(job).update(beat_at=timezone.now())
                    beat(job.queue)
                except DatabaseError:  # the next one will say it
                    logger.warning("job %s: no sign of life could be written", job.pk, exc_info=True)
        finally:
            connection.close()

    thread = threading.Thread(target=say, name=f"signs of life of job {job.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def sweep() -> dict[str, int]:
    """Send again what was lost; give up on what was lost too often. Idempotent; two sweeps at once are harmless.

    A queued job counts as undelivered only when a heartbeat that was sent after it has arrived from the same queue:
    queues are first in, first out, so its own message must be gone. While nobody serves the queue, or all who do are
    busy, nothing is sent again, however long it takes: its message is still there.
    """
    now = timezone.now()
    counts = {"sent again": 0, "given up": 0}
    # A sign of life from the future is older than the moment when somebody set the clock back.
    silent = Q(beat_at__lt=now - SILENT_AFTER) | Q(beat_at__gt=now + SILENT_AFTER)
    for job in Job.objects.filter(silent, state=JobState.RUNNING):
        if job.attempt >= MAX_ATTEMPTS:
            text = f"Its worker died {job.attempt} times. Look at the worker's log, then start it again."
            counts["given up"] += _same(job).update(
                state=JobState.LOST, finished_at=now, error=text, message=text[:200]
            )
        else:
            counts["sent again"] += _send_again(job, now)
    for job in _undelivered(now):
        counts["sent again"] += _send_again(job, now)
    return counts


def _undelivered(now: datetime) -> Iterator[Job]:
    arrivals = newest_arrivals()
    sent = Coalesce("beat_at", "queued_at")
    for queue in settings.QUEUES:
        arrived_at = arrivals.get(queue)
        if arrived_at is None:
            continue
        before = min(now - UNDELIVERED_AFTER, arrived_at - timedelta(seconds=HEARTBEAT_EXPIRES_S))
        overtaken = Q(sent__lt=before) | Q(sent__gt=now + UNDELIVERED_AFTER)
        yield from Job.objects.filter(state=JobState.QUEUED, queue=queue).alias(sent=sent).filter(overtaken)


def _same(job: Job) -> QuerySet[Job]:
    """The row if nothing has happened to it since it was read; `beat_at` of a queued job is when it was sent again."""
    return Job.objects.filter(pk=job.pk, state=job.state, attempt=job.attempt, beat_at=job.beat_at)


def _send_again(job: Job, now: datetime) -> int:
    changed = _same(job).update(state=JobState.QUEUED, beat_at=now)
    if changed:
        logger.warning("job %s (%s) was lost while %s and is sent again", job.pk, job.key, job.state)
        _send_on_commit(job)
    return changed
