"""Maps whose channels are compared with others of their ring: what changes a whole ring is no fault of a channel."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from mlcore.conditions import FloatArray, IntArray
from mlcore.histograms import HistogramBlock
from mlcore.regions import OddRegion, named, region

from .base import Detector
from .map_regions import Looks, regions, rings
from .pulls import of_several, pulls_of

Floats = npt.NDArray[np.floating[Any]]

_ROUNDS = 3
#: a channel further than this from its ring does not say what the ring has
_REJECT = 4.0
#: hits that a silent channel is taken to expect
_LEAST = 0.2
#: regions of a map that are named
_MOST = 3
#: ageing and conditions move a ring against the others by so much between learning and scoring, relative
_RING_MOVES = 0.1


class RingMap(Detector):
    """Each channel's hits over the mean of its ring, against what they usually are.

    In a detector around a beam all channels of a ring see the same collisions and age alike, so their ratio to the mean
    of the ring knows nothing of luminosity, pile-up and dose. Channels that never saw anything are masked: they count
    only when they do. Looked at are single channels, single channels beside their neighbours (hits come in clusters, a
    broken channel is alone), windows and sectors of azimuth, and each ring against the others; the score is -log10 of
    how often a good map shows as much in any of them.

    Takes maps of two axes: of an angle (rings are places along the other axis) or flat ones, whose rings are circles
    around the centre. A histogram of one axis is one ring.

    Attributes after `fit`: `ring_` (channels,) number of the ring; `usual_` (channels,) usual ratio to the ring's
    mean, 0 where masked; `excess_` and `alone_` (channels,) variance over Poisson's, and the same beside the
    neighbours; `share_` (rings, 2) middle and spread of the logarithm of a ring's share; `looks_`, `ring_looks_` their
    calibration.
    Source: the cut at a ratio to the ring's mean in the deployed CMS ECAL monitoring (code of arXiv:2309.10157);
    learned ratios, regions and calibration are our own.
    """

    consumes: ClassVar[Literal["block", "table"]] = "block"

    def ratios(self, block: HistogramBlock) -> Floats:
        """(n, *bins) hits over what the ring lets one expect; NaN for masked channels and missing maps."""
        check_is_fitted(self, "layout_")
        found = np.full((len(block), int(np.prod(block.bins))), np.nan)
        usable = self._usable(block)
        if usable.any():
            counts = np.asarray(block.flat[usable], dtype=np.float64)
            expected = self._expected(counts)[0]
            found[usable] = np.where(self.usual_ > 0, counts / np.maximum(expected, _LEAST), np.nan)
        return found.reshape(len(block), *block.bins)

    def odd_regions(self, block: HistogramBlock) -> list[list[OddRegion]]:
        """Of each map the channels, windows, sectors and rings that stand out, the rarest first; none of a missing
        one."""
        check_is_fitted(self, "layout_")
        found: list[list[OddRegion]] = [[] for _ in range(len(block))]
        usable = np.flatnonzero(self._usable(block))
        if usable.size:
            kinds, moved = self._deviations(np.asarray(block.flat[usable], dtype=np.float64))
            for place, row in enumerate(usable):
                found[row] = self._named(kinds, moved, place)
        return found

    def _named(self, kinds: list[FloatArray], moved: FloatArray, row: int) -> list[OddRegion]:
        looks = self.looks_.oddest(kinds, row)
        rings_ = [(tail, -1, ring, pull) for tail, _, ring, pull in self.ring_looks_.oddest([moved], row)]
        return named(
            ((tail, region(self.axes_, self._bins(kind, at), pull)) for tail, kind, at, pull in looks + rings_),
            np.where(self.usual_ > 0, kinds[0][row], 0.0),
            most=_MOST,
        )

    def _bins(self, kind: int, at: int) -> IntArray:
        """(m,) of a region of the kinds of `_deviations`, -1 for a ring."""
        if kind < 0:
            return np.flatnonzero(self.ring_ == at)
        return np.array([at]) if kind < 2 else regions(self.axes_)[kind - 2].members(at)

    def _fit(self, data: HistogramBlock, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        counts = np.asarray(data.flat, dtype=np.float64)
        counts = counts if weights is None else counts[weights > 0]
        self.axes_ = data.axes
        self.ring_ = rings(data.axes)
        lively = (counts > 0).mean(axis=0) > 0.5
        self.usual_ = np.where(lively, counts.mean(axis=0), 0.0)
        self.usual_ /= np.maximum(self._by_ring(self.usual_) / np.maximum(self._by_ring(lively), 1), 1e-9)[self.ring_]
        self.excess_ = np.ones(len(self.usual_))
        self.alone_ = self.excess_
        for _ in range(_ROUNDS):
            expected, level = self._expected(counts)
            means = level[:, self.ring_]
            ratio = np.where(means > 0, counts / np.maximum(means, 1e-9), np.nan)
            self.usual_ = np.zeros(len(lively))
            self.usual_[lively] = np.nan_to_num(np.nanmedian(ratio[:, lively], axis=0))
            self.excess_ = _excess(counts, expected, lively)
        self.alone_ = _excess(counts, self._beside(counts, expected), lively)
        share = self._shares(self._expected(counts)[1])
        middle_share = np.median(share, axis=0)
        self.share_ = np.column_stack([middle_share, 1.4826 * np.median(np.abs(share - middle_share), axis=0)])
        kinds, moved = self._deviations(counts)
        self.looks_, self.ring_looks_ = Looks().fit(kinds, calibrated=2), Looks().fit([moved])

    def _score(self, data: HistogramBlock) -> FloatArray:
        kinds, moved = self._deviations(np.asarray(data.flat, dtype=np.float64))
        both = np.minimum(self.looks_.log_p(kinds), self.ring_looks_.log_p([moved]))
        return np.asarray(-of_several(both, 2) / np.log(10.0))

    def _deviations(self, counts: FloatArray) -> tuple[list[FloatArray], FloatArray]:
        """Deviations of channels and of each kind of regions (n, regions), and of rings (n, rings)."""
        expected, level = self._expected(counts)
        mean = np.maximum(expected, _LEAST)
        variance = (self.excess_ - 1.0) * mean
        residual, total = counts - expected, mean + variance
        beside = np.maximum(self._beside(counts, expected), _LEAST)
        local = pulls_of(counts, beside, (self.alone_ - 1.0) * beside)
        kinds = [np.asarray(each, dtype=np.float64) for each in (pulls_of(counts, mean, variance), local)]
        kinds += [kind.of(residual) / np.sqrt(kind.of(total)) for kind in regions(self.axes_)]
        moved = (self._shares(level) - self.share_[:, 0]) / np.hypot(self.share_[:, 1], _RING_MOVES)
        return kinds, moved

    def _expected(self, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(n, channels) hits that each channel should have, and (n, rings) the mean of each ring from its channels
        that agree with each other."""
        usual = self.usual_
        level = np.column_stack([_middle(counts[:, mine], usual[mine]) for mine in self._members()])
        for _ in range(2):
            expected = level[:, self.ring_] * usual
            agree = np.abs(counts - expected) < _REJECT * np.sqrt(self.excess_ * np.maximum(expected, 1.0))
            agree &= usual > 0
            seen, wanted = self._by_ring(np.where(agree, counts, 0.0)), self._by_ring(np.where(agree, usual, 0.0))
            level = np.where(wanted > 0.1 * self._by_ring(usual), seen / np.maximum(wanted, 1e-9), level)
        return np.asarray(level[:, self.ring_] * usual), level

    def _beside(self, counts: FloatArray, expected: FloatArray) -> FloatArray:
        """(n, channels) hits that each channel should have if its neighbours in a window of three say how it is there;
        between half and twice what its ring says."""
        window = regions(self.axes_)[0]
        seen, wanted = window.of(counts) - counts, window.of(expected) - expected
        # As if as many hits again were as usual: few neighbours say little.
        there = (seen + wanted.mean()) / np.maximum(wanted + wanted.mean(), 1e-9)
        return np.asarray(expected * np.clip(there, 0.5, 2.0))

    def _members(self) -> list[npt.NDArray[np.intp]]:
        return [np.flatnonzero(self.ring_ == number) for number in range(int(self.ring_.max()) + 1)]

    def _by_ring(self, values: npt.NDArray[Any]) -> FloatArray:
        """(..., channels) summed over each ring."""
        return np.stack([values[..., mine].sum(axis=-1) for mine in self._members()], axis=-1).astype(np.float64)

    def _shares(self, level: FloatArray) -> FloatArray:
        """(n, rings) logarithm of what each ring has beside the others; 0 for rings without channels."""
        size = self._by_ring(self.usual_)
        hits = level * size
        share = np.log(np.maximum(hits, 0.5) / np.maximum(hits.sum(axis=1, keepdims=True), 1.0))
        return np.where(size > 0, share, 0.0)


def _excess(counts: FloatArray, expected: FloatArray, lively: npt.NDArray[np.bool_]) -> FloatArray:
    """(channels,) robust variance over Poisson's, drawn to that of all; 1 for channels that are silent."""
    spread = np.median((counts - expected) ** 2 / np.maximum(expected, _LEAST), axis=0) / 0.4549
    middle = float(np.median(spread[lively])) if lively.any() else 1.0
    drawn = (len(counts) * spread + 20 * middle) / (len(counts) + 20)
    return np.where(lively, np.maximum(drawn, 1.0), 1.0)


def _middle(counts: FloatArray, usual: FloatArray) -> FloatArray:
    """(n,) median of hits over the usual ones, over channels that are there; of few hits, their sum."""
    lively = usual > 0
    if not lively.any():
        return np.zeros(len(counts))
    middle = np.median(counts[:, lively] / usual[lively], axis=1)
    whole = counts[:, lively].sum(axis=1) / usual[lively].sum()
    return np.asarray(np.where(middle > 0, middle, whole))
