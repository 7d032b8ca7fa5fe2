"""Of what trainings keep in shadow one is asked at a time: the next model follows it."""

from __future__ import annotations

from typing import Any

import pytest

from certifier.accounts.models import System, User
from certifier.precert import services as precert
from certifier.precert.models import ModelVersion
from certifier.precert.selectors import models_of_system
from certifier.training.models import Outcome
from tests.training import world

pytestmark = pytest.mark.django_db


def states(system: System) -> list[str]:
    standing = models_of_system(system).standing
    rows = ModelVersion.objects.filter(system=system).order_by("number")
    return [standing.state_of(version).value for version in rows]


@pytest.fixture
def strict(settings: Any, lar: System) -> None:
    """No first model is good enough."""
    settings.TRAINING_RECIPE = {"*": world.RECIPE["*"] | {"first_auc": 1.0}}
    world.season(lar, 26)


def more(system: System, first: int) -> Outcome:
    world.season(system, 2, first=world.FIRST + first)
    return Outcome(world.train(system).outcome)


@pytest.mark.usefixtures("strict")
def test_the_next_one_retires_it(lar: System) -> None:
    assert [more(lar, 100), more(lar, 200)] == [Outcome.SHADOW, Outcome.SHADOW]
    assert states(lar) == ["retired", "shadow"]


@pytest.mark.usefixtures("strict")
def test_what_a_person_put_there_stays(lar: System, chi: User) -> None:
    more(lar, 100)
    first = ModelVersion.objects.get()
    precert.retire(actor=chi, version=first, reason="to see")
    precert.shadow(actor=chi, version=first, reason="Let it look at the heavy ions.")
    more(lar, 200)
    assert states(lar) == ["shadow", "shadow"]
