"""Whatever is wrong with the input of a system model: a typed error, or no score and a reason. Never a sure verdict.

Manipulated artifacts and those of other versions are in test_models_are_saved_whole_and_loaded_only_when_unchanged;
what single detectors do with such input is part of their contract (`mlcore.checks`).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlcore.conditions import Conditions
from mlcore.drift import feature_drift, stability_index, two_sample, watch
from mlcore.errors import BadLabels, IncompatibleBinning, MlcoreError, ShapeError, TooFewData
from mlcore.evaluate import BAD, GOOD, UNSCORED, UNSURE, auc, learning_curve
from mlcore.features import FeatureTable
from mlcore.histograms import HistogramBlock
from mlcore.pipeline import DetectorConfig, SystemConfig, SystemModel, train
from tests.needs import REPOSITORY

from .small_world import World, draw

QUICK = SystemConfig(
    pollution=0.1,
    loss=0.1,
    detectors=(DetectorConfig("pulls"), DetectorConfig("pca")),
    shares=(0.25, 0.25, 0.1, 0.4),
    refresh=0,
    folds=2,
)
Data = HistogramBlock | FeatureTable


@pytest.fixture(scope="module")
def past() -> World:
    return draw(runs=60, per_run=20, seed=3)


@pytest.fixture(scope="module")
def fresh() -> World:
    return draw(runs=10, per_run=20, seed=4, first_run=201)


@pytest.fixture(scope="module")
def model(past: World) -> SystemModel:
    made = train(past.blocks, past.truth, QUICK, families=past.families)
    assert made.policy_ is not None
    assert not made.policy_.refusal_
    return made


def histograms(world: World, change: Callable[[np.ndarray], np.ndarray]) -> list[Data]:
    """The three blocks with other counts, and the table as it was."""
    changed: list[Data] = []
    for one in world.blocks[:3]:
        assert isinstance(one, HistogramBlock)
        changed.append(replace(one, counts=change(one.counts.copy())))
    return [*changed, world.blocks[3]]


def table(world: World, change: Callable[[np.ndarray], np.ndarray]) -> list[Data]:
    """The blocks as they were, and the table with other values."""
    last = world.blocks[3]
    assert isinstance(last, FeatureTable)
    return [*world.blocks[:3], replace(last, values=change(last.values.copy()))]


def test_sound_input_is_decided(model: SystemModel, fresh: World) -> None:
    verdict = model.score(fresh.blocks).verdict
    assert {GOOD, BAD} <= set(verdict.tolist())


# To score


@pytest.mark.parametrize("nothing", [0.0, np.nan])
def test_histograms_without_a_single_entry_are_not_scored(model: SystemModel, fresh: World, nothing: float) -> None:
    scores = model.score(histograms(fresh, lambda counts: np.full_like(counts, nothing))[:3])
    assert (scores.verdict == UNSCORED).all()
    assert np.isnan(scores.score).all()
    assert np.isnan(scores.probability).all()
    assert "missing or empty" in scores.reason(0)
    assert scores.stretches == ()


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_table_without_a_finite_number_is_missing(model: SystemModel, fresh: World, value: float) -> None:
    scores = model.score(table(fresh, lambda values: np.full_like(values, value)))
    assert set(scores.verdict.tolist()) <= {UNSURE, UNSCORED}
    assert not np.isinf(scores.score).any()
    assert "features is missing" in scores.reason(0)


def test_single_infinities_count_as_unknown(model: SystemModel, fresh: World) -> None:
    def spoil(values: np.ndarray) -> np.ndarray:
        values[::3, 4] = np.inf
        return values

    def leave_out(values: np.ndarray) -> np.ndarray:
        values[::3, 4] = np.nan
        return values

    one, two = model.score(table(fresh, spoil)), model.score(table(fresh, leave_out))
    assert np.array_equal(one.score, two.score)
    assert np.array_equal(one.verdict, two.verdict)


@pytest.mark.parametrize("scale", [1e-300, 1e20, 1e300])
def test_numbers_beyond_all_measure_are_never_called_good(model: SystemModel, fresh: World, scale: float) -> None:
    for blocks in (histograms(fresh, lambda counts: counts * scale), table(fresh, lambda values: values * scale)):
        with np.errstate(over="ignore", invalid="ignore"):
            scores = model.score(blocks)
        assert not np.isinf(scores.score).any()
        if scale > 1 or blocks[3] is fresh.blocks[3]:
            assert GOOD not in scores.verdict


def test_unknown_conditions_give_finite_scores_or_none(model: SystemModel, fresh: World) -> None:
    bare = Conditions(run=fresh.conditions.run, lumisection=fresh.conditions.lumisection)
    scores = model.score([replace(one, conditions=bare) for one in fresh.blocks])
    assert not np.isinf(scores.score).any()
    assert auc(scores.score, fresh.truth) > 0.8


def test_bins_that_change_in_mid_run_cannot_be_given_as_one_element(model: SystemModel, fresh: World) -> None:
    timing = fresh.blocks[1]
    assert isinstance(timing, HistogramBlock)
    first = fresh.conditions.lumisection <= 10
    early, late = timing.select(first), timing.select(~first).rebin(2)
    with pytest.raises(IncompatibleBinning, match="rebin it first"):
        HistogramBlock.concatenate([early, late])
    with pytest.raises(MlcoreError, match="Muons/timing"):
        model.score([fresh.blocks[0], early, late, *fresh.blocks[2:]])
    # Read as they come, those with other bins are missing: unsure, with the element named.
    scores = model.score([fresh.blocks[0], early, *fresh.blocks[2:]])
    assert (scores.verdict[~first] == UNSURE).all()
    assert "Muons/timing is missing" in scores.reason(int(np.flatnonzero(~first)[0]))


def test_a_stream_of_no_runs_is_no_answer(model: SystemModel) -> None:
    assert list(model.score_stream([])) == []


@pytest.mark.slow
def test_a_million_lumisections_stream_through_less_than_two_gigabytes() -> None:
    code = (
        "from mlcore.bench.throughput import stream\n"
        "row = stream([3], quick=False)\n"
        "print(row.note.split()[0], round(row.value), row.reached)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    scored, megabytes, reached = done.stdout.split()
    assert scored == "1,000,000"
    assert int(megabytes) < 2000
    assert reached == "True"


# To learn from


def no_finite_number(world: World) -> list[Data]:
    return table(world, lambda values: np.full_like(values, np.inf))[3:]


UNUSABLE: dict[str, tuple[Callable[[World], list[Data]], type[MlcoreError]]] = {
    "nothing": (lambda world: [], MlcoreError),
    "no lumisection": (lambda world: [one.select(slice(0, 0)) for one in world.blocks], TooFewData),
    "one lumisection": (lambda world: [one.select(slice(0, 1)) for one in world.blocks], TooFewData),
    "one run": (lambda world: [one.select(world.conditions.run == 1) for one in world.blocks], TooFewData),
    "all zero": (lambda world: histograms(world, np.zeros_like)[:3], TooFewData),
    "all missing": (lambda world: histograms(world, lambda counts: np.full_like(counts, np.nan))[:3], TooFewData),
    "no finite number": (no_finite_number, TooFewData),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_what_teaches_nothing_is_refused(past: World, case: str) -> None:
    spoil, error = UNUSABLE[case]
    blocks = spoil(past)
    labels = (
        past.truth[: len(blocks[0]) if blocks else 0] if case != "one run" else past.truth[past.conditions.run == 1]
    )
    with pytest.raises(error):
        train(blocks, labels, QUICK)


@pytest.mark.parametrize("constant", ["table", "histograms"])
def test_what_never_changes_decides_nothing(past: World, constant: str) -> None:
    def first(values: np.ndarray) -> np.ndarray:
        return np.broadcast_to(values[:1], values.shape).copy()

    blocks = table(past, first)[3:] if constant == "table" else histograms(past, first)[:3]
    try:
        scores = train(blocks, past.truth, QUICK).score(blocks)
    except MlcoreError:
        return
    assert not np.isinf(scores.score).any()
    assert set(scores.verdict.tolist()) <= {UNSURE, UNSCORED}


def test_single_infinities_do_not_spoil_what_is_learned(past: World, fresh: World) -> None:
    def spoil(values: np.ndarray) -> np.ndarray:
        values[::9, 2], values[5] = np.inf, -np.inf
        return values

    model = train(table(past, spoil), past.truth, QUICK)
    assert auc(model.score(fresh.blocks).score, fresh.truth) > 0.95


@pytest.mark.parametrize(
    ("labels", "error"),
    [
        (lambda truth: np.where(np.arange(truth.size) == 7, 2, truth), BadLabels),
        (lambda truth: np.where(truth == 1, np.inf, 0.0), BadLabels),
        (lambda truth: 1 - truth, BadLabels),
        (np.ones_like, TooFewData),
        (lambda truth: truth[:-1], ShapeError),
    ],
    ids=["three labels", "infinite labels", "all labels wrong", "only bad", "too few labels"],
)
def test_labels_that_cannot_be_right_are_refused(
    past: World, labels: Callable[[np.ndarray], Any], error: type[MlcoreError]
) -> None:
    with pytest.raises(error):
        train(past.blocks, labels(past.truth), QUICK)


def test_labels_that_say_nothing_about_the_data_decide_nothing(past: World, fresh: World) -> None:
    shuffled = np.random.default_rng(0).permutation(past.truth)
    model = train(past.blocks, shuffled, replace(QUICK, pollution=0.01, loss=0.01))
    assert set(model.score(fresh.blocks).verdict.tolist()) <= {UNSURE, UNSCORED}


# Drift


def numbers(seed: int) -> FeatureTable:
    values = np.random.default_rng(seed).normal(size=(160, 3))
    conditions = Conditions(run=1 + np.arange(160) // 20, lumisection=1 + np.arange(160) % 20)
    return FeatureTable(values, ("a", "b", "c"), ("a", "b", "c"), conditions)


def test_infinite_features_are_unknown_to_the_tests_of_drift() -> None:
    reference, current = numbers(0), numbers(1)
    holes = np.arange(480).reshape(160, 3) % 7 == 0
    answers = []
    for value in (np.inf, np.nan):
        holed = replace(current, values=np.where(holes, value, current.values))
        assert not feature_drift(reference, holed).drifted.any()
        assert not feature_drift(holed, reference).drifted.any()
        # That more is unknown now than before is a change in itself, so not the answer counts but that it is the same.
        answers.append((two_sample(reference, holed), two_sample(holed, reference)))
        unknown = replace(current, values=np.full_like(current.values, value))
        assert np.isnan(feature_drift(reference, unknown).p_value).all()
        with pytest.raises(TooFewData, match="known in both"):
            two_sample(reference, unknown)
    assert answers[0] == answers[1]
    assert stability_index([1.0, 2.0, np.inf], [1.0, 2.0, 3.0]) == stability_index([1.0, 2.0], [1.0, 2.0, 3.0])
    assert np.isnan(stability_index([], [1.0]))


def test_a_watch_of_nothing_or_of_infinities_is_refused() -> None:
    with pytest.raises(TooFewData):
        watch([], [], [])
    with pytest.raises(MlcoreError, match="infinite"):
        watch(np.r_[np.inf, np.ones(39)], np.arange(40) // 2, range(10))
    with pytest.raises(TooFewData):
        learning_curve(lambda rows: 0.0, [])
