"""Maps of arrival times: channels and regions whose clock went wrong, beside what all of them do together."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from scipy import special
from sklearn.utils.validation import check_is_fitted

from mlcore.conditions import FloatArray, IntArray
from mlcore.errors import ShapeError
from mlcore.histograms import HistogramBlock
from mlcore.regions import OddRegion, named, ranges_of

from .base import Detector
from .map_regions import Looks, regions
from .pulls import of_several

Floats = npt.NDArray[np.floating[Any]]

_ROUNDS = 3
#: hits of a channel below which its mean time says nothing
_FEWEST = 3
#: deviations beyond this do not move what is common
_REJECT = 3.0
#: a single hit counts as if it were at most so many spreads away: late hits are anywhere
_BOUND = 3.0
#: shifts that are tried: steps and the smallest one for a single channel, in bins
_STEP = 0.5
_SMALLEST = 2.0
#: hits of all channels together that a channel's distribution is smoothed with, and the share that may come any time
_SMOOTH, _ANY_TIME = 50.0, 0.003
#: share of good maps from which the tail of likelihood ratios is continued
_RARE = 0.1
#: regions of a map that are named
_MOST = 3
_AT_ONCE = 64


class TimingMap(Detector):
    """Mean time of each channel against its usual one, after what all channels have in common.

    Takes blocks whose last axis is time, the earlier ones places (none, one or two). Hits of other collisions come at
    any time, so a single channel is judged by how much likelier its hits are with some shift of its usual distribution
    than without, which few hits do not mislead; regions by the mean of their hits, which count in spreads from the
    channel's usual time and bounded. A mean of n of them is as sure as their spread lets it be, and a little less:
    channels wander. Looked at are channels, windows, sectors of
    azimuth, and the common time itself; the score is -log10 of how often a good map shows as much in any of them. How
    many hits there are does not matter: that is what occupancy is looked at for, in parallel.

    Attributes after `fit`: `time_`, `width_` (channels,) usual time and spread of hits, in the unit of the axis;
    `bounded_` (channels, bins) what a hit counts; `log_share_` (shifts, channels, bins) logarithm of the usual
    distribution, shifted by `shifts_`; `usual_` (channels,) its usual mean, `single_` its spread,
    `wander_` the systematic spread of a channel's mean; `common_` (2,) middle and spread of what all channels have in
    common; `often_` what likelihood ratios exceed in a tenth of good maps; `looks_`, `common_looks_` calibration of the
    others.
    Source: timing maps as a second model in parallel are an outlook of N. Dev, CMS machine learning forum, 28 February
    2018; this detector is our own.
    """

    consumes: ClassVar[Literal["block", "table"]] = "block"

    def means(self, block: HistogramBlock) -> Floats:
        """(n, *places) mean time of each channel, NaN with fewer than three hits."""
        self._check_kind(block)
        counts = np.asarray(block.counts, dtype=np.float64)
        hits = counts.sum(axis=-1)
        return np.where(hits >= _FEWEST, counts @ block.axes[-1].centres / np.maximum(hits, 1.0), np.nan)

    def odds(self, block: HistogramBlock) -> Floats:
        """(n, *places) log of how much likelier the hits of each channel are with its usual times shifted either way
        than without; NaN for missing maps."""
        check_is_fitted(self, "layout_")
        places = block.bins[:-1]
        found = np.full((len(block), int(np.prod(places))), np.nan)
        usable = self._usable(block)
        if usable.any():
            data = block.select(usable)
            found[usable] = np.logaddexp(*self._odds(data, self._against(data)[2]))
        return found.reshape(len(block), *places)

    def odd_regions(self, block: HistogramBlock) -> list[list[OddRegion]]:
        """Of each map the channels, windows, sectors and the whole that come late (positive) or early, the rarest
        first; none of a missing one."""
        check_is_fitted(self, "layout_")
        found: list[list[OddRegion]] = [[] for _ in range(len(block))]
        usable = np.flatnonzero(self._usable(block))
        if usable.size:
            data = block.select(usable)
            kinds, moved, _ = self._deviations(data)
            deviation, weight, common = self._against(data)
            later, earlier = self._odds(data, common)
            pulls = np.repeat(deviation * np.sqrt(weight), self.axes_[-1].bins, axis=1)
            for place, row in enumerate(usable):
                looks = self._looked_at(kinds, moved, place) + self._alone(later[place], earlier[place])
                found[row] = named(looks, pulls[place], most=_MOST)
        return found

    def _looked_at(self, kinds: list[FloatArray], moved: FloatArray, row: int) -> list[tuple[float, OddRegion]]:
        """Log of how often a good map shows as much, and the region: of each kind, and the whole."""
        places = self.axes_[:-1]
        whole = np.arange(int(np.prod([axis.bins for axis in places])))
        looks = [(tail, regions(places)[kind].members(at), pull)
                 for tail, kind, at, pull in (self.looks_.oddest(kinds, row) if kinds else [])]  # fmt: skip
        looks += [(tail, whole, pull) for tail, _, _, pull in self.common_looks_.oddest([moved], row)]
        return [(tail, self._region(channels, pull)) for tail, channels, pull in looks]

    def _alone(self, later: FloatArray, earlier: FloatArray) -> list[tuple[float, OddRegion]]:
        """The same of the single channel whose hits are likeliest to be late, and early."""
        found = []
        for sign, odds in ((1.0, later), (-1.0, earlier)):
            at, most = int(odds.argmax()), float(odds.max())
            tail = float(np.log(_RARE)) - (most - self.often_)
            found.append((tail, self._region(np.array([at]), sign * np.sqrt(2.0 * max(most, 0.0)))))
        return found

    def _region(self, channels: IntArray, pull: float) -> OddRegion:
        """With all times of these channels."""
        times = self.axes_[-1].bins
        bins = (channels[:, None] * times + np.arange(times)).ravel()
        return OddRegion(bins, ranges_of(self.axes_[:-1], channels), float(pull))

    def _fit(self, data: HistogramBlock, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        if len(data.axes) > 3:
            raise ShapeError(f"{data.element}: {len(data.axes)} axes; at most two of places and one of time are taken.")
        data = data if weights is None else data.select(weights > 0)
        self.axes_ = data.axes
        self._learn_single(data)
        mean, hits = self._summed(data)
        known = hits >= _FEWEST
        lively = known.mean(axis=0) > 0.1
        self.wander_ = 0.0
        self.usual_ = _middle(mean, known)
        for _ in range(_ROUNDS):
            common = self._common(mean, hits)
            self.usual_ = _middle(mean - common[:, None], known)
        off = np.where(known, mean - common[:, None] - self.usual_, np.nan)
        busy = known & lively
        if busy.any():
            beyond = (1.4826 * float(np.median(np.abs(off[busy])))) ** 2
            usual = float(np.median((self.single_**2 / np.maximum(hits, 1.0))[busy]))
            self.wander_ = float(np.sqrt(max(beyond - usual, 0.0)))
        middle = float(np.median(common))
        self.common_ = np.array([middle, max(1.4826 * float(np.median(np.abs(common - middle))), 0.01)])
        kinds, moved, channels = self._deviations(data)
        self.often_ = float(np.quantile(channels, 1.0 - _RARE))
        self.looks_, self.common_looks_ = Looks().fit(kinds), Looks().fit([moved])

    def _learn_single(self, data: HistogramBlock) -> None:
        """Usual time and spread of hits by channel from all of them together, those of all channels where there are
        few, and what a hit of each bin counts."""
        edges = data.axes[-1].edges
        every = np.asarray(data.counts, dtype=np.float64).sum(axis=0).reshape(-1, data.bins[-1])
        whole = every.sum(axis=0)
        every = every + whole * _SMOOTH / whole.sum()
        low, middle, high = (_quantile(every, edges, share) for share in (0.25, 0.5, 0.75))
        self.time_, self.width_ = middle, np.maximum((high - low) / 1.349, 0.3 * float(np.diff(edges).min()))
        off = (data.axes[-1].centres - self.time_[:, None]) / self.width_[:, None]
        self.bounded_ = np.clip(off, -_BOUND, _BOUND)
        reach = 0.5 * float(edges[-1] - edges[0])
        step = _STEP * float(np.diff(edges).min())
        self.shifts_ = np.arange(-np.floor(reach / step), np.floor(reach / step) + 1) * step
        self.log_share_ = np.stack([np.log(_shifted(every, edges, shift)) for shift in self.shifts_])
        hits = every.sum(axis=1)
        mean = (every * self.bounded_).sum(axis=1) / hits
        self.single_ = np.sqrt(np.maximum((every * self.bounded_**2).sum(axis=1) / hits - mean**2, 0.01))

    def _score(self, data: HistogramBlock) -> FloatArray:
        kinds, moved, channels = self._deviations(data)
        # Likelihood ratios have a mean of 1 in good maps, so e times as much is e times as rare, or rarer.
        alone = np.log(_RARE) - (channels - self.often_)
        log_p = np.minimum(np.minimum(alone, 0.0), self.common_looks_.log_p([moved]))
        if kinds:
            log_p = np.minimum(log_p, self.looks_.log_p(kinds))
        return np.asarray(-of_several(log_p, 3) / np.log(10.0))

    def _deviations(self, data: HistogramBlock) -> tuple[list[FloatArray], FloatArray, FloatArray]:
        """Deviations of each kind of regions (n, regions), of the common time (n, 1), and (n,) log of the likelihood
        ratios of all single channels together."""
        deviation, weight, common = self._against(data)
        places = self.axes_[:-1]
        kinds = [
            kind.of(deviation * weight) / np.sqrt(np.maximum(kind.of(weight), 1e-12))
            for kind in (regions(places) if places else ())
        ]
        odds = np.concatenate(self._odds(data, common), axis=1)
        return kinds, ((common - self.common_[0]) / self.common_[1])[:, None], special.logsumexp(odds, axis=1)

    def _against(self, data: HistogramBlock) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(n, channels) deviations in time and their weights, 0 where there are too few hits, and (n,) common times."""
        mean, hits = self._summed(data)
        common = self._common(mean, hits)
        weight = self._weight(hits)
        return np.where(weight > 0, mean - common[:, None] - self.usual_, 0.0), weight, common

    def _odds(self, data: HistogramBlock, common: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(n, channels) log of how much likelier the hits are with a shift to later, and to earlier, any of those of at
        least two bins, than with the common one; less where a channel's wander is as large as its error."""
        counts = np.asarray(data.counts, dtype=np.float64).reshape(len(data), -1, data.bins[-1])
        usual = np.abs(self.shifts_ - (common * float(np.median(self.width_)))[:, None]).argmin(axis=1)
        found = np.empty((2, *counts.shape[:2]))
        for start in range(0, len(counts), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            # One product of matrices per channel: (channels, n, bins) by (channels, bins, shifts).
            log = np.matmul(counts[part].transpose(1, 0, 2), self.log_share_.transpose(1, 2, 0))
            log -= np.take_along_axis(log, usual[None, part, None], axis=2)
            certain = 1.0 + counts[part].sum(axis=-1).T * (self.wander_ / self.single_[:, None]) ** 2
            steps = np.arange(len(self.shifts_)) - usual[part, None]
            for place, side in enumerate((steps >= _SMALLEST / _STEP, steps <= -_SMALLEST / _STEP)):
                tried = np.where(side[None], log / certain[..., None], -np.inf)
                most = tried.max(axis=2)
                summed = np.exp(tried - most[..., None]).sum(axis=2)
                found[place, part] = (most + np.log(summed / len(self.shifts_))).T
        return found[0], found[1]

    def _common(self, mean: FloatArray, hits: FloatArray) -> FloatArray:
        """(n,) time that all channels have together, from those that agree with each other."""
        weight = self._weight(hits)
        off = np.where(weight > 0, mean - self.usual_, 0.0)
        common = _middle(off.T, weight.T > 0)
        for _ in range(2):
            agree = np.where(np.abs(off - common[:, None]) * np.sqrt(weight) < _REJECT, weight, 0.0)
            total = agree.sum(axis=1)
            common = np.where(total > 0, (agree * off).sum(axis=1) / np.maximum(total, 1e-12), common)
        return np.asarray(common)

    def _weight(self, hits: FloatArray) -> FloatArray:
        variance = self.single_**2 / np.maximum(hits, 1.0) + self.wander_**2
        return np.where(hits >= _FEWEST, 1.0 / variance, 0.0)

    def _summed(self, data: HistogramBlock) -> tuple[FloatArray, FloatArray]:
        """(n, channels) bounded mean, in spreads of single hits, and hits."""
        counts = np.asarray(data.counts, dtype=np.float64).reshape(len(data), -1, data.bins[-1])
        hits = counts.sum(axis=-1)
        return np.einsum("ncb,cb->nc", counts, self.bounded_) / np.maximum(hits, 1.0), hits


def _shifted(counts: FloatArray, edges: FloatArray, shift: float) -> FloatArray:
    """(channels, bins) distribution of hits (channels, bins) moved by `shift`; what leaves the axis stays in its first
    or last bin, and a few hits come at any time."""
    summed = np.concatenate([np.zeros((len(counts), 1)), np.cumsum(counts, axis=1)], axis=1)
    summed /= summed[:, -1:]
    moved = np.stack([np.interp(edges - shift, edges, row) for row in summed])
    moved[:, 0], moved[:, -1] = 0.0, 1.0
    return np.asarray((1.0 - _ANY_TIME) * np.diff(moved, axis=1) + _ANY_TIME / counts.shape[1])


def _quantile(counts: FloatArray, edges: FloatArray, share: float) -> FloatArray:
    """(channels,) where so large a share of the hits (channels, bins) has come, linear within a bin."""
    summed = np.cumsum(counts, axis=1)
    wanted = share * summed[:, -1]
    place = np.minimum((summed < wanted[:, None]).sum(axis=1), counts.shape[1] - 1)
    row = np.arange(len(counts))
    within = (wanted - (summed[row, place] - counts[row, place])) / np.maximum(counts[row, place], 1e-12)
    return np.asarray(edges[place] + within * np.diff(edges)[place])


def _middle(values: FloatArray, known: npt.NDArray[np.bool_]) -> FloatArray:
    """(columns,) medians of the known values, 0 where none is."""
    some = known.any(axis=0)
    found = np.zeros(values.shape[1])
    found[some] = np.nanmedian(np.where(known, values, np.nan)[:, some], axis=0)
    return found
