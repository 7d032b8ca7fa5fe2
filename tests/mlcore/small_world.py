"""A little system with known faults: two histograms, a map and a table, for tests of the pipeline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlcore.conditions import Conditions
from mlcore.features import FeatureTable
from mlcore.histograms import Axis, HistogramBlock

FAMILIES = ("HV_TRIP", "HOT_TOWER", "TIMING")


@dataclass(frozen=True)
class World:
    blocks: list[HistogramBlock | FeatureTable]
    truth: np.ndarray
    families: np.ndarray
    conditions: Conditions


def draw(*, runs: int = 40, per_run: int = 40, seed: int = 0, bad: float = 0.5, first_run: int = 1) -> World:
    """Runs of which a share `bad` has a stretch of a quarter of its length with a fault of one of three families."""
    rng = np.random.default_rng(seed)
    n = runs * per_run
    within = np.tile(np.arange(per_run), runs)
    pileup = np.repeat(rng.uniform(30, 50, runs), per_run) * np.exp(-within / (4 * per_run))
    conditions = Conditions(
        run=np.repeat(np.arange(first_run, first_run + runs), per_run),
        lumisection=within + 1,
        luminosity=10.0 * pileup,
        pileup=pileup,
        events=np.round(rng.uniform(450, 550, n)),
        time=1.7e9 + 60.0 * np.arange(n, dtype=np.float64),
    )
    truth, families = np.zeros(n, dtype=np.int64), np.full(n, "", dtype="U10")
    for run in np.flatnonzero(rng.random(runs) < bad):
        start = run * per_run + rng.integers(0, per_run - per_run // 4)
        rows = slice(start, start + per_run // 4)
        truth[rows], families[rows] = 1, FAMILIES[rng.integers(3)]
    return World(_blocks(conditions, families, rng), truth, families, conditions)


def _blocks(
    conditions: Conditions, families: np.ndarray, rng: np.random.Generator
) -> list[HistogramBlock | FeatureTable]:
    events, pileup = np.asarray(conditions.events)[:, None], np.asarray(conditions.pileup)[:, None]
    charge, timing = np.linspace(0, 4, 24), np.linspace(-3, 3, 20)
    one = events * (0.3 * np.exp(-((charge - 1.5) ** 2)) + 0.001 * pileup)
    shift = np.where(families == "TIMING", 0.35, 0.0)[:, None]
    two = events * 0.4 * np.exp(-((timing - shift) ** 2) / 2)
    place = np.add.outer(np.cos(np.linspace(-1, 1, 10)), 0.2 * np.sin(np.linspace(0, 2 * np.pi, 12)))
    tower = events[:, :, None] * 0.1 * place * (1 + 0.002 * pileup[:, :, None])
    tower[families == "HV_TRIP", 2:6, 3:7] *= 0.7
    tower[families == "HOT_TOWER", 7, 8] *= 2.5
    values = rng.normal(size=(len(conditions), 8)) + 0.02 * pileup
    values[families == "TIMING", 0] += 3.0
    return [
        HistogramBlock(
            "Jets/charge", (Axis.regular("charge", 24, 0, 4),), rng.poisson(one).astype(float), conditions, None, "jets"
        ),
        HistogramBlock(
            "Muons/timing",
            (Axis.regular("time", 20, -3, 3),),
            rng.poisson(two).astype(float),
            conditions,
            None,
            "muons",
        ),
        HistogramBlock(
            "Calo/towers",
            (Axis.regular("ieta", 10, -5, 5), Axis.regular("iphi", 12, 0, 12, circular=True)),
            rng.poisson(tower).astype(float),
            conditions,
            None,
            "jets",
        ),
        FeatureTable(values, tuple(f"quantity {k}" for k in range(8)), ("tracks",) * 8, conditions),
    ]
