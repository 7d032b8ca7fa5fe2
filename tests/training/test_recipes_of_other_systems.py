"""Rates, pulsed signals, times and maps have recipes of their own, which learn from real histories and find what was
planted; a system that has nothing for a recipe is told so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from django.test import Client

from certifier.accounts.models import System, User
from certifier.audit.models import AuditEvent
from certifier.monitoring.models import Element
from certifier.precert.looks import looks_at
from certifier.precert.scoring import score_dataset
from certifier.runs import services as runs
from certifier.training import services
from certifier.training.errors import RecipeUnsuited
from certifier.training.models import Outcome, RecipeChoice
from certifier.training.needs import elements_of, lack_of
from certifier.training.recipes import BY_NAME, RECIPES
from mlcore.conditions import Conditions
from mlcore.evaluate import auc
from mlcore.pipeline import DetectorConfig
from tests.training import other_systems, world

pytestmark = pytest.mark.django_db
Page = Callable[[User | None], Client]
WHY = "These are no histograms of shapes."
#: along what findings say where it is, of recipes whose detectors judge regions
WHERE = {"drift-tubes": {"layer", "wire"}, "endcaps": {"azimuth in degrees"}}


@pytest.fixture(autouse=True)
def quick(settings: Any) -> None:
    """The quick settings, but for what recipes choose; detectors learn twice and not every week."""
    free = ("detectors", "classifier")
    of_all = {name: value for name, value in world.RECIPE["*"].items() if name not in free}
    settings.TRAINING_RECIPE = {"*": of_all | {"folds": 2, "refresh": 0}}


def _choose(system: System, chi: User, name: str) -> RecipeChoice:
    return services.choose_recipe(actor=chi, system=system, recipe=name, reason=WHY)


# What is learned does not depend on the database. Networks and filters take seconds, the pulses most of all.
@pytest.mark.sqlite
@pytest.mark.parametrize("name", list(other_systems.SEASONS))
def test_it_learns_is_promoted_and_finds_what_was_planted(lar: System, chi: User, name: str) -> None:
    waiting = other_systems.live(lar, other_systems.SEASONS[name]())
    _choose(lar, chi, name)
    training = world.train(lar)
    assert training.outcome == Outcome.PROMOTED, training.words
    made = training.challenger
    assert made is not None
    config, asked = made.manifest["config"], BY_NAME[name].config
    assert [each["name"] for each in config["detectors"]] == [
        each["name"] for each in asked.get("detectors", config["detectors"])
    ]
    assert config["classifier"] == asked.get("classifier", "boosting")
    done = [(score_dataset(made, dataset), bad) for dataset, bad in waiting]
    assert all(not scoring.unscored for scoring, _ in done)
    scores = np.concatenate([scoring.scores for scoring, _ in done])
    truth = np.concatenate([bad.to_mask(scoring.last) for scoring, bad in done])
    assert truth.sum() >= 10
    assert auc(scores, truth.astype(np.int64)) > 0.9
    told = [each for scoring, _ in done for finding in scoring.findings.all() for each in finding.evidence["bins"]]
    assert WHERE.get(name, set()) <= {axis for each in told for axis, *_ in each["ranges"]}


@pytest.mark.sqlite
def test_a_fault_at_a_luminosity_at_which_none_came_before_is_not_called_good(lar: System, chi: User) -> None:
    """A model that learned where faults come would."""
    waiting = other_systems.live(lar, other_systems.jets(seed=5))
    _choose(lar, chi, "flat-in-luminosity")
    made = world.train(lar).challenger
    assert made is not None
    for dataset, bad in waiting:
        scoring = score_dataset(made, dataset)
        assert not scoring.good & bad
        assert len(scoring.good) > 10


@pytest.mark.sqlite
def test_a_finding_names_the_rate_that_is_wrong(lar: System, chi: User, ben: User, page: Page, settings: Any) -> None:
    """Twenty-one rates are one table; what is told is which of them."""
    settings.TRAINING_RECIPE["*"] |= {"classifier": "none", "pollution": 0.001, "loss": 0.001}
    wrong = "Trigger/HLT_mu26_iso"
    waiting = other_systems.live(lar, other_systems.lower(other_systems.rates(), wrong, last=1, lumisections="20-26"))
    _choose(lar, chi, "rates")
    made = world.train(lar).challenger
    assert made is not None
    dataset, _ = waiting[-1]
    scoring = score_dataset(made, dataset)
    (finding,) = (each for each in scoring.findings.all() if 24 in each.lumisections)
    peak = finding.evidence["lumisection"]
    assert 20 <= peak <= 27
    assert finding.evidence["elements"][0]["element"] == wrong
    run = page(ben).get(f"/runs/{dataset.run.number}/?system=LAR").content.decode()
    assert wrong in run


def test_without_one_of_its_rates_a_run_is_not_scored_and_says_so(lar: System, chi: User) -> None:
    taken = other_systems.rates()
    *sent, late = taken.blocks[:4]
    last = taken.conditions.run.max()
    blocks = [*sent, late.select(late.conditions.run != last)]
    ((dataset, _),) = other_systems.live(lar, other_systems.Taken(blocks, taken.labels), left=1)
    _choose(lar, chi, "rates")
    made = world.train(lar).challenger
    assert made is not None
    assert dataset.run.number == last
    scoring = score_dataset(made, dataset)
    assert scoring.unscored == dataset.run.domain
    (why,) = scoring.why_unscored
    assert why.startswith("Not scored: quantities of Trigger/")
    assert "and 2 more" in why


def test_a_recipe_that_would_find_nothing_is_refused_and_nothing_is_written(lar: System, chi: User) -> None:
    world.send(lar, world.FIRST)
    with pytest.raises(
        RecipeUnsuited, match="LAR lacks readings along a time in s, so there would be nothing to learn"
    ):
        _choose(lar, chi, "pulses")
    assert not RecipeChoice.objects.exists()
    assert not AuditEvent.objects.filter(code="training.choose_recipe").exists()


def test_one_that_would_leave_out_what_it_is_for_says_so_and_can_be_chosen(lar: System, chi: User, page: Page) -> None:
    world.send(lar, world.FIRST)
    lack = lack_of(BY_NAME["map-autoencoder"], lar, elements_of(lar))
    assert lack is not None
    assert not lack.is_refused
    text = page(chi).get("/training/LAR/recipe/").content.decode()
    assert "LAR lacks histograms of two axes, so it would look at the other elements only." in text
    assert 'value="pulses" required aria-labelledby="name-pulses" disabled' in text
    refused = page(chi).post("/training/LAR/recipe/", {"recipe": "pulses", "reason": WHY})
    assert refused.status_code == 422
    assert "nothing to learn" in refused.content.decode()
    assert _choose(lar, chi, "map-autoencoder").recipe == "map-autoencoder"


def test_without_luminosity_of_any_run_what_needs_it_is_refused(lar: System, chi: User, page: Page) -> None:
    taken = other_systems.jets(run_count=2)
    bare = Conditions(taken.conditions.run, taken.conditions.lumisection)
    other_systems.live(lar, other_systems.Taken([replace(taken.blocks[0], conditions=bare)], taken.labels), left=0)
    with pytest.raises(RecipeUnsuited, match=r"luminosity or pile-up of any run.*send what is lacking"):
        _choose(lar, chi, "flat-in-luminosity")
    text = page(chi).get("/training/LAR/recipe/").content.decode()
    assert 'value="flat-in-luminosity" required aria-labelledby="name-flat-in-luminosity" disabled' in text
    runs.put_lumisections(actor=None, run=1, columns={"pileup": [30.0] * 20})
    assert _choose(lar, chi, "flat-in-luminosity").recipe == "flat-in-luminosity"


def test_before_the_first_histogram_anything_can_be_chosen(lar: System, chi: User, page: Page) -> None:
    assert "LAR has no element yet; this recipe needs readings along a time in s." in (
        page(chi).get("/training/LAR/recipe/").content.decode()
    )
    assert _choose(lar, chi, "pulses").recipe == "pulses"


def test_what_a_detector_looks_at_is_what_the_library_says() -> None:
    """The page asks without loading the library's detectors; both must agree on every recipe and kind of element."""
    kinds = [
        [{"name": "x", "unit": unit, "edges": list(range(bins + 1))}] * count
        for bins, count, unit in product((1, 2, 8), (1, 2, 3), ("", "s", "ns"))
    ]
    for recipe in RECIPES:
        for detector in recipe.config.get("detectors", ()):
            known = DetectorConfig(**detector)
            for axes in kinds:
                element = Element(path="A/b", axes=axes)
                sizes = [(bins, str(axis["unit"])) for bins, axis in zip(element.bins, axes, strict=True)]
                assert looks_at(detector, element) == known.looks_at("A/b", sizes), (recipe.name, detector, axes)
