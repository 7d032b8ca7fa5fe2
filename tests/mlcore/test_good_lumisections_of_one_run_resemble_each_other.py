"""The simulator is as treacherous as real data: runs are correlated, and shuffled folds flatter whoever uses them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from mlcore.conditions import BoolArray, FloatArray, IntArray
from mlcore.features import shape_features
from mlcore.simulate.elements import GLOBAL, SYSTEMS
from mlcore.simulate.world import World, simulate


@pytest.fixture(scope="module")
def world() -> World:
    return simulate("s", 0, prevalence="hard")


@pytest.fixture(scope="module")
def features(world: World) -> dict[str, FloatArray]:
    """Features of two histograms of each system."""
    shapes = {system: [n for n in world.elements_of(system) if not world.elements[n].is_map] for system in SYSTEMS}
    return {name: shape_features(world.block(name)).values for names in shapes.values() for name in names[:2]}


def intraclass_correlation(scores: FloatArray, runs: IntArray) -> float:
    """Share of the variance that is common to a run: one-way random effects, runs of different length."""
    _, place, size = np.unique(runs, return_inverse=True, return_counts=True)
    mean = np.bincount(place, scores) / size
    between = (size * (mean - scores.mean()) ** 2).sum() / (len(size) - 1)
    within = ((scores - mean[place]) ** 2).sum() / (len(scores) - len(size))
    usual = (len(scores) - (size**2).sum() / len(scores)) / (len(size) - 1)
    return float((between - within) / (between + (usual - 1) * within))


def _distance(world: World, values: FloatArray, fitted: BoolArray) -> FloatArray:
    """How far a lumisection lies from what its pile-up and the dose lead to expect, in units of its statistics."""
    pileup, dose, events = world.conditions.pileup, world.year.dose, np.maximum(world.conditions.events, 1.0)
    design = np.column_stack([np.ones_like(pileup), pileup, pileup**2, 1 / np.maximum(pileup, 1.0), dose, dose**2])
    rest = values - design @ np.linalg.lstsq(design[fitted], values[fitted], rcond=None)[0]
    spread = rest[fitted].std(axis=0)
    pulls = rest[:, spread > 1e-9] / spread[spread > 1e-9] * np.sqrt(events / events[fitted].mean())[:, None]
    return np.sqrt((pulls**2).mean(axis=1))


def test_a_tenth_to_four_tenths_of_the_variance_of_good_scores_is_common_to_a_run(
    world: World, features: dict[str, FloatArray]
) -> None:
    found = []
    for system in SYSTEMS:
        of_system = []
        for name in (name for name in world.elements_of(system) if name in features):
            known = np.isfinite(features[name]).all(axis=1) & (world.conditions.events > 100)
            good = world.split["train"] & (world.truth[GLOBAL].family < 0) & known
            scores = _distance(world, features[name], good)
            of_system.append(intraclass_correlation(scores[good], world.conditions.run[good]))
        found.append(np.mean(of_system))
    assert 0.1 < np.mean(found) < 0.4
    assert max(found) < 0.6


def test_shuffled_folds_promise_more_than_the_next_weeks_hold(world: World, features: dict[str, FloatArray]) -> None:
    table, bad = np.hstack(list(features.values())), world.truth[GLOBAL].bad
    before = np.flatnonzero(world.split["train"] | world.split["calibration"])
    after = np.flatnonzero(world.split["test"])

    def auc(train: IntArray, test: IntArray) -> float:
        model = HistGradientBoostingClassifier(max_iter=25, learning_rate=0.2, random_state=0)
        model.fit(table[train], bad[train])
        return float(roc_auc_score(bad[test], model.predict_proba(table[test])[:, 1]))

    mixed = np.random.default_rng(0).permutation(np.flatnonzero(world.year.physics))
    cut = len(mixed) * 3 // 4
    assert auc(mixed[:cut], mixed[cut:]) > auc(before, after) + 0.05
