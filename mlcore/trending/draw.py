"""`y : x : colour` with a selection, evaluated over columns; and what is read off the points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from .formula import Columns, FloatArray, Formula, FormulaError, is_true, parse

_FEWEST_PER_BIN: Final = 2


@dataclass(frozen=True)
class Points:
    """What is drawn: arrays of one length, and which rows of the columns they are. Rows of which y or x is not known
    are left out; a colour may be NaN."""

    y: FloatArray
    x: FloatArray | None
    colour: FloatArray | None
    rows: npt.NDArray[np.intp]
    # Rows that were selected, and of which y or x is not known.
    unknown: int

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Draw:
    """A picture that was asked for: y against x, or y alone (its distribution), coloured by a third."""

    y: Formula
    x: Formula | None = None
    colour: Formula | None = None
    where: Formula | None = None

    @classmethod
    def parse(cls, text: str, *, where: str = "", aliases: Mapping[str, str] | None = None) -> Draw:
        """`"y"`, `"y : x"` or `"y : x : colour"`. Aliases may use each other. Raises FormulaError."""
        parts = _parts(text)
        if len(parts) > 3:
            raise FormulaError("a picture has y, x and a colour at most", parts[3][0])
        named = {}
        for name, formula in (aliases or {}).items():
            try:
                named[name] = parse(formula)
            except FormulaError as error:
                raise FormulaError(f"alias “{name}”: {error}", error.position) from None

        def read(start: int, part: str) -> Formula:
            try:
                return parse(part).substituted(named)
            except FormulaError as error:
                raise FormulaError(str(error).rpartition(" (at")[0], start + error.position) from None

        y, *others = (read(start, part) for start, part in parts)
        x, colour = [*others, None, None][:2]
        return cls(y, x, colour, read(0, where) if where.strip() else None)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that it needs."""
        formulas = (self.y, self.x, self.colour, self.where)
        return tuple(dict.fromkeys(name for each in formulas if each is not None for name in each.names))

    def evaluate(self, columns: Columns, rows: int) -> Points:
        """The points among `rows` rows. Raises KeyError, and ValueError for columns of another length."""

        def values(formula: Formula) -> FloatArray:
            found = np.broadcast_to(formula.evaluate(columns), (rows,))
            return np.asarray(found, dtype=np.float64)

        chosen = np.ones(rows, np.bool_)
        if self.where is not None:
            chosen = is_true(values(self.where))
        y = values(self.y)
        x = None if self.x is None else values(self.x)
        known = ~np.isnan(y) if x is None else ~(np.isnan(y) | np.isnan(x))
        kept = np.flatnonzero(chosen & known)
        colour = None if self.colour is None else values(self.colour)[kept]
        return Points(y[kept], None if x is None else x[kept], colour, kept, int((chosen & ~known).sum()))


def _parts(text: str) -> list[tuple[int, str]]:
    """The formulas between colons, each with where it begins."""
    found, start = [], 0
    for part in text.split(":"):
        found.append((start, part))
        start += len(part) + 1
    return found


@dataclass(frozen=True)
class Profile:
    """The mean of y in bins of x: arrays of shape (bins,), NaN where a bin has none; an error needs two points.

    `error` is that of the mean, the sample's standard deviation over the root of the count.
    """

    edges: FloatArray
    mean: FloatArray
    error: FloatArray
    count: npt.NDArray[np.intp]


def profile(points: Points, bins: int = 20) -> Profile:
    """Mean and error of y in bins of equal width of x. Raises ValueError without x, or without any point."""
    if points.x is None or not len(points):
        raise ValueError("a profile needs points with an x.")
    low, high = float(points.x.min()), float(points.x.max())
    edges = np.linspace(low, high if high > low else low + 1.0, bins + 1)
    place = np.clip(np.searchsorted(edges, points.x, side="right") - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(place, points.y, minlength=bins) / count
        squares = np.bincount(place, (points.y - mean[place]) ** 2, minlength=bins)
        error = np.sqrt(squares / (count - 1) / count)
    error[count < _FEWEST_PER_BIN] = np.nan
    return Profile(edges, mean, error, count)
