"""With a promise on all runs the final classifier learns from the last ones too; judged are copies that had not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlcore.artifacts import load, save
from mlcore.conditions import IntArray
from mlcore.evaluate import auc
from mlcore.pipeline import DetectorConfig, Judged, SystemConfig, SystemModel, train, train_and_judge
from tests.mlcore.small_world import World, draw

CONFIG = SystemConfig(
    detectors=(DetectorConfig("pulls", axes=1),), classifier="boosting", promise="all", refresh=2, folds=2,
    classifier_parameters={"n_estimators": 0, "max_iter": 60}, shares=(0.3, 0.3, 0.1, 0.3),
)  # fmt: skip


@pytest.fixture(scope="module")
def past() -> World:
    return draw(runs=50, per_run=24, seed=4)


@pytest.fixture(scope="module")
def dealt(past: World) -> IntArray:
    """Labels by chance: whoever knows them has learned them by heart."""
    return (np.random.default_rng(5).random(len(past.truth)) < 0.3).astype(np.int64)


@pytest.fixture(scope="module")
def learned(past: World, dealt: IntArray) -> tuple[SystemModel, Judged]:
    return train_and_judge(past.blocks, dealt, CONFIG)


def test_it_knows_the_last_runs_by_heart_and_what_was_judged_did_not(
    past: World, dealt: IntArray, learned: tuple[SystemModel, Judged]
) -> None:
    model, judged = learned
    last = past.conditions.rows_of(judged.conditions)
    assert auc(model.score(past.blocks).score[last], dealt[last]) > 0.85
    assert auc(judged.score, dealt[last]) < 0.65
    part = train(past.blocks, dealt, replace(CONFIG, promise="last"))
    assert auc(part.score(past.blocks).score[last], dealt[last]) < 0.65


def test_what_is_said_of_the_latest_runs_teaches_only_what_comes_after(
    past: World, dealt: IntArray, learned: tuple[SystemModel, Judged]
) -> None:
    model, judged = learned
    runs = np.unique(past.conditions.run)
    late = np.isin(past.conditions.run, runs[-5:])
    others, again = train_and_judge(past.blocks, np.where(late, 1 - dealt, dealt), CONFIG)
    assert np.array_equal(again.score, judged.score)
    assert not np.allclose(model.score(past.blocks).score[late], others.score(past.blocks).score[late])


def test_earlier_pieces_of_the_last_part_teach_the_later_ones(
    past: World, dealt: IntArray, learned: tuple[SystemModel, Judged]
) -> None:
    """The later parts are cut in two; what was said in the first half moves what is said of the second."""
    _, judged = learned
    runs = np.unique(judged.conditions.run)
    early = np.isin(past.conditions.run, runs[:3])
    _, again = train_and_judge(past.blocks, np.where(early, 1 - dealt, dealt), CONFIG)
    here = np.isin(judged.conditions.run, runs[:3])
    assert np.array_equal(again.score[here], judged.score[here])
    assert not np.array_equal(again.score[~here], judged.score[~here])


def test_what_was_judged_is_kept_with_the_model(learned: tuple[SystemModel, Judged], tmp_path: Path) -> None:
    model, judged = learned
    save(model, tmp_path / "model")
    kept = load(tmp_path / "model").judged_
    assert np.array_equal(kept.conditions.key, judged.conditions.key)
    assert np.array_equal(kept.score, judged.score, equal_nan=True)
    assert np.array_equal(kept.verdict, judged.verdict)


def test_its_lineage_says_what_the_final_copies_learned_from(past: World, learned: tuple[SystemModel, Judged]) -> None:
    final = learned[0].lineage_["final"]
    assert (final["first_run"], final["last_run"]) == (1, 50)
    assert final["lumisections"] == len(past.truth)


def test_past_cases_are_those_of_all_runs(past: World) -> None:
    """A family that came only lately has a name already."""
    late = past.conditions.run > 36
    truth, families = past.truth * 1, np.where(late, "", past.families)
    truth[~late & (past.families == "HOT_TOWER")] = 0
    families = np.where(late & (past.families != ""), "CAME_LATELY", families)
    assert "CAME_LATELY" in train(past.blocks, truth, CONFIG, families=families).families_
    assert "CAME_LATELY" not in train(past.blocks, truth, replace(CONFIG, promise="last"), families=families).families_


def test_with_a_promise_on_the_last_part_nothing_is_kept(past: World) -> None:
    model, _ = train_and_judge(past.blocks, past.truth, replace(CONFIG, promise="last"))
    assert model.judged_ is None
    assert "final" not in model.lineage_
