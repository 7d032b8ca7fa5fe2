"""Luminosity tables of brilcalc (`brilcalc lumi --output-style csv`), by lumisection or by run.

By lumisection: delivered and recorded luminosity of each lumisection, pile-up, when it began, where beams were
stable; the fill, the beam energy and which luminometer was used go to the run. Rows may come in any order. The
lumisection is the first number of `ls:cmsls`; the second is 0 where CMS recorded nothing.

A table with an `hltpath` column gives what that trigger path saw, which is the luminosity divided by its prescale.
Where a file holds several paths, the one with the most delivered luminosity in a lumisection is nearest to the
truth and is taken.

By run: there is no value per lumisection, so everything goes to the attributes of the run.

All totals that the footer states are compared with the rows.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from certifier.lumi import LumiSet
from certifier.runs.run_fields import LARGEST_INTEGER

from . import cells
from .brilcalc_footer import Footer, check_totals
from .imported import FileRefused, Imported, ImportedLumisections, Progress
from .source import numbered_lines

FORMAT = "brilcalc CSV"
NAMED_UNIT = re.compile(r"(?P<name>\w+)\((?P<unit>[^)]*)\)")
STABLE = "STABLE BEAMS"
REPORT_EVERY = 20_000


def recognises(text: str) -> bool:
    return any(line.startswith("#run:fill,") for _, line in zip(range(20), text.splitlines(), strict=False))


@dataclass(frozen=True)
class Header:
    """Where each column stands, and the power of ten from the table's unit of luminosity to inverse nanobarn."""

    columns: dict[str, int]
    width: int
    unit: str
    power: int

    @property
    def by_lumisection(self) -> bool:
        return "ls" in self.columns

    def cells(self, line: str) -> dict[str, str]:
        """Cells by column. Raises ValueError when there are too few or too many."""
        row = line.split(",")
        if len(row) != self.width:
            raise ValueError(f"{len(row)} cells where the header has {self.width}; part of the line is missing.")
        return {name: row[place] for name, place in self.columns.items()}


@dataclass
class Rows:
    """The rows of one run as (line, text), by lumisection (0 in a table by run) and HLT path (empty where there is
    none).

    The text is cut into cells again when it is needed: a year of lumisections would not fit into memory otherwise.
    """

    fill: int
    lines: dict[tuple[int, str], tuple[int, str]] = field(default_factory=dict)
    paths: set[str] = field(default_factory=set)


def read(text: str, progress: Progress) -> Imported:
    """Raises FileRefused naming the line."""
    reading = _Reading(progress, text.count("\n") + 1)
    for number, line in numbered_lines(text):
        try:
            reading.take(number, line)
        except ValueError as error:
            raise FileRefused(str(error), line=number) from None
    return reading.finish(complete_line=text.endswith(("\n", "\r")))


class _Reading:
    def __init__(self, progress: Progress, lines: int) -> None:
        self.progress, self.lines = progress, lines
        self.header: Header | None = None
        self.footer = Footer()
        self.runs: dict[int, Rows] = {}
        self.repeated = 0
        self.data_tag = ""
        self.last_line = 0

    def take(self, number: int, line: str) -> None:
        self.last_line = number
        if number % REPORT_EVERY == 0:
            self.progress(number, self.lines, "lines")
        if line.startswith("#run:fill,"):
            header = read_header(line[1:])
            if self.header is not None and header != self.header:
                raise ValueError("a second header differs from the first; import the tables one by one.")
            self.header = header
        elif line.startswith("#Data tag"):
            self.data_tag = line.partition(":")[2].partition(",")[0].strip()
        elif line.startswith("#"):
            self.footer.take(number, line[1:])
        elif line.strip():
            self._row(number, line)

    def _row(self, number: int, line: str) -> None:
        header = self.header
        if header is None:
            raise ValueError("there is data before the header line “#run:fill,…”.")
        if self.footer.begun:
            raise ValueError("there is data behind the summary.")
        values = header.cells(line)
        run_text, _, fill_text = values["run:fill"].partition(":")
        run, fill = cells.run(run_text), cells.whole(fill_text, "fill", 0, LARGEST_INTEGER)
        rows = self.runs.setdefault(run, Rows(fill))
        if rows.fill != fill:
            raise ValueError(f"run {run} belongs to fill {rows.fill} in earlier rows, to {fill} here.")
        lumisection = cells.lumisection(values["ls"].partition(":")[0]) if header.by_lumisection else 0
        path = sys.intern(values.get("hltpath", ""))
        before = rows.lines.setdefault((lumisection, path), (number, line))
        if before[0] == number:
            rows.paths.add(path)
            self.footer.count(values, header)
        elif before[1] != line:
            raise ValueError(f"this row contradicts line {before[0]}, which is about the same.")
        else:
            self.repeated += 1

    def finish(self, *, complete_line: bool) -> Imported:
        if self.header is None or not self.runs:
            raise FileRefused("there are no rows of luminosity in it.")
        if not self.footer.begun and not complete_line:
            raise FileRefused("the file ends in the middle of a line; part of it is missing.", line=self.last_line)
        check_totals(self.footer, self.header.unit)
        notes = [] if self.footer.begun else ["has no #Summary, so whether it is complete could not be checked"]
        if self.repeated:
            notes.append(f"{self.repeated:,} repeated rows were left out")
        if self.header.by_lumisection and any(len(rows.paths) > 1 for rows in self.runs.values()):
            notes.append("several HLT paths: of each lumisection the one with the most luminosity was taken")
        imported = Imported(FORMAT, notes=notes)
        for done, (run, rows) in enumerate(sorted(self.runs.items())):
            self.progress(done, len(self.runs), "runs read")
            try:
                self._add(imported, run, rows)
            except CellRefused as error:
                raise FileRefused(str(error), line=error.line) from None
        return imported

    def _add(self, imported: Imported, run: int, rows: Rows) -> None:
        assert self.header is not None  # finish has looked
        imported.places[run] = f"line {min(line for line, _ in rows.lines.values())}"
        facts: dict[str, Any] = {"run": run, "fill": rows.fill}
        luminosity: dict[str, Any] = {"tool": "brilcalc", "data_tag": self.data_tag}
        paths = sorted(rows.paths - {""})
        if self.header.by_lumisection:
            chosen = _largest(rows, self.header)
            imported.lumisections.append(_lumisections(run, chosen, self.header))
            facts |= _energy(chosen)
            luminosity |= _sources(chosen)
            if paths:
                luminosity["hlt_paths"] = paths
        else:
            luminosity |= _by_path(rows, self.header)
        facts["attributes"] = {"luminosity": luminosity}
        imported.runs.append(facts)


