"""Of the models of a system one at most is the champion; every act is a row, and going back is an act like others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.models import AuditEvent
from certifier.precert import services
from certifier.precert.errors import ActRefused, NotPossibleNow
from certifier.precert.models import ModelVersion, Promotion
from certifier.precert.selectors import models_of_system
from certifier.runs.models import Change
from tests.precert import world

pytestmark = pytest.mark.django_db


@pytest.fixture
def versions(lar: System) -> list[ModelVersion]:
    return [world.register(lar, another=number) for number in range(3)]


def states(system: System) -> list[str]:
    standing = models_of_system(system).standing
    return [
        str(standing.state_of(version)) for version in ModelVersion.objects.filter(system=system).order_by("number")
    ]


def champion(system: System) -> int | None:
    found = models_of_system(system).champion
    return found.number if found else None


def test_a_promoted_model_is_the_champion_and_the_one_before_is_retired(
    lar: System, chi: User, versions: list[ModelVersion]
) -> None:
    first, second, _ = versions
    assert (champion(lar), states(lar)) == (None, ["candidate"] * 3)
    services.promote(actor=chi, version=first, reason="The first.")
    act = services.promote(actor=chi, version=second, gate={"words": "better by 0.01", "difference": 0.01})
    assert (champion(lar), states(lar)) == (2, ["retired", "champion", "candidate"])
    assert (act.number, act.by_name, act.gate["difference"]) == (2, "chi", 0.01)
    event = AuditEvent.objects.filter(code="precert.promote").first()
    assert event is not None
    assert (event.actor_name, event.subject, event.data["state"]) == ("chi", "LAR model 2", "champion")
    told = Change.objects.filter(kind="precert.promotion").order_by("sequence").last()
    assert told is not None
    assert (told.data["model"], told.data["champion"]) == (2, 2)


def test_a_shadow_takes_nothing_from_the_champion(lar: System, versions: list[ModelVersion]) -> None:
    first, second, _ = versions
    services.promote(actor=None, version=first)
    services.shadow(actor=None, version=second)
    assert (champion(lar), states(lar)) == (1, ["champion", "shadow", "candidate"])
    with pytest.raises(NotPossibleNow, match="is the champion"):
        services.shadow(actor=None, version=first)


def test_rolling_back_twice_goes_two_champions_back(lar: System, chi: User, versions: list[ModelVersion]) -> None:
    for version in versions:
        services.promote(actor=chi, version=version)
    act = services.roll_back(actor=chi, system=lar, reason="It calls noise good.")
    assert (champion(lar), act.is_rollback, act.reason) == (2, True, "It calls noise good.")
    services.roll_back(actor=chi, system=lar, reason="So does this one.")
    assert (champion(lar), states(lar)) == (1, ["champion", "retired", "retired"])
    with pytest.raises(NotPossibleNow, match="no earlier champion of LAR to go back to"):
        services.roll_back(actor=chi, system=lar, reason="And this one.")
    assert Promotion.objects.count() == 5


def test_rolling_back_passes_over_what_was_retired_by_name(lar: System, versions: list[ModelVersion]) -> None:
    for version in versions:
        services.promote(actor=None, version=version)
    services.retire(actor=None, version=versions[1], reason="Trained on wrong labels.")
    assert champion(lar) == 3
    services.roll_back(actor=None, system=lar, reason="Too many bad ones.")
    assert champion(lar) == 1


def test_a_paused_system_has_no_champion_until_one_is_promoted(lar: System, versions: list[ModelVersion]) -> None:
    services.promote(actor=None, version=versions[0])
    services.pause(actor=None, system=lar, reason="The detector is being repaired.")
    standing = models_of_system(lar).standing
    assert (champion(lar), states(lar)[0], standing.paused) == (None, "paused", versions[0])
    with pytest.raises(NotPossibleNow, match="no champion that could be paused"):
        services.pause(actor=None, system=lar, reason="Again.")
    services.promote(actor=None, version=versions[0])
    assert champion(lar) == 1


def test_a_retired_champion_leaves_the_system_without_one(lar: System, versions: list[ModelVersion]) -> None:
    services.promote(actor=None, version=versions[0])
    services.retire(actor=None, version=versions[0], reason="It has learned the noise.")
    assert (champion(lar), states(lar)[0]) == (None, "retired")


def test_the_champion_of_one_system_is_nothing_to_another(
    lar: System, pixel: System, versions: list[ModelVersion]
) -> None:
    other = world.champion(pixel)
    services.promote(actor=None, version=versions[0])
    assert (champion(lar), champion(pixel)) == (1, other.number)
    services.retire(actor=None, version=other, reason="x")
    assert (champion(lar), champion(pixel)) == (1, None)


def test_what_is_so_already_is_refused_in_words(lar: System, versions: list[ModelVersion]) -> None:
    services.promote(actor=None, version=versions[0])
    with pytest.raises(NotPossibleNow, match="LAR model 1 is champion already"):
        services.promote(actor=None, version=versions[0])
    assert Promotion.objects.count() == 1


def test_who_looked_before_somebody_else_acted_changes_nothing(
    lar: System, chi: User, versions: list[ModelVersion]
) -> None:
    services.promote(actor=chi, version=versions[0], seen=0)
    with pytest.raises(NotPossibleNow, match="Meanwhile chi acted: LAR model 1 became champion"):
        services.promote(actor=chi, version=versions[1], seen=0)
    assert champion(lar) == 1
    services.promote(actor=chi, version=versions[1], seen=1)
    assert champion(lar) == 2


@pytest.mark.parametrize("reason", ["", "  ", "x" * 2001])
def test_taking_something_away_needs_a_reason_of_readable_length(
    lar: System, versions: list[ModelVersion], reason: str
) -> None:
    services.promote(actor=None, version=versions[0])
    services.promote(actor=None, version=versions[1])
    acts: list[Callable[[], object]] = [
        lambda: services.pause(actor=None, system=lar, reason=reason),
        lambda: services.roll_back(actor=None, system=lar, reason=reason),
        lambda: services.retire(actor=None, version=versions[1], reason=reason),
    ]
    for act in acts:
        with pytest.raises(ActRefused, match="reason"):
            act()
    assert champion(lar) == 2


@pytest.mark.parametrize("name", ["ada", "ben", "dee"])
def test_it_is_for_coordinators(
    lar: System, versions: list[ModelVersion], name: str, request: pytest.FixtureRequest
) -> None:
    actor = request.getfixturevalue(name)
    services.promote(actor=None, version=versions[0])
    services.promote(actor=None, version=versions[1])
    acts: list[Callable[[], object]] = [
        lambda: services.promote(actor=actor, version=versions[2]),
        lambda: services.shadow(actor=actor, version=versions[2]),
        lambda: services.retire(actor=actor, version=versions[1], reason="x"),
        lambda: services.pause(actor=actor, system=lar, reason="x"),
        lambda: services.roll_back(actor=actor, system=lar, reason="x"),
    ]
    for act in acts:
        with pytest.raises(NotAllowed, match="needs the role coordinator"):
            act()
    assert (champion(lar), Promotion.objects.count()) == (2, 2)
