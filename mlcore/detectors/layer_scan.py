"""Single layers of wires, each judged by itself: regions that do not fit to what is smooth about the layer."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted

from mlcore.conditions import FloatArray
from mlcore.errors import IncompatibleBinning, MlcoreError, ShapeError
from mlcore.histograms import HistogramBlock
from mlcore.regions import RARE, OddRegion, region

from .base import Detector
from .pulls import gumbel_law, gumbel_log_tail, of_several, pulls_of

Floats = npt.NDArray[np.floating[Any]]

#: of the robust fit of a layer; the first two rounds are gentle
_ROUNDS = 8
#: a wire whose pull is larger than this teaches nothing
_REJECT = 6.0
#: layers fitted together, so that memory does not grow
_AT_ONCE = 4096


class LayerScan(Detector):
    """A layer is what the average layer is, times something smooth; what does not fit over several wires is a fault.

    Takes blocks whose last axis are wires, of one layer, or of several along the first axis; then each is judged by
    itself and the worst counts. For each layer level, slope and curvature are fitted robustly, wires become Poisson
    pulls, and windows of wires are looked at. A pull counts at most `most`, so that single wires, dead or noisy, and
    pairs do not matter: experts do not mind them. The score is -log10 of how often a good layer shows as much.

    Parameters
    ----------
    widths : of the windows, in wires.
    most : a single pull counts at most so much.
    tolerance : relative change of hits that experts do not mind, however sure it is.

    Attributes after `fit`: `base_` (layers, wires) the average layer, `spread_` systematic spread of a wire, `prior_`
    (2,) usual size of slope and curvature, `laws_` (2 widths, 2) what good layers show.
    Source: the preprocessing of arXiv:1808.00911 (running median against single wires, each layer alone); pulls and
    windows in place of its variance of the scaled layer.
    """

    consumes: ClassVar[Literal["block", "table"]] = "block"

    def __init__(
        self, *, widths: tuple[int, ...] = (4, 6, 9, 14, 20, 30), most: float = 3.0, tolerance: float = 0.15
    ) -> None:
        self.widths = widths
        self.most = most
        self.tolerance = tolerance

    def layer_scores(self, block: HistogramBlock) -> FloatArray:
        """(n, layers) score of each layer; NaN for a histogram that is missing or empty."""
        check_is_fitted(self, "layout_")
        self._check_kind(block)
        if (block.element, *block.axes) != self.layout_:
            raise IncompatibleBinning("LayerScan: these layers have other axes than those it was fitted on.")
        found = np.full((len(block), len(self.base_)), np.nan)
        usable = self._usable(block)
        if usable.any():
            found[usable] = self._layer_scores(block.select(usable))
        return found

    def odd_regions(self, block: HistogramBlock) -> list[list[OddRegion]]:
        """Of each histogram the wires that stand out, those of one window in a layer, the rarest first; none of a
        missing one."""
        check_is_fitted(self, "layout_")
        found: list[list[OddRegion]] = [[] for _ in range(len(block))]
        usable = np.flatnonzero(self._usable(block))
        if usable.size:
            pulls = self.seen(block.select(usable))[0]
            tails = self.log_tails(pulls)
            for place, row in enumerate(usable):
                rarest = tails[place].min(axis=1)
                odd = [at for at in np.argsort(rarest, kind="stable") if rarest[at] < np.log(RARE)]
                found[row] = [self._window(block, at, pulls[place, at], int(tails[place, at].argmin())) for at in odd]
        return found

    def _window(self, block: HistogramBlock, layer: int, pulls: FloatArray, look: int) -> OddRegion:
        """Where a look at the pulls (wires,) of a layer sees most."""
        width, sign = self.widths_[look // 2], 1 - 2 * (look % 2)
        sums = np.convolve(pulls, np.ones(width), mode="valid") / np.sqrt(width)
        first = int((sign * sums).argmax())
        return region(block.axes, layer * len(pulls) + np.arange(first, first + width), sums[first])

    def seen(self, data: HistogramBlock) -> tuple[FloatArray, FloatArray]:
        """(n, layers, wires) bounded pulls, and hits over what is expected of the layer; no row may be missing."""
        counts = _layers(data)
        pulls, ratio = np.empty(counts.shape), np.empty(counts.shape)
        spread = max(self.spread_, self.tolerance)
        for place in range(counts.shape[1]):
            for start in range(0, len(counts), _AT_ONCE):
                rows = slice(start, start + _AT_ONCE)
                mean = self._fitted(counts[rows, place], self.base_[place])[0]
                sharp = pulls_of(counts[rows, place], np.maximum(mean, 1e-3), (spread * mean) ** 2)
                pulls[rows, place] = np.clip(sharp, -self.most, self.most)
                ratio[rows, place] = counts[rows, place] / np.maximum(mean, 0.5)
        return pulls, ratio

    def looks(self, pulls: FloatArray) -> FloatArray:
        """(..., 2 widths) largest and minus the smallest sum of pulls over windows, in units of its noise."""
        sums = np.concatenate([np.zeros((*pulls.shape[:-1], 1)), np.cumsum(pulls, axis=-1)], axis=-1)
        found = []
        for width in self.widths_:
            windows = (sums[..., width:] - sums[..., :-width]) / np.sqrt(width)
            found += [windows.max(axis=-1), -windows.min(axis=-1)]
        return np.stack(found, axis=-1)

    def log_tails(self, pulls: FloatArray) -> FloatArray:
        """(..., 2 widths) log of how often good layers show as much in each look."""
        looks = self.looks(pulls)
        tails = [gumbel_log_tail(looks[..., place], *law) for place, law in enumerate(self.laws_)]
        return np.minimum(np.stack(tails, axis=-1), 0.0)

    def _fit(self, data: HistogramBlock, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        if len(data.axes) > 2:
            raise ShapeError(
                f"{data.element}: {len(data.axes)} axes; wires of a layer, or layers and wires, are needed."
            )
        if not self.widths or min(self.widths) < 1 or not self.most > 0 or not self.tolerance >= 0:
            raise MlcoreError(
                "LayerScan: widths are numbers of wires from 1, a pull counts for something, a tolerance is from 0."
            )
        counts = _layers(data)
        if weights is not None:
            counts = counts[weights > 0]
        wires = counts.shape[-1]
        self.widths_ = tuple(sorted({min(width, max(wires // 2, 1)) for width in self.widths}))
        level = np.maximum(_level(counts), 1e-9)
        self.base_ = np.median(counts / level[..., None], axis=0)
        empty = self.base_.sum(axis=1) <= 0
        self.base_[empty] = counts.mean(axis=0)[empty] / max(float(level.mean()), 1e-9)
        self.spread_, self.prior_ = 0.05, np.array([0.3, 0.3])
        slopes, relative, noise = [], [], []
        for place, base in enumerate(self.base_):
            mean, fitted = self._fitted(counts[:, place], base)
            slopes.append(fitted[:, 1:] / np.maximum(fitted[:, :1], 1e-9))
            busy = mean > 20.0
            relative.append((counts[:, place][busy] - mean[busy]) / mean[busy])
            noise.append(1.0 / mean[busy])
        self.prior_ = np.maximum(1.4826 * np.median(np.abs(np.concatenate(slopes)), axis=0), 0.02)
        off, usual = np.concatenate(relative), np.concatenate(noise)
        if off.size:
            wide = (1.4826 * float(np.median(np.abs(off)))) ** 2 - float(np.median(usual))
            self.spread_ = float(np.sqrt(max(wide, 1e-4)))
        looks = self.looks(self.seen(data)[0]).reshape(-1, 2 * len(self.widths_))
        self.laws_ = np.stack([gumbel_law(look) for look in looks.T])

    def _score(self, data: HistogramBlock) -> FloatArray:
        scores = self._layer_scores(data)
        log_p = of_several(-scores.max(axis=1) * np.log(10.0), scores.shape[1])
        return np.asarray(-log_p / np.log(10.0))

    def _layer_scores(self, data: HistogramBlock) -> FloatArray:
        tails = self.log_tails(self.seen(data)[0])
        return np.asarray(-of_several(tails.min(axis=-1), tails.shape[-1]) / np.log(10.0))

    def _fitted(self, counts: FloatArray, base: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(n, wires) hits expected of each layer (n, wires), and (n, 3) level, slope and curvature."""
        x = np.linspace(-1.0, 1.0, counts.shape[1])
        design = np.column_stack([np.ones_like(x), x, x**2 - 1.0 / 3.0]) * base[:, None]
        floor = 1e-3 * base + 1e-9
        fitted = np.zeros((len(counts), 3))
        fitted[:, 0] = _ratio(counts, base)
        for step in range(_ROUNDS):
            mean = np.maximum(fitted @ design.T, fitted[:, :1] * floor)
            variance = mean + (self.spread_ * mean) ** 2
            size = np.abs(counts - mean) / np.sqrt(variance)
            trust = (
                1.0 / np.maximum(1.0, size / 1.5) if step < 2 else np.clip(1.0 - (size / _REJECT) ** 2, 0, None) ** 2
            )
            weight = trust / variance
            gram = np.einsum("ni,ij,ik->njk", weight, design, design, optimize=True)
            level = np.maximum(fitted[:, 0], 1e-9)
            for place, usual in enumerate(self.prior_, start=1):
                gram[:, place, place] += 1.0 / (usual * level) ** 2
            gram[:, 0, 0] += 1e-9 / level**2
            found = np.linalg.solve(gram, ((weight * counts) @ design)[..., None])[..., 0]
            found[:, 0] = np.where(found[:, 0] > 0, found[:, 0], fitted[:, 0])
            fitted = found
        return np.asarray(np.maximum(fitted @ design.T, fitted[:, :1] * floor)), fitted


def _layers(data: HistogramBlock) -> FloatArray:
    """(n, layers, wires); one layer where there is one axis."""
    counts = np.asarray(data.counts, dtype=np.float64)
    return counts[:, None] if counts.ndim == 2 else counts


def _level(counts: FloatArray) -> FloatArray:
    """(...,) hits of a usual wire; of a layer that is mostly silent, the mean."""
    middle = np.median(counts, axis=-1)
    return np.where(middle > 0, middle, counts.mean(axis=-1))


def _ratio(counts: FloatArray, base: FloatArray) -> FloatArray:
    """(n,) median of hits over those of the average layer, over wires that see something in it."""
    busy = base > 0.3 * max(float(base.max()), 1e-9)
    middle = np.median(counts[:, busy] / base[busy], axis=1) if busy.any() else np.zeros(len(counts))
    whole = counts.sum(axis=1) / max(float(base.sum()), 1e-9)
    return np.asarray(np.maximum(np.where(middle > 0, middle, whole), 1e-6))