class CellRefused(ValueError):
    """A cell is not what its column holds."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.line = line


# The rows that count, by lumisection: (line, cells by column).
Chosen = dict[int, tuple[int, dict[str, str]]]


def read_header(line: str) -> Header:
    """Raises ValueError for a unit that is not one of integrated luminosity, and for columns that are missing."""
    columns: dict[str, int] = {}
    units: set[str] = set()
    names = line.strip().split(",")
    for place, name in enumerate(names):
        match = NAMED_UNIT.fullmatch(name)
        if match and match["name"] in {"delivered", "recorded"}:
            units.add(match["unit"])
            columns[match["name"]] = place
        else:
            columns[match["name"] if match else name] = place
    missing = [name for name in ("run:fill", "delivered", "recorded") if name not in columns]
    if missing:
        raise ValueError(f"the header has no column {', '.join(missing)}.")
    if len(columns) != len(names):
        raise ValueError("a column stands twice in the header.")
    unit = units.pop()
    if units or unit not in cells.INVERSE_UNITS:
        known = " ".join(cells.INVERSE_UNITS)
        raise ValueError(f"the unit ({unit}) is none of integrated luminosity; run brilcalc with one of {known}.")
    return Header(columns, len(names), unit, cells.INVERSE_UNITS[unit])


def _largest(rows: Rows, header: Header) -> Chosen:
    chosen: Chosen = {}
    for (lumisection, _), (line, text) in rows.lines.items():
        values = header.cells(text)
        known = chosen.get(lumisection)
        if known is None or float(values["delivered"]) > float(known[1]["delivered"]):
            chosen[lumisection] = (line, values)
    return chosen


def _lumisections(run: int, chosen: Chosen, header: Header) -> ImportedLumisections:
    numbers = sorted(chosen)
    first, count = numbers[0], numbers[-1] - numbers[0] + 1
    columns: dict[str, Any] = {}
    for source, column, power in (
        ("delivered", "delivered_inv_nb", header.power),
        ("recorded", "recorded_inv_nb", header.power),
        ("avgpu", "pileup", 0),
    ):
        if source in header.columns:
            values = np.full(count, np.nan)
            for lumisection, value in _numbers(chosen, source, power).items():
                values[lumisection - first] = value
            columns[column] = values
    if "time" in header.columns:
        times: list[datetime | None] = [None] * count
        for lumisection, (line, row) in chosen.items():
            try:
                times[lumisection - first] = cells.time(row["time"])
            except ValueError as error:
                raise CellRefused(str(error), line) from None
        columns["started_at"] = times
    flags = {}
    if "beamstatus" in header.columns:
        stable = [number for number, (_, row) in chosen.items() if row["beamstatus"].strip() == STABLE]
        flags["stable_beams"] = LumiSet.from_numbers(stable)
    return ImportedLumisections(run, first, columns, len(numbers), flags, LumiSet.from_numbers(numbers))


def _numbers(chosen: Chosen, column: str, power: int = 0) -> dict[int, float]:
    found = {}
    for lumisection, (line, values) in chosen.items():
        try:
            found[lumisection] = cells.number(values[column], column, power)
        except ValueError as error:
            raise CellRefused(str(error), line) from None
    return found


def _energy(chosen: Chosen) -> dict[str, float]:
    """The beam energy of the run: the largest, since beams that are being ramped have less."""
    if "E" not in next(iter(chosen.values()))[1]:
        return {}
    return {"energy_gev": max(_numbers(chosen, "E").values())}


def _sources(chosen: Chosen) -> dict[str, dict[str, str]]:
    by_source: dict[str, list[int]] = {}
    for lumisection, (_, values) in chosen.items():
        if "source" in values:
            by_source.setdefault(values["source"].strip(), []).append(lumisection)
    if not by_source:
        return {}
    return {"luminometers": {name: str(LumiSet.from_numbers(by_source[name])) for name in sorted(by_source)}}


def _by_path(rows: Rows, header: Header) -> dict[str, Any]:
    """The totals of the run; for each HLT path where there are paths."""
    found: dict[str, dict[str, Any]] = {}
    for (_, path), (line, text) in sorted(rows.lines.items()):
        values = header.cells(text)
        try:
            found[path] = {
                "delivered_inv_nb": cells.number(values["delivered"], "delivered", header.power),
                "recorded_inv_nb": cells.number(values["recorded"], "recorded", header.power),
            }
            for name in ("nls", "ncms"):
                if name in values:
                    found[path][name] = cells.whole(values[name], name, 0, LARGEST_INTEGER)
        except ValueError as error:
            raise CellRefused(str(error), line) from None
    return found.get("", {"by_hlt_path": found})
