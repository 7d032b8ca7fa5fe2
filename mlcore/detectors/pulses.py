"""Pulsed signals of slow control, forecast online: a magnet, a valve or a high voltage that repeats its cycles.

What is usual, the value one season ago or a linear forecast, is wrong at every edge as soon as the period is no whole
number of samples or wanders. Here the shape over the period is learned, and its phase, speed and height are followed.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from mlcore.conditions import FloatArray
from mlcore.errors import MlcoreError, ShapeError
from mlcore.histograms import HistogramBlock

from .base import Detector
from .pulse_train import PulseTrain
from .residuals import NormalScores, in_order


class PulsesDetector(Detector):
    """How far readings lie outside their forecast: the largest of a lumisection, and all of them together.

    Takes a block whose axis is the time within the lumisection, one reading per bin (not negative). The signal goes on
    from one lumisection to the next of the same run; missing ones are a gap in it.

    Parameters
    ----------
    ahead : readings that a forecast is made before.
    rounds : of learning the shape.

    Attributes after `fit`: `train_` with the period and its shape. The first lumisections of a run, before the signal
    has been found again, score like others: their forecasts are wide.
    """

    consumes: ClassVar[Literal["block"]] = "block"

    def __init__(self, *, ahead: int = 20, rounds: int = 4) -> None:
        self.ahead = ahead
        self.rounds = rounds

    def quantiles(self, block: HistogramBlock, levels: npt.ArrayLike) -> FloatArray:
        """(n, bins, levels) forecasts of every reading, made `ahead` readings before; NaN where there is none."""
        wanted = np.asarray(levels, dtype=np.float64)
        if wanted.ndim != 1 or not ((wanted > 0) & (wanted < 1)).all():
            raise MlcoreError("levels are probabilities between 0 and 1.")
        mean, width = self._forecast(block)
        return np.asarray(mean[:, :, None] + width[:, :, None] * self.shape_.inverse(ndtri(wanted))[0])

    def _fit(self, data: HistogramBlock, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        if len(data.axes) != 1 or data.bins[0] < 4:
            raise ShapeError(f"{data.element}: pulses are read along one axis, the time, in at least four bins.")
        if self.ahead < 1 or self.rounds < 1:
            raise MlcoreError("ahead and rounds are at least 1.")
        series = [self._series(data, rows)[0] for rows in in_order(data.conditions)]
        self.train_ = PulseTrain(ahead=self.ahead, rounds=self.rounds).fit(series, data.bins[0])
        mean, width = self._forecast(data)
        off = (data.flat - mean) / width
        # A signal is found again within a few periods of the start of a run; what is usual is learned after that.
        start = data.conditions.lumisection.min() + int(4.0 * self.train_.period_ / data.bins[0])
        late = data.conditions.lumisection >= start
        late = late if late.sum() > len(data) / 3 else np.ones(len(data), dtype=bool)
        self.shape_ = NormalScores().fit(off[late].reshape(-1, 1))
        self.usual_ = NormalScores().fit(self._statistics(data)[late])

    def _score(self, data: HistogramBlock) -> FloatArray:
        return np.asarray(np.nanmax(np.nan_to_num(self.usual_.transform(self._statistics(data)), nan=-3.0), axis=1))

    def _statistics(self, block: HistogramBlock) -> FloatArray:
        """(n, 2) largest deviation and mean square of a lumisection; those of its run's start count as usual ones."""
        mean, width = self._forecast(block)
        pulls = self.shape_.transform(((block.flat - mean) / width).reshape(-1, 1)).reshape(mean.shape)
        known = np.isfinite(pulls)
        size = np.where(known, pulls, 0.0) ** 2
        square = np.where(known.any(axis=1), size.sum(axis=1) / np.maximum(known.sum(axis=1), 1), 1.0)
        return np.column_stack([np.sqrt(size.max(axis=1)), np.log(np.maximum(square, 1e-6))])

    def _forecast(self, block: HistogramBlock) -> tuple[FloatArray, FloatArray]:
        mean, width = np.full(block.flat.shape, np.nan), np.full(block.flat.shape, np.nan)
        for rows in in_order(block.conditions):
            series, places = self._series(block, rows)
            found = self.train_.forecast(series)
            for target, values in zip((mean, width), found, strict=True):
                target[rows] = values.reshape(-1, block.bins[0])[places]
        return mean, width

    @staticmethod
    def _series(block: HistogramBlock, rows: npt.NDArray[np.int64]) -> tuple[FloatArray, npt.NDArray[np.int64]]:
        """The readings of a run end to end, NaN in gaps (of at most an hour or so), and which part each row is."""
        places = np.concatenate([[0], np.cumsum(np.minimum(np.diff(block.conditions.lumisection[rows]), 60))])
        series = np.full((int(places[-1]) + 1, block.bins[0]), np.nan)
        series[places] = block.flat[rows]
        return series.ravel(), places.astype(np.int64)
