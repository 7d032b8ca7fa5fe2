"""A search for regions that are a little too dim or too bright, over sizes and over several lumisections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from mlcore.conditions import FloatArray, IntArray
from mlcore.detectors.base import Detector
from mlcore.detectors.pulls import gumbel_law, gumbel_log_tail, pulls_of
from mlcore.errors import MlcoreError
from mlcore.histograms import Axis, HistogramBlock
from mlcore.reference import COLUMNS, Reference

Floats = npt.NDArray[np.floating[Any]]
#: size of a window along each axis; None for the whole axis
Kernel = tuple[int | None, ...]

ALONG_ONE: tuple[Kernel, ...] = ((1,), (2,), (3,), (5,), (9,), (17,), (33,))
OVER_TWO: tuple[Kernel, ...] = ((1, 1), (3, 3), (5, 5), (5, 2), (17, 4), (1, None), (None, 4))
#: what one lumisection may add to a stack, and what the last one must show itself for the stack to count, in its own
#: standard deviations: a loud fault of one minute shall not spread over those that follow
ADDS_AT_MOST, STILL_THERE = 4.0, 1.0
#: widths of its null beyond which a deviation is clear (probability 10^-4)
CLEAR = 9.2
#: windows that expect fewer hits than this are measured with lopsided tails
FEW = 50.0
AT_ONCE = 300_000


@dataclass(frozen=True, eq=False)
class Findings:
    """What fired in each lumisection: the window with the most significant deviation.

    pull : (n,) its deviation in standard deviations, negative for too few hits. kernel, stack : (n,) places in
    `Scan.kernels_` and `Scan.stacks_`. centre : (n, axes) the bin at its centre. -1 and NaN where nothing was scored.
    """

    pull: FloatArray
    kernel: IntArray
    stack: IntArray
    centre: IntArray


class Scan(Detector):
    """Multi-scale scan: windows of several sizes slide over the sum of the last few lumisections of a run.

    A region of 25 towers at -15% is invisible tower by tower, and plain when summed. Circular axes wrap; at other edges
    windows are cut. Each window size and each stack is calibrated by its own null: the largest deviation that good
    lumisections show in it. A stack counts for its last lumisection, and only in windows where that one deviates in the
    same direction; what an earlier one adds is bounded, so a loud fault of one minute does not spread over ten.

    Parameters
    ----------
    kernels : window sizes; None chooses by the number of axes. A third axis is scanned bin by bin and as a whole.
    stacks : numbers of consecutive lumisections summed; 1 is needed and comes first.
    columns : conditions that the reference may follow, see `Reference`.

    Attributes
    ----------
    kernels_, stacks_ : those in use.
    bands_ : of each kernel and axis a matrix that sums over the window. templates_ : of each kernel the share, and the
        variance per hit and per hit squared, of every window.
    null_ : (stacks, kernels, 2) location and width of the largest deviation (Gumbel).
    overall_ : location and width of the largest over all of them.

    Source: the task is that of the deployed CMS ECAL monitoring, which multiplies the loss of three lumisections
    (arXiv:2309.10157); the scan statistic with separately calibrated windows is our own.
    """

    consumes: ClassVar[Literal["block", "table"]] = "block"

    def __init__(
        self,
        *,
        kernels: Sequence[Kernel] | None = None,
        stacks: tuple[int, ...] = (1, 3, 10),
        columns: tuple[str, ...] = COLUMNS,
    ) -> None:
        self.kernels = kernels
        self.stacks = stacks
        self.columns = columns

    def findings(self, block: HistogramBlock) -> Findings:
        """Which window fired in each lumisection, and where."""
        check_is_fitted(self, "layout_")
        usable = np.flatnonzero(self._usable(block))
        n = len(block)
        nowhere = np.full((n, len(block.axes)), -1)
        found = Findings(np.full(n, np.nan), np.full(n, -1), np.full(n, -1), nowhere)
        start = 0
        for part in self._deviations(block.select(usable), where=True):
            rows = usable[start : start + len(part.pull)]
            odd = self._oddness(part.pull)
            # The shortest stack that is clear by itself: longer ones are bounded and tell the place less well.
            clear = odd.max(axis=2) > CLEAR
            stack = np.where(clear.any(axis=1), clear.argmax(axis=1), odd.max(axis=2).argmax(axis=1))
            each = np.arange(len(rows))
            kernel = odd[each, stack].argmax(axis=1)
            found.pull[rows] = part.signed[each, stack, kernel]
            found.kernel[rows], found.stack[rows] = kernel, stack
            found.centre[rows] = np.column_stack(np.unravel_index(part.place[each, stack, kernel], block.bins))
            start += len(rows)
        return found

    def window(self, kernel: int, centre: Sequence[int]) -> npt.NDArray[np.bool_]:
        """(*bins) mask of the window of `kernels_[kernel]` around a bin."""
        check_is_fitted(self, "layout_")
        lines = [bands[place] > 0 for bands, place in zip(self.bands_[kernel], centre, strict=True)]
        mask = np.ones((), dtype=bool)
        for line in lines:
            mask = mask[..., None] & line
        return mask

    def _fit(self, data: HistogramBlock, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        if not self.stacks or self.stacks[0] != 1 or sorted(set(self.stacks)) != list(self.stacks):
            raise MlcoreError(f"Scan: stacks are {self.stacks}; give ascending numbers that begin with 1.")
        self.stacks_ = tuple(self.stacks)
        self.kernels_ = _suited(self.kernels, data.axes)
        self.axes_ = data.axes
        self.reference_ = Reference(columns=self.columns).fit(data, weights)
        self._prepare()
        self.null_ = np.tile(np.array([0.0, 1.0]), (len(self.stacks_), len(self.kernels_), 1))
        self.overall_ = np.array([0.0, 1.0])
        largest = np.concatenate([part.pull for part in self._deviations(data)])
        for stack, kernel in np.ndindex(self.null_.shape[:2]):
            self.null_[stack, kernel] = gumbel_law(largest[:, stack, kernel])
        self.overall_ = gumbel_law(self._oddness(largest).max(axis=(1, 2)))

    def _score(self, data: HistogramBlock) -> FloatArray:
        largest = np.concatenate([part.pull for part in self._deviations(data)])
        return np.asarray(-gumbel_log_tail(self._oddness(largest).max(axis=(1, 2)), *self.overall_) / np.log(10))

    def _oddness(self, largest: FloatArray) -> FloatArray:
        """Largest deviations (n, stacks, kernels) in widths of the null of their own stack and kernel."""
        return np.asarray((largest - self.null_[..., 0]) / self.null_[..., 1])

    def _prepare(self) -> None:
        """What is the same for all lumisections: the windows as matrices, and the variance in each window."""
        self.bands_ = [
            [_band(axis, size) for axis, size in zip(self.axes_, kernel, strict=True)] for kernel in self.kernels_
        ]
        reference = self.reference_
        shape = np.maximum(reference.coefficients_[0], reference.floor_)
        dispersion = reference.dispersion_
        # Variance as (a x total + b x total²): hits and what fluctuates with them, and what does not average out.
        linear = shape * (1.0 + dispersion * reference.excess_[0])
        square = dispersion * reference.excess_[1] * shape**2 + reference.uncertainty_.sum(axis=0)
        bins = self.reference_.bins_
        self.templates_ = [
            [_windows(values.reshape(1, *bins).astype(np.float32), bands) for values in (shape, linear, square)]
            for bands in self.bands_
        ]

    def _deviations(self, data: HistogramBlock, *, where: bool = False) -> Iterator[_Part]:
        """The largest deviations of each stack and kernel, for a few rows at a time, so that memory stays flat."""
        bins = int(np.prod(self.reference_.bins_))
        step = max(AT_ONCE // bins, 8)
        before = [_Past.empty(bins) for _ in self.kernels_]
        for start in range(0, len(data), step):
            part = data.select(slice(start, start + step))
            mean, _, totals = self.reference_.against(part)
            residual, totals = np.asarray(part.flat, dtype=np.float32) - mean, np.maximum(totals, 0.5)
            maps = residual.reshape(-1, *self.reference_.bins_)
            result = _Part.empty(len(part), len(self.stacks_), len(self.kernels_))
            for kernel, bands in enumerate(self.bands_):
                now = _Past(_windows(maps, bands).reshape(len(part), bins), totals, part.conditions.run)
                before[kernel] = self._measure(kernel, now, before[kernel], result, where=where)
            yield result

    def _measure(self, kernel: int, now: _Past, before: _Past, result: _Part, *, where: bool) -> _Past:
        """Deviations of one kernel in every stack, written into `result`; gives what the next rows need of these."""
        single, spread = self._pulls(kernel, now.residual, now.total)
        result.note(0, kernel, single, where)
        if len(self.stacks_) == 1:
            return before
        bounded = np.clip(now.residual, -ADDS_AT_MOST * spread, ADDS_AT_MOST * spread)
        pool = before.followed_by(_Past(bounded, now.total, now.run))
        for place, stack in enumerate(self.stacks_[1:], start=1):
            summed, total = pool.stacked(stack, len(now.run))
            pulls, _ = self._pulls(kernel, summed, total)
            # As much as the last lumisection alone shows must point the same way, or the fault is over.
            pulls[single * np.sign(pulls) < STILL_THERE] = 0.0
            result.note(place, kernel, pulls, where)
        return pool.last(self.stacks_[-1] - 1)

    def _pulls(self, kernel: int, windows: Floats, total: FloatArray) -> tuple[Floats, Floats]:
        """Summed residuals (n, bins) of this many hits in standard deviations, and the standard deviation in hits."""
        shape, linear, square = (template.reshape(1, -1) for template in self.templates_[kernel])
        many = total.astype(np.float32)[:, None]
        variance = linear * many
        if bool((square * total.max(initial=0.0) > 1e-3 * linear).any()):
            # What does not average out adds up before it is squared.
            variance += square * many**2
        spread = np.sqrt(variance)
        if float(np.median(total)) * float(np.median(shape)) >= FEW:
            return windows / spread, spread
        mean = np.maximum(shape * many, 1e-6)
        return pulls_of(np.maximum(mean + windows, 0.0), mean, np.maximum(variance - mean, 0.0)), spread


@dataclass(eq=False)
class _Part:
    """Largest deviations (rows, stacks, kernels), with their signs and flat places when asked for."""

    pull: FloatArray
    signed: FloatArray
    place: IntArray

    @classmethod
    def empty(cls, n: int, stacks: int, kernels: int) -> _Part:
        shape = (n, stacks, kernels)
        return cls(np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=np.int64))

    def note(self, stack: int, kernel: int, pulls: Floats, where: bool) -> None:
        high, low = pulls.max(axis=1), pulls.min(axis=1)
        self.pull[:, stack, kernel] = np.maximum(high, -low)
        if where:
            bright = high > -low
            self.signed[:, stack, kernel] = np.where(bright, high, low)
            self.place[:, stack, kernel] = np.where(bright, pulls.argmax(axis=1), pulls.argmin(axis=1))


@dataclass(eq=False)
class _Past:
    """Residuals of one kernel (n, bins), totals and runs (n,) of consecutive lumisections."""

    residual: Floats
    total: FloatArray
    run: IntArray

    @classmethod
    def empty(cls, bins: int) -> _Past:
        return cls(np.zeros((0, bins), dtype=np.float32), np.zeros(0), np.zeros(0, dtype=np.int64))

    def followed_by(self, other: _Past) -> _Past:
        return _Past(
            np.concatenate([self.residual, other.residual]),
            np.concatenate([self.total, other.total]),
            np.concatenate([self.run, other.run]),
        )

    def last(self, rows: int) -> _Past:
        first = max(len(self.run) - rows, 0)
        # Copies, or the whole past would stay in memory behind a view of its end.
        return _Past(self.residual[first:].copy(), self.total[first:], self.run[first:])

    def stacked(self, window: int, rows: int) -> tuple[Floats, FloatArray]:
        """Sums over the last `window` lumisections of the same run, for each of the last `rows`."""
        row = np.arange(len(self.run))
        starts = np.r_[True, self.run[1:] != self.run[:-1]]
        first = np.maximum(np.maximum.accumulate(np.where(starts, row, 0)), row - window + 1)[-rows:]
        last = row[-rows:] + 1
        residual = np.concatenate([np.zeros_like(self.residual[:1]), np.cumsum(self.residual, axis=0)])
        total = np.concatenate([[0.0], np.cumsum(self.total)])
        return residual[last] - residual[first], total[last] - total[first]


def _suited(kernels: Sequence[Kernel] | None, axes: tuple[Axis, ...]) -> tuple[tuple[int, ...], ...]:
    """Kernels with as many sizes as there are axes, none longer than its axis, none twice."""
    chosen: Sequence[Kernel] = kernels if kernels is not None else ALONG_ONE if len(axes) == 1 else OVER_TWO
    full: list[Kernel] = []
    for kernel in chosen:
        rest = len(axes) - len(kernel)
        if rest < 0:
            raise MlcoreError(f"Scan: the window {kernel} has more sizes than there are axes, {len(axes)}.")
        full.append((*kernel, *([1] * rest)))
        if rest:
            full.append((*kernel, *([None] * rest)))
    sizes = [
        tuple(axis.bins if size is None else min(size, axis.bins) for size, axis in zip(kernel, axes, strict=True))
        for kernel in full
    ]
    if len(axes) == 1 and kernels is None:
        sizes = [size for size in sizes if size[0] <= max(axes[0].bins // 2, 1)]
    # A window over everything deviates from nothing.
    everything = tuple(axis.bins for axis in axes)
    return tuple(dict.fromkeys(size for size in sizes if size != everything or len(set(sizes)) == 1))


def _band(axis: Axis, size: int) -> npt.NDArray[np.float32]:
    """(bins, bins) matrix whose row i is 1 in the window around bin i."""
    offset = np.arange(axis.bins)[None, :] - np.arange(axis.bins)[:, None]
    if axis.circular:
        offset = (offset + axis.bins // 2) % axis.bins - axis.bins // 2
        if size >= axis.bins:
            return np.ones((axis.bins, axis.bins), dtype=np.float32)
    elif size >= axis.bins:
        # Wherever it stands, the whole axis is one and the same window.
        return np.ones((axis.bins, axis.bins), dtype=np.float32)
    return ((offset >= -(size // 2)) & (offset < size - size // 2)).astype(np.float32)


def _windows(maps: Floats, bands: Sequence[npt.NDArray[np.float32]]) -> Floats:
    """Sums of (n, *bins) over the window around every bin, one matrix product per axis."""
    summed = maps
    for place, band in enumerate(bands, start=1):
        if band.shape[0] > 1 and np.count_nonzero(band) > band.shape[0]:
            summed = np.moveaxis(np.moveaxis(summed, place, -1) @ band.T, -1, place)
    return np.asarray(summed, dtype=np.float32)
