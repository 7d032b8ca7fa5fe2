"""Online forecasts of a periodic signal as they are usually made: the last season again, and linear with forgetting."""

from __future__ import annotations

import numpy as np

from mlcore.conditions import FloatArray, IntArray


def season(series: list[FloatArray], most: int) -> int:
    """The whole number of samples up to `most` after which the signal is most like itself, in mean square."""
    lags = np.arange(8, most)
    off = [np.mean([np.mean((one[lag:] - one[:-lag]) ** 2) for one in series]) for lag in lags]
    return int(lags[int(np.argmin(off))])


def seasonal_naive(series: FloatArray, season: int, ahead: int) -> FloatArray:
    """(n,) the value of the latest season that is over `ahead` samples before."""
    lag = season * -(-ahead // season)
    return np.concatenate([np.full(lag, np.nan), series[:-lag]])


def linear_online(series: FloatArray, lags: IntArray, ahead: int, *, forgetting: float = 0.9995) -> FloatArray:
    """(n,) recursive least squares on `lags` (each at least `ahead`) and a constant, forecasting `ahead` samples."""
    n, most = len(series), int(lags.max())
    scale = float(np.abs(series[: most + 1]).mean()) or 1.0
    x = series / scale
    weights, gain = np.zeros(len(lags) + 1), np.eye(len(lags) + 1) * 100.0
    found = np.full(n, np.nan)
    for row in range(most, n):
        inputs = np.append(x[row - lags], 1.0)
        found[row] = inputs @ weights
        # What is learned from this sample may be used for those that are forecast from now on.
        along = gain @ inputs
        along /= forgetting + inputs @ along
        late = row - ahead
        if late >= most:
            past = np.append(x[late - lags], 1.0)
            along = gain @ past
            along /= forgetting + past @ along
            weights = weights + along * (x[late] - past @ weights)
            gain = (gain - np.outer(along, past @ gain)) / forgetting
    return found * scale
