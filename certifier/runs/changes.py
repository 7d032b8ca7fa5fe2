"""The change feed: gapless and in commit order, also with many writers.

1. A service calls `announce` inside its unit of work; nothing is written yet.
2. When the outermost unit ends, as its last statements, the counter row is raised by the number of changes. On
   PostgreSQL the row stays locked until the commit, so the next writer gets its numbers only after these rows can be
   seen; on SQLite the whole transaction holds the write lock.
3. A roll-back gives the numbers back with everything else.

So a reader that remembers the last sequence it saw can never meet a lower one later. Taking the lock last keeps it for
the time of one insert, and since nothing is locked after it, two writers cannot wait for each other.
"""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.utils import timezone

from certifier.audit.unit import Unit

from .models import Change, ChangeCounter


def announce(unit: Unit, kind: str, *, run: int | None = None, data: dict[str, Any] | None = None) -> None:
    """Put a change into the feed when `unit` commits. `kind` is room.what: runs.run, defects.entries."""
    change = Change(kind=kind, run=run, by=unit.actor_name, data=data or {})
    unit.before_commit("runs.changes", _write, change)


def _write(changes: list[Change]) -> None:
    last = _raise_counter(len(changes))
    now = timezone.now()
    for offset, change in enumerate(changes, start=1 - len(changes)):
        change.sequence, change.at = last + offset, now
    Change.objects.bulk_create(changes)


def _raise_counter(by: int) -> int:
    table = ChangeCounter._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} (id, value) VALUES (1, %s) "  # noqa: S608  # the name is the model's
            f"ON CONFLICT (id) DO UPDATE SET value = {table}.value + excluded.value RETURNING value",
            [by],
        )
        (value,) = cursor.fetchone()
    return int(value)
