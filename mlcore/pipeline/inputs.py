"""Histograms and features of a system on the same lumisections, in order of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlcore.conditions import BoolArray, Conditions, IntArray
from mlcore.errors import MlcoreError, ShapeError
from mlcore.features import FeatureTable, bin_features, quantities
from mlcore.histograms import HistogramBlock

Data = HistogramBlock | FeatureTable
#: the name under which the table of features goes
TABLE = "features"
#: the bins of several elements as one table go under `bins of one & other`, elements of one bin under `quantities of`
TOGETHER, QUANTITIES, AND = "bins of ", "quantities of ", " & "
#: names of so many elements are written out
_FEW = 3


def elements_of(name: str) -> tuple[str, ...]:
    """The elements of which an input consists: itself, or those that it puts side by side."""
    for several in (TOGETHER, QUANTITIES):
        if name.startswith(several):
            return tuple(name.removeprefix(several).split(AND))
    return (name,)


def spoken(name: str) -> str:
    """The name of an input in a sentence: of many elements the first ones and how many more."""
    names = elements_of(name)
    if len(names) <= _FEW:
        return name
    several = TOGETHER if name.startswith(TOGETHER) else QUANTITIES
    return f"{several}{', '.join(names[:2])} and {len(names) - 2} more"


@dataclass(frozen=True, eq=False)
class Inputs:
    """Blocks by element, and at most one table, on the lumisections of `conditions`, sorted by run and lumisection.

    `order` are the rows of what was given in this order: sorted[i] = given[order[i]].
    """

    conditions: Conditions
    blocks: dict[str, HistogramBlock]
    table: FeatureTable | None
    order: IntArray

    def __len__(self) -> int:
        return len(self.conditions)

    def get(self, element: str) -> Data | None:
        """A block, the table, or a table of the bins of several blocks; None where something is missing."""
        if element == TABLE:
            return self.table
        if not element.startswith((TOGETHER, QUANTITIES)):
            return self.blocks.get(element)
        parts = [self.blocks.get(name) for name in elements_of(element)]
        found = [block for block in parts if block is not None]
        side_by_side = bin_features if element.startswith(TOGETHER) else quantities
        return side_by_side(found) if len(found) == len(parts) else None

    def given(self, values: Any) -> Any:
        """Rows back in the order in which they were given."""
        back = np.empty_like(values)
        back[self.order] = values
        return back

    def present(self, element: str) -> BoolArray:
        """Which lumisections have this input, with something in it."""
        data = self.get(element)
        if data is None:
            return np.zeros(len(self), dtype=bool)
        if isinstance(data, HistogramBlock):
            return np.asarray(data.totals > 0)
        return np.asarray(np.isfinite(data.values).any(axis=1))

    def select(self, rows: Any) -> Inputs:
        return Inputs(
            self.conditions.select(rows),
            {name: block.select(rows) for name, block in self.blocks.items()},
            None if self.table is None else self.table.select(rows),
            np.arange(len(self.conditions.select(rows))),
        )


def gather(data: Sequence[Data], conditions: Conditions | None = None) -> Inputs:
    """Align blocks and tables, in any order and each with its own lumisections.

    Without `conditions` the lumisections are all that any of the inputs has; an input that lacks some is missing there.
    Raises MlcoreError for an element that comes twice or for no input at all.
    """
    if not data:
        raise MlcoreError("a system model needs at least one histogram block or feature table.")
    for one in data:
        if not isinstance(one, HistogramBlock | FeatureTable):
            raise MlcoreError(f"a system model takes HistogramBlock and FeatureTable, not {type(one).__name__}.")
    blocks = [one for one in data if isinstance(one, HistogramBlock)]
    tables = [one for one in data if isinstance(one, FeatureTable)]
    names = [block.element for block in blocks]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise MlcoreError(f"elements that come twice: {', '.join(twice)}; concatenate their blocks first.")
    rows = _all_rows([one.conditions for one in data]) if conditions is None else conditions
    order = np.lexsort((rows.lumisection, rows.run))
    ordered = rows if np.array_equal(order, np.arange(len(rows))) else rows.select(order)
    aligned = [_align(table, ordered) for table in tables]
    return Inputs(
        ordered,
        {block.element: _align(block, ordered) for block in blocks},
        FeatureTable.beside(aligned) if aligned else None,
        order,
    )


def _all_rows(parts: list[Conditions]) -> Conditions:
    """The lumisections of all parts; what one part does not know of them is taken from another."""
    first = parts[0]
    keys = first.key
    more = [part for part in parts[1:] if part is not first and not np.array_equal(part.key, keys)]
    if not more:
        return first
    every = np.unique(np.concatenate([part.key for part in parts]))
    columns = {name: np.full(every.size, np.nan) for name in ("luminosity", "pileup", "events", "time")}
    for part in parts:
        place = np.searchsorted(every, part.key)
        for name, column in columns.items():
            known = getattr(part, name)
            column[place] = np.where(np.isnan(column[place]), known, column[place])
    return Conditions(run=every >> 32, lumisection=every & 0xFFFFFFFF, **columns)


def _align(data: Any, conditions: Conditions) -> Any:
    """The input on these lumisections and with these conditions, NaN where it has none of its own."""
    if data.conditions is conditions:
        return data
    if np.array_equal(data.conditions.key, conditions.key):
        return replace(data, conditions=conditions)
    if isinstance(data, HistogramBlock):
        return data.align(conditions)
    rows = data.conditions.rows_of(conditions)
    values = np.full((len(conditions), data.values.shape[1]), np.nan)
    values[rows >= 0] = data.values[rows[rows >= 0]]
    return replace(data, values=values, conditions=conditions)


def same_rows(data: Sequence[Data]) -> bool:
    """Whether all inputs have the same lumisections in the same order, so that labels can be given row by row."""
    return all(np.array_equal(one.conditions.key, data[0].conditions.key) for one in data)


def check_rows(name: str, values: Any, n: int) -> None:
    if np.shape(values) != (n,):
        raise ShapeError(f"{name} have shape {np.shape(values)}, there are {n} lumisections.")
