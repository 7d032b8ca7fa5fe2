"""Where labels, histograms and recipe are those of the last training, there is no new model, and it is said so."""

from __future__ import annotations

from typing import Any

import pytest

from certifier.accounts.models import System
from certifier.precert.models import ModelVersion
from certifier.runs import services as runs
from certifier.runs.models import Run
from certifier.training.models import Outcome, Training
from certifier.training.recipe import recipe_of
from certifier.training.sample import plan
from tests.precert import world as precert
from tests.precert.world import NOISE
from tests.training import world

pytestmark = pytest.mark.django_db


def fingerprint(system: System) -> str:
    return plan(system, recipe_of(system)).fingerprint


def test_the_second_training_makes_no_model(lar: System) -> None:
    world.season(lar)
    first, second = world.train(lar), world.train(lar)
    assert (first.outcome, second.outcome) == (Outcome.PROMOTED, Outcome.UNCHANGED)
    assert second.words == "Labels, histograms and recipe are those of training 1, which made LAR model 1."
    assert (second.number, second.challenger, second.fingerprint) == (2, None, first.fingerprint)
    assert ModelVersion.objects.count() == 1
    assert Training.objects.count() == 2


def test_whatever_a_model_follows_from_changes_the_fingerprint(lar: System, settings: Any) -> None:
    world.season(lar, 4)
    seen = [fingerprint(lar)]
    assert fingerprint(lar) == seen[0]

    def changed() -> bool:
        seen.append(fingerprint(lar))
        return len(set(seen)) == len(seen)

    run = Run.objects.get(number=world.FIRST)
    world.record(run, NOISE, "1")
    assert changed(), "a label"
    precert.send(world.FIRST, world.LENGTH, system=lar, seed=9)
    assert changed(), "histograms"
    runs.put_lumisections(actor=None, run=world.FIRST, columns={"recorded_inv_nb": [7.0] * world.LENGTH})
    assert changed(), "luminosity"
    world.run(lar, world.FIRST + 50)
    assert changed(), "a run"
    settings.TRAINING_RECIPE = {"*": world.RECIPE["*"] | {"pollution": 0.2}}
    assert changed(), "the recipe"


def test_what_it_does_not_follow_from_changes_nothing(lar: System, settings: Any) -> None:
    world.season(lar, 4)
    before = fingerprint(lar)
    world.send(lar, world.FIRST + 60)
    assert fingerprint(lar) == before, "a run that nobody looked at"
    settings.TRAINING_RECIPE = {"*": world.RECIPE["*"] | {"worse_auc": 0.5}}
    assert fingerprint(lar) == before, "how strict the gate is"
