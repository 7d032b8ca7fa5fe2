"""CSV for spreadsheets: what somebody typed is never taken for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

# A spreadsheet reads a cell that begins with one of these as a formula, or skips it and looks at what follows.
STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def write(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Comma-separated lines. Numbers stay numbers; a text that begins like a formula gets an apostrophe before it."""
    out = io.StringIO()
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow([safe(each) for each in header])
    lines.writerows([[safe(each) for each in row] for row in rows])
    return out.getvalue()


def safe(value: object) -> object:
    if isinstance(value, str) and value.startswith(STARTS_A_FORMULA):
        return f"'{value}"
    return "" if value is None else value
