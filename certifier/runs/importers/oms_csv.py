"""The run table of OMS as CSV: one line per run, a header of OMS attribute names.

There are no lumisections in it, nor how many a run has: duration and luminosity of a run go to its attributes.
"""

from __future__ import annotations

import csv
from typing import Any

from certifier.lumi import LARGEST_RUN

from . import cells
from .imported import FileRefused, Imported, Progress
from .oms_run import run_facts
from .source import numbered_lines

FORMAT = "OMS CSV"
UNKNOWN = {"", "null", "none", "nan"}
WORDS = {"true": True, "false": False}
REPORT_EVERY = 5_000
# Text even where it looks like a number.
TEXT = {"start_time", "end_time", "era", "hlt_key", "l1_key", "l1_hlt_mode", "l1_hlt_mode_stripped", "cmssw_version"}


def recognises(text: str) -> bool:
    names = text.lstrip("\ufeff").split("\n", 1)[0].strip().split(",")
    return "run_number" in names and "fill_number" in names


def read(text: str, progress: Progress) -> Imported:
    """Raises FileRefused naming the line."""
    total = text.count("\n") + 1
    imported = Imported(FORMAT)
    seen: dict[int, tuple[int, list[str]]] = {}
    names: list[str] = []
    for line, raw in numbered_lines(text):
        if not raw.strip():
            continue
        if line % REPORT_EVERY == 0:
            progress(line, total, "lines")
        try:
            (row,) = csv.reader([raw], strict=True)
            if not names:
                names = _header(row)
                continue
            number = _take(imported, names, row, line)
        except (ValueError, csv.Error) as error:
            raise FileRefused(str(error), line=line) from None
        before = seen.setdefault(number, (line, row))
        if before[0] != line:
            if before[1] != row:
                raise FileRefused(f"run {number} contradicts line {before[0]}.", line=line)
            imported.runs.pop()
    if not imported.runs:
        raise FileRefused("there are no runs in it.")
    return imported


def _header(row: list[str]) -> list[str]:
    names = [name.strip() for name in row]
    if len(set(names)) != len(names):
        raise ValueError("a column stands twice in the header.")
    return names


def _take(imported: Imported, names: list[str], row: list[str], line: int) -> int:
    if len(row) != len(names):
        raise ValueError(f"{len(row)} cells where the header has {len(names)}; part of the line is missing.")
    values = {name: value(name, cell) for name, cell in zip(names, row, strict=True)}
    number = values["run_number"]
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= LARGEST_RUN:
        raise ValueError(f"run_number “{row[names.index('run_number')][:30]}” is not a run number.")
    imported.runs.append(run_facts(values))
    imported.places.setdefault(number, f"line {line}")
    return number


def value(name: str, cell: str) -> Any:
    """A cell as what it looks like: a number, true or false, text; None where it is empty."""
    text = cell.strip()
    if text.lower() in UNKNOWN:
        return None
    if name == "stable_beam" and text.lower() not in WORDS:
        raise ValueError(f"stable_beam “{text[:30]}” is neither true nor false.")
    if name in TEXT:
        return text
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text)
    return cells.number(text, name) if cells.DECIMAL.fullmatch(text) and not text.startswith("-") else text
