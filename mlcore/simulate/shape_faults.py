"""What goes wrong with a one-dimensional histogram. A fault changes what is expected; dice are thrown afterwards.

`strength` in (0, 1] is how far it goes, 1 being total; `apply` answers a copy with the fault in the rows named. `truth`
answers which bins the fault touches directly, or None where it moves the whole shape.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlcore.conditions import BoolArray, FloatArray
from mlcore.errors import MlcoreError
from mlcore.histograms import Axis

Rows = npt.NDArray[Any] | slice


@dataclass(frozen=True, kw_only=True)
class ShapeFault(ABC):
    """A fault of a histogram with one axis. Raises MlcoreError for a strength outside (0, 1]."""

    axis: Axis
    strength: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.strength <= 1:
            raise MlcoreError(
                f"{type(self).__name__}: strength {self.strength} must lie in (0, 1]; 1 is a total fault."
            )

    def apply(self, expected: FloatArray, rows: Rows, rng: np.random.Generator) -> FloatArray:
        """A copy of `expected`, (n, bins) mean counts, with the fault in `rows` (mask, indices or slice)."""
        changed = np.array(expected, dtype=np.float64)
        touched = changed[rows]
        if touched.size:
            changed[rows] = self._changed(touched, rng)
        return changed

    @property
    def truth(self) -> BoolArray | None:
        """(bins,) mask of what it touches directly; None when the whole shape moves."""
        return None

    @abstractmethod
    def _changed(self, expected: FloatArray, rng: np.random.Generator) -> FloatArray:
        """The rows with the fault."""


@dataclass(frozen=True, kw_only=True)
class ChargeScaleStep(ShapeFault):
    """Every entry is measured `size` times `strength` too low, as after a wrong calibration or a voltage step."""

    size: float = 0.3

    def _changed(self, expected: FloatArray, rng: np.random.Generator) -> FloatArray:
        return moved(expected, self.axis, scale=1 - self.size * self.strength)


@dataclass(frozen=True, kw_only=True)
class GainShift(ShapeFault):
    """A part of the channels, `share`, is off by the factor 1 + `size` * `strength`: a second peak beside the first."""

    size: float = 0.5
    share: float = 0.25

    def _changed(self, expected: FloatArray, rng: np.random.Generator) -> FloatArray:
        off = moved(expected, self.axis, scale=1 + self.size * self.strength)
        return (1 - self.share) * expected + self.share * off


@dataclass(frozen=True, kw_only=True)
class TimingJump(ShapeFault):
    """Everything arrives `size` times `strength` later, in units of the axis (2.5 ns on a time axis)."""

    size: float = 2.5

    def _changed(self, expected: FloatArray, rng: np.random.Generator) -> FloatArray:
        return moved(expected, self.axis, shift=self.size * self.strength)


@dataclass(frozen=True, kw_only=True)
class DeadBins(ShapeFault):
    """`count` bins from `first` lose the share `strength` of their entries."""

    first: int
    count: int = 5

    def _changed(self, expected: FloatArray, rng: np.random.Generator) -> FloatArray:
        return np.where(self.truth, (1 - self.strength) * expected, expected)

    @property
    def truth(self) -> BoolArray:
        place = np.arange(self.axis.bins)
        return (place >= self.first) & (place < self.first + self.count)


@dataclass(frozen=True, kw_only=True)
class TruncatedHistogram(ShapeFault):
    """A fragment of the read-out is missing: above `fraction` of the axis only 1 - `strength` is left."""

    fraction: float = 0.6

    def _changed(self, expected: FloatArray, rng: np.random.Generator) -> FloatArray:
        return np.where(self.truth, (1 - self.strength) * expected, expected)

    @property
    def truth(self) -> BoolArray:
        return np.asarray(np.arange(self.axis.bins) >= round(self.fraction * self.axis.bins))


@dataclass(frozen=True, kw_only=True)
class Spike(ShapeFault):
    """One bin fills with noise: `share` times `strength` of all entries more than it should have."""

    bin: int
    share: float = 0.2

    def _changed(self, expected: FloatArray, rng: np.random.Generator) -> FloatArray:
        more = self.share * self.strength * expected.sum(axis=1, keepdims=True)
        return np.where(self.truth, expected + more, expected)

    @property
    def truth(self) -> BoolArray:
        return np.asarray(np.arange(self.axis.bins) == self.bin)


@dataclass(frozen=True, kw_only=True)
class DuplicatedEvents(ShapeFault):
    """The share `strength` of all entries are copies of few events: the shape becomes lumpy, its mean does not move.

    `distinct` is the number of different entries among the copies.
    """

    distinct: int = 200

    def _changed(self, expected: FloatArray, rng: np.random.Generator) -> FloatArray:
        total = expected.sum(axis=1, keepdims=True)
        shape = expected / np.where(total > 0, total, 1.0)
        # multinomial wants a last probability that it fills up itself
        few = rng.multinomial(self.distinct, np.column_stack([shape, np.zeros(len(shape))]))[:, :-1]
        few = np.where(total > 0, few, 0)
        return np.asarray((1 - self.strength) * expected + self.strength * total * few / self.distinct)


ALL: tuple[type[ShapeFault], ...] = (
    ChargeScaleStep,
    GainShift,
    TimingJump,
    DeadBins,
    TruncatedHistogram,
    Spike,
    DuplicatedEvents,
)


def moved(expected: FloatArray, axis: Axis, *, scale: float = 1.0, shift: float = 0.0) -> FloatArray:
    """Mean counts (n, bins) when every entry x is measured as `scale` * x + `shift`; what leaves the axis is lost.

    Entries are taken as spread evenly within a bin, so the total is kept as far as it stays on the axis.
    """
    below = np.concatenate([np.zeros((len(expected), 1)), np.cumsum(expected, axis=1)], axis=1)
    wanted = np.clip((axis.edges - shift) / scale, axis.edges[0], axis.edges[-1])
    # The same edges for every row: interpolate once with indices and weights.
    right = np.clip(np.searchsorted(axis.edges, wanted, side="right"), 1, axis.bins)
    weight = (wanted - axis.edges[right - 1]) / (axis.edges[right] - axis.edges[right - 1])
    at = below[:, right - 1] * (1 - weight) + below[:, right] * weight
    counts: FloatArray = np.maximum(np.diff(at, axis=1), 0.0)
    return counts
