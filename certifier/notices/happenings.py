"""What happened since the last look, read from where it is written anyway: the change feed and the failed jobs.

Nobody reports to this room. A change of a kind that nobody is told of costs nothing but its number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from django.db.models import Exists, Max, OuterRef, QuerySet
from django.urls import reverse

from certifier.accounts.models import System
from certifier.ops.models import Job, JobState
from certifier.precert.models import Mode, SystemMode
from certifier.runs.models import Change
from certifier.training.models import Outcome, Training

from .models import Event, Kind, Watermark
from .words import findings

# That nothing was learned is no news; what a job failed at, the job tells.
TOLD_OUTCOMES: Final = {Outcome.PROMOTED, Outcome.SHADOW, Outcome.REJECTED, Outcome.FAILED}
# SQLite lets nobody else write meanwhile: a second at most.
CHANGES_AT_ONCE: Final = 100
JOBS_AT_ONCE: Final = 100
LONGEST_TITLE: Final = 200
LONGEST_TEXT: Final = 2000


def tail_of_feed() -> int:
    return Change.objects.aggregate(tail=Max("sequence"))["tail"] or 0


def events_of_feed(mark: Watermark, tail: int) -> tuple[list[Event], int]:
    """The events of the next changes after the mark, not saved, and how far they were read."""
    changes = list(
        Change.objects.filter(kind__in=READERS, sequence__gt=mark.sequence, sequence__lte=tail).order_by("sequence")[
            :CHANGES_AT_ONCE
        ]
    )
    upto = changes[-1].sequence if len(changes) == CHANGES_AT_ONCE else tail
    return [event for event in map(_event_of, changes) if event is not None], upto


def _event_of(change: Change) -> Event | None:
    event = READERS[change.kind](change)
    if event is not None:
        event.change, event.at, event.by_name = change.sequence, change.at, change.by
        event.data = {**change.data, **event.data}
        event.title, event.text = event.title[:LONGEST_TITLE], event.text[:LONGEST_TEXT]
    return event


def _items(change: Change) -> Event | None:
    opened, code = change.data["opened"], change.data["system"]
    if not opened:
        return None
    return Event(
        kind=Kind.ITEMS,
        system=_system(code),
        count=opened,
        title=f"{findings(opened, code)} in run {change.run}",
        path=f"{reverse('queue:queue')}?system={code}",
        data={"run": change.run},
    )


def _stopped(change: Change) -> Event | None:
    if change.data["mode"] != Mode.STOPPED:
        return None
    system = _system(change.data["system"])
    # The change is the last statement of the transaction that wrote the row, and the system was locked in it.
    row = SystemMode.objects.filter(system=system, mode=Mode.STOPPED, at__lte=change.at).order_by("-number").first()
    by = "by the installation itself" if row is None or row.by is None else f"by {row.by_name}"
    return Event(
        kind=Kind.STOPPED,
        system=system,
        title=f"Automation of {system.code} stopped, {by}",
        text=row.reason if row else "",
        path=reverse("watch:guarantee", args=[system.code]),
        data={"bound": row.bound if row else {}},
    )


def _list(change: Change) -> Event | None:
    runs, lumisections = change.data["runs"], change.data["lumisections"]
    return Event(
        kind=Kind.LIST,
        title=f"The list {change.data['name']} was published by {change.by}",
        text=f"{lumisections} lumisections of {runs} run{'s' if runs != 1 else ''}.",
        path=reverse("goodruns:list", args=[change.data["id"]]),
    )


def _training(change: Change) -> Event | None:
    row = Training.objects.select_related("system").filter(pk=change.data["id"]).first()
    if row is None or row.outcome not in TOLD_OUTCOMES or (row.outcome == Outcome.FAILED and row.job_id):
        return None
    return Event(
        kind=Kind.TRAINING,
        system=row.system,
        title=f"Training {row.number} of {row.system.code}: {row.get_outcome_display()}",
        text=row.words,
        path=reverse("training:system", args=[row.system.code]),
    )


def _trend(change: Change) -> Event:
    data = change.data
    return Event(
        kind=Kind.TREND,
        title=f"The trend {data['trend']} left its band at run {change.run}",
        text=f"{data['value']:.4g} instead of {data['low']:.4g} to {data['high']:.4g}.",
        path=f"{reverse('trends:trends')}#alarms",
        data={"run": change.run},
    )


def _trend_given_up(change: Change) -> Event:
    return Event(
        kind=Kind.TREND,
        title=f"The trend {change.data['trend']} is watched no longer",
        text=change.data["reason"],
        path=reverse("trends:trends"),
    )


READERS: Final[dict[str, Callable[[Change], Event | None]]] = {
    "review.items": _items,
    "precert.mode": _stopped,
    "goodruns.list": _list,
    "training.done": _training,
    "trends.alarm": _trend,
    "trends.given_up": _trend_given_up,
}


def _system(code: str) -> System:
    return System.objects.get(code=code)


def untold_failures(mark: Watermark) -> QuerySet[Job]:
    """Jobs that failed or were lost and of which there is no event. A query and no watermark: workers end jobs in any
    order, and a clock that was moved hides none.
    """
    told = Event.objects.filter(job=OuterRef("pk"))
    failed = Job.objects.filter(~Exists(told), state__in=[JobState.FAILED, JobState.LOST]).order_by("pk")
    return failed.filter(finished_at__gte=mark.since) if mark.since else failed


def events_of_jobs(mark: Watermark) -> Iterator[Event]:
    jobs: Iterable[Job] = untold_failures(mark).select_related("requested_by")[:JOBS_AT_ONCE]
    systems = {system.code: system for system in System.objects.all()} if jobs else {}
    for job in jobs:
        asked = job.requested_by.get_username() if job.requested_by else ""
        code = job.arguments.get("system")
        lost = job.state == JobState.LOST
        yield Event(
            kind=Kind.JOB,
            system=systems.get(code) if isinstance(code, str) else None,
            job=job,
            title=f"Job {job.pk} {job.kind} {'was lost' if lost else 'failed'}"[:LONGEST_TITLE],
            text=job.message,
            path=reverse("ops:job", args=[job.pk]),
            data={"job": job.pk, "kind": job.kind, "key": job.key, "state": job.state, "asked_by": asked or None},
            by_name=asked or job.trigger,
            at=job.finished_at or job.queued_at,
        )
