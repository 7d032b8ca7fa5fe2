"""What is of one topic is one notice as long as it is unread; what came after it was read begins another."""

from __future__ import annotations

import pytest

from certifier.accounts.models import System, User
from certifier.notices import services
from certifier.notices.models import Notice
from tests.notices import world

pytestmark = pytest.mark.django_db


def test_findings_of_a_system_are_counted_together(lar: System, pixel: System, ada: User) -> None:
    from certifier.accounts.services import grant_role

    grant_role(actor=None, user=ada, role="expert", system=pixel)
    for number, count in enumerate((5, 4, 3)):
        world.new_findings(lar, 350479 + number, count)
        world.told()
    world.new_findings(pixel, 350490, 1)
    world.told()
    assert world.titles(ada) == ["12 new findings of LAR", "1 new finding of PIXEL"]
    notice = Notice.objects.get(system=lar)
    assert notice.event.data["run"] == 350481
    assert notice.since < notice.at


def test_what_comes_after_reading_begins_anew(lar: System, ada: User) -> None:
    world.new_findings(lar, 350479, 5)
    world.told()
    assert services.mark_read(actor=ada) == 1
    world.new_findings(lar, 350480, 2)
    world.told()
    assert world.titles(ada) == ["2 new findings of LAR"]
    assert Notice.objects.of(ada).count() == 2


def test_reading_does_not_swallow_what_joined_meanwhile(lar: System, ada: User) -> None:
    world.new_findings(lar, 350479, 5)
    world.told()
    seen = Notice.objects.get()
    world.new_findings(lar, 350480, 2)
    world.told()
    assert services.mark_read(actor=ada, ids=[seen.pk], up_to=seen.event_id) == 0
    assert services.mark_read(actor=ada, up_to=seen.event_id) == 0
    assert world.titles(ada) == ["7 new findings of LAR"]


def test_each_expert_reads_for_oneself(lar: System, ada: User, eve: User) -> None:
    world.new_findings(lar, 350479, 5)
    world.told()
    services.mark_read(actor=ada)
    world.new_findings(lar, 350480, 2)
    world.told()
    assert world.titles(ada) == ["2 new findings of LAR"]
    assert world.titles(eve) == ["7 new findings of LAR"]


def test_failed_jobs_of_a_kind_join_and_lists_do_not(ada: User, chi: User, ova: User) -> None:
    for number in range(3):
        world.failed_job(actor=ada, key=f"work {number}")
        world.publish_list(ova, f"list {number}")
    world.told()
    assert world.titles(ada) == ["3 jobs tests.fail of yours failed"]
    lists = [f"The list list {number} was published by ova" for number in range(3)]
    assert world.titles(chi) == [*lists, "3 jobs tests.fail failed"]
