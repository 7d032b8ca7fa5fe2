"""Faults that the world needs beside those of single maps and shapes: windows of maps, losses, tails, trigger rates.

All keep the contract of `map_faults` and `shape_faults`: a frozen value with a `strength` in (0, 1] whose `apply`
answers a copy of the expected counts with the fault in some rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from mlcore.conditions import BoolArray, FloatArray
from mlcore.errors import MlcoreError

from .maps import Geometry
from .rates import ITEMS, NAMES, PARENT
from .shape_faults import ShapeFault

Rows = npt.NDArray[Any] | slice


class Fault(Protocol):
    """What every fault can do, whatever it is a fault of."""

    def apply(self, expected: FloatArray, rows: Rows, rng: np.random.Generator) -> FloatArray:
        """A copy of `expected` (n, *bins) with the fault in `rows`, which are in the order of time."""


@dataclass(frozen=True, kw_only=True)
class LostEntries(ShapeFault):
    """The histogram keeps its shape and loses `share` times `strength` of its entries: channels that are off."""

    share: float = 1.0

    def _changed(self, expected: FloatArray, rng: np.random.Generator) -> FloatArray:
        return np.asarray(expected * (1.0 - self.share * self.strength))


@dataclass(frozen=True, kw_only=True)
class LongTail(ShapeFault):
    """`share` times `strength` as many entries again, spread as exp(-x / `reach`) from the low end of the axis upwards;
    `reach` is a fraction of the axis. Noise, fakes and badly measured objects look like this."""

    share: float = 0.3
    reach: float = 0.35

    def _changed(self, expected: FloatArray, rng: np.random.Generator) -> FloatArray:
        place = (np.arange(self.axis.bins) + 0.5) / self.axis.bins
        tail = np.exp(-place / self.reach)
        more = self.share * self.strength * expected.sum(axis=1, keepdims=True)
        return np.asarray(expected + more * tail / tail.sum())


@dataclass(frozen=True, kw_only=True)
class Flickering(ShapeFault):
    """Bursts: the excess of a `LongTail`, another in each lumisection, exponentially distributed around `share`."""

    share: float = 0.3
    reach: float = 0.5

    def _changed(self, expected: FloatArray, rng: np.random.Generator) -> FloatArray:
        place = (np.arange(self.axis.bins) + 0.5) / self.axis.bins
        tail = np.exp(-place / self.reach)
        burst = rng.exponential(self.share * self.strength, (len(expected), 1))
        return np.asarray(expected + burst * expected.sum(axis=1, keepdims=True) * tail / tail.sum())


@dataclass(frozen=True, kw_only=True)
class RateFactor:
    """Rates of some triggers times a factor.

    Parameters
    ----------
    items : names of level-1 items or chains. `times` is their factor at strength 1; in between it is a power of that.
    passed : share of a level-1 excess that the chains behind it keep (noise that they reject does not reach them).
    """

    items: tuple[str, ...]
    times: float
    strength: float = 1.0
    passed: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.strength <= 1 or not self.times > 0:
            raise MlcoreError(f"rate factor: strength {self.strength} must lie in (0, 1], times {self.times} above 0.")
        unknown = set(self.items) - set(NAMES)
        if unknown:
            raise MlcoreError(f"rate factor: there is no trigger {', '.join(sorted(unknown))}.")

    def apply(self, expected: FloatArray, rows: Rows, rng: np.random.Generator) -> FloatArray:
        changed = np.array(expected, dtype=np.float64)
        factor = self.times**self.strength
        touched = changed[rows]
        for name in self.items:
            place = NAMES.index(name)
            touched[:, place] *= factor
            if place < len(ITEMS):
                behind = np.flatnonzero(np.equal(PARENT, place))
                touched[:, behind[behind != place]] *= 1.0 + self.passed * (factor - 1.0)
        changed[rows] = touched
        return changed


def window(geometry: Geometry, rng: np.random.Generator, size: tuple[int, int], *, half: int = 0) -> BoolArray:
    """Mask of a window of that size somewhere in a map, within the lower (-1) or upper (+1) half of the first axis when
    `half` is given. A circular second axis wraps."""
    first, second = geometry.bins[:2]
    low, high = {0: (0, first), -1: (0, first // 2), 1: (first // 2, first)}[half]
    rows = int(rng.integers(low, max(high - size[0], low) + 1)) + np.arange(min(size[0], high - low))
    start = int(rng.integers(second if geometry.axes[1].circular else max(second - size[1], 0) + 1))
    columns = (start + np.arange(min(size[1], second))) % second
    mask = np.zeros(geometry.bins, dtype=bool)
    mask[np.ix_(rows, columns)] = True
    mask &= geometry.exists
    # A window that fell into a hole of the geometry would be no fault at all.
    return mask if mask.any() else window(geometry, rng, size, half=half)
