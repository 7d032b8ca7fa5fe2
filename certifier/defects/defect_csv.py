"""Defect records as CSV, as the defect folder of ATLAS is dumped: one interval per row, its end not included.

Columns, in any order, others are passed over: `defect, since_run, since_lb, until_run, until_lb_exclusive, present,
recoverable, user, comment`. Three things of such a folder need care, and each is said when it happens:

- lumisection 0 is an artefact of the time before the run; a record that begins there begins at 1;
- an end may be open (4294967295), or lie beyond the run: the record then ends with the run;
- a record may reach over several runs: it is split, if every run it needs is known with its length.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from certifier.lumi import LARGEST_RUN, MAX_LUMISECTION, LumiSet

from .naming import quoted

COLUMNS = (
    "defect",
    "since_run",
    "since_lb",
    "until_run",
    "until_lb_exclusive",
    "present",
    "recoverable",
    "user",
    "comment",
)
OPEN = 2**32 - 1
BOOLEANS = {"1": True, "0": False, "true": True, "false": False}
# So many records that reach from a run's first lumisection to one and the same end are taken to be whole-run records.
WHOLE_RUN_RECORDS = 5


@dataclass(frozen=True, slots=True)
class Record:
    """One row. `since` and `until` are (run, lumisection), the end not included, as they were written."""

    line: int
    defect: str
    since: tuple[int, int]
    until: tuple[int, int]
    present: bool
    recoverable: bool
    user: str
    comment: str

    def runs(self) -> set[int]:
        """The runs at its two ends of which it covers something, if they are long enough."""
        return ({self.since[0]} if self.since[1] < OPEN else set()) | ({self.until[0]} if self.until[1] > 1 else set())


@dataclass(slots=True)
class Records:
    records: list[Record] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)


class BadCell(ValueError):
    """What is wrong with a cell, in words."""


class Part(NamedTuple):
    """What a record covers of one run."""

    run: int
    lumisections: LumiSet


class NotSplit(ValueError):
    """Why a record cannot be put into runs."""


def looks_like_csv(text: str) -> bool:
    """Whether the first line that says something is a header of columns, and not a line of upload text."""
    for line in text.removeprefix("\ufeff").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            return "since_run" in line.lower() or line.count(",") >= 3
    return False


def read(text: str) -> Records:
    """Every row; what is wrong is collected with its line."""
    found = Records()
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        header = next(reader, [])
        places = _places(header)
        begins = reader.line_num + 1
        for row in reader:
            if any(cell.strip() for cell in row):
                try:
                    found.records.append(_record(begins, row, places, len(header)))
                except BadCell as error:
                    found.problems.append((begins, str(error)))
            begins = reader.line_num + 1
    except BadCell as error:
        found.problems.append((1, str(error)))
    except csv.Error as error:
        found.problems.append((reader.line_num, f"the file cannot be read as CSV from here on ({error}). Is it whole?"))
    if not found.records and not found.problems:
        found.problems.append((0, "There is no record below the header."))
    return found


def _places(header: list[str]) -> Mapping[str, int]:
    names = [name.strip().lower() for name in header]
    missing = [name for name in COLUMNS if name not in names]
    if missing:
        raise BadCell(f"the header lacks {', '.join(missing)}. It needs the columns {','.join(COLUMNS)}.")
    twice = [name for name in COLUMNS if names.count(name) > 1]
    if twice:
        raise BadCell(f"the header has {', '.join(twice)} more than once.")
    return {name: names.index(name) for name in COLUMNS}


def _record(line: int, row: list[str], places: Mapping[str, int], width: int) -> Record:
    if len(row) != width:
        raise BadCell(f"the row has {len(row)} cells and the header {width}. Is the file whole?")
    cells = {name: row[place].strip() for name, place in places.items()}
    if "\x00" in "".join(cells.values()):
        raise BadCell("the row holds the character NUL, which cannot be stored.")
    record = Record(
        line,
        cells["defect"],
        (_number(cells, "since_run", LARGEST_RUN), _number(cells, "since_lb", OPEN)),
        (_number(cells, "until_run", LARGEST_RUN), _number(cells, "until_lb_exclusive", OPEN)),
        _boolean(cells, "present"),
        _boolean(cells, "recoverable"),
        cells["user"],
        cells["comment"],
    )
    if not record.defect:
        raise BadCell("the defect has no name.")
    if record.since >= record.until:
        word = "is empty" if record.since == record.until else "is reversed"
        raise BadCell(f"the interval {interval(record)} {word}: it must end after it begins.")
    return record


def _number(cells: Mapping[str, str], name: str, largest: int) -> int:
    text = cells[name]
    if not (text.isascii() and text.isdigit()):
        raise BadCell(f"{name} is {quoted(text)}; it must be a whole number, not negative.")
    if len(text) > 12 or int(text) > largest:
        raise BadCell(f"{name} is {quoted(text)}; the largest is {largest}.")
    return int(text)


def _boolean(cells: Mapping[str, str], name: str) -> bool:
    found = BOOLEANS.get(cells[name].lower())
    if found is None:
        raise BadCell(f"{name} is {quoted(cells[name])}; it must be 1 or 0.")
    return found


def interval(record: Record) -> str:
    (since_run, since), (until_run, until) = record.since, record.until
    return f"{since_run}:{_end(since)} to {until_run}:{_end(until)}"


def _end(lumisection: int) -> str:
    return "open" if lumisection == OPEN else str(lumisection)


def split(record: Record, lengths: Mapping[int, int]) -> tuple[list[Part], list[str]]:
    """What the record covers of each run, and what should be said about it.

    `lengths` has the last lumisection of every known run. Raises NotSplit when a run that it needs is not among them.
    """
    (since_run, since), (until_run, until) = record.since, record.until
    inside = [run for run in lengths if since_run < run < until_run]
    parts, remarks = [], []
    for run in sorted({*record.runs(), *inside}):
        last = lengths.get(run)
        if last is None:
            raise NotSplit(_unknown(record, run))
        if last == 0:
            raise NotSplit(f"run {run} has no lumisections yet, so “{interval(record)}” cannot be put into it.")
        first = since if run == since_run else 0
        end = until - 1 if run == until_run else OPEN
        if run == since_run and first == 0 and end > 0:
            remarks.append("lumisection 0 does not exist; the record begins at 1")
        if last < end < OPEN - 1 and first <= last:
            remarks.append(f"it ends at {end}, beyond the last lumisection {last} of run {run}; the rest is cut off")
        if max(first, 1) <= min(end, last):
            parts.append(Part(run, LumiSet.from_ranges([(max(first, 1), min(end, last))])))
    if not parts:
        remarks = [f"“{interval(record)}” covers no lumisection of a run that is known; nothing is recorded for it"]
    elif len({since_run, *(part.run for part in parts)}) > 1:
        remarks.append(f"it reaches over several runs and is split: {', '.join(str(part.run) for part in parts)}")
    return parts, remarks


def _unknown(record: Record, run: int) -> str:
    if record.since[0] == record.until[0]:
        return f"run {run} is not known. Import the run first, or let --create-runs make it."
    return (
        f"“{interval(record)}” reaches over several runs and cannot be split, because run {run} is not known. "
        "Import its length first."
    )


def lengths_from(records: Iterable[Record]) -> dict[int, int]:
    """The last lumisection of each run as its records tell it: none for a run whose records all have open ends.

    Where several records reach from a run's first lumisection to one and the same end, and hardly any beyond, that end
    is the run's: real data have a few records that overshoot, and those are cut. Else the furthest end counts.
    """
    ends: dict[int, Counter[int]] = {}
    whole: dict[int, Counter[int]] = {}
    for record in records:
        (since_run, since), (until_run, until) = record.since, record.until
        if not 1 < until <= MAX_LUMISECTION + 1:
            continue
        ends.setdefault(until_run, Counter())[until - 1] += 1
        if since <= 1 or since_run < until_run:
            whole.setdefault(until_run, Counter())[until - 1] += 1
    return {run: _length(counted, whole.get(run, Counter())) for run, counted in ends.items()}


def _length(ends: Counter[int], whole: Counter[int]) -> int:
    end, count = max(whole.items(), key=lambda pair: (pair[1], pair[0]), default=(0, 0))
    beyond = sum(number for other, number in ends.items() if other > end)
    return end if count >= WHOLE_RUN_RECORDS and beyond * 10 <= count else max(ends)
