"""Where a map may be wrong together: windows, sectors of azimuth and rings, as matrices that sum over them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from mlcore.conditions import FloatArray, IntArray
from mlcore.errors import ShapeError
from mlcore.histograms import Axis
from mlcore.regions import SLICE

from .pulls import gumbel_law, gumbel_log_tail, of_several

Floats = npt.NDArray[np.floating[Any]]

WINDOWS = (3, 5)
#: of azimuth; each alone, and with its neighbour
HALF_SECTORS = 360 // SLICE
#: a robust spread counts for so many lumisections of what is usual among its kind
_SHRINK = 20.0


@dataclass(frozen=True, eq=False)
class Kind:
    """Regions of one kind: `sums` (regions, channels) is 1 where a channel belongs to a region."""

    name: str
    sums: Any

    def of(self, values: Floats) -> FloatArray:
        """(n, channels) values summed over each region, (n, regions)."""
        return np.asarray((self.sums @ np.asarray(values, dtype=np.float64).T).T)

    def members(self, region: int) -> IntArray:
        """(m,) the channels of a region, flat."""
        return np.asarray(self.sums[[region]].nonzero()[1], dtype=np.int64)


def rings(axes: tuple[Axis, ...]) -> IntArray:
    """(channels,) number of the ring of each channel, flat. Where one axis is an angle a ring is a place along the
    other; where none is, it is a bin's whole distance from the centre of the map. A single axis is one ring."""
    _check(axes)
    if len(axes) == 1:
        return np.zeros(axes[0].bins, dtype=np.int64)
    first, second = np.indices((axes[0].bins, axes[1].bins))
    if axes[1].circular:
        found = first
    elif axes[0].circular:
        found = second
    else:
        found = np.floor(np.hypot(first - (axes[0].bins - 1) / 2, second - (axes[1].bins - 1) / 2)).astype(np.int64)
    return np.asarray(np.unique(found.ravel(), return_inverse=True)[1], dtype=np.int64)


@lru_cache(maxsize=16)
def regions(axes: tuple[Axis, ...]) -> tuple[Kind, ...]:
    """Windows of 3 x 3 and 5 x 5 (3 and 5 along a single axis), sectors where there are two axes."""
    _check(axes)
    kinds = [Kind(f"{width} x {width}" if len(axes) > 1 else f"{width} bins", _windows(axes, width))
             for width in WINDOWS]  # fmt: skip
    if len(axes) > 1:
        kinds.append(Kind("sectors", _sectors(axes)))
    return tuple(kinds)


class Looks:
    """The largest and smallest deviation over regions of each kind, against what good maps show.

    Attributes after `fit`: `spreads_` of each kind (regions,) robust spread of the sum of unit deviations, `laws_`
    (2 kinds, 2) location and width of the largest and of minus the smallest (Gumbel).
    """

    def fit(self, kinds: list[FloatArray], *, calibrated: int = 0) -> Looks:
        """Deviations (n, regions) of good maps, one array per kind, in any unit that is the same for a region. The
        first `calibrated` of them are in standard deviations already, and stay so."""
        self.spreads_ = [
            np.ones(kind.shape[1]) if place < calibrated else _robust(kind) for place, kind in enumerate(kinds)
        ]
        extremes = self._extremes(kinds)
        self.laws_ = np.array([gumbel_law(one) for one in extremes]).reshape(-1, 2)
        return self

    def log_p(self, kinds: list[FloatArray]) -> FloatArray:
        """(n,) log of how often a good map shows as much in any of the looks."""
        tails = [gumbel_log_tail(one, *law) for one, law in zip(self._extremes(kinds), self.laws_, strict=True)]
        return of_several(np.minimum(np.min(tails, axis=0), 0.0), len(tails))

    def oddest(self, kinds: list[FloatArray], row: int) -> list[tuple[float, int, int, float]]:
        """Of one map the region that stands out in each look, the rarest first: log of how often a good map shows as
        much, the kind, the region and its deviation."""
        found = []
        for place, law in enumerate(self.laws_):
            kind, sign = place // 2, 1 - 2 * (place % 2)
            unit = sign * kinds[kind][row] / self.spreads_[kind]
            at = int(unit.argmax())
            tail = float(np.minimum(gumbel_log_tail(unit[at], *law), 0.0))
            found.append((tail, kind, at, sign * float(unit[at])))
        return sorted(found)

    def _extremes(self, kinds: list[FloatArray]) -> list[FloatArray]:
        found = []
        for kind, spread in zip(kinds, self.spreads_, strict=True):
            unit = kind / spread
            found += [unit.max(axis=1), -unit.min(axis=1)]
        return found


def _robust(values: FloatArray) -> FloatArray:
    """(regions,) spread of each, drawn a little towards what is usual, and not below it: where there are few hits most
    deviations are nearly none, and the others large."""
    spread = 1.4826 * np.median(np.abs(values), axis=0)
    lively = spread[spread > 0]
    usual = float(np.median(lively)) if lively.size else 1.0
    n = len(values)
    drawn = np.sqrt((n * spread**2 + _SHRINK * usual**2) / (n + _SHRINK))
    return np.asarray(np.maximum(drawn, usual))


def _check(axes: tuple[Axis, ...]) -> None:
    if len(axes) > 2:
        raise ShapeError(f"{len(axes)} axes; rings and regions are of maps of one or two axes.")


def _windows(axes: tuple[Axis, ...], width: int) -> Any:
    bands = []
    for axis in axes:
        offset = np.abs(np.arange(axis.bins)[:, None] - np.arange(axis.bins)[None, :])
        if axis.circular:
            offset = np.minimum(offset, axis.bins - offset)
        bands.append(sparse.csr_array((offset <= width // 2).astype(np.float64)))
    return bands[0] if len(bands) == 1 else sparse.csr_array(sparse.kron(bands[0], bands[1]))


def _sectors(axes: tuple[Axis, ...]) -> Any:
    """Half sectors of azimuth and neighbouring pairs of them."""
    shape = (axes[0].bins, axes[1].bins)
    first, second = np.indices(shape)
    if axes[1].circular:
        share = (second + 0.5) / shape[1]
    elif axes[0].circular:
        share = (first + 0.5) / shape[0]
    else:
        share = np.arctan2(second - (shape[1] - 1) / 2, first - (shape[0] - 1) / 2) / (2 * np.pi) % 1.0
    number = np.floor(share.ravel() * HALF_SECTORS).astype(int) % HALF_SECTORS
    half = (number[None, :] == np.arange(HALF_SECTORS)[:, None]).astype(np.float64)
    both = np.concatenate([half, half + np.roll(half, -1, axis=0)])
    # A coarse map has no bin in some of them.
    return sparse.csr_array(both[both.sum(axis=1) > 0])
