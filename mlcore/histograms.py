"""Histograms per lumisection: axes with names, counts with flow, and the operations that keep them honest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .conditions import Conditions, FloatArray
from .errors import BadCounts, IncompatibleBinning, ShapeError


@dataclass(frozen=True, eq=False)
class Axis:
    """A named axis. `edges` has one value more than there are bins and ascends strictly; `circular` for an angle that
    closes on itself (phi), where the last bin touches the first."""

    name: str
    edges: FloatArray
    label: str = ""
    unit: str = ""
    circular: bool = False

    def __post_init__(self) -> None:
        edges = np.asarray(self.edges, dtype=np.float64)
        if edges.ndim != 1 or edges.size < 2 or not np.isfinite(edges).all() or not np.all(np.diff(edges) > 0):
            raise ShapeError(
                f"axis {self.name}: edges must be two or more strictly ascending, finite numbers; what lies beyond is "
                "flow."
            )
        object.__setattr__(self, "edges", edges)

    @classmethod
    def regular(cls, name: str, bins: int, low: float, high: float, **more: Any) -> Axis:
        return cls(name, np.linspace(low, high, bins + 1), **more)

    @property
    def bins(self) -> int:
        return int(self.edges.size - 1)

    @property
    def centres(self) -> FloatArray:
        return (self.edges[1:] + self.edges[:-1]) / 2

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Axis):
            return NotImplemented
        same = self.name == other.name and self.circular == other.circular and self.edges.shape == other.edges.shape
        return same and bool(np.allclose(self.edges, other.edges, rtol=1e-9, atol=0.0))

    def __hash__(self) -> int:
        return hash((self.name, self.bins, self.circular))

    def rebin(self, factor: int) -> Axis:
        if factor < 1 or self.bins % factor:
            raise IncompatibleBinning(
                f"axis {self.name}: {self.bins} bins cannot be joined by {factor}; choose a divisor."
            )
        return replace(self, edges=self.edges[::factor])


def numbers(what: str, values: Any) -> npt.NDArray[np.floating[Any]]:
    """Values as an array of floats, as they are when they are floats already. Raises ShapeError for words, and for rows
    of different lengths."""
    try:
        given = np.asarray(values)
        return given if np.issubdtype(given.dtype, np.floating) else given.astype(np.float64)
    except (TypeError, ValueError):
        raise ShapeError(f"{what}: these are not numbers in rows of one length.") from None


@dataclass(frozen=True, eq=False)
class HistogramBlock:
    """The histograms of one monitoring element, one per lumisection.

    Parameters
    ----------
    element : path of the element, for example `EcalBarrel/occupancy`.
    axes : one Axis per dimension of a histogram.
    counts : array of shape (n, *bins), not negative; a row of NaN is a lumisection for which the histogram is missing.
    conditions : the n lumisections.
    flow : array of shape (n, dimensions, 2), under- and overflow along each axis; zeros when not given.
    physics_object : the group in which its errors are reported (muons, jets); empty for none.

    Raises ShapeError for shapes that disagree and BadCounts for negative or infinite counts.
    """

    element: str
    axes: tuple[Axis, ...]
    counts: npt.NDArray[np.floating[Any]]
    conditions: Conditions
    flow: FloatArray | None = None
    physics_object: str = ""

    def __post_init__(self) -> None:
        axes = tuple(self.axes)
        if not axes:
            raise ShapeError(f"{self.element}: a histogram has one axis or more; use a FeatureTable for plain numbers.")
        counts = numbers(self.element, self.counts)
        expected = (len(self.conditions), *(axis.bins for axis in axes))
        if counts.shape != expected:
            raise ShapeError(f"{self.element}: counts have shape {counts.shape}, conditions and axes say {expected}.")
        flow = (
            np.zeros((len(self.conditions), len(axes), 2))
            if self.flow is None
            else np.asarray(self.flow, dtype=np.float64)
        )
        if flow.shape != (len(self.conditions), len(axes), 2):
            raise ShapeError(
                f"{self.element}: flow has shape {flow.shape}, expected {(len(self.conditions), len(axes), 2)}."
            )
        for what, values in (("counts", counts), ("flow", flow)):
            if values.size and (np.any(values < 0) or np.any(np.isinf(values))):
                row = int(np.argwhere((values < 0) | np.isinf(values))[0][0])
                raise BadCounts(
                    f"{self.element}: {what} of {self.conditions.name(row)} are negative or infinite; "
                    "a count is a number from 0."
                )
        object.__setattr__(self, "axes", axes)
        object.__setattr__(self, "counts", counts)
        object.__setattr__(self, "flow", flow)

    def __len__(self) -> int:
        return len(self.conditions)

    @property
    def bins(self) -> tuple[int, ...]:
        return tuple(axis.bins for axis in self.axes)

    @property
    def flat(self) -> npt.NDArray[np.floating[Any]]:
        """Counts as (n, number of bins)."""
        return self.counts.reshape(len(self), int(np.prod(self.bins)))

    @property
    def totals(self) -> FloatArray:
        """Entries within the axes, (n,); NaN where the histogram is missing."""
        return np.asarray(self.flat.sum(axis=1, dtype=np.float64))

    @property
    def missing(self) -> npt.NDArray[np.bool_]:
        """Lumisections without this histogram: any bin NaN makes the whole row missing."""
        return np.asarray(np.isnan(self.flat).any(axis=1))

    def select(self, rows: npt.NDArray[Any] | slice) -> HistogramBlock:
        assert self.flow is not None
        return replace(self, counts=self.counts[rows], conditions=self.conditions.select(rows), flow=self.flow[rows])

    def align(self, conditions: Conditions) -> HistogramBlock:
        """The same element on the lumisections of `conditions`; those it does not have become missing (NaN)."""
        assert self.flow is not None
        rows = self.conditions.rows_of(conditions)
        counts = np.full((len(conditions), *self.bins), np.nan, dtype=self.counts.dtype)
        flow = np.zeros((len(conditions), len(self.axes), 2))
        counts[rows >= 0], flow[rows >= 0] = self.counts[rows[rows >= 0]], self.flow[rows[rows >= 0]]
        return replace(self, counts=counts, conditions=conditions, flow=flow)

    def rebin(self, *factors: int) -> HistogramBlock:
        """Join neighbouring bins, one factor per axis. Raises IncompatibleBinning when a factor does not divide."""
        if len(factors) != len(self.axes):
            raise ShapeError(
                f"{self.element}: {len(self.axes)} axes need {len(self.axes)} factors, not {len(factors)}."
            )
        axes = tuple(axis.rebin(factor) for axis, factor in zip(self.axes, factors, strict=True))
        shape: list[int] = [len(self)]
        for axis, factor in zip(axes, factors, strict=True):
            shape += [axis.bins, factor]
        joined = self.counts.reshape(shape).sum(axis=tuple(range(2, len(shape), 2)))
        return replace(self, axes=axes, counts=joined)

    def stacked(self, window: int) -> HistogramBlock:
        """Each row becomes the sum of the last `window` lumisections of its run that are there, itself included.

        Consecutive by order, not by number; at the start of a run fewer are summed. A missing histogram adds nothing,
        and the row of a missing histogram stays missing.
        """
        filled = np.nan_to_num(self.flat.astype(np.float64), nan=0.0)
        total = np.cumsum(filled, axis=0)
        starts = np.r_[True, self.conditions.run[1:] != self.conditions.run[:-1]] if len(self) else np.zeros(0, bool)
        row = np.arange(len(self))
        first = np.maximum(np.maximum.accumulate(np.where(starts, row, 0)), row - window + 1)
        padded = np.vstack([np.zeros((1, filled.shape[1])), total])
        counts = padded[row + 1] - padded[first] if len(self) else filled
        counts[self.missing] = np.nan
        return replace(self, counts=np.maximum(counts, 0.0).reshape(len(self), *self.bins))

    @staticmethod
    def concatenate(parts: Sequence[HistogramBlock]) -> HistogramBlock:
        """One block of several of the same element, in the order given. Raises IncompatibleBinning when axes differ."""
        if not parts:
            raise ShapeError("there is no histogram block to put together.")
        head = parts[0]
        for part in parts[1:]:
            if part.element != head.element or part.axes != head.axes:
                raise IncompatibleBinning(
                    f"{head.element}: {part.element} of {part.conditions.name(0) if len(part) else 'no lumisection'} "
                    "has other axes; rebin it first, or keep it as another element."
                )
        return replace(
            head,
            counts=np.concatenate([part.counts for part in parts]),
            conditions=Conditions.concatenate([part.conditions for part in parts]),
            flow=np.concatenate([part.flow for part in parts if part.flow is not None]),
        )
