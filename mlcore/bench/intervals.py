"""intervals: how often an observation lies in its 68% and 95% interval, where data are dense and where they are sparse.

Nothing is published. The world is a gain over two conditions, as a drift chamber has it over pressure and rate: nine
of ten rows lie in a narrow working region, one of ten on a wide flank where the gain bends and the noise is larger
and skewed. A model that is right on average is too sure there. Every method sees the same draws; its figure is the
largest difference between coverage and level, over both levels and both regions, of the mean over the seeds.
"""

# ruff: noqa: N803, N806  # X is what scikit-learn calls it
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlcore.bench.rows import Peer, Row, Stopwatch, peak_memory_mb
from mlcore.conditions import FloatArray
from mlcore.uncertainty import BootstrapRegressor, ConformalRegressor, IntervalRegressor, coverage
from mlcore.uncertainty.nets import EnsembleRegressor, MCDropoutRegressor

NAME = "intervals"
LEVELS = (0.68, 0.95)
REGIONS = ("dense", "sparse")
SPARSE = 0.1
# A hundred boostings for its folds: too long for a quick look.
SLOWEST = "bootstrap, measured"


@dataclass(frozen=True, eq=False)
class World:
    X: FloatArray
    y: FloatArray
    # By region, what is asked afterwards.
    asked: Mapping[str, tuple[FloatArray, FloatArray]]


def draw(seed: int, *, rows: int, asked: int) -> World:
    rng = np.random.default_rng(seed)
    sparse = rng.random(rows) < SPARSE
    X = np.where(sparse[:, None], _flank(rng, rows), _centre(rng, rows))
    return World(
        X,
        observed(X, rng),
        {
            "dense": _with_values(_centre(rng, asked), rng),
            "sparse": _with_values(_flank(rng, asked), rng),
        },
    )


def _centre(rng: np.random.Generator, rows: int) -> FloatArray:
    return rng.normal(0.0, 0.4, (rows, 2))


def _flank(rng: np.random.Generator, rows: int) -> FloatArray:
    return np.column_stack([rng.uniform(1.5, 5.0, rows), rng.uniform(-3.0, 3.0, rows)])


def _with_values(X: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    return X, observed(X, rng)


def observed(X: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The gain with its noise: normal in the centre, larger and skewed on the flank."""
    pressure, rate = X.T
    gain = 3.0 + 0.8 * pressure - 0.4 * rate + 0.6 * np.sin(2 * pressure) * np.cos(rate)
    size = 0.15 + 0.12 * np.clip(pressure, 0, None)
    skew = np.clip(pressure / 3, 0, 1)
    noise = (1 - skew) * rng.normal(size=len(X)) + skew * (rng.exponential(size=len(X)) - 1)
    return np.asarray(gain + size * noise)


def methods(seed: int) -> dict[str, Callable[[], IntervalRegressor]]:
    return {
        "ours": lambda: ConformalRegressor(
            estimator=EnsembleRegressor(members=3, random_state=seed), random_state=seed
        ),
        SLOWEST: lambda: ConformalRegressor(random_state=seed),
        "deep ensemble": lambda: EnsembleRegressor(random_state=seed),
        "MC dropout": lambda: MCDropoutRegressor(random_state=seed),
        "bootstrap": lambda: BootstrapRegressor(random_state=seed),
    }


def _small(seed: int) -> EnsembleRegressor:
    return EnsembleRegressor(members=3, epochs=30, batch_size=256, random_state=seed)


def run(seeds: Sequence[int], *, quick: bool) -> list[Row]:
    """One row: the worst of the four coverages, in shares."""
    rows, asked = (800, 500) if quick else (4000, 4000)
    found: dict[str, dict[tuple[str, float], list[float]]] = {}
    widths: dict[str, list[float]] = {}
    watches: dict[str, Stopwatch] = {}
    for seed in seeds:
        world = draw(seed, rows=rows, asked=asked)
        for name, make in methods(seed).items():
            if quick and name == SLOWEST:
                continue
            with watches.setdefault(name, Stopwatch()).running():
                model = make().fit(world.X, world.y)
                for region in REGIONS:
                    for level in LEVELS:
                        got = coverage(model, *world.asked[region], level)
                        found.setdefault(name, {}).setdefault((region, level), []).append(got.inside)
                        widths.setdefault(name, []).append(got.width)
    worst = {name: _worst(cells) for name, cells in found.items()}
    spread = {name: float(np.mean([np.std(values) for values in cells.values()])) for name, cells in found.items()}
    peers = {
        name: Peer(worst[name], spread[name], watches[name].seconds, _words(cells))
        for name, cells in found.items()
        if name != "ours"
    }
    row = Row(
        NAME, "68% and 95% intervals, dense and sparse: worst coverage error", "none", 0.02,
        worst["ours"], spread["ours"], list(seeds), watches["ours"].seconds, peak_memory_mb(), peers,
        better="lower",
        note=f"Ours is a small ensemble, its intervals measured. {_words(found['ours'])}",
    )  # fmt: skip
    return [row]


def _worst(cells: Mapping[tuple[str, float], Sequence[float]]) -> float:
    return max(abs(float(np.mean(values)) - level) for (_, level), values in cells.items())


def _words(cells: Mapping[tuple[str, float], Sequence[float]]) -> str:
    return "; ".join(
        f"{region} {100 * float(np.mean(values)):.1f}% of {100 * level:.0f}%"
        for (region, level), values in cells.items()
    )
