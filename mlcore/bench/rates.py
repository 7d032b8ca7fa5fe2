"""rates: trigger rates forecast from luminosity within a run, while luminosity decays and prescales step down.

Nothing is published with figures; control rooms know the problem as "false alarms whenever luminosity or prescales
change". The world is `mlcore.simulate.trigger_runs`: 21 items and chains, each run at a level of its own, steps within
lumisections, faults of an item or a chain by 0.6 to 1.6. Its strengths were set on seeds 0-4 so that the strongest
peer stays clearly below the target. Every method alarms above the score that 0.1% of the good lumisections it learned
from exceed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlcore.conditions import BoolArray, FloatArray
from mlcore.detectors.rates import RatesDetector
from mlcore.evaluate import auc
from mlcore.features import FeatureTable
from mlcore.simulate.trigger_runs import RateRuns, rate_runs

from .peers import rates as peers
from .rows import Peer, Row, Stopwatch, peak_memory_mb

NAME = "rates"
OURS = "ours"
RUNS, QUICK = 80, 24
ALARMS = 0.001


@dataclass
class Figures:
    """Of one method, by seed."""

    coverage: list[FloatArray]
    area: list[float]
    steps: list[float]
    found: list[float]
    watch: Stopwatch


def run(seeds: Sequence[int], *, quick: bool) -> list[Row]:
    """Three rows: coverage of quantiles, AUC of faults, alarms in good lumisections in which a prescale changes."""
    figures: dict[str, Figures] = {}
    limits = []
    for seed in list(seeds)[:1] if quick else seeds:
        world = rate_runs(seed, runs=QUICK if quick else RUNS, length=50 if quick else 120)
        _measure(world, seed, figures, quick=quick)
        limits.append(auc(world.belief[_later(world)], world.labels[_later(world)]))
    return _rows(figures, float(np.mean(limits)), list(seeds))


def _later(world: RateRuns) -> BoolArray:
    run = world.table.conditions.run
    return np.asarray(run >= np.median(np.unique(run)))


def _measure(world: RateRuns, seed: int, figures: dict[str, Figures], *, quick: bool) -> None:
    later = _later(world)
    good, asked = world.table.select(~later & (world.labels == 0)), world.table.select(later)
    labels, steps = world.labels[later], world.steps[later] & (world.labels[later] == 0)
    rates = peers.columns(asked)[labels == 0]
    for name in (OURS, *_PEERS):
        one = figures.setdefault(name, Figures([], [], [], [], Stopwatch()))
        with one.watch.running():
            told, scores, forecast = _answers(name, good, asked, seed, 6 if quick else 40)
        bound = np.quantile(told, 1.0 - ALARMS)
        one.coverage.append((rates[:, :, None] <= forecast[labels == 0]).mean(axis=(0, 1)))
        one.area.append(auc(scores, labels))
        one.steps.append(float((scores[steps] > bound).mean()))
        one.found.append(float((scores[labels == 1] > bound).mean()))


_PEERS = {
    "rate / luminosity, fixed band": lambda good, seed, rounds: peers.ratio_band(good, prescaled=False),
    "rate x prescale / luminosity, fixed band": lambda good, seed, rounds: peers.ratio_band(good, prescaled=True),
    "running mean of ten": lambda good, seed, rounds: peers.running_mean(good),
    "quantile boosting without prescales": lambda good, seed, rounds: peers.quantile_boosting(
        good, prescaled=False, rounds=rounds, random_state=seed
    ),
    "quantile boosting with prescales": lambda good, seed, rounds: peers.quantile_boosting(
        good, prescaled=True, rounds=rounds, random_state=seed
    ),
}


def _answers(
    name: str, good: FeatureTable, asked: FeatureTable, seed: int, rounds: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Scores of what was learned from and of what is asked, and quantiles of the latter."""
    if name == OURS:
        detector = RatesDetector().fit(good)
        return detector.score(good), detector.score(asked), detector.quantiles(asked, peers.LEVELS)
    forecast = _PEERS[name](good, seed, rounds)
    return peers.worst_column(forecast, good), peers.worst_column(forecast, asked), forecast(asked)


def _rows(figures: dict[str, Figures], limit: float, seeds: list[int]) -> list[Row]:
    ours = figures[OURS]

    def row(task: str, target: float, of: dict[str, tuple[float, float]], better: str, **more: object) -> Row:
        value, spread = of[OURS]
        beside = {name: Peer(*of[name], figures[name].watch.seconds) for name in figures if name != OURS}
        return Row(
            NAME, task, "none", target, value, spread, seeds, ours.watch.seconds, peak_memory_mb(), beside,
            better=better, **more,  # type: ignore[arg-type]
        )  # fmt: skip

    levels = np.asarray(peers.LEVELS)
    off = {name: np.abs(np.array(one.coverage) - levels) for name, one in figures.items()}
    coverage = {
        name: (float(np.abs(np.mean(one.coverage, axis=0) - levels).max()), float(off[name].max(axis=1).std()))
        for name, one in figures.items()
    }
    area = {name: (float(np.mean(one.area)), float(np.std(one.area))) for name, one in figures.items()}
    steps = {name: (float(np.mean(one.steps)), float(np.std(one.steps))) for name, one in figures.items()}
    words = ", ".join(
        f"{100 * q:.0f}%: {100 * c:.1f}" for q, c in zip(levels, np.mean(ours.coverage, axis=0), strict=True)
    )
    power = "; ".join(f"{name} {100 * float(np.mean(one.found)):.0f}%" for name, one in figures.items())
    return [
        row("coverage of quantiles of 21 rates, largest error", 0.01, coverage, "lower",
            note=f"Below the forecast quantile were, in per cent, {words}."),
        row("faults of rates under decay and steps, AUC", 0.98, area, "higher", bayes=limit,
            note="Best possible: the exact filter of the past, given true expectations and strengths."),
        row("false alarms in lumisections with a prescale step", 0.01, steps, "lower",
            note=f"Of lumisections with a fault found above the same threshold: {power}."),
    ]  # fmt: skip
