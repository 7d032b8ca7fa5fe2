"""From signatures and recorded defects to a model that is asked: the first training of a system."""

from __future__ import annotations

import pytest

from certifier.accounts.models import System
from certifier.audit.models import AuditEvent
from certifier.precert import files
from certifier.precert.models import ModelVersion, Promotion
from certifier.precert.selectors import models_of_system
from certifier.runs.models import Change
from certifier.training.models import Outcome, Training
from tests.training import world

pytestmark = pytest.mark.django_db


def test_it_becomes_the_champion_where_it_is_surely_good_enough(lar: System) -> None:
    world.season(lar)
    training = world.train(lar)
    assert training.outcome == Outcome.PROMOTED, training.words
    assert "There is no champion. Its area under the ROC curve is" in training.words
    assert "the first model of LAR" in training.words
    version = ModelVersion.objects.get()
    assert (training.challenger, training.champion) == (version, None)
    assert models_of_system(lar).champion == version
    assert files.load(version).config.system == "LAR"
    assert training.labels == {"sign-off": {"good": 30 * 19, "bad": 30 * 5}}
    assert training.extent["runs"] == 30
    assert training.gate["challenger"]["auc"]["low"] > 0.6
    assert (training.by_name, training.number, training.trigger) == ("system", 1, "command")
    assert training.took_s > 0
    assert training.peak_mb


def test_everything_about_it_is_recorded(lar: System) -> None:
    world.season(lar)
    training = world.train(lar)
    act = Promotion.objects.get()
    assert act.reason == training.words
    assert act.gate["training"] == 1
    version = ModelVersion.objects.get()
    assert version.lineage["training"] == 1
    assert version.lineage["labels"] == training.labels
    event = AuditEvent.objects.get(code="training.train")
    assert (event.subject, event.data["outcome"], event.data["model"]) == ("training 1 of LAR", "promoted", 1)
    assert Change.objects.get(kind="training.done").data["outcome"] == "promoted"


def test_one_that_knows_little_scores_in_shadow(lar: System, settings: pytest.FixtureRequest) -> None:
    settings.TRAINING_RECIPE = {"*": world.RECIPE["*"] | {"first_auc": 1.0}}  # type: ignore[attr-defined]
    world.season(lar, strength=0.004)
    training = world.train(lar)
    assert training.outcome == Outcome.SHADOW
    assert "a first model is promoted when it is surely above 1," in training.words
    assert models_of_system(lar).champion is None
    assert Training.objects.count() == 1
