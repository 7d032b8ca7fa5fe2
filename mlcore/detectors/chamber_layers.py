"""Layers of a chamber against each other: one that sees less, or more, than the others let one expect."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from scipy import special
from sklearn.utils.validation import check_is_fitted

from mlcore.conditions import FloatArray
from mlcore.histograms import HistogramBlock
from mlcore.regions import OddRegion, region

from .base import Detector
from .pulls import of_several

Floats = npt.NDArray[np.floating[Any]]

_ROUNDS = 3
#: the spread of a layer's efficiency is drawn to that of all layers as if by so many rows
_SHRINK = 10.0
#: a layer is named when it is so many standard deviations off
_NAMED = 3.5


class ChamberLayers(Detector):
    """Efficiency of each layer beside the other layers of its chamber, against what it usually is.

    All layers of a chamber are crossed by the same muons, so rate and direction cancel in the ratio of a layer's hits
    to those of the others, and what a layer usually has is known from earlier runs. Wires count by their usual hits,
    a few bad ones among them do not matter. The score is -log10 of how often some layer deviates as much.

    Takes blocks whose first axis are layers; a single axis is taken bin by bin.

    Attributes after `fit`: `usual_` (layers, wires) hits relative to the chamber's; `efficiency_` (layers,) middle of
    the logarithm of a layer's hits beside the chamber's, `spread_` (layers,) how much it varies beyond Poisson's law.
    Source: the regional problem of arXiv:1808.00911 (images of chambers, error of a layer by autoencoders); the ratio
    is our own.
    """

    consumes: ClassVar[Literal["block", "table"]] = "block"

    def layer_pulls(self, block: HistogramBlock) -> FloatArray:
        """(n, layers) deviations in standard deviations, negative for a layer that sees too little; NaN where the
        chamber is missing or empty."""
        check_is_fitted(self, "layout_")
        self._check_kind(block)
        found = np.full((len(block), len(self.usual_)), np.nan)
        usable = self._usable(block)
        if usable.any():
            found[usable] = self._pulls(block.select(usable))
        return found

    def odd_regions(self, block: HistogramBlock) -> list[list[OddRegion]]:
        """Of each chamber the layers that are off, the most so first; none of a missing one."""
        wires = int(np.prod(block.bins[1:]))
        found = []
        for pulls in np.nan_to_num(self.layer_pulls(block), nan=0.0):
            off = [at for at in np.argsort(-np.abs(pulls), kind="stable") if abs(pulls[at]) >= _NAMED]
            found.append([region(block.axes, at * wires + np.arange(wires), pulls[at]) for at in off])
        return found

    def _fit(self, data: HistogramBlock, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        counts = _layers(data)
        counts = counts if weights is None else counts[weights > 0]
        whole = counts.sum(axis=(1, 2))
        self.usual_ = np.median(counts / whole[:, None, None], axis=0)
        if not self.usual_.sum() > 0:
            self.usual_ = counts.sum(axis=0) / whole.sum()
        self.efficiency_ = np.zeros(len(self.usual_))
        ratio, noise = self._ratios(counts)
        self.efficiency_ = np.median(ratio, axis=0)
        off = ratio - self.efficiency_
        beyond = np.maximum((1.4826 * np.median(np.abs(off), axis=0)) ** 2 - np.median(noise, axis=0), 0.0)
        n = len(counts)
        self.spread_ = np.sqrt((n * beyond + _SHRINK * float(np.median(beyond)) + 1e-4) / (n + _SHRINK))

    def _score(self, data: HistogramBlock) -> FloatArray:
        pulls = self._pulls(data)
        log_p = np.log(2.0) + special.log_ndtr(-np.abs(pulls).max(axis=1))
        return np.asarray(-of_several(np.minimum(log_p, 0.0), pulls.shape[1]) / np.log(10.0))

    def _pulls(self, data: HistogramBlock) -> FloatArray:
        ratio, noise = self._ratios(_layers(data))
        return np.asarray((ratio - self.efficiency_) / np.sqrt(noise + self.spread_**2))

    def _ratios(self, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(n, layers) logarithm of each layer's hits over what it usually has, less that of the middle layer of the
        chamber, and (n, layers) the variance that counting gives it; 0 for a layer that never has any."""
        usual = self.usual_.sum(axis=1)
        seen = counts.sum(axis=2)
        lively = usual > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            log = np.where(lively, np.log(np.maximum(seen, 0.5) / usual), np.nan)
        level = np.nanmedian(log - self.efficiency_, axis=1, keepdims=True)
        return np.where(lively, log - level, 0.0), 1.0 / np.maximum(seen, 0.5)


def _layers(data: HistogramBlock) -> FloatArray:
    """(n, layers, wires); each bin a layer where there is one axis."""
    counts = np.asarray(data.counts, dtype=np.float64)
    return counts.reshape(len(counts), counts.shape[1], -1)
