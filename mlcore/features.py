"""Numbers per lumisection: quantiles and moments of histograms, grouped by physics object, names travelling along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .conditions import Conditions, FloatArray
from .errors import ShapeError
from .histograms import HistogramBlock, numbers

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
#: a column that holds the prescale of another one is named so
PRESCALE = "prescale:"
#: and the quantity that it comes from is the element of the other with this behind it
PRESCALE_OF = "/prescale"


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """A table of n lumisections by f features.

    Parameters
    ----------
    values : (n, f) floats, NaN where a feature is not known.
    names : f distinct names.
    groups : f names of physics objects (muons, photons …) by which errors are summed and reported.
    conditions : the n lumisections.
    """

    values: FloatArray
    names: tuple[str, ...]
    groups: tuple[str, ...]
    conditions: Conditions

    def __post_init__(self) -> None:
        values = np.asarray(numbers("features", self.values), dtype=np.float64)
        if values.ndim != 2 or values.shape[0] != len(self.conditions):
            raise ShapeError(
                f"features: values have shape {values.shape}, expected ({len(self.conditions)}, features)."
            )
        if not len(self.names) == len(self.groups) == values.shape[1]:
            raise ShapeError(
                f"features: {values.shape[1]} columns, {len(self.names)} names, {len(self.groups)} groups."
            )
        if len(set(self.names)) != len(self.names):
            raise ShapeError("features: two columns have the same name; names must be distinct.")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "groups", tuple(self.groups))

    def __len__(self) -> int:
        return len(self.conditions)

    def select(self, rows: npt.NDArray[Any] | slice) -> FeatureTable:
        return replace(self, values=self.values[rows], conditions=self.conditions.select(rows))

    def of_group(self, group: str) -> FeatureTable:
        columns = [place for place, name in enumerate(self.groups) if name == group]
        return FeatureTable(
            self.values[:, columns],
            tuple(self.names[place] for place in columns),
            tuple(group for _ in columns),
            self.conditions,
        )

    @staticmethod
    def beside(tables: Sequence[FeatureTable]) -> FeatureTable:
        """The columns of several tables of the same lumisections, side by side. Raises ShapeError."""
        if not tables:
            raise ShapeError("features: there is no table to put beside another.")
        for table in tables[1:]:
            if not np.array_equal(table.conditions.key, tables[0].conditions.key):
                raise ShapeError("features: tables to be joined have different lumisections; align them first.")
        return FeatureTable(
            np.hstack([table.values for table in tables]),
            tuple(name for table in tables for name in table.names),
            tuple(name for table in tables for name in table.groups),
            tables[0].conditions,
        )


def shape_features(block: HistogramBlock) -> FeatureTable:
    """Mean, standard deviation and the quantiles 1, 25, 50, 75, 99% of each 1D histogram, with the fraction of flow.

    Quantiles are interpolated within bins. Shape (n, 8). NaN for an empty or missing histogram: a shape that nobody
    has seen is not a shape. Seven of the eight are the statistics of arXiv:1709.08607, computed there from objects.
    """
    if len(block.axes) != 1:
        raise ShapeError(
            f"{block.element}: shape features are for histograms of one axis; use map features for {len(block.axes)}."
        )
    axis, counts = block.axes[0], np.nan_to_num(block.flat.astype(np.float64), nan=0.0)
    assert block.flow is not None
    flow = block.flow[:, 0, :].sum(axis=1)
    total = counts.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = counts @ axis.centres / total
        spread = np.sqrt(np.maximum(counts @ axis.centres**2 / total - mean**2, 0.0))
        outside = flow / (flow + total)
    quantiles = _quantiles(axis.edges, counts, total)
    values = np.column_stack([mean, spread, quantiles, outside])
    values[(total == 0) | block.missing] = np.nan
    labels = ["mean", "std", *(f"q{round(100 * q):02d}" for q in QUANTILES), "outside"]
    group = block.physics_object or block.element
    return FeatureTable(
        values, tuple(f"{block.element}:{label}" for label in labels), (group,) * len(labels), block.conditions
    )


def bin_features(blocks: Sequence[HistogramBlock]) -> FeatureTable:
    """The bins of several elements side by side, as roots of their shares, and how many entries an event gives.

    Roots of shares have the same sampling noise in every bin, one over twice the root of the entries. Columns are named
    `element:bin 7` and `element:entries` and belong to the group of their element. NaN for a missing or empty
    histogram, and for the entries where the number of events is not known. Raises ShapeError when there is no block,
    when lumisections differ or an element comes twice.
    """
    if not blocks:
        raise ShapeError("features: there is no histogram whose bins could be taken.")
    tables = []
    for block in blocks:
        totals = np.where(block.missing, np.nan, block.totals)
        some = np.where(totals > 0, totals, np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            roots = np.sqrt((np.asarray(block.flat, dtype=np.float64) + 0.375) / some[:, None])
            entries = np.log(some / np.where(block.conditions.events > 0, block.conditions.events, np.nan))
        names = (*(f"{block.element}:bin {place}" for place in range(roots.shape[1])), f"{block.element}:entries")
        tables.append(
            FeatureTable(np.column_stack([roots, entries]), names, (block.element,) * len(names), block.conditions)
        )
    return FeatureTable.beside(tables)


def quantities(blocks: Sequence[HistogramBlock]) -> FeatureTable:
    """Elements of one bin as columns: a number per lumisection, such as a trigger rate, is a histogram of one bin.

    A column is named as its element, and `prescale:X` where the element is `X/prescale`; it belongs to the physics
    object of its block, a prescale to that of what it prescales. (n, blocks); NaN for what is missing. Raises
    ShapeError when there is no block, for one with more bins, when lumisections differ or an element comes twice.
    """
    if not blocks:
        raise ShapeError("features: there is no quantity whose values could be taken.")
    groups = {block.element: block.physics_object or block.element for block in blocks}
    names, of = [], []
    for block in blocks:
        if not is_quantity(block):
            raise ShapeError(f"{block.element}: a quantity is a histogram of one bin, this one has {block.bins}.")
        if not np.array_equal(block.conditions.key, blocks[0].conditions.key):
            raise ShapeError("features: quantities have different lumisections; align them first.")
        element = block.element.removesuffix(PRESCALE_OF)
        names.append(block.element if element == block.element else PRESCALE + element)
        of.append(groups.get(element, groups[block.element]))
    values = np.column_stack([np.where(block.missing, np.nan, block.totals) for block in blocks])
    return FeatureTable(values, tuple(names), tuple(of), blocks[0].conditions)


def is_quantity(block: HistogramBlock) -> bool:
    """Whether it holds one number per lumisection, which has no shape."""
    return all(count == 1 for count in block.bins)


def _quantiles(edges: FloatArray, counts: FloatArray, total: FloatArray) -> FloatArray:
    """Quantiles by linear interpolation of the cumulative counts, (n, number of quantiles)."""
    cumulative = np.concatenate([np.zeros((len(counts), 1)), np.cumsum(counts, axis=1)], axis=1)
    wanted = total[:, None] * np.asarray(QUANTILES)[None, :]
    # First edge at which the cumulative count exceeds what is wanted: the quantile lies in the bin before it.
    place = np.clip((cumulative[:, :, None] <= wanted[:, None, :]).sum(axis=1), 1, len(edges) - 1)
    rows = np.arange(len(counts))[:, None]
    low, high = cumulative[rows, place - 1], cumulative[rows, place]
    share = np.where(high > low, (wanted - low) / np.where(high > low, high - low, 1.0), 0.0)
    return np.asarray(edges[place - 1] + np.clip(share, 0.0, 1.0) * (edges[place] - edges[place - 1]))
