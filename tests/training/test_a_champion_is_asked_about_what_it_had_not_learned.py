"""The gate compares each model on what it had not learned from: where the champion has learned since, on what copies of
it said before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from certifier.accounts.models import System
from certifier.lumi import LumiSet
from certifier.precert import files
from certifier.runs.models import Run
from certifier.training.attempt import Rival
from certifier.training.models import Outcome, Training
from certifier.training.recipe import recipe_of
from certifier.training.sample import plan, read
from mlcore.evaluate import auc
from tests.precert.world import NOISE
from tests.training import world

pytestmark = [pytest.mark.django_db, pytest.mark.once]
TREES = {"classifier": "boosting", "classifier_parameters": {"n_estimators": 0, "max_iter": 60}, "promise": "all"}
SIGNED, LATER = 30, 6


@pytest.fixture(autouse=True)
def trees(settings: Any) -> None:
    settings.TRAINING_RECIPE = {"*": world.RECIPE["*"] | TREES | {"refresh": 2, "folds": 2}}


def _season_of_chance(system: System, count: int, first: int) -> list[Run]:
    """Runs without any fault, of which experts said at random that a stretch is bad: there is nothing to learn."""
    world.define(system)
    rng = np.random.default_rng([8, first])
    found = []
    for number in range(first, first + count):
        # From anywhere, around the end to the beginning: no place in a run tells anything.
        bad = (int(rng.integers(world.LENGTH)) + np.arange(8)) % world.LENGTH + 1
        found.append(world.run(system, number, recorded={NOISE: str(LumiSet.from_numbers(bad.tolist()))}))
    return found


def _trained(system: System) -> Training:
    training = world.train(system)
    assert training.challenger is not None, training.words
    return training


def test_it_is_compared_on_more_runs_than_those_since_it_learned(lar: System) -> None:
    world.season(lar, SIGNED)
    assert _trained(lar).outcome == Outcome.PROMOTED
    world.season(lar, LATER, first=world.FIRST + SIGNED)
    gate = _trained(lar).gate
    assert gate["runs"] > LATER + 3
    assert gate["champion"]["auc"]["value"] > 0.9
    # Of its thresholds, only what it decided since tells anything.
    assert gate["champion"]["decided_between"]["automatic"]["value"] is not None


def test_what_it_knows_by_heart_counts_for_nothing(lar: System) -> None:
    _season_of_chance(lar, SIGNED, world.FIRST)
    champion = _trained(lar).challenger
    assert champion is not None
    sample = read(plan(lar, recipe_of(lar)), lambda share, words: None)
    model = files.load(champion)
    kept = model.judged_
    rows = sample.conditions.rows_of(kept.conditions)
    label = sample.label[rows].astype(int)
    whole = model.score(sample.blocks_of(np.arange(len(sample))), conditions=sample.conditions).score
    assert auc(whole[rows], label) > 0.85, "it knows them by heart"

    rival = Rival(champion)
    assert rival.told_of(kept).all()
    assert not rival.has_not_seen(kept).any()
    score, verdict = rival.asked(sample, kept, np.arange(len(rows)))
    assert auc(score, label) < 0.7
    assert np.array_equal(score, kept.score)
    assert np.array_equal(verdict, kept.verdict)


def test_what_came_since_it_is_asked_now(lar: System) -> None:
    world.season(lar, SIGNED)
    champion = _trained(lar).challenger
    assert champion is not None
    world.season(lar, LATER, first=world.FIRST + SIGNED)
    sample = read(plan(lar, recipe_of(lar)), lambda share, words: None)
    rival, model = Rival(champion), files.load(champion)
    last = model.judged_
    since = np.flatnonzero(sample.conditions.run >= world.FIRST + SIGNED)
    asked = type(last)(
        sample.conditions.select(since), sample.label[since], *(np.zeros(since.size) for _ in range(2)),
        np.zeros(since.size, dtype=np.int8),
    )  # fmt: skip
    assert rival.has_not_seen(asked).all()
    assert not rival.told_of(asked).any()
    score, _ = rival.asked(sample, asked, np.arange(since.size))
    now = model.score(sample.blocks_of(since), conditions=sample.conditions.select(since)).score
    assert np.array_equal(score, now)
