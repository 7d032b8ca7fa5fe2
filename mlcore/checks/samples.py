"""What detectors are tried on: small runs with strong faults, of each kind of input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mlcore.conditions import Conditions
from mlcore.features import FeatureTable
from mlcore.histograms import Axis, HistogramBlock

Data = HistogramBlock | FeatureTable


@dataclass(frozen=True)
class Sample:
    """Lumisections of nine runs with strong faults in every run: learn from the first six, score the last three."""

    name: str
    data: Data
    labels: npt.NDArray[np.int64]
    runs_to_learn: int = 6

    @property
    def early(self) -> npt.NDArray[np.bool_]:
        return np.asarray(self.data.conditions.run <= self.runs_to_learn)

    @property
    def learn(self) -> Data:
        return self.data.select(self.early)

    @property
    def learn_labels(self) -> npt.NDArray[np.int64]:
        return self.labels[self.early]

    @property
    def fresh(self) -> Data:
        return self.data.select(~self.early)

    @property
    def fresh_labels(self) -> npt.NDArray[np.int64]:
        return self.labels[~self.early]


def samples(consumes: str, *, fewest: int = 20, seed: int = 0) -> list[Sample]:
    """What a detector is tried on: a histogram of 24 bins and a map of 12 x 16, or a table of 15 features."""
    per_run = max(24, -(-3 * fewest // 10))
    conditions = _conditions(9, per_run, seed)
    labels = np.where((conditions.lumisection > per_run // 2) & (conditions.lumisection <= 3 * per_run // 4), 1, 0)
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(2)[1])
    if consumes == "table":
        return [Sample("a table of 15 features", _table(conditions, labels, rng), labels)]
    one = (Axis.regular("charge", 24, 0.0, 12.0),)
    two = (Axis.regular("ieta", 12, -6.0, 6.0), Axis.regular("iphi", 16, 0.0, 16.0, circular=True))
    return [
        Sample("a histogram of 24 bins", _block("Check/charge", one, conditions, labels, rng), labels),
        Sample("a map of 12 x 16", _block("Check/occupancy", two, conditions, labels, rng), labels),
    ]


def _conditions(runs: int, per_run: int, seed: int) -> Conditions:
    rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(2)[0])
    n = runs * per_run
    luminosity = np.tile(np.linspace(1.2, 0.8, per_run), runs) * np.repeat(rng.normal(1.0, 0.05, runs), per_run)
    return Conditions(
        run=np.repeat(np.arange(1, runs + 1), per_run),
        lumisection=np.tile(np.arange(1, per_run + 1), runs),
        luminosity=400.0 * luminosity,
        pileup=40.0 * luminosity,
        events=np.round(500.0 * luminosity),
        time=1.7e9 + 60.0 * np.arange(n, dtype=np.float64),
    )


def _block(
    element: str,
    axes: tuple[Axis, ...],
    conditions: Conditions,
    labels: npt.NDArray[np.int64],
    rng: np.random.Generator,
) -> HistogramBlock:
    """Poisson counts, some 80 per bin; a bad lumisection has lost a corner of its bins and has a hot one."""
    bins = tuple(axis.bins for axis in axes)
    grids = [np.linspace(0.0, 3.0, axis.bins) for axis in axes]
    place = np.add.outer(*grids) if len(grids) == 2 else grids[0]
    events = np.asarray(conditions.events).reshape(-1, *(1 for _ in bins))
    expected = events * (0.12 + 0.08 * np.sin(place + 0.3))
    corner = tuple(slice(0, axis.bins // 2) for axis in axes)
    fault = np.ones(bins)
    fault[corner] = 0.05
    fault[tuple(-3 for _ in bins)] = 6.0
    expected[labels == 1] *= fault
    return HistogramBlock(element, axes, rng.poisson(expected).astype(np.float64), conditions, physics_object="muons")


def _table(conditions: Conditions, labels: npt.NDArray[np.int64], rng: np.random.Generator) -> FeatureTable:
    """Three hidden factors and noise in 14 features, one constant; in a bad lumisection five of them are too large."""
    n, f = len(conditions), 15
    values = rng.normal(size=(n, 3)) @ rng.normal(size=(3, f)) + rng.normal(scale=0.5, size=(n, f))
    values[labels == 1, :5] += 12.0
    values[:, -1] = 3.0
    names = tuple(f"feature {place}" for place in range(f))
    return FeatureTable(values, names, ("muons",) * 8 + ("jets",) * 7, conditions)
