"""A signal that repeats: its shape over the period, and where in it, how fast and how high it is just now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from mlcore.conditions import FloatArray

#: points of the shape per sample
_FINE = 4
#: variances that the state gains per sample, and those at the start: phase in samples, speed, change of speed,
#: logarithm of the height
_WALK = np.array([1e-6, 1e-10, 1e-13, 4e-7])
_START = np.array([0.2, 3e-5, 1e-10, 1e-3])
#: mean square of deviations, in units of their variance, above which the place in the period is looked for again
_LOST = 3.0
_NEXT = np.eye(4) + np.diag([1.0, 1.0, 0.0], 1)
#: deviations count at most so many standard deviations
_CLIP = 3.0


class PulseTrain:
    """Follows a periodic signal sample by sample: an extended Kalman filter of phase, speed, its change, and height.

    Parameters
    ----------
    ahead : how many samples ahead forecasts are made.
    rounds : of learning the shape and following it.

    Attributes after `fit`: `period_` in samples, `shape_` over the period at four points per sample, `noise_` its
    width there (a mean absolute deviation), of what is followed and of what is forecast.
    """

    def __init__(self, *, ahead: int = 10, rounds: int = 4) -> None:
        self.ahead = ahead
        self.rounds = rounds

    def fit(self, series: Sequence[FloatArray], fallback: int) -> Self:
        """series: each equidistant samples without end to end, NaN where not known. fallback: the period in samples
        where none is found."""
        longest = max(series, key=lambda one: int(np.isfinite(one).sum()))
        self.period_ = _period(longest, fallback)
        points = max(2, round(self.period_ * _FINE))
        begin = longest[: int(self.period_) + 1]
        phase = np.arange(len(begin)) % self.period_
        middle = float(np.nanmedian(longest))
        self.shape_ = _folded([np.asarray(phase, dtype=np.float64)], [begin], points, self.period_, middle)
        least = 1e-3 * max(float(np.nanstd(longest)), 1e-6 * (1.0 + abs(middle)))
        self.noise_ = np.full((2, points), max(0.15 * float(np.nanstd(longest)), least))
        for _ in range(self.rounds):
            found = [self._follow(one) for one in series]
            self.shape_ = _folded(
                [one[0] for one in found],
                [x / np.exp(one[1]) for x, one in zip(series, found, strict=True)],
                points, self.period_, middle,
            )  # fmt: skip
            for kind in (0, 1):
                off = [np.abs(x - one[2 + kind]) for x, one in zip(series, found, strict=True)]
                self.noise_[kind] = np.maximum(
                    _folded([one[0] for one in found], off, points, self.period_, least), least
                )
        return self

    def forecast(self, series: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(n,) twice: what is expected of each sample `ahead` samples before it, and its width. NaN at the start."""
        phase, _, _, ahead = self._follow(series)
        return ahead, np.where(np.isfinite(ahead), self._at(self.noise_[1], phase), np.nan)

    def _at(self, curve: FloatArray, phase: FloatArray) -> FloatArray:
        place = (np.asarray(phase) % self.period_) / self.period_ * len(curve)
        low = place.astype(np.int64) % len(curve)
        share = place - np.floor(place)
        return np.asarray(curve[low] * (1.0 - share) + curve[(low + 1) % len(curve)] * share)

    def _follow(self, series: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """(n,) each: phase, logarithm of height, and what was expected one sample and `ahead` samples before."""
        n, step = len(series), self.period_ / len(self.shape_)
        phases, heights, ones, ahead = np.zeros(n), np.zeros(n), np.full(n, np.nan), np.full(n, np.nan)
        start = self._start(series)
        state, doubt, lost, since = np.array([start, 1.0, 0.0, 0.0]), np.diag(_START), 0.0, 0
        lasts = int(self.period_) + 1
        for row in range(n):
            value, up = (float(self._at(self.shape_, state[0] + shift)) for shift in (0.0, step))
            high = np.exp(state[3])
            slope = np.array([high * (up - value) / step, 0.0, 0.0, high * value])
            ones[row], heights[row], phases[row] = high * value, state[3], state[0]
            x = series[row]
            if np.isfinite(x):
                # Where the shape is steep, being early or late is part of the noise, and is in it already.
                width = 1.25 * float(self._at(self.noise_[0], state[0]))
                along = doubt @ slope
                total = float(slope @ along) + width**2
                off = np.clip(x - ones[row], -_CLIP * np.sqrt(total), _CLIP * np.sqrt(total))
                lost += (off**2 / total - lost) / (0.3 * self.period_)
                state = state + along / total * off
                doubt = doubt - np.outer(along, along) / total
                state[1:] = np.clip(state[1:], (0.9, -1e-3, -1.5), (1.1, 1e-3, 1.5))
            since += 1
            if lost > _LOST and since > lasts and row >= lasts:
                place = self._start(series[row - lasts + 1 : row + 1]) + (lasts - 1) * state[1]
                state, doubt, lost, since = np.array([place, 1.0, 0.0, state[3]]), np.diag(_START), 0.0, 0
            if row + self.ahead < n:
                then = state[0] + (state[1] + 0.5 * state[2] * self.ahead) * self.ahead
                ahead[row + self.ahead] = np.exp(state[3]) * float(self._at(self.shape_, then))
            state = _NEXT @ state
            doubt = _NEXT @ doubt @ _NEXT.T + np.diag(_WALK)
        return phases, heights, ones, ahead

    def _start(self, series: FloatArray) -> float:
        """Where in the period a series begins: where the shape fits its first period best."""
        first = series[: int(1.2 * self.period_) + 2]
        known = np.flatnonzero(np.isfinite(first))
        if not len(known):
            return 0.0
        places = np.arange(0.0, self.period_, 0.5)
        off = [float(np.abs(first[known] - self._at(self.shape_, known + place)).sum()) for place in places]
        return float(places[int(np.argmin(off))])


def _period(series: FloatArray, fallback: int) -> float:
    """The shortest lag at which the series is nearly as much like itself as at the best one, to a tenth of a sample."""
    known = np.isfinite(series)
    centred = np.where(known, series - np.nanmean(series), 0.0)
    if not np.abs(centred).max() > 1e-9 * (1.0 + abs(float(np.nanmean(series)))) or len(series) < 4 * fallback:
        return float(fallback)
    size = 2 * len(series)
    power = np.fft.irfft(np.abs(np.fft.rfft(centred, size)) ** 2)[: len(series) // 3]
    pairs = np.fft.irfft(np.abs(np.fft.rfft(known.astype(float), size)) ** 2)[: len(series) // 3]
    alike = power / np.maximum(pairs, 1.0)
    alike = alike / max(alike[0], 1e-300)
    inner = np.flatnonzero((alike[1:-1] >= alike[:-2]) & (alike[1:-1] > alike[2:])) + 1
    inner = inner[inner >= 8]
    if not len(inner) or alike[inner].max() < 0.2:
        return float(fallback)
    lag = int(inner[np.flatnonzero(alike[inner] > 0.95 * alike[inner].max())[0]])
    left, mid, right = alike[lag - 1 : lag + 2]
    return lag + 0.5 * float(left - right) / min(float(left - 2 * mid + right), -1e-12)


def _folded(
    phases: Sequence[FloatArray], values: Sequence[FloatArray], points: int, period: float, empty: float
) -> FloatArray:
    """(points,) means of the values by phase, each shared between the two points beside it."""
    phase, value = np.concatenate(phases), np.concatenate(values)
    known = np.isfinite(value)
    place = (phase[known] % period) / period * points
    low = place.astype(np.int64) % points
    share = place - np.floor(place)
    total, weight = np.zeros(points), np.zeros(points)
    for at, part in ((low, 1.0 - share), ((low + 1) % points, share)):
        total += np.bincount(at, part * value[known], minlength=points)
        weight += np.bincount(at, part, minlength=points)
    mean = np.where(weight > 0.2, total / np.maximum(weight, 1e-12), np.nan)
    if np.isnan(mean).any():
        where = np.flatnonzero(np.isfinite(mean))
        mean = np.interp(np.arange(points), where, mean[where], period=points) if len(where) else np.full(points, empty)
    return np.asarray(mean)
