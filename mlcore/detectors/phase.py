"""Phases of read-out: a part of the hits comes a clock tick early or late, from one lumisection to the end of a run."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from mlcore.conditions import FloatArray
from mlcore.errors import MlcoreError, ShapeError
from mlcore.histograms import HistogramBlock

from .base import Detector
from .residuals import in_order


class PhaseDetector(Detector):
    """Log-likelihood ratio of a displaced part of the hits, summed up over the lumisections of the run so far.

    The usual distribution of times is learned; a displaced one is the same distribution moved by some bins, for a part
    of the hits. Every displacement and part is a hypothesis of its own, and each may begin at any lumisection (a
    cumulative sum that never falls below 0). A histogram that changes in another way shows as well, if some
    displacement describes it better than the usual one.

    Parameters
    ----------
    shifts : displacements in bins that are looked for, either way.
    parts : shares of the hits that are displaced.
    slack : bins by which a whole run may lie beside the others; found from the run so far, and no fault.
    memory : largest sum, in units of the logarithm; how long a change is remembered that has ended. 0 judges each
        lumisection alone.
    """

    consumes: ClassVar[Literal["block"]] = "block"

    def __init__(
        self,
        *,
        shifts: tuple[int, ...] = (6, 9, 12, 16, 25),
        parts: tuple[float, ...] = (0.15, 0.3, 0.6, 0.95),
        slack: int = 3,
        memory: float = 8.0,
    ) -> None:
        self.shifts = shifts
        self.parts = parts
        self.slack = slack
        self.memory = memory

    def _fit(self, data: HistogramBlock, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        if len(data.axes) != 1 or data.bins[0] < 8:
            raise ShapeError(f"{data.element}: times are histograms of one axis with at least eight bins.")
        if self.memory < 0 or self.slack < 0 or min(self.shifts) < 1 or not all(0 < part < 1 for part in self.parts):
            raise MlcoreError("shifts are at least 1, parts between 0 and 1, slack and memory not negative.")
        total = np.asarray(data.flat, dtype=np.float64).sum(axis=0) + 0.5
        usual = total / total.sum()
        shifts = [sign * shift for shift in self.shifts if shift < len(usual) for sign in (-1, 1)]
        offsets = range(-self.slack, self.slack + 1)
        self.usual_ = np.array([np.log(_moved(usual, offset)) for offset in offsets])
        self.ratios_ = np.array(
            [
                [
                    np.log((1 - part) + part * _moved(usual, offset + shift) / _moved(usual, offset))
                    for shift in shifts
                    for part in self.parts
                ]
                for offset in offsets
            ]
        )
        self.spread_ = self._excess(data)

    def _each(self, data: HistogramBlock) -> FloatArray:
        """(n, hypotheses) log-likelihood ratios, each at the offset of its run as far as it is known by then."""
        counts = np.asarray(data.flat, dtype=np.float64)
        found = np.empty((len(data), self.ratios_.shape[1]))
        for rows in in_order(data.conditions):
            offset = np.argmax(np.cumsum(counts[rows] @ self.usual_.T, axis=0), axis=1)
            found[rows] = np.einsum("nb,nhb->nh", counts[rows], self.ratios_[offset])
        return found

    def _excess(self, data: HistogramBlock) -> FloatArray:
        """(hypotheses,) how much more the ratios scatter than counting says: good lumisections differ, too."""
        counts = np.asarray(data.flat, dtype=np.float64)
        hits = np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
        share = counts.sum(axis=0) / counts.sum()
        ratios = self.ratios_[self.slack]
        mean = ratios @ share
        variance = (ratios**2) @ share - mean**2
        ratio = ((self._each(data) - hits * mean) ** 2 / np.maximum(hits * variance, 1e-12)).mean(axis=0)
        return np.asarray(np.maximum(ratio, 1.0))

    def _score(self, data: HistogramBlock) -> FloatArray:
        each = self._each(data) / self.spread_
        if self.memory == 0:
            return np.asarray(each.max(axis=1))
        found = np.empty(len(data))
        for rows in in_order(data.conditions):
            past = np.zeros(each.shape[1])
            for row in rows:
                now = past + each[row]
                found[row] = now.max()
                past = np.clip(now, 0.0, self.memory)
        return found


def _moved(usual: FloatArray, bins: int) -> FloatArray:
    """The distribution some bins later, what leaves at one end lost, on a floor so that nothing is impossible."""
    found = np.full(len(usual), 0.02 / len(usual))
    if abs(bins) < len(usual):
        found[max(0, bins) : len(usual) + min(0, bins)] += usual[max(0, -bins) : len(usual) + min(0, -bins)]
    return np.asarray(found / found.sum())
