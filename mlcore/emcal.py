"""Quality of a cell calorimeter: bad channels from their energies, phases from times, pulses by a small net.

Source: the EMCAL part of the ALICE slides on machine learning in quality control (2018): a net trained on LED runs had
a good time resolution but predicted amplitudes too low.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from scipy import special
from torch import nn

from .conditions import FloatArray
from .errors import MlcoreError, ShapeError, TooFewData

#: score of `bad_channels` above which a channel is bad
LIMIT = 4.5


def bad_channels(counts: npt.ArrayLike, *, rounds: int = 5) -> FloatArray:
    """(channels,) how improbable the energies of each channel are, on the scale of standard deviations.

    counts (channels, bins) : hits of each channel by energy, low to high. Two things are compared with the middle of
    all channels and their own scatter: how many hits there are, and how they lie. The scatter of good channels (gain,
    acceptance) is learned from the channels themselves, those far off left out, round by round. Above `LIMIT` is bad.

    Raises ShapeError, TooFewData with fewer than 50 channels.
    """
    table = np.asarray(counts, dtype=np.float64)
    if table.ndim != 2 or not np.isfinite(table).all() or (table < 0).any():
        raise ShapeError("counts are a table (channels, bins) of finite numbers from 0.")
    if len(table) < 50:
        raise TooFewData(f"{len(table)} channels are too few to know what a channel usually looks like.")
    total = table.sum(axis=1)
    bands = _bands(table)
    good = np.ones(len(table), dtype=bool)
    score = np.zeros(len(table))
    for turn in range(rounds):
        amount, shape = _amount(total, good), np.maximum(_shape(bands, good), _tails(bands, good))
        # Both a little odd is odd as well: as a chi-square of two, back on the scale of a normal.
        both = -special.ndtri(0.5 * np.exp(-0.5 * np.minimum(amount**2 + np.maximum(shape, 0.0) ** 2, 1_400.0)))
        score = np.max([amount, shape, both], axis=0)
        # At first what is bad makes everything look wide: the better part is taken, however it scores.
        good = score < (float(np.quantile(score, 0.8)) if turn < 2 else LIMIT)
        if good.sum() < 25:
            raise TooFewData("more than half of the channels differ from each other; there is no usual one.")
    return score


def _bands(table: FloatArray) -> FloatArray:
    """Neighbouring bins together, from the top down, until each band holds at least 2% of all hits."""
    least = 0.02 * float(table.sum())
    bands, held = [], np.zeros(len(table))
    for column in table.T[::-1]:
        held = held + column
        if held.sum() >= least:
            bands.append(held)
            held = np.zeros(len(table))
    if not bands or held.any():
        bands = [*bands[:-1], (bands[-1] if bands else 0.0) + held]
    return np.stack(bands[::-1], axis=1)


def _tails(bands: FloatArray, good: npt.NDArray[np.bool_]) -> FloatArray:
    """How improbable the share of hits above the lowest, the second … band is, whichever is the worst."""
    total = np.maximum(bands.sum(axis=1), 1.0)
    found = np.zeros(len(bands))
    for first in range(1, bands.shape[1]):
        seen = bands[:, first:].sum(axis=1)
        usual = float(seen[good].sum() / total[good].sum())
        expected = np.maximum(usual * total, 1e-9)
        # Signed root of the deviance of a binomial count, which is nearly normal also for few hits.
        inside = special.xlogy(seen, seen / expected) + special.xlogy(
            total - seen, (total - seen) / np.maximum(total - expected, 1e-9)
        )
        pull = np.sqrt(2.0 * np.maximum(inside, 0.0))
        scale = max(float(np.median(pull[good])) / 0.6745, 1.0)
        found = np.maximum(found, pull / scale)
    return found


def _amount(total: FloatArray, good: npt.NDArray[np.bool_]) -> FloatArray:
    """Hits against those of the channels around it (its neighbours in the list), in standard deviations."""
    log = np.log(total + 0.5)
    places = np.flatnonzero(good)
    middle = np.empty(len(log))
    for row in range(len(log)):
        around = np.searchsorted(places, row)
        middle[row] = np.median(log[places[max(0, around - 50) : around + 50]])
    off = log - middle
    width = np.sqrt((1.4826 * np.median(np.abs(off[good]))) ** 2 + 1.0 / np.maximum(total, 1.0))
    return np.asarray(np.abs(off) / width)


def _shape(bands: FloatArray, good: npt.NDArray[np.bool_]) -> FloatArray:
    """Chi-square of the shares of a channel, with the covariance that good channels have beyond counting."""
    total = np.maximum(bands.sum(axis=1, keepdims=True), 1.0)
    share = bands / total
    mean = bands[good].sum(axis=0) / bands[good].sum()
    off = (share - mean) / np.sqrt(mean)
    inner = off[good & (total[:, 0] > 20)]
    counting = float(np.mean(1.0 / total[good & (total[:, 0] > 20)]))
    own = np.cov(inner, rowvar=False) - counting * (np.eye(len(mean)) - np.outer(np.sqrt(mean), np.sqrt(mean)))
    values, vectors = np.linalg.eigh(own)
    along = off @ vectors
    variance = np.maximum(values, 0.0)[None, :] + 1.0 / total
    square = (along**2 / variance).sum(axis=1)
    free = len(mean) - 1
    # Wilson-Hilferty: a chi-square as standard deviations of a normal.
    return np.asarray(((square / free) ** (1 / 3) - 1 + 2 / (9 * free)) / np.sqrt(2 / (9 * free)))


class PulseNet:
    """Amplitude and time of a sampled pulse by a small net, what it predicts too low put right.

    Trained by the squared error of the amplitude a net answers the mean of what it saw, and large amplitudes, of which
    it saw few, come out low. This one sees pulses in units of a linear estimate of their height and predicts the ratio,
    each weighed by what its noise leaves of it, so no height pulls another; what is left of a bias is one factor,
    measured on a fifth of the pulses, which it has not learned from.

    Parameters
    ----------
    hidden : width of its two layers; epochs, learning_rate : of Adam; random_state : of everything.
    """

    def __init__(
        self, *, hidden: int = 32, epochs: int = 60, learning_rate: float = 4e-3, random_state: int = 0
    ) -> None:
        self.hidden = hidden
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.random_state = random_state

    def fit(self, samples: npt.ArrayLike, amplitude: npt.ArrayLike, time: npt.ArrayLike) -> Self:
        """samples (n, s) with their pedestal taken off, amplitudes and times known. Raises ShapeError, TooFewData."""
        x, a, t = (np.asarray(one, dtype=np.float64) for one in (samples, amplitude, time))
        if x.ndim != 2 or a.shape != (len(x),) or t.shape != (len(x),):
            raise ShapeError(f"samples {x.shape}, amplitudes {a.shape} and times {t.shape} do not belong together.")
        if len(x) < 200:
            raise TooFewData(f"{len(x)} pulses are too few; at least 200 are needed.")
        if not (a > 0).all():
            raise MlcoreError("amplitudes of known pulses are larger than 0.")
        rng = np.random.default_rng(self.random_state)
        order = rng.permutation(len(x))
        held, learn = order[: len(x) // 5], order[len(x) // 5 :]
        self.middle_, self.width_ = float(t.mean()), float(t.std()) or 1.0
        self.columns_ = x.shape[1]
        self.noise_, self.filter_ = _linear(x[learn], a[learn])
        inputs, top = self._inputs(x)
        target = np.column_stack([a / top - 1.0, (t - self.middle_) / self.width_])
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            self.net_ = nn.Sequential(
                nn.Linear(inputs.shape[1], self.hidden), nn.SiLU(), nn.Linear(self.hidden, self.hidden), nn.SiLU(),
                nn.Linear(self.hidden, 2),
            )  # fmt: skip
            self._train(inputs[learn], target[learn], top[learn])
        self.factor_ = 1.0
        answer, _ = self.predict(x[held])
        self.factor_ = float(a[held].sum() / answer.sum())
        return self

    def predict(self, samples: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """(n,) amplitudes and times; NaN for pulses with a sample that is not known or nothing above 0."""
        x = np.asarray(samples, dtype=np.float64)
        if x.ndim != 2 or x.shape[1] != self.columns_:
            raise ShapeError(f"samples have shape {x.shape}; the net was fitted with {self.columns_} per pulse.")
        known = np.isfinite(x).all(axis=1) & (x.max(axis=1, initial=0.0) > 0)
        amplitude, time = np.full(len(x), np.nan), np.full(len(x), np.nan)
        if known.any():
            inputs, top = self._inputs(x[known])
            with torch.no_grad():
                made = self.net_(torch.from_numpy(inputs)).double().numpy()
            amplitude[known] = self.factor_ * top * (1.0 + made[:, 0])
            time[known] = self.middle_ + self.width_ * made[:, 1]
        return amplitude, time

    def _inputs(self, x: FloatArray) -> tuple[npt.NDArray[np.float32], FloatArray]:
        """Pulses in units of a linear estimate of their height, how far noise counts in it, and that estimate."""
        top = np.maximum(x @ self.filter_, self.noise_)
        relative = self.noise_ / (self.noise_ + 0.1 * top)
        return np.column_stack([3.0 * x / top[:, None], relative]).astype(np.float32), top

    def _train(self, inputs: npt.NDArray[np.float32], target: FloatArray, top: FloatArray) -> None:
        x, y = torch.from_numpy(inputs), torch.from_numpy(target.astype(np.float32))
        # What noise makes of the ratio falls with the height; each pulse counts by what it tells.
        told = 1.0 / ((self.noise_ / top) ** 2 + 0.02**2)
        weight = torch.from_numpy((told / told.mean()).astype(np.float32))[:, None]
        optimiser = torch.optim.Adam(self.net_.parameters(), lr=self.learning_rate)
        size = 256
        course = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, self.epochs * -(-len(x) // size))
        scale = torch.tensor([[20.0, 1.0]])
        for _ in range(self.epochs):
            for rows in torch.split(torch.randperm(len(x)), size):
                optimiser.zero_grad()
                (weight[rows] * (scale * (self.net_(x[rows]) - y[rows])) ** 2).mean().backward()
                optimiser.step()
                course.step()


def _linear(x: FloatArray, amplitude: FloatArray) -> tuple[float, FloatArray]:
    """The noise of an amplitude, and the linear filter of the samples that comes nearest to it, scatter and noise
    weighed against each other."""
    noise = max(1.4826 * float(np.median(np.abs(x[:, 0] - np.median(x[:, 0])))), 1e-9)
    weight = 1.0 / (noise**2 + (0.03 * amplitude) ** 2)
    gram = (x * weight[:, None]).T @ x
    found = np.linalg.solve(gram + 1e-9 * np.trace(gram) * np.eye(len(gram)), (x * weight[:, None]).T @ amplitude)
    return noise, np.asarray(found)


def fit_pulses(samples: FloatArray, response: FloatArray, times: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Amplitude and time by least squares: the peer. `response` (times, s) are pulses of height 1 that come at `times`.

    The amplitude is solved at each time, the time found on the grid and refined by a parabola.
    """
    power = (response**2).sum(axis=1)
    inner = samples @ response.T
    gain = inner**2 / power
    best = np.clip(np.argmax(gain, axis=1), 1, len(times) - 2)
    rows = np.arange(len(samples))
    left, mid, right = (gain[rows, best + k] for k in (-1, 0, 1))
    bend = left - 2 * mid + right
    shift = np.clip(np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, 1.0), 0.0), -0.5, 0.5)
    amplitude = inner[rows, best] / power[best]
    return np.asarray(amplitude), np.asarray(times[best] + shift * (times[1] - times[0]))
