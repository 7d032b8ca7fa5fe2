"""Rows of lumisections written at machine speed, in the words of each database. Used by `services` only.

New rows: COPY on PostgreSQL, executemany on SQLite. Rows that exist: an upsert of the columns given and no others.
Table and column names in the SQL are constants of this room.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from io import StringIO
from itertools import repeat
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from django.db import connection

from certifier.lumi import LumiSet

from .lumisection_columns import STARTED_AT, Columns, same_values
from .models import Lumisection, RunProfile
from .profile import COLUMNS, Profile, Values

TABLE: Final = Lumisection._meta.db_table
Times = Sequence[datetime | None]
Mask = npt.NDArray[np.bool_]
_TYPES: Final = {**dict.fromkeys(COLUMNS, "double precision"), STARTED_AT: "timestamptz"}


def _insert(run_id: int, first: int, columns: dict[str, Values], started_at: Times | None) -> None:
    """New rows of a run from lumisection `first` on; columns that are not given are NULL."""
    names, data = _written(columns, started_at)
    count = len(data[0]) if data else 0
    if not count:
        return
    numbers = range(first, first + count)
    if connection.vendor == "postgresql":
        _copy(run_id, numbers, names, data)
    else:
        marks = ", ".join(["%s"] * (len(names) + 2))
        with connection.cursor() as cursor:
            cursor.executemany(
                f"INSERT INTO {TABLE} (run_id, number, {', '.join(names)}) VALUES ({marks})",  # noqa: S608
                list(zip([run_id] * count, numbers, *data, strict=True)),
            )


def _upsert(run_id: int, numbers: list[int], columns: dict[str, Values], started_at: Times | None) -> None:
    """Set these columns, and no others, in the rows of these lumisections; a row that is missing is made."""
    names, data = _written(columns, started_at)
    if not numbers or not names:
        return
    updates = ", ".join(f"{name} = excluded.{name}" for name in names)
    conflict = f"ON CONFLICT (run_id, number) DO UPDATE SET {updates}"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # psycopg2 sends NaN as a number, which it is not here.
            chosen = ", ".join(f"NULLIF({name}, 'NaN')" if name in COLUMNS else name for name in names)
            arrays = ", ".join(f"%s::{_TYPES[name]}[]" for name in names)
            cursor.execute(
                f"INSERT INTO {TABLE} (run_id, number, {', '.join(names)}) SELECT %s, number, {chosen} "  # noqa: S608
                f"FROM unnest(%s::integer[], {arrays}) AS given (number, {', '.join(names)}) {conflict}",
                [run_id, numbers, *data],
            )
        else:
            marks = ", ".join(["%s"] * (len(names) + 2))
            cursor.executemany(
                f"INSERT INTO {TABLE} (run_id, number, {', '.join(names)}) VALUES ({marks}) {conflict}",  # noqa: S608
                list(zip([run_id] * len(numbers), numbers, *data, strict=True)),
            )


def _written(columns: dict[str, Values], started_at: Times | None) -> tuple[list[str], list[list[Any]]]:
    """Column names and lists of Python values. NaN stays: SQLite reads it as NULL, PostgreSQL is told to."""
    names = list(columns)
    data: list[list[Any]] = [column.tolist() for column in columns.values()]
    if started_at is not None:
        names.append(STARTED_AT)
        data.append([connection.ops.adapt_datetimefield_value(value) for value in started_at])
    return names, data


def _copy(run_id: int, numbers: range, names: list[str], data: list[list[Any]]) -> None:
    """COPY from text. Every value here is a number, a time or unknown, so nothing needs escaping; unknown is `nan`."""
    writers = [repr if name in COLUMNS else _time_text for name in names]
    as_text = [map(writer, column) for writer, column in zip(writers, data, strict=True)]
    rows = zip(repeat(str(run_id), len(numbers)), map(str, numbers), *as_text, strict=True)
    lines = StringIO("\n".join(map("\t".join, rows)))
    into = ", ".join(["run_id", "number", *names])
    with connection.cursor() as cursor, connection.wrap_database_errors:
        cursor.copy_expert(f"COPY {TABLE} ({into}) FROM STDIN WITH (NULL 'nan')", lines)


def _time_text(value: datetime | None) -> str:
    return "nan" if value is None else value.isoformat()


def write(run_id: int, old: Profile, given: Columns) -> tuple[Profile, LumiSet]:
    """Merge `given` into the lumisections of a run, write what differs, and return the new profile and what changed.

    Rows 1 to `old.length` exist; a gap between them and `given.first` is filled with rows of which nothing is known.
    """
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
        _insert(run_id, old.length + 1, beyond, _times_beyond(old.length, given))
        changed |= LumiSet.from_ranges([(old.length + 1, length)])
    return Profile(values), changed


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
        known = _times_of(run_id, given.first, given.first + count - 1)
        moved = [one != other for one, other in zip(given.started_at[:count], known, strict=True)]
        if any(moved):
            touched |= np.array(moved)
            times = [given.started_at[index] for index in np.flatnonzero(touched)]
    numbers: list[int] = (np.flatnonzero(touched) + given.first).tolist()
    _upsert(run_id, numbers, {name: column[touched] for name, column in columns.items()}, times)
    return LumiSet.from_mask(touched, given.first)


def _times_beyond(length: int, given: Columns) -> Times | None:
    if given.started_at is None:
        return None
    gap = max(0, given.first - 1 - length)
    return [*repeat(None, gap), *given.started_at[max(0, length - given.first + 1) :]]


def _times_of(run_id: int, first: int, last: int) -> list[datetime | None]:
    rows = Lumisection.objects.filter(run_id=run_id, number__range=(first, last)).values_list("number", STARTED_AT)
    known = dict(rows)
    return [known.get(number) for number in range(first, last + 1)]


def save_profile(run_id: int, profile: Profile) -> None:
    row = RunProfile(
        run_id=run_id,
        length=profile.length,
        columns=profile.pack(),
        delivered_inv_nb=profile.total("delivered_inv_nb"),
        recorded_inv_nb=profile.total("recorded_inv_nb"),
    )
    changing = ["length", "columns", "delivered_inv_nb", "recorded_inv_nb"]
    RunProfile.objects.bulk_create([row], update_conflicts=True, unique_fields=["run"], update_fields=changing)
