"""A coordinator lets a system learn by itself no more, for a reason, and again."""

from __future__ import annotations

import pytest

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.models import AuditEvent
from certifier.ops.models import Trigger
from certifier.precert.selectors import models_of_system
from certifier.training import services
from certifier.training.errors import PauseConflict, ReasonNeeded
from certifier.training.models import Outcome, Pause
from certifier.training.selectors import pause_of
from tests.training import world

pytestmark = pytest.mark.django_db
WHY = "The calorimeter is being repaired."


def test_it_holds_until_somebody_resumes(lar: System, pixel: System, chi: User) -> None:
    services.pause(actor=chi, system=lar, reason=WHY)
    found = pause_of(lar)
    assert found is not None
    assert (found.by_name, found.reason, pause_of(pixel)) == ("chi", WHY, None)
    with pytest.raises(PauseConflict, match="paused already, by chi"):
        services.pause(actor=chi, system=lar, reason="again")
    services.resume(actor=chi, system=lar, reason="Repaired.")
    assert pause_of(lar) is None
    with pytest.raises(PauseConflict, match="not paused"):
        services.resume(actor=chi, system=lar, reason="again")
    assert [row.number for row in Pause.objects.order_by("id")] == [1, 2]
    assert set(AuditEvent.objects.values_list("code", flat=True)) >= {"training.pause", "training.resume"}


@pytest.mark.parametrize("reason", ["", "  ", "x" * 2001])
def test_it_needs_a_reason_of_readable_length(lar: System, chi: User, reason: str) -> None:
    with pytest.raises(ReasonNeeded, match="reason"):
        services.pause(actor=chi, system=lar, reason=reason)
    assert not Pause.objects.exists()


@pytest.mark.parametrize("name", ["ada", "ben", "dee"])
def test_it_is_for_coordinators(lar: System, name: str, request: pytest.FixtureRequest) -> None:
    actor = request.getfixturevalue(name)
    for act in (services.pause, services.resume):
        with pytest.raises(NotAllowed, match="needs the role coordinator"):
            act(actor=actor, system=lar, reason=WHY)
    with pytest.raises(NotAllowed, match="needs the role coordinator"):
        services.ask(actor=actor, system=lar)
    assert not Pause.objects.exists()


def test_by_schedule_it_learns_nothing_then(lar: System, chi: User) -> None:
    world.season(lar, 8)
    services.pause(actor=chi, system=lar, reason=WHY)
    training = world.train(lar, trigger=Trigger.SCHEDULE)
    assert (training.outcome, training.challenger) == (Outcome.PAUSED, None)
    assert training.words == f"chi has paused learning: {WHY}"


def test_who_asks_for_a_training_gets_one_in_shadow(lar: System, chi: User) -> None:
    world.season(lar)
    services.pause(actor=chi, system=lar, reason=WHY)
    training = world.train(lar)
    assert training.outcome == Outcome.SHADOW
    assert f"chi has paused learning: {WHY} It scores in shadow." in training.words
    assert models_of_system(lar).champion is None
