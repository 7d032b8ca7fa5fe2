"""pulses: a pulsed magnet of slow control forecast online, 20 readings ahead.

Nothing is published with figures. The world is `mlcore.simulate.slow_control`: a supercycle of seven pulses whose
period is no whole number of readings and wanders. Seasonal-naive repeats the season that fits best; linear forecasts
learn online by recursive least squares, from the latest readings or from those around one season ago, and forget as
fast as is best for them in training. All are judged from the fourth supercycle of a run on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mlcore.conditions import FloatArray, IntArray
from mlcore.detectors.pulses import PulsesDetector
from mlcore.histograms import HistogramBlock
from mlcore.simulate.slow_control import slow_control

from .peers.pulses import linear_online, season, seasonal_naive
from .rows import Peer, Row, Stopwatch, peak_memory_mb

NAME = "pulses"
RUNS, AHEAD, BEFORE = 12, 20, 600
FORGETTING = (0.9, 0.95, 0.98, 0.995)
LEVELS = (0.05, 0.5, 0.95)
Series = list[FloatArray]


@dataclass
class Figures:
    errors: list[float]
    watch: Stopwatch


def run(seeds: Sequence[int], *, quick: bool) -> list[Row]:
    """Two rows: error over that of the better of seasonal-naive and linear; coverage of our quantiles."""
    found: dict[str, Figures] = {}
    limits, coverages, ratios = [], [], []
    for seed in list(seeds)[:1] if quick else seeds:
        world = slow_control(seed, runs=4 if quick else RUNS, length=25 if quick else 40)
        block = world.block
        early = block.conditions.run < np.median(np.unique(block.conditions.run))
        told, asked = block.select(early), block.select(~early)
        for name, method in _methods(told).items():
            one = found.setdefault(name, Figures([], Stopwatch()))
            with one.watch.running():
                made = method()
                one.errors.append(_error([made(x) for x in _runs(asked)], _runs(asked)))
        ours = found.setdefault("ours", Figures([], Stopwatch()))
        with ours.watch.running():
            detector = PulsesDetector(ahead=AHEAD).fit(told)
            quantiles = detector.quantiles(asked, LEVELS)
        middle = _runs_of(quantiles[:, :, 1], asked)
        ours.errors.append(_error(middle, _runs(asked)))
        coverages.append(_coverage(quantiles, asked))
        limits.append(world.limit)
        ratios.append(ours.errors[-1] / min(one.errors[-1] for name, one in found.items() if name != "ours"))
    return _rows(found, ratios, coverages, limits, list(seeds))


def _methods(told: HistogramBlock) -> dict[str, Callable[[], Callable[[FloatArray], FloatArray]]]:
    series = _runs(told)

    def naive() -> Callable[[FloatArray], FloatArray]:
        lag = season(series, 400)
        return lambda x: seasonal_naive(x, lag, AHEAD)

    def latest() -> Callable[[FloatArray], FloatArray]:
        return _best(series, np.arange(AHEAD, AHEAD + 40))

    def a_season_ago() -> Callable[[FloatArray], FloatArray]:
        lag = season(series, 400)
        return _best(series, np.arange(lag - 3, lag + 4))

    return {
        "seasonal-naive": naive,
        "linear online, latest 40 readings": latest,
        "linear online, readings around a season ago": a_season_ago,
    }


def _best(series: Series, lags: IntArray) -> Callable[[FloatArray], FloatArray]:
    tried = [
        _error([linear_online(x, lags, AHEAD, forgetting=one) for x in series[:2]], series[:2]) for one in FORGETTING
    ]
    best = FORGETTING[int(np.argmin(tried))]
    return lambda x: linear_online(x, lags, AHEAD, forgetting=best)


def _runs(block: HistogramBlock) -> Series:
    return _runs_of(np.asarray(block.flat, dtype=np.float64), block)


def _runs_of(values: FloatArray, block: HistogramBlock) -> Series:
    return [values[block.conditions.run == run].ravel() for run in np.unique(block.conditions.run)]


def _error(forecasts: Series, series: Series) -> float:
    """Root mean square in A."""
    return float(np.sqrt(np.mean([np.mean((x - y)[BEFORE:] ** 2) for x, y in zip(series, forecasts, strict=True)])))


def _coverage(quantiles: FloatArray, asked: HistogramBlock) -> FloatArray:
    late = asked.conditions.lumisection > BEFORE // asked.bins[0]
    below = np.asarray(asked.flat)[late][:, :, None] <= quantiles[late]
    return np.asarray(below.mean(axis=(0, 1)))


def _rows(
    found: dict[str, Figures], ratios: list[float], coverages: list[FloatArray], limits: list[float], seeds: list[int]
) -> list[Row]:
    ours = found["ours"]
    best = np.min([one.errors for name, one in found.items() if name != "ours"], axis=0)
    peers = {
        name: Peer(float(np.mean(one.errors / best)), float(np.std(one.errors / best)), one.watch.seconds)
        for name, one in found.items()
        if name != "ours"
    }
    words = "; ".join(f"{name} {float(np.mean(one.errors)):.0f} A" for name, one in found.items())
    off = np.abs(np.mean(coverages, axis=0) - LEVELS)
    return [
        Row(
            NAME, "error over that of the better of seasonal-naive and linear", "none", 0.5,
            float(np.mean(ratios)), float(np.std(ratios)), seeds, ours.watch.seconds, peak_memory_mb(), peers,
            better="lower", bayes=float(np.mean(np.asarray(limits) / best)),
            note=f"Root mean square: {words}. Best possible: phase, period, shape and supply known exactly.",
        ),
        Row(
            NAME, "coverage of quantiles 5, 50, 95%, largest error", "none", 0.02,
            float(off.max()), float(np.std(np.abs(np.array(coverages) - LEVELS).max(axis=1))), seeds,
            ours.watch.seconds, peak_memory_mb(), better="lower",
        ),
    ]  # fmt: skip
