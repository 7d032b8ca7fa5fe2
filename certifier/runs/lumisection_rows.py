"""Rows of lumisections written at machine speed, in the words of each database. Used by `lumisection_store` only.

New rows: binary COPY on PostgreSQL, executemany on SQLite. Rows that exist: an upsert of the columns given, no others.
Table and column names in the SQL are constants of this room.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from django.db import connection

from .lumisection_columns import STARTED_AT
from .models import Lumisection
from .profile import COLUMNS, Values

TABLE: Final = Lumisection._meta.db_table
Times = Sequence[datetime | None]
Mask = npt.NDArray[np.bool_]
_TYPES: Final = {**dict.fromkeys(COLUMNS, "double precision"), STARTED_AT: "timestamptz"}
# How a binary COPY begins and ends, and what its times count from.
_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TAIL: Final = b"\xff\xff"
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


def insert(run_id: int, first: int, columns: dict[str, Values], started_at: Times | None) -> None:
    """New rows of a run from lumisection `first` on; columns that are not given are NULL."""
    count = len(next(iter(columns.values())))
    if connection.vendor == "postgresql":
        _copy(run_id, first, count, columns, started_at)
        return
    names, data = _for_sqlite(columns, started_at)
    marks = ", ".join(["%s"] * (len(names) + 2))
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {TABLE} (run_id, number, {', '.join(names)}) VALUES ({marks})",  # noqa: S608
            list(zip([run_id] * count, range(first, first + count), *data, strict=True)),
        )


def upsert(run_id: int, numbers: list[int], columns: dict[str, Values], started_at: Times | None) -> None:
    """Set these columns, and no others, in the rows of these lumisections; a row that is missing is made."""
    names = [*columns, *([STARTED_AT] if started_at is not None else [])]
    if not numbers or not names:
        return
    into = f"INSERT INTO {TABLE} (run_id, number, {', '.join(names)})"
    updates = ", ".join(f"{name} = excluded.{name}" for name in names)
    conflict = f"ON CONFLICT (run_id, number) DO UPDATE SET {updates}"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # NaN is a number to PostgreSQL, which it is not here.
            chosen = ", ".join(f"NULLIF({name}, 'NaN')" if name in COLUMNS else name for name in names)
            arrays = ", ".join(f"%s::{_TYPES[name]}[]" for name in names)
            given: list[Any] = [run_id, *map(_array_text, [numbers, *(column.tolist() for column in columns.values())])]
            if started_at is not None:
                given.append(_array_text(started_at))
            cursor.execute(
                f"{into} SELECT %s, number, {chosen} FROM unnest(%s::integer[], {arrays}) "  # noqa: S608
                f"AS given (number, {', '.join(names)}) {conflict}",
                given,
            )
        else:
            _, data = _for_sqlite(columns, started_at)
            marks = ", ".join(["%s"] * (len(names) + 2))
            cursor.executemany(
                f"{into} VALUES ({marks}) {conflict}",
                list(zip([run_id] * len(numbers), numbers, *data, strict=True)),
            )


def _for_sqlite(columns: dict[str, Values], started_at: Times | None) -> tuple[list[str], list[list[Any]]]:
    """Column names and lists of Python values. NaN stays: SQLite reads it as NULL."""
    names = list(columns)
    data: list[list[Any]] = [column.tolist() for column in columns.values()]
    if started_at is not None:
        names.append(STARTED_AT)
        data.append([connection.ops.adapt_datetimefield_value(value) for value in started_at])
    return names, data


def _array_text(values: Sequence[Any]) -> str:
    """A PostgreSQL array of numbers or times. Much quicker than letting psycopg2 adapt each of them."""
    words = (
        "NULL" if value is None else value.isoformat() if isinstance(value, datetime) else repr(value)
        for value in values
    )
    return "{" + ",".join(words) + "}"


def _copy(run_id: int, first: int, count: int, columns: dict[str, Values], started_at: Times | None) -> None:
    """COPY in PostgreSQL's binary form: per row a count of fields, per field its length and its bytes, -1 for NULL."""
    known = np.zeros(count, np.bool_)
    fields: list[tuple[str, str, npt.NDArray[Any], Mask]] = [
        ("run_id", ">i8", np.full(count, run_id), known),
        ("number", ">i4", np.arange(first, first + count), known),
        *((name, ">f8", column, np.isnan(column)) for name, column in columns.items()),
    ]
    if started_at is not None:
        unknown = np.array([value is None for value in started_at])
        fields.append((STARTED_AT, ">i8", _microseconds(started_at), unknown))
    copy(TABLE, [name for name, _, _, _ in fields], _binary_rows(count, fields))


def copy(table: str, columns: Sequence[str], rows: bytes) -> None:
    """Rows in PostgreSQL's binary form: no literal is written for it to read, which matters for long ones."""
    with connection.cursor() as cursor, connection.wrap_database_errors:
        into = f"COPY {table} ({', '.join(columns)}) FROM STDIN WITH (FORMAT binary)"
        cursor.copy_expert(into, BytesIO(_HEAD + rows + _TAIL))


def _binary_rows(count: int, fields: Sequence[tuple[str, str, npt.NDArray[Any], Mask]]) -> bytes:
    form = [("fields", ">i2")]
    for name, kind, _, _ in fields:
        form += [(f"length of {name}", ">i4"), (name, kind)]
    rows = np.zeros(count, np.dtype(form))
    rows["fields"] = len(fields)
    kept = np.ones((count, rows.itemsize), np.bool_)
    for name, kind, values, unknown in fields:
        size = np.dtype(kind).itemsize
        offset = rows.dtype.fields[name][1]  # type: ignore[index]  # these names are its fields
        rows[name] = values
        rows[f"length of {name}"] = np.where(unknown, -1, size)
        kept[unknown, offset : offset + size] = False  # NULL has a length and no bytes
    return rows.view(np.uint8).reshape(count, rows.itemsize)[kept].tobytes()


def _microseconds(times: Times) -> npt.NDArray[np.int64]:
    step = timedelta(microseconds=1)
    return np.array([0 if value is None else (value - _EPOCH) // step for value in times], dtype=np.int64)


def times_of(run_id: int, first: int, last: int) -> list[datetime | None]:
    """When the lumisections `first` to `last` began, None where unknown."""
    rows = Lumisection.objects.filter(run_id=run_id, number__range=(first, last)).order_by()
    known = dict(rows.values_list("number", STARTED_AT))
    return [known.get(number) for number in range(first, last + 1)]
