"""What the word of a machine is worth: assist until a coordinator says auto, and auto only under a guarantee."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.models import AuditEvent
from certifier.precert import services
from certifier.precert.errors import ActRefused, NotPossibleNow
from certifier.precert.models import Mode, SystemMode
from certifier.precert.selectors import models_of_system
from certifier.runs.models import Change
from tests.precert import world

pytestmark = pytest.mark.django_db
WHY = "The audit of four weeks found nothing."


def test_a_system_assists_until_somebody_says_otherwise(lar: System) -> None:
    assert (models_of_system(lar).mode, models_of_system(lar).is_automatic) == (Mode.ASSIST, False)


def test_a_coordinator_switches_auto_on_under_a_guarantee(lar: System, chi: User) -> None:
    version = world.champion(lar)
    row = services.set_mode(actor=chi, system=lar, mode="auto", reason=WHY)
    now = models_of_system(lar)
    assert (now.mode, now.is_automatic, now.guarantee.certifies_good) == (Mode.AUTO, True, True)
    assert (row.version, row.by, row.reason, row.number) == (version, chi, WHY, 1)
    event = AuditEvent.objects.get(code="precert.set_mode")
    assert (event.actor_name, event.subject, event.data["before"]) == ("chi", "system LAR", "assist")
    assert Change.objects.get(kind="precert.mode").data == {"system": "LAR", "mode": "auto"}


def test_auto_is_refused_without_a_champion(lar: System, chi: User) -> None:
    with pytest.raises(NotPossibleNow, match="LAR has no champion"):
        services.set_mode(actor=chi, system=lar, mode="auto", reason=WHY)
    assert not SystemMode.objects.exists()


def test_auto_is_refused_where_nothing_is_certified_and_says_why(lar: System, chi: User) -> None:
    version = world.register(lar, folder=world.timid_folder())
    services.promote(actor=chi, version=version)
    with pytest.raises(NotPossibleNow, match=r"LAR model 1 certifies nothing.*No lumisection is called good"):
        services.set_mode(actor=chi, system=lar, mode="auto", reason=WHY)
    assert models_of_system(lar).mode == Mode.ASSIST


def test_the_program_itself_stops_automation_and_never_switches_it_on(lar: System) -> None:
    world.champion(lar)
    with pytest.raises(NotPossibleNow, match="by a person, never by the program itself"):
        services.set_mode(actor=None, system=lar, mode="auto", reason=WHY)
    bound = {"pollution": 0.011, "limit": 0.005}
    row = services.set_mode(actor=None, system=lar, mode="stopped", reason="The bound was crossed.", bound=bound)
    assert (row.by_name, row.bound, models_of_system(lar).mode) == ("system", bound, Mode.STOPPED)


def test_auto_counts_for_nothing_once_the_champion_promises_nothing(lar: System, chi: User) -> None:
    world.champion(lar)
    services.set_mode(actor=chi, system=lar, mode="auto", reason=WHY)
    services.promote(actor=chi, version=world.register(lar, folder=world.timid_folder()))
    now = models_of_system(lar)
    assert (now.mode, now.is_automatic) == (Mode.AUTO, False)
    services.pause(actor=chi, system=lar, reason="x")
    assert not models_of_system(lar).is_automatic


def test_a_mode_needs_a_name_and_a_reason_and_is_switched_once(lar: System, chi: User) -> None:
    with pytest.raises(ActRefused, match=r"“manual” is no mode. Choose one of assist, auto, stopped."):
        services.set_mode(actor=chi, system=lar, mode="manual", reason=WHY)
    with pytest.raises(ActRefused, match="a reason is required"):
        services.set_mode(actor=chi, system=lar, mode="stopped", reason=" ")
    services.set_mode(actor=chi, system=lar, mode="stopped", reason=WHY)
    with pytest.raises(NotPossibleNow, match="LAR is in mode stopped already"):
        services.set_mode(actor=chi, system=lar, mode="stopped", reason=WHY)


def test_the_database_takes_no_auto_that_nobody_switched_on(lar: System, chi: User) -> None:
    version = world.champion(lar)
    row = {"system": lar, "number": 1, "mode": "auto", "reason": "x", "by_name": "x", "at": timezone.now()}
    for who in ({"by": None, "version": version}, {"by": chi, "version": None}):
        with pytest.raises(IntegrityError), transaction.atomic():
            SystemMode.objects.create(**row, **who)


@pytest.mark.parametrize("name", ["ada", "ben", "dee"])
def test_it_is_for_coordinators(lar: System, name: str, request: pytest.FixtureRequest) -> None:
    world.champion(lar)
    for mode in ("auto", "stopped"):
        with pytest.raises(NotAllowed, match="needs the role coordinator"):
            services.set_mode(actor=request.getfixturevalue(name), system=lar, mode=mode, reason=WHY)
    assert models_of_system(lar).mode == Mode.ASSIST
