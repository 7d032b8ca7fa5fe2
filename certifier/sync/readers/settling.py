"""Sources that tell no changes: runs after the last one are read, and once more those that may still change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django.utils import timezone

from certifier.runs.run_fields import Unfit, time

# Luminosity, energy and detector bits of a run are corrected for some days after it ended.
LOOK_BACK: Final = timedelta(days=7)


def last_read(cursor: Mapping[str, Any]) -> int:
    return int(cursor.get("last", 0))


def unsettled(cursor: Mapping[str, Any], again: list[str]) -> list[int]:
    """The runs that may have changed since they were read, or that could not be written."""
    return sorted({int(number) for number in (*cursor.get("unsettled", {}), *again)})


def moved(cursor: Mapping[str, Any], number: int, ended_at: Any) -> dict[str, Any]:
    """The cursor after run `number` was read, which ended then, or has not."""
    waiting = dict(cursor.get("unsettled", {}))
    waiting.pop(str(number), None)
    if not _is_settled(ended_at):
        waiting[str(number)] = ended_at
    return {"last": max(last_read(cursor), number), "unsettled": waiting}


def _is_settled(ended_at: Any) -> bool:
    try:
        ended = time(ended_at) if ended_at else None
    except Unfit:  # who writes the run says what is wrong with it
        return False
    return ended is not None and ended < timezone.now() - LOOK_BACK
