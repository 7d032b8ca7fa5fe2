"""A coordinator chooses what the models of a system are made of; the next training does so, and the gate decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.models import AuditEvent
from certifier.training import services
from certifier.training.errors import ReasonNeeded, RecipeNotFound, SameRecipe
from certifier.training.models import LEARNED, Outcome, RecipeChoice
from certifier.training.recipe import recipe_of
from certifier.training.recipes import BY_NAME, RECIPES, chosen_recipe
from tests.training import other_systems, world

pytestmark = [pytest.mark.django_db, pytest.mark.once]
Page = Callable[[User | None], Client]
WHY = "The detector changes from week to week."
OF_ALL = world.RECIPE["*"]
# Trained in test_recipes_of_other_systems.py, on what they are for.
OF_OTHER_SYSTEMS = frozenset(other_systems.SEASONS)


@pytest.fixture
def not_set_for_all(settings: Any) -> None:
    """The quick settings, but for what recipes choose."""
    free = ("detectors", "classifier")
    settings.TRAINING_RECIPE = {"*": {name: value for name, value in OF_ALL.items() if name not in free}}


@pytest.mark.usefixtures("not_set_for_all")
def test_it_holds_for_this_system_until_the_next_choice(lar: System, pixel: System, chi: User) -> None:
    assert chosen_recipe(lar).name == "standard"
    services.choose_recipe(actor=chi, system=lar, recipe="adaptive-reference", reason=WHY)
    assert (chosen_recipe(lar).name, chosen_recipe(pixel).name) == ("adaptive-reference", "standard")
    assert [each.name for each in recipe_of(lar).system_config(lar).detectors] == ["ewma", "scan"]
    services.choose_recipe(actor=chi, system=lar, recipe="standard", reason="Stable again.")
    assert recipe_of(lar).as_json() == recipe_of(pixel).as_json()
    rows = RecipeChoice.objects.order_by("id")
    assert [(row.number, row.recipe, row.by_name) for row in rows] == [
        (1, "adaptive-reference", "chi"),
        (2, "standard", "chi"),
    ]
    told = AuditEvent.objects.filter(code="training.choose_recipe").order_by("id").first()
    assert told is not None
    assert (told.data["recipe"], told.data["before"], told.data["reason"]) == ("adaptive-reference", "standard", WHY)


def test_settings_of_the_installation_count_above_it(lar: System, chi: User) -> None:
    services.choose_recipe(actor=chi, system=lar, recipe="adaptive-reference", reason=WHY)
    assert [each.name for each in recipe_of(lar).system_config(lar).detectors] == ["pulls"]


def test_what_cannot_be_chosen_is_told(lar: System, chi: User) -> None:
    with pytest.raises(RecipeNotFound, match="There are: standard, adaptive-reference"):
        services.choose_recipe(actor=chi, system=lar, recipe="deep", reason=WHY)
    with pytest.raises(SameRecipe, match="LAR has the recipe “Standard” already"):
        services.choose_recipe(actor=chi, system=lar, recipe="standard", reason=WHY)
    with pytest.raises(ReasonNeeded, match="reason is required"):
        services.choose_recipe(actor=chi, system=lar, recipe="factors", reason="  ")
    assert not RecipeChoice.objects.exists()


@pytest.mark.parametrize("name", ["ada", "ben", "dee"])
def test_it_is_for_coordinators(lar: System, name: str, page: Page, request: pytest.FixtureRequest) -> None:
    actor = request.getfixturevalue(name)
    with pytest.raises(NotAllowed, match="needs the role coordinator"):
        services.choose_recipe(actor=actor, system=lar, recipe="factors", reason=WHY)
    answer = page(actor).post("/training/LAR/recipe/", {"recipe": "factors", "reason": WHY})
    assert answer.status_code == 403
    assert not RecipeChoice.objects.exists()


@pytest.mark.usefixtures("not_set_for_all")
def test_another_recipe_is_something_new_to_learn(lar: System, chi: User) -> None:
    world.season(lar)
    services.choose_recipe(actor=chi, system=lar, recipe="no-labels", reason=WHY)
    assert world.train(lar).outcome in LEARNED
    assert world.train(lar).outcome == Outcome.UNCHANGED
    services.choose_recipe(actor=chi, system=lar, recipe="adaptive-reference", reason=WHY)
    assert world.train(lar).outcome in LEARNED


# What is learned does not depend on the database, and every recipe takes seconds.
@pytest.mark.sqlite
@pytest.mark.parametrize("name", [each.name for each in RECIPES if each.name not in OF_OTHER_SYSTEMS])
@pytest.mark.usefixtures("not_set_for_all")
def test_every_recipe_makes_a_model_of_what_it_names(lar: System, chi: User, name: str) -> None:
    world.season(lar)
    if name != "standard":
        services.choose_recipe(actor=chi, system=lar, recipe=name, reason=WHY)
    training = world.train(lar)
    assert training.challenger is not None, training.words
    made = training.challenger.manifest["config"]
    asked = BY_NAME[name].config
    assert [each["name"] for each in asked.get("detectors", made["detectors"])] == [
        each["name"] for each in made["detectors"]
    ]
    assert made["classifier"] == asked.get("classifier", "boosting")


def test_the_page_shows_all_and_keeps_what_was_typed(lar: System, chi: User, ben: User, page: Page) -> None:
    client = page(chi)
    answer = client.post("/training/LAR/recipe/", {"recipe": "factors", "reason": ""})
    assert answer.status_code == 422
    text = answer.content.decode()
    assert "a reason is required" in text
    assert 'value="factors" required aria-labelledby="name-factors" checked' in text
    done = client.post("/training/LAR/recipe/", {"recipe": "factors", "reason": WHY}, follow=True).content.decode()
    assert "models of LAR are made as “Non-negative factors”" in done
    read = page(ben).get("/training/LAR/recipe/").content.decode()
    assert all(each.title in read for each in RECIPES)
    assert WHY in read
    assert "Choose</button>" not in read
    assert page(ben).get("/training/LAX/recipe/").status_code == 404
