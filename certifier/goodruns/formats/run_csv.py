"""Good-run lists as CSV: one range per row, columns `run,first,last`, inclusive."""

from __future__ import annotations

import csv
from io import StringIO

from certifier.lumi import LumiError, RunLumiMap

from .errors import FormatError
from .text import decode

COLUMNS = ["run", "first", "last"]


def read(data: bytes | str) -> RunLumiMap:
    """The runs of a CSV file; rows in any order. Raises FormatError naming the line."""
    text, _ = decode(data)
    rows = csv.reader(StringIO(text), strict=True)
    pairs: dict[int, list[tuple[int, int]]] = {}
    try:
        header = [cell.strip().lower() for cell in next(rows, [])]
        if header != COLUMNS:
            raise FormatError(f"the columns must be {','.join(COLUMNS)}.", line=1)
        for row in rows:
            if row:
                run, first, last = _numbers(row, rows.line_num)
                _check(run, first, last, rows.line_num)
                pairs.setdefault(run, []).append((first, last))
    except csv.Error as error:
        raise FormatError(f"this is no CSV ({error}).", line=rows.line_num) from None
    return RunLumiMap.from_golden(pairs)


def _numbers(row: list[str], line: int) -> list[int]:
    if len(row) != len(COLUMNS):
        raise FormatError(f"{len(COLUMNS)} values are needed ({','.join(COLUMNS)}), here are {len(row)}.", line=line)
    cells = [cell.strip() for cell in row]
    for name, cell in zip(COLUMNS, cells, strict=True):
        if not (cell.isascii() and cell.isdigit() and len(cell) <= 12):
            raise FormatError(f"{name} is “{cell[:40]}”, which is no whole number.", line=line)
    return [int(cell) for cell in cells]


def _check(run: int, first: int, last: int, line: int) -> None:
    try:
        RunLumiMap.from_golden({run: [(first, last)]})
    except LumiError as error:
        raise FormatError(str(error), line=line) from None


def write(content: RunLumiMap) -> str:
    """One row per range, ascending, a header first."""
    rows = [f"{run},{first},{last}\n" for run, lumisections in content.items() for first, last in lumisections]
    return ",".join(COLUMNS) + "\n" + "".join(rows)
