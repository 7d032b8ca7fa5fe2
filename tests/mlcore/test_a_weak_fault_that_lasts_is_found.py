"""What is too weak for a lumisection, and lasts, is found by far neighbours beside a line along the run."""

from __future__ import annotations

import numpy as np
import pytest

from mlcore.conditions import BoolArray, Conditions, IntArray
from mlcore.evaluate import auc
from mlcore.histograms import Axis, HistogramBlock
from mlcore.pipeline import DetectorConfig, SystemConfig, train

LENGTH, LASTS = 90, 24
AXIS = Axis.regular("charge", 24, 0.0, 4.0, unit="fC")


def seen(runs: int, seed: int) -> tuple[HistogramBlock, IntArray]:
    """Runs along which the charge falls; in half of them it lies a little lower for 24 lumisections."""
    rng = np.random.default_rng(seed)
    n = runs * LENGTH
    within = np.tile(np.arange(LENGTH), runs)
    pileup = np.repeat(rng.uniform(30, 50, runs), LENGTH) * np.exp(-within / 300)
    conditions = Conditions(
        run=np.repeat(np.arange(1, runs + 1), LENGTH), lumisection=within + 1, luminosity=10.0 * pileup, pileup=pileup,
        events=np.full(n, 500.0),
    )  # fmt: skip
    bad: BoolArray = np.zeros(n, dtype=bool)
    for run in range(0, runs, 2):
        start = run * LENGTH + int(rng.integers(0, LENGTH - LASTS))
        bad[start : start + LASTS] = True
    middle = 1.5 + 0.01 * pileup - 0.04 * bad
    shape = np.exp(-0.5 * ((AXIS.centres[None, :] - middle[:, None]) / 0.7) ** 2)
    counts = rng.poisson(500.0 * shape / shape.sum(axis=1, keepdims=True))
    return HistogramBlock("Ecal/charge", (AXIS,), counts.astype(np.float64), conditions), bad.astype(np.int64)


@pytest.mark.slow
def test_far_neighbours_find_it_and_near_ones_do_not() -> None:
    (past, labels), (fresh, truth) = seen(60, 1), seen(20, 2)
    areas = {}
    for far in (0, 16):
        config = SystemConfig(
            detectors=(DetectorConfig("pulls"),), classifier_parameters={"n_estimators": 0, "max_iter": 60}, far=far,
            refresh=1,
        )  # fmt: skip
        areas[far] = auc(train([past], labels, config).score([fresh]).score, truth)
    assert areas[16] > 0.9
    assert areas[0] < areas[16] - 0.05
