"""Lumisections that were asked about at random stand for those that were not: rates and promises count them so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlcore.conditions import FloatArray
from mlcore.errors import MlcoreError, ShapeError
from mlcore.evaluate import auc
from mlcore.pipeline import DetectorConfig, SystemConfig, train, train_and_judge
from tests.mlcore.small_world import World, draw

CONFIG = SystemConfig(
    detectors=(DetectorConfig("pulls", axes=1),), classifier="none", pollution=0.08, loss=0.08,
    shares=(0.25, 0.25, 0.1, 0.4), folds=2, refresh=0,
)  # fmt: skip


@pytest.fixture(scope="module")
def past() -> World:
    return draw(runs=60, per_run=30, seed=3)


def partly(past: World) -> tuple[FloatArray, FloatArray]:
    """Labels of everything that looks odd and of a tenth of the rest, and what each of them stands for."""
    rng = np.random.default_rng(0)
    odd = (past.truth == 1) | (rng.random(len(past.truth)) < 0.02)
    asked = odd | (rng.random(len(past.truth)) < 0.1)
    return np.where(asked, past.truth, np.nan), np.where(odd, 1.0, 10.0)


def test_figures_of_a_sample_are_those_of_all(past: World) -> None:
    labels, many = partly(past)
    of_all = train(past.blocks, past.truth, CONFIG).metrics_["average_precision"]
    of_sample = train(past.blocks, labels, CONFIG, stands_for=many).metrics_["average_precision"]
    as_labelled = train(past.blocks, labels, CONFIG).metrics_["average_precision"]
    assert of_sample == pytest.approx(of_all, abs=0.1)
    # Bad ones are half of what was labelled, and a tenth of what there is.
    assert as_labelled > of_all + 0.2


def test_few_that_stand_for_many_prove_less_than_many(past: World) -> None:
    labels, many = partly(past)
    of_all = train(past.blocks, past.truth, CONFIG).guarantee_["parts"][0]["pollution"]
    of_sample = train(past.blocks, labels, CONFIG, stands_for=many).guarantee_["parts"][0]["pollution"]
    assert of_sample["n_effective"] < of_all["n_effective"] / 10
    assert "of them without an error" in of_sample["refusal"]


def test_figures_weigh_each_label_by_what_it_stands_for(past: World) -> None:
    labels, many = partly(past)
    model, judged = train_and_judge(past.blocks, labels, CONFIG, stands_for=many)
    known = ~np.isnan(judged.label)
    counted = judged.conditions.luminosity * many[past.conditions.rows_of(judged.conditions)]
    expected = auc(judged.score[known], judged.label[known].astype(int), counted[known])
    assert model.metrics_["auc"] == pytest.approx(expected)


def test_the_same_labels_that_stand_for_more_are_other_data(past: World) -> None:
    labels, many = partly(past)
    fingerprints = {train(past.blocks, labels, CONFIG, stands_for=each).fingerprint_ for each in (None, many, many + 1)}
    assert len(fingerprints) == 3


def test_a_promise_on_all_counts_runs_that_taught_by_models_that_had_not_seen_them(past: World) -> None:
    trees = replace(CONFIG, classifier="boosting", classifier_parameters={"n_estimators": 0, "max_iter": 20})
    last = train(past.blocks, past.truth, trees).guarantee_["parts"][0]
    model, judged = train_and_judge(past.blocks, past.truth, replace(trees, promise="all"))
    every = model.guarantee_["parts"][0]
    assert every["lumisections"] > 2 * last["lumisections"]
    assert every["lumisections"] > 0.9 * len(past.truth)
    assert len(judged.label) == last["lumisections"], "figures are still of the last part alone"


def test_what_was_learned_by_heart_promises_nothing(past: World) -> None:
    """Labels dealt at random: a classifier that is asked about the runs it was taught finds every bad one again."""
    trees = replace(CONFIG, classifier="boosting", classifier_parameters={"n_estimators": 0, "max_iter": 60})
    dealt = (np.random.default_rng(5).random(len(past.truth)) < 0.15).astype(float)
    model = train(past.blocks, dealt, replace(trees, promise="all"))
    assert model.guarantee_["parts"][0]["t_good"] is None


def test_a_promise_is_measured_on_the_last_part_or_on_all() -> None:
    with pytest.raises(MlcoreError, match="not on 'some'"):
        SystemConfig(promise="some")


def test_judged_is_the_last_part_as_it_came(past: World) -> None:
    model, judged = train_and_judge(past.blocks, past.truth, CONFIG)
    assert judged.conditions.run.min() == model.lineage_["guarantee"]["first_run"]
    assert len(judged.verdict) == len(judged.score) == len(judged.conditions) == model.metrics_["lumisections"]
    assert model.judged_ is None, "what the classifier never learned from it can be asked about at any time"


def test_of_how_many_is_told_when_it_is_of_the_wrong_length(past: World) -> None:
    with pytest.raises(ShapeError, match="finite numbers from 0"):
        train(past.blocks, past.truth, CONFIG, stands_for=[1.0, 2.0])
