"""What a histogram is held against, and how far it is from it: bins in units of their own standard deviation.

An expectation is a shape with an uncertainty per bin. It is scaled to what is looked at by the bins that agree, so that
a dead corner does not lift all the others. A pull is the square root of the deviance with the sign of the difference:
the usual (n - m) / sigma where counts are many, and not misled where they are few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from certifier.lumi import LumiSet
from mlcore.histograms import HistogramBlock

Floats = npt.NDArray[np.floating[Any]]
FloatArray = npt.NDArray[np.float64]
# Below this share of the usual entries a lumisection says little of the shape: beams going, a trigger off.
FEWEST_ENTRIES: Final = 0.1
# Groups of bins whose median gives the scale, and the entries that a group should have at least.
GROUPS: Final = 48
ENTRIES_PER_GROUP: Final = 30.0
# What no comparison is better than: nobody's detector is the same to a tenth of a per cent.
FLOOR: Final = 0.001
# Of a normal distribution's variance, without the outermost twentieth.
LEFT_OF_VARIANCE: Final = 0.759


@dataclass(frozen=True, eq=False)
class Expected:
    """What a histogram should look like.

    `shape` (bins,) sums to 1; `relative` (bins,) is the standard deviation of a bin's share beyond Poisson's, relative
    to it; `rows` is how many lumisections it was made of.
    """

    shape: FloatArray
    relative: FloatArray
    rows: int

    def scaled(self, observed: Floats) -> FloatArray:
        """(n, bins) expected counts for each row of (n, bins) observed ones."""
        return self.shape * scales(observed, self.shape)[:, None]

    def pulls(self, observed: Floats) -> FloatArray:
        """(n, bins); 0 where nothing is expected and nothing is seen."""
        return pulls(observed, self.scaled(observed), self.relative)


def expected_of(block: HistogramBlock, good: LumiSet | None = None) -> Expected | None:
    """The mean of a run's lumisections, of those in `good` when given; None where there is nothing to be averaged."""
    counts = np.asarray(block.flat, dtype=np.float64)
    totals = counts.sum(axis=1)
    chosen = totals > FEWEST_ENTRIES * np.median(totals[totals > 0]) if (totals > 0).any() else totals > 0
    if good is not None:
        inside = good.to_mask(int(block.conditions.lumisection.max(initial=0)))
        chosen &= inside[block.conditions.lumisection - 1] if len(block) else chosen
    counts, totals = counts[chosen], totals[chosen]
    if not len(counts):
        return None
    shape = counts.sum(axis=0) / totals.sum()
    mean = shape * totals[:, None]
    # What the lumisections scatter by beyond Poisson; one outlier in twenty is left out of it.
    safe = np.maximum(mean, 1.0)
    squares, kept = ((counts - mean) / safe) ** 2, 1.0
    if len(counts) >= 20:
        squares, kept = np.sort(squares, axis=0)[: int(0.95 * len(counts))], LEFT_OF_VARIANCE
    scatter = np.maximum(squares.mean(axis=0) / kept - (mean / safe**2).mean(axis=0), 0.0)
    uncertain = 1.0 / np.maximum(counts.sum(axis=0), 1.0)
    return Expected(shape, np.sqrt(scatter + uncertain + FLOOR**2), len(counts))


def scales(observed: Floats, shape: Floats) -> FloatArray:
    """(n,) factors on the shape: the median over groups of neighbouring bins of observed by expected."""
    totals = np.asarray(observed.sum(axis=1), dtype=np.float64)
    if not len(totals):
        return totals
    usual = float(np.median(totals))
    groups = int(np.clip(min(len(shape), GROUPS, usual / ENTRIES_PER_GROUP), 1, len(shape)))
    starts = np.unique(np.linspace(0, len(shape), groups, endpoint=False).astype(int))
    seen, share = np.add.reduceat(observed, starts, axis=1), np.add.reduceat(shape, starts)
    worth = share > 0.1 * share.mean()
    if not worth.any():
        return totals
    found = np.median(seen[:, worth] / share[worth], axis=1)
    return np.asarray(np.where(found > 0, found, totals), dtype=np.float64)


def pulls(observed: Floats, mean: Floats, relative: Floats) -> FloatArray:
    """Signed root of the deviance, made smaller where the expectation itself is uncertain."""
    n, m = np.asarray(observed, dtype=np.float64), np.maximum(np.asarray(mean, dtype=np.float64), 1e-9)
    deviance = 2.0 * (np.where(n > 0, n * np.log(np.maximum(n, 1e-300) / m), 0.0) - (n - m))
    pull = np.sign(n - m) * np.sqrt(np.maximum(deviance, 0.0))
    return np.asarray(pull / np.sqrt(1.0 + m * np.asarray(relative) ** 2))


# --- numbers per lumisection ----------------------------------------------------------------------------------------


def means(block: HistogramBlock) -> FloatArray:
    """(n,) mean of the first axis; NaN where there are no entries."""
    return _moments(block)[0]


def spreads(block: HistogramBlock) -> FloatArray:
    """(n,) standard deviation along the first axis; NaN where there are no entries."""
    return _moments(block)[1]


def _moments(block: HistogramBlock) -> tuple[FloatArray, FloatArray]:
    counts = along(block, 0)
    centres = block.axes[0].centres
    total = counts.sum(axis=1)
    safe = np.where(total > 0, total, np.nan)
    mean = counts @ centres / safe
    square = counts @ centres**2 / safe
    return mean, np.sqrt(np.maximum(square - mean**2, 0.0))


def along(block: HistogramBlock, axis: int) -> FloatArray:
    """(n, bins of that axis): the counts, summed over the other axes."""
    others = tuple(place + 1 for place in range(len(block.axes)) if place != axis)
    return np.asarray(block.counts.sum(axis=others, dtype=np.float64))


# --- windows ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Windows:
    """Neighbouring lumisections summed: (w,) first and last of each, (w, bins) counts."""

    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]
    counts: FloatArray

    def __len__(self) -> int:
        return len(self.first)


def windows(block: HistogramBlock, width: int) -> Windows:
    """Sums over 1 to `width`, `width` + 1 to 2 `width` and so on; a window without a histogram is left out."""
    lumisections = block.conditions.lumisection
    if not len(block):
        return Windows(lumisections, lumisections, np.zeros((0, int(np.prod(block.bins)))))
    place = (lumisections - 1) // width
    starts = np.flatnonzero(np.r_[True, place[1:] != place[:-1]])
    ends = np.r_[starts[1:], len(place)] - 1
    counts = np.add.reduceat(np.asarray(block.flat, dtype=np.float64), starts, axis=0)
    return Windows(lumisections[starts], lumisections[ends], counts)


@dataclass(frozen=True)
class Worst:
    """Where an element is furthest from what is expected: the pull of one bin in one window."""

    pull: float
    first: int
    last: int
    bin: int

    @property
    def lumisections(self) -> LumiSet:
        return LumiSet.from_ranges([(self.first, self.last)])


def worst_of(found: Windows, expected: Expected) -> Worst | None:
    """None where there is no window."""
    if not len(found):
        return None
    pull = expected.pulls(found.counts)
    row, place = np.unravel_index(int(np.argmax(np.abs(pull))), pull.shape)
    return Worst(float(pull[row, place]), int(found.first[row]), int(found.last[row]), int(place))
