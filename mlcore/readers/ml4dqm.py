"""Per-lumisection histograms in the CSV dumps of ML4DQM, in both of their forms.

One has the histogram as a list in a quoted cell (`histo`), the other one bin per column (`bin_0` is the underflow).
Columns may come several times under one name, or with a number behind it; they must then agree.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mlcore.conditions import Conditions, FloatArray
from mlcore.errors import FileBinning, FileCounts, UnreadableFile
from mlcore.histograms import Axis, HistogramBlock

from .labelled import LabelledBlock, joined

#: Columns that are labels; true or 1 is good.
LABELS = ("good", "good_pixel", "json", "dcsbit", "y", "label")
#: Longest cell that is read, in characters: a map of a thousand by a thousand.
LONGEST_CELL = 1 << 24
_NAMES = {"run": "run", "fromrun": "run", "lumi": "lumisection", "fromlumi": "lumisection", "hname": "element"}


def read_ml4dqm_csv(path: str | Path) -> list[LabelledBlock]:
    """All elements of a file, each with its lumisections in order of time.

    Raises UnreadableFile (FileBinning, FileCounts) with file, line and reason.
    """
    return joined(Path(path), list(iterate_ml4dqm_csv(path)))


def iterate_ml4dqm_csv(path: str | Path, *, rows: int = 5_000) -> Iterator[LabelledBlock]:
    """The same in pieces of at most `rows` lines, in the order of the file, one block per element and piece.

    Whether a lumisection comes twice is checked over the whole file.
    """
    file = Path(path)
    reader = _Lines(file)
    piece: dict[str, _Piece] = {}
    read = 0
    for row in reader.rows():
        piece.setdefault(row.element, _Piece()).add(row)
        read += 1
        if read % rows == 0:
            yield from (part.block(file, element) for element, part in piece.items())
            piece = {}
    if not read:
        raise UnreadableFile(file, None, "there is no histogram in it.")
    yield from (part.block(file, element) for element, part in piece.items())


@dataclass(frozen=True)
class _Row:
    line: int
    run: int
    lumisection: int
    element: str
    axes: tuple[tuple[float, float, int], ...]
    counts: FloatArray
    labels: dict[str, bool]


@dataclass
class _Piece:
    """Rows of one element."""

    rows: list[_Row] = field(default_factory=list)

    def add(self, row: _Row) -> None:
        self.rows.append(row)

    def block(self, path: Path, element: str) -> LabelledBlock:
        head = self.rows[0]
        axes = tuple(
            Axis.regular(name, bins, low, high) for name, (low, high, bins) in zip("xy", head.axes, strict=False)
        )
        inside, flow = _without_flow(np.array([row.counts for row in self.rows]), tuple(axis.bins for axis in axes))
        conditions = Conditions(
            run=np.array([row.run for row in self.rows]),
            lumisection=np.array([row.lumisection for row in self.rows]),
        )
        labels = {
            name: np.array([0 if row.labels[name] else 1 for row in self.rows], dtype=np.int64) for name in head.labels
        }
        return LabelledBlock(HistogramBlock(element, axes, inside, conditions, flow), labels)


class _Lines:
    """The lines of a file as rows, checked one by one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.line = 1
        self.seen: dict[tuple[str, int, int], int] = {}
        self.axes: dict[str, tuple[int, tuple[tuple[float, float, int], ...]]] = {}

    def fail(self, reason: str) -> UnreadableFile:
        return UnreadableFile(self.path, self.line, reason)

    def rows(self) -> Iterator[_Row]:
        previous = csv.field_size_limit(LONGEST_CELL)
        try:
            with self.path.open(newline="", encoding="utf-8-sig") as stream:
                yield from self._rows(csv.reader(stream, strict=True))
        except UnicodeDecodeError as problem:
            raise self.fail(f"this is not CSV text ({problem}).") from problem
        except OSError as problem:
            raise UnreadableFile(self.path, None, f"cannot be opened ({problem.strerror}).") from problem
        finally:
            csv.field_size_limit(previous)

    def _rows(self, lines: Any) -> Iterator[_Row]:
        try:
            columns = self._columns(next(lines, []))
            for cells in lines:
                self.line = lines.line_num
                if cells:
                    yield self._row(columns, cells)
        except csv.Error as problem:
            self.line = max(lines.line_num, 1)
            raise self.fail(f"this is not CSV text, or it is cut off ({problem}).") from problem

    def _columns(self, header: list[str]) -> dict[str, list[int]]:
        """Places of each quantity. Bins are under `bins`, in order."""
        columns: dict[str, list[int]] = {"width": [len(header)]}
        bins: dict[int, int] = {}
        for place, cell in enumerate(header):
            name = re.sub(r"\.\d+$", "", cell.strip()).lower()
            if match := re.fullmatch(r"bin_(\d+)", name):
                bins[int(match[1])] = place
            else:
                columns.setdefault(_NAMES.get(name, name), []).append(place)
        if bins:
            if sorted(bins) != list(range(len(bins))):
                raise self.fail("the columns bin_0, bin_1 ... have a gap.")
            columns["bins"] = [bins[number] for number in range(len(bins))]
        missing = [name for name in ("run", "lumisection", "element", "xmin", "xmax", "xbins") if name not in columns]
        if missing or not ("bins" in columns or "histo" in columns):
            wanted = ", ".join(missing or ["histo or bin_0 ..."])
            raise self.fail(f"not an ML4DQM table: the header has no column {wanted}.")
        return columns

    def _row(self, columns: dict[str, list[int]], cells: list[str]) -> _Row:
        if len(cells) != columns["width"][0]:
            raise self.fail(f"{len(cells)} cells, the header has {columns['width'][0]}; is the file cut off?")
        run, lumisection = (self._whole(columns, cells, name) for name in ("run", "lumisection"))
        if run < 0 or lumisection < 1:
            raise self.fail(f"run {run} lumisection {lumisection} do not exist; lumisections are numbered from 1.")
        element = self._one(columns, cells, "element")
        axes = self._axes(columns, cells, element)
        first = self.seen.setdefault((element, run, lumisection), self.line)
        if first != self.line:
            raise self.fail(f"run {run} lumisection {lumisection} of {element} came already in line {first}.")
        labels = {name: self._label(columns, cells, name) for name in LABELS if name in columns}
        return _Row(self.line, run, lumisection, element, axes, self._counts(columns, cells, axes, element), labels)

    def _one(self, columns: dict[str, list[int]], cells: list[str], name: str) -> str:
        """The cell of a quantity; where it comes several times all must be equal."""
        values = {cells[place] for place in columns[name]}
        if len(values) != 1:
            raise self.fail(f"the columns called {name} disagree: {', '.join(sorted(values))}.")
        return values.pop().strip()

    def _whole(self, columns: dict[str, list[int]], cells: list[str], name: str) -> int:
        text = self._one(columns, cells, name)
        if not re.fullmatch(r"-?\d{1,15}", text):
            raise self.fail(f"{name} is {text!r}, not a whole number.")
        return int(text)

    def _number(self, columns: dict[str, list[int]], cells: list[str], name: str) -> float:
        text = self._one(columns, cells, name)
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not np.isfinite(value):
            raise self.fail(f"{name} is {text!r}, not a number.")
        return value

    def _label(self, columns: dict[str, list[int]], cells: list[str], name: str) -> bool:
        text = self._one(columns, cells, name).lower()
        if text not in {"0", "1", "true", "false", "0.0", "1.0"}:
            raise self.fail(f"label {name} is {text!r}; it must be 0, 1, True or False.")
        return text in {"1", "true", "1.0"}

    def _axes(
        self, columns: dict[str, list[int]], cells: list[str], element: str
    ) -> tuple[tuple[float, float, int], ...]:
        axes = []
        for letter in "xy":
            if f"{letter}bins" in columns:
                low, high = (self._number(columns, cells, f"{letter}{end}") for end in ("min", "max"))
                axes.append((low, high, self._whole(columns, cells, f"{letter}bins")))
        if len(axes) == 2 and axes[1][2] <= 1:
            axes.pop()
        if any(bins < 1 or not low < high for low, high, bins in axes):
            raise self.fail(f"{element}: axes {axes} have no bins or no width.")
        line, first = self.axes.setdefault(element, (self.line, tuple(axes)))
        if first != tuple(axes):
            raise FileBinning(self.path, self.line, f"{element} has axes {axes}, it had {list(first)} in line {line}.")
        return first

    def _counts(
        self, columns: dict[str, list[int]], cells: list[str], axes: tuple[tuple[float, float, int], ...], element: str
    ) -> FloatArray:
        try:
            if "bins" in columns:
                values = np.array([float(cells[place]) for place in columns["bins"]])
            else:
                values = np.array(json.loads(self._one(columns, cells, "histo")), dtype=np.float64)
        except (ValueError, TypeError) as problem:
            raise self.fail(f"{element}: the histogram is not a list of numbers ({problem}).") from problem
        expected = int(np.prod([bins + 2 for _, _, bins in axes]))
        if values.shape != (expected,):
            raise FileBinning(
                self.path,
                self.line,
                f"{element}: {values.size} bins, its axes with under- and overflow have {expected}.",
            )
        if not np.isfinite(values).all() or (values < 0).any():
            raise FileCounts(self.path, self.line, f"{element}: counts are negative or not finite.")
        return values


def _without_flow(counts: FloatArray, bins: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """Counts (n, *bins) and flow (n, dimensions, 2). ROOT numbers bins with x running fastest."""
    shaped = counts.reshape(len(counts), *(number + 2 for number in reversed(bins)))
    shaped = np.moveaxis(shaped, range(1, shaped.ndim), range(shaped.ndim - 1, 0, -1))
    inside = shaped[(slice(None), *(slice(1, -1) for _ in bins))]
    flow = np.stack(
        [
            np.stack([np.take(shaped, end, axis=axis + 1).reshape(len(counts), -1).sum(axis=1) for end in (0, -1)], 1)
            for axis in range(len(bins))
        ],
        axis=1,
    )
    return np.ascontiguousarray(inside), flow
