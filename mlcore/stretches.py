"""From numbers per lumisection to stretches of one run: what people look at, and what a defect is entered for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .conditions import BoolArray, Conditions, FloatArray, IntArray
from .errors import MlcoreError, ShapeError


@dataclass(frozen=True)
class Stretch:
    """Lumisections `first` to `last` (both included) of one run.

    `rows` are their rows in the conditions they were found in, in order of lumisections; `peak` is the row of the
    highest value, `top` and `mean` the highest and the mean value of those that have one.
    """

    run: int
    first: int
    last: int
    rows: tuple[int, ...]
    peak: int
    top: float
    mean: float

    def __len__(self) -> int:
        return len(self.rows)

    def __str__(self) -> str:
        inside = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"run {self.run} lumisections {inside}"


@dataclass(frozen=True)
class Segment:
    """Lumisections `first` to `last` of one run that share a value."""

    run: int
    first: int
    last: int
    value: int


def hysteresis(
    values: npt.ArrayLike, conditions: Conditions, *, high: float, low: float, shortest: int = 1, bridge: int = 0
) -> IntArray:
    """Number of the stretch each lumisection lies in, -1 for none; (n,).

    A stretch is a set of lumisections of one run, each above `low`, at least one above `high`, with at most `bridge`
    lumisections (below `low`, without a value, or not in the data at all) between two that follow each other. It counts
    when it reaches over `shortest` lumisections or more. What lies in a bridge belongs to the stretch. Stretches are
    numbered in the order of run and lumisection, whatever the order of the rows.

    Parameters
    ----------
    values : (n,) scores or probabilities, higher = worse, NaN = none.
    conditions : the n lumisections.

    Raises ShapeError when values and conditions differ in length, MlcoreError when `low` is above `high`.
    """
    given = np.asarray(values, dtype=np.float64)
    if given.shape != (len(conditions),):
        raise ShapeError(f"values have shape {given.shape}, expected ({len(conditions)},).")
    if not low <= high or shortest < 1 or bridge < 0:
        raise MlcoreError("a stretch needs low <= high, shortest >= 1 and bridge >= 0.")
    order = np.lexsort((conditions.lumisection, conditions.run))
    run, number, value = conditions.run[order], conditions.lumisection[order], given[order]
    found = np.full(len(order), -1, dtype=np.int64)
    above = np.flatnonzero(value > low)  # NaN is above nothing
    if above.size == 0:
        return found
    starts = _starts(run[above], number[above], bridge)
    first = np.flatnonzero(starts)
    last = np.append(first[1:], above.size) - 1
    long = number[above[last]] - number[above[first]] + 1 >= shortest
    kept = long & (np.maximum.reduceat(value[above], first) > high)
    # Everything between the first and the last row of a stretch lies in it, also what was bridged.
    begin, end = above[first][kept], above[last][kept]
    step = np.zeros(len(order) + 1, dtype=np.int64)
    step[begin] += 1
    step[end + 1] -= 1
    inside = np.cumsum(step[:-1]) > 0
    place = np.searchsorted(begin, np.arange(len(order)), side="right") - 1
    found[inside] = place[inside]
    back = np.empty_like(found)
    back[order] = found
    return back


def _starts(run: IntArray, number: IntArray, bridge: int) -> BoolArray:
    """Where, among rows in order, a new stretch begins."""
    return np.asarray(np.r_[True, (np.diff(run) != 0) | (np.diff(number) > bridge + 1)])


def stretches(
    values: npt.ArrayLike, conditions: Conditions, *, high: float, low: float, shortest: int = 1, bridge: int = 0
) -> list[Stretch]:
    """The stretches of `hysteresis`, one value each, in the order of run and first lumisection."""
    numbers = hysteresis(values, conditions, high=high, low=low, shortest=shortest, bridge=bridge)
    given = np.asarray(values, dtype=np.float64)
    rows = np.flatnonzero(numbers >= 0)
    rows = rows[np.lexsort((conditions.lumisection[rows], numbers[rows]))]
    edges = np.flatnonzero(np.diff(numbers[rows])) + 1
    return [_stretch(part, given, conditions) for part in np.split(rows, edges) if part.size]


def _stretch(rows: npt.NDArray[Any], values: FloatArray, conditions: Conditions) -> Stretch:
    inside = values[rows]
    peak = int(rows[np.nanargmax(inside)])
    return Stretch(
        run=int(conditions.run[rows[0]]),
        first=int(conditions.lumisection[rows[0]]),
        last=int(conditions.lumisection[rows[-1]]),
        rows=tuple(rows.tolist()),
        peak=peak,
        top=float(values[peak]),
        mean=float(np.nanmean(inside)),
    )


def segments(values: npt.ArrayLike, conditions: Conditions) -> list[Segment]:
    """Runs cut where an integer value (a verdict) changes or a lumisection is not there, in order.

    They partition the lumisections of `conditions`: each lies in exactly one. Raises ShapeError.
    """
    given = np.asarray(values, dtype=np.int64)
    if given.shape != (len(conditions),):
        raise ShapeError(f"values have shape {given.shape}, expected ({len(conditions)},).")
    if not given.size:
        return []
    order = np.lexsort((conditions.lumisection, conditions.run))
    run, number, value = conditions.run[order], conditions.lumisection[order], given[order]
    first = np.flatnonzero(_starts(run, number, 0) | np.r_[True, np.diff(value) != 0])
    last = np.append(first[1:], value.size) - 1
    columns = zip(
        run[first].tolist(), number[first].tolist(), number[last].tolist(), value[first].tolist(), strict=True
    )
    return [Segment(*row) for row in columns]
