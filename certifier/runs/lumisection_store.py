"""The lumisections of a run merged with what comes in, and written where they differ. Used by `services` only."""

from __future__ import annotations

import struct
from dataclasses import replace
from itertools import repeat

import numpy as np
from django.db import connection

from certifier.lumi import LumiSet

from .lumisection_columns import Columns, same_values
from .lumisection_rows import Mask, Times, copy, insert, times_of, upsert
from .models import RunProfile
from .profile import COLUMNS, Profile


def write(run_id: int, old: Profile, given: Columns, *, keep_known: bool) -> tuple[Profile, LumiSet]:
    """Merge `given` into the lumisections of a run, write what differs, and return the new profile and what changed.

    Rows 1 to `old.length` exist; a gap between them and `given.first` is filled with rows of which nothing is known.
    An unknown in `given` takes back what was known, or with `keep_known` leaves it.
    """
    if keep_known:
        given = _with_known(run_id, old, given)
    length = max(old.length, given.last) if given.count else old.length
    values = np.full((len(COLUMNS), length), np.nan)
    values[:, : old.length] = old.values
    differs: dict[str, Mask] = {}
    for name, column in given.values.items():
        place = values[COLUMNS.index(name), given.first - 1 : given.last]
        differs[name] = ~same_values(place, column)
        place[:] = column
    changed = _write_existing(run_id, old.length, given, differs) if given.first <= old.length else LumiSet()
    if length > old.length:
        beyond = {name: values[row, old.length :] for row, name in enumerate(COLUMNS)}
        insert(run_id, old.length + 1, beyond, _times_beyond(old.length, given))
        changed |= LumiSet.from_ranges([(old.length + 1, length)])
    return Profile(values), changed


def _with_known(run_id: int, old: Profile, given: Columns) -> Columns:
    """The same columns with what is known already in place of the unknown."""
    overlap = slice(0, max(0, min(old.length, given.last) - given.first + 1))
    values = {name: column.copy() for name, column in given.values.items()}
    for name, column in values.items():
        part = column[overlap]
        part[:] = np.where(np.isnan(part), old[name][given.first - 1 : given.first - 1 + len(part)], part)
    times = given.started_at
    if times is not None and overlap.stop:
        known = times_of(run_id, given.first, given.first + overlap.stop - 1)
        times = [
            one or other for one, other in zip(times, [*known, *repeat(None, len(times) - len(known))], strict=True)
        ]
    return replace(given, values=values, started_at=times)


def _write_existing(run_id: int, length: int, given: Columns, differs: dict[str, Mask]) -> LumiSet:
    """The part of `given` on rows that exist: only columns and lumisections in which something differs."""
    count = min(length, given.last) - given.first + 1
    if count < 1:
        return LumiSet()
    touched = np.zeros(count, np.bool_)
    columns = {}
    for name, mask in differs.items():
        if mask[:count].any():
            touched |= mask[:count]
            columns[name] = given.values[name][:count]
    times: Times | None = None
    if given.started_at is not None:
        known = times_of(run_id, given.first, given.first + count - 1)
        moved = [one != other for one, other in zip(given.started_at[:count], known, strict=True)]
        if any(moved):
            touched |= np.array(moved)
            times = [given.started_at[index] for index in np.flatnonzero(touched)]
    numbers: list[int] = (np.flatnonzero(touched) + given.first).tolist()
    upsert(run_id, numbers, {name: column[touched] for name, column in columns.items()}, times)
    return LumiSet.from_mask(touched, given.first)


def _times_beyond(length: int, given: Columns) -> Times | None:
    if given.started_at is None:
        return None
    gap = max(0, given.first - 1 - length)
    return [*repeat(None, gap), *given.started_at[max(0, length - given.first + 1) :]]


def save_profile(run_id: int, profile: Profile, *, new: bool) -> None:
    """Write the profile of a run; `new` when the run has none yet."""
    names = ["length", "columns", "delivered_inv_nb", "recorded_inv_nb"]
    packed, totals = profile.pack(), [profile.total(name) for name in names[2:]]
    if new and connection.vendor == "postgresql":
        fields = [struct.pack(">q", run_id), struct.pack(">i", profile.length), packed, *map(_float_or_null, totals)]
        copy(RunProfile._meta.db_table, ["run_id", *names], _binary_row(fields))
        return
    updates = ", ".join(f"{name} = excluded.{name}" for name in names)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {RunProfile._meta.db_table} (run_id, {', '.join(names)}) VALUES (%s, %s, %s, %s, %s) "  # noqa: S608
            f"ON CONFLICT (run_id) DO UPDATE SET {updates}",
            [run_id, profile.length, packed, *totals],
        )


def _float_or_null(value: float | None) -> bytes | None:
    return None if value is None else struct.pack(">d", value)


def _binary_row(fields: list[bytes | None]) -> bytes:
    """A count of fields; then each with its length, -1 for NULL."""
    parts = [struct.pack(">h", len(fields))]
    for field in fields:
        parts.append(struct.pack(">i", -1 if field is None else len(field)))
        parts.append(field or b"")
    return b"".join(parts)
