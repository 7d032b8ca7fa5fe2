"""Every write of this room: following a source to its end, a transaction per run or file, and the row that says what
came of it.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import F, Q
from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.audit.errors import CertifierError
from certifier.audit.unit import unit_of_work
from certifier.ops import jobs
from certifier.ops.models import Job
from certifier.runs.file_import import ImportOutcome, import_file
from certifier.runs.importers import Progress

from .errors import FollowedElsewhere, SourceFailed
from .models import Cursor, Outcome, Pass
from .sources import Batch, Source, reader_of

KIND: Final = "sync.follow"
SHOWN_REFUSALS: Final = 20
# Longer than any one run takes to be asked for and written.
HELD: Final = timedelta(minutes=15)


def key_of(source: Source) -> str:
    return f"{KIND}:{source.name}"


def ask(*, actor: User | None, source: Source) -> Job:
    """Let a worker follow the source; coordinators. A job that waits or runs already stays."""
    permissions.require(permissions.can_write_runs(actor))
    return jobs.start(KIND, key=key_of(source), arguments={"source": source.name}, actor=actor)


@dataclass
class Following:
    """A pass while it goes on."""

    source: Source
    actor: User | None
    job: Job | None
    by_clock: bool
    began_at: datetime = field(default_factory=timezone.now)
    began: float = field(default_factory=time.monotonic)
    counts: Counter[str] = field(default_factory=Counter)


def follow(
    *, actor: User | None, source: Source, progress: Progress, job: Job | None = None, by_clock: bool = False
) -> Pass:
    """Read all that is new at a source and write it; coordinators.

    What is written stays, whatever comes afterwards: the next pass goes on behind it. A run or file that cannot be
    written is noted with its reason and asked for again by every pass. Raises FollowedElsewhere, and SourceFailed
    after the row that says so is written.
    """
    permissions.require(permissions.can_write_runs(actor))
    following = Following(source, actor, job, by_clock)
    cursor = _held(source)
    reader = reader_of(source)
    try:
        for batch in reader.read(cursor.value, sorted(cursor.refused), progress):
            _write(following, cursor, batch, progress)
    except SourceFailed as failure:
        _record(following, cursor, Outcome.FAILED, str(failure))
        raise
    except FollowedElsewhere:
        raise
    except BaseException:
        _let_go(cursor)
        raise
    return _record(following, cursor, Outcome.REFUSED if cursor.refused else Outcome.DONE, _refusals(cursor))


def _held(source: Source) -> Cursor:
    """The cursor, for this process alone. Raises FollowedElsewhere."""
    Cursor.objects.get_or_create(source=source.name)
    now = timezone.now()
    free = Q(held_until=None) | Q(held_until__lt=now)
    if not Cursor.objects.filter(free, source=source.name).update(held_until=now + HELD, version=F("version") + 1):
        raise FollowedElsewhere(f"Another process follows {source.name} now; wait until it is done.")
    return Cursor.objects.get(source=source.name)


def _let_go(cursor: Cursor) -> None:
    Cursor.objects.filter(pk=cursor.pk, version=cursor.version).update(held_until=None)


def _write(following: Following, cursor: Cursor, batch: Batch, progress: Progress) -> None:
    """What a batch holds and the cursor behind it, together or not at all."""
    try:
        _write_once(following, cursor, batch, batch.refused, progress)
    except FollowedElsewhere:
        raise
    except CertifierError as refusal:  # the run itself cannot be written; the others can
        _write_once(following, cursor, batch, refusal.message, progress)


def _write_once(following: Following, cursor: Cursor, batch: Batch, refused: str, progress: Progress) -> None:
    left = {label: reason for label, reason in cursor.refused.items() if label != batch.label}
    if refused:
        left[batch.label] = refused[:500]
    with unit_of_work(following.actor):
        outcome = None
        if batch.imported is not None and not refused:
            label = f"{following.source.name}: {batch.label}"
            outcome = import_file(actor=following.actor, imported=batch.imported, source=label, progress=progress)
        moved = Cursor.objects.filter(pk=cursor.pk, version=cursor.version).update(
            value=batch.cursor, refused=left, version=cursor.version + 1, held_until=timezone.now() + HELD
        )
        if not moved:
            raise FollowedElsewhere(f"Another process follows {following.source.name} now; this one stops.")
    cursor.value, cursor.refused, cursor.version = dict(batch.cursor), left, cursor.version + 1
    if outcome is not None:
        following.counts.update(_counted(outcome))


def _counted(outcome: ImportOutcome) -> dict[str, int]:
    return {
        "runs_created": outcome.runs.created,
        "runs_updated": outcome.runs.updated,
        "runs_unchanged": outcome.runs.unchanged,
        "lumisections_changed": outcome.lumisections_changed,
        "flags_changed": outcome.flags_changed,
    }


def _refusals(cursor: Cursor) -> str:
    if not cursor.refused:
        return ""
    shown = sorted(cursor.refused.items())[:SHOWN_REFUSALS]
    more = len(cursor.refused) - len(shown)
    lines = [f"{label}: {reason}" for label, reason in shown]
    return "\n".join([*lines, f"and {more} more"] if more else lines)


def _record(following: Following, cursor: Cursor, outcome: Outcome, words: str) -> Pass:
    """What came of it. Nothing is kept of a look by the clock that brought nothing and ended as the one before."""
    row = Pass(
        source=following.source.name,
        job=following.job,
        outcome=outcome,
        words=words,
        counts=dict(following.counts),
        began_at=following.began_at,
        took_s=time.monotonic() - following.began,
        by_name="",
    )
    with unit_of_work(following.actor) as unit:
        held = Cursor.objects.filter(pk=cursor.pk, version=cursor.version)
        held.update(held_until=None, **({} if outcome == Outcome.FAILED else {"looked_at": timezone.now()}))
        if following.by_clock and not _changed(following.counts) and _as_before(row):
            return row
        row.by_name = unit.actor_name
        row.save()
        unit.audit("sync.follow", f"source {row.source}", {"pass": row.pk, "outcome": outcome, **row.counts})
    return row


def _as_before(row: Pass) -> bool:
    before = Pass.objects.filter(source=row.source).first()
    return before is not None and (before.outcome, before.words) == (row.outcome, row.words)


def _changed(counts: Counter[str]) -> bool:
    return any(number for name, number in counts.items() if name != "runs_unchanged")


def words_of(counts: dict[str, Any]) -> str:
    """What a pass brought, in words."""
    parts = [
        (counts.get("runs_created", 0), "new run", "new runs"),
        (counts.get("runs_updated", 0), "run changed", "runs changed"),
        (counts.get("lumisections_changed", 0), "lumisection changed", "lumisections changed"),
        (counts.get("flags_changed", 0), "flag changed", "flags changed"),
    ]
    said = [f"{number:,} {one if number == 1 else many}" for number, one, many in parts if number]
    return ", ".join(said) or "nothing new"
