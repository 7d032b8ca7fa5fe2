"""People choose what they are told, and where. What they leave as it is follows their roles."""

from __future__ import annotations

import pytest

from certifier.accounts import services as accounts
from certifier.accounts.models import System, User
from certifier.audit.models import AuditEvent
from certifier.notices import services
from certifier.notices.errors import PreferenceRefused
from certifier.notices.models import Delivery, Notice, Preference
from tests import cast
from tests.notices import world

pytestmark = pytest.mark.django_db


def choose(person: User, **wanted: bool) -> None:
    """`choose(ada, items_page=False)`"""
    cells = {
        (kind.replace("__", "-"), channel): want
        for name, want in wanted.items()
        for kind, channel in [name.rsplit("_", 1)]
    }
    services.set_preferences(actor=person, wanted=cells)


def test_the_application_can_be_switched_off_for_a_kind(lar: System, ada: User) -> None:
    choose(ada, items_page=False)
    world.new_findings(lar, 350479)
    world.stop_automation(lar)
    world.told()
    assert [notice.kind for notice in Notice.objects.of(ada)] == ["stopped"]


def test_mail_can_be_switched_on_and_off_for_a_kind(lar: System, ada: User) -> None:
    User.objects.update(email="ada@example.org")
    ada.refresh_from_db()
    choose(ada, items_mail=True, stopped_mail=False)
    world.new_findings(lar, 350479, 2)
    world.stop_automation(lar)
    world.told()
    (delivery,) = Delivery.objects.all()
    assert [line["topic"] for line in delivery.content["lines"]] == ["items:LAR"]


def test_who_is_expert_of_none_may_ask_for_all_systems(lar: System, ben: User, chi: User) -> None:
    choose(chi, items_page=True)
    choose(ben, list_page=True)
    world.new_findings(lar, 350479, 2)
    world.publish_list(chi)
    world.told()
    assert world.titles(chi) == ["2 new findings of LAR"]
    assert world.titles(ben) == ["The list pro22 was published by chi"]


def test_an_expert_hears_of_the_own_systems_only(lar: System, pixel: System, ada: User) -> None:
    choose(ada, training_page=True)
    from certifier.training.models import Outcome

    world.training_ended(pixel, Outcome.PROMOTED)
    world.training_ended(lar, Outcome.SHADOW)
    world.stop_automation(pixel)
    world.new_findings(pixel, 350479)
    world.told()
    assert world.titles(ada) == ["Training 1 of LAR: kept in shadow"]


def test_a_coordinator_who_is_expert_too_hears_of_every_stop_and_of_own_findings(lar: System, pixel: System) -> None:
    both = cast.make_expert("bo", lar)
    accounts.grant_role(actor=None, user=both, role="coordinator")
    world.stop_automation(pixel)
    world.new_findings(pixel, 350479)
    world.new_findings(lar, 350480)
    world.told()
    assert world.titles(both) == [
        "Automation of PIXEL stopped, by the installation itself",
        "1 new finding of LAR",
    ]


def test_own_jobs_can_be_switched_off(ada: User, chi: User) -> None:
    choose(ada, my__job_page=False)
    choose(chi, my__job_page=False)
    world.failed_job(actor=ada, key="of ada")
    world.failed_job(actor=chi, key="of chi")
    world.told()
    assert world.titles(ada) == []
    assert world.titles(chi) == ["2 jobs tests.fail failed"], "a coordinator hears of failures, whoever asked"


def test_what_is_as_the_roles_say_is_no_choice(lar: System, ada: User) -> None:
    choose(ada, items_page=False, stopped_page=True)
    assert Preference.objects.count() == 1
    choose(ada, items_page=True)
    assert not Preference.objects.exists()
    events = AuditEvent.objects.filter(code="notices.set_preferences").order_by("pk")
    assert [event.data for event in events] == [{"items page": False}, {"items page": True}]
    choose(ada, items_page=True)
    assert events.count() == 2


@pytest.mark.parametrize("cell", [("nothing", "page"), ("items", "pigeon")])
def test_there_is_no_other_kind_or_channel(ada: User, cell: tuple[str, str]) -> None:
    with pytest.raises(PreferenceRefused):
        services.set_preferences(actor=ada, wanted={cell: True})
