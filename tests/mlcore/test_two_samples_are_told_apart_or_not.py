"""The two-sample test: 5% of the same are called different, what differs is found and named, runs are kept whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, ks_2samp

from mlcore.conditions import Conditions
from mlcore.errors import IncompatibleBinning, MlcoreError, TooFewData
from mlcore.features import FeatureTable
from mlcore.twosample import compare

NAMES = ("mean", "width", "tail", "rate", "phase")


def sample(rng: np.random.Generator, *, runs: int = 1, length: int = 100, memory: float = 0.8) -> FeatureTable:
    """Features that remember their last value, lumisection after lumisection, in runs with a level of their own."""
    values = np.empty((runs * length, len(NAMES)))
    for run in range(runs):
        level = rng.normal(0, 0.7 if runs > 1 else 0.0, len(NAMES))
        now = rng.normal(size=len(NAMES))
        for row in range(run * length, (run + 1) * length):
            now = memory * now + np.sqrt(1 - memory**2) * rng.normal(size=len(NAMES))
            values[row] = now + level
    conditions = Conditions(np.repeat(np.arange(runs), length), np.tile(np.arange(1, length + 1), runs))
    return FeatureTable(values, NAMES, ("shape",) * 3 + ("trigger",) * 2, conditions)


def rejected(*, tries: int, block: int, memory: float) -> tuple[int, int]:
    """How often the same are called different at 5%: by all features together, and any feature by itself."""
    whole = single = 0
    for seed in range(tries):
        rng = np.random.default_rng(1000 + seed)
        found = compare(
            sample(rng, memory=memory), sample(rng, memory=memory), block=block, permutations=59, random_state=seed
        )
        whole += found.p_value <= 0.05
        single += bool(found.differing(0.05))
    return whole, single


def test_five_per_cent_means_five_per_cent_also_where_lumisections_remember_each_other() -> None:
    tries = 120
    low, high = binom.ppf([0.005, 0.995], tries, 0.05)
    for count in rejected(tries=tries, block=20, memory=0.6):
        assert low <= count <= high
    # Permuting single lumisections believes them to be independent: it calls far too many different.
    assert rejected(tries=40, block=1, memory=0.9)[0] > 0.2 * 40


@pytest.mark.parametrize(("kind", "column"), [("place", 1), ("width", 2)])
def test_what_differs_is_found_and_named(kind: str, column: int) -> None:
    found = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        run, reference = sample(rng, length=200, memory=0.3), sample(rng, length=400, memory=0.3)
        values = run.values.copy()
        values[:, column] = values[:, column] + 0.8 if kind == "place" else 1.8 * values[:, column]
        answer = compare(replace(run, values=values), reference, permutations=99)
        first = answer.features[0]
        found += answer.p_value <= 0.05 and (first.name, first.kind) == (NAMES[column], kind) and first.p_value <= 0.05
    assert found >= 9


def test_what_only_two_features_together_show_is_found() -> None:
    rng = np.random.default_rng(5)
    run, reference = sample(rng, length=300, memory=0.0), sample(rng, length=300, memory=0.0)
    values = run.values.copy()
    values[:, 1] = 0.8 * values[:, 0] + 0.6 * values[:, 1]
    assert ks_2samp(values[:, 1], reference.values[:, 1]).pvalue > 0.01
    answer = compare(replace(run, values=values), reference, block=5)
    assert answer.p_value < 0.01
    assert answer.auc > 0.6


def test_levels_of_runs_are_no_difference_when_whole_runs_are_permuted() -> None:
    called = 0
    for seed in range(25):
        rng = np.random.default_rng(seed)
        data, simulation = sample(rng, runs=10, length=15), sample(rng, runs=10, length=15)
        called += compare(data, simulation, block="run", permutations=39, random_state=seed).p_value <= 0.05
    assert called <= 5


def test_many_rows_are_thinned_and_missing_values_say_nothing() -> None:
    rng = np.random.default_rng(8)
    run, reference = sample(rng, length=1500, memory=0.0), sample(rng, length=1500, memory=0.0)
    values = run.values.copy()
    values[:, 3] = np.nan
    answer = compare(replace(run, values=values), reference, permutations=39)
    assert answer.blocks == (150, 150)
    assert "rate" not in [one.name for one in answer.differing() if one.kind == "place"]


def test_what_cannot_be_compared_is_refused() -> None:
    one = sample(np.random.default_rng(0))
    with pytest.raises(IncompatibleBinning, match="other features"):
        compare(replace(one, names=("a", "b", "c", "d", "e")), one)
    with pytest.raises(TooFewData, match="1 and 1 blocks"):
        compare(one, one, block="run")
    with pytest.raises(MlcoreError, match="permutations at least 19"):
        compare(one, one, permutations=10)
