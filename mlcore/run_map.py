"""Whole runs as points of a plane: runs that look alike lie side by side, and a strange one stands alone.

Every histogram of a run is summed over its lumisections and taken as a shape; the shapes of all elements side by side
are what principal components reduce to two numbers. Needs numpy alone, so that a page can be drawn from it.
Source: the global view of drift tubes in arXiv:1808.00911, there a bottleneck of three numbers in an autoencoder that
was looked at by eye; principal components are its linear relative, and quick.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from .conditions import FloatArray, IntArray
from .errors import IncompatibleBinning, ShapeError, TooFewData
from .histograms import HistogramBlock

#: runs that `RunMap.fit` needs
FEWEST = 3


@dataclass(frozen=True, eq=False)
class RunShapes:
    """n runs as rows.

    Parameters
    ----------
    run : (n,) numbers, ascending. values : (n, bins) roots of the shares of all bins of all elements, NaN where a run
        has no entries in an element. elements : name of the element of each bin.
    """

    run: IntArray
    values: FloatArray
    elements: tuple[str, ...]


def run_shapes(blocks: Sequence[HistogramBlock]) -> RunShapes:
    """Histograms per lumisection as shapes per run. The root of a share fluctuates alike in full and in empty bins
    (Hellinger's distance). Raises ShapeError without blocks or when an element comes twice."""
    names = [block.element for block in blocks]
    if not blocks or len(set(names)) < len(names):
        raise ShapeError("shapes of runs: give one block of each element, and at least one.")
    runs = np.unique(np.concatenate([block.conditions.run for block in blocks]))
    columns, elements = [], []
    for block in blocks:
        counts = np.nan_to_num(block.flat.astype(np.float64), nan=0.0)
        summed = np.zeros((len(runs), counts.shape[1]))
        np.add.at(summed, np.searchsorted(runs, block.conditions.run), counts)
        total = summed.sum(axis=1, keepdims=True)
        columns.append(np.where(total > 0, np.sqrt(summed / np.maximum(total, 1e-300)), np.nan))
        elements += [block.element] * counts.shape[1]
    return RunShapes(runs.astype(np.int64), np.concatenate(columns, axis=1), tuple(elements))


class RunMap:
    """Two numbers per run, by principal components of its shapes.

    Parameters
    ----------
    components : numbers per run.

    Attributes after `fit`: `mean_` (bins,), `axes_` (components, bins) orthonormal, `explained_` (components,) share of
    the variance between runs that each axis has; `elements_` names of the bins' elements.
    """

    def __init__(self, *, components: int = 2) -> None:
        self.components = components

    def fit(self, shapes: RunShapes) -> Self:
        """Learn from runs; an element that a run lacks counts as its mean. Raises TooFewData below three runs."""
        if len(shapes.run) < max(FEWEST, self.components + 1):
            raise TooFewData(
                f"{len(shapes.run)} runs; a map of runs needs at least {max(FEWEST, self.components + 1)}."
            )
        self.elements_ = shapes.elements
        known = np.isfinite(shapes.values)
        self.mean_ = np.where(known, shapes.values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        off = self._off(shapes)
        _, sizes, axes = np.linalg.svd(off, full_matrices=False)
        axes = axes[: self.components]
        # An axis has no direction of its own: it points where its largest bin grows, so that a picture stays as it is.
        sign = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
        self.axes_ = axes * np.where(sign == 0, 1.0, sign)[:, None]
        self.explained_ = sizes[: self.components] ** 2 / max(float((sizes**2).sum()), 1e-300)
        return self

    def transform(self, shapes: RunShapes) -> FloatArray:
        """(n, components) where runs lie; NaN for a run without any entries. Raises IncompatibleBinning when the bins
        are not those it was fitted on."""
        if shapes.elements != self.elements_:
            raise IncompatibleBinning("these runs have other elements or bins than those of the map; fit it again.")
        found = self._off(shapes) @ self.axes_.T
        found[~np.isfinite(shapes.values).any(axis=1)] = np.nan
        return np.asarray(found)

    def strange(self, shapes: RunShapes) -> FloatArray:
        """(n,) distance of each run from the plane, in the usual one: what the picture does not show of it."""
        off = self._off(shapes)
        left_over = off - off @ self.axes_.T @ self.axes_
        distance = np.sqrt((left_over**2).sum(axis=1))
        return np.asarray(distance / max(float(np.median(distance)), 1e-300))

    def _off(self, shapes: RunShapes) -> FloatArray:
        return np.where(np.isfinite(shapes.values), shapes.values - self.mean_, 0.0)
