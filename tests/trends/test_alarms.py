"""A watched trend raises an alarm for a run that ended outside its band: once, and for new runs only."""

from __future__ import annotations

import pytest

from certifier.accounts.models import System, User
from certifier.defects import services as defects
from certifier.runs import services as runs
from certifier.runs.models import Change
from certifier.trends import services
from certifier.trends.drawing import Asked
from certifier.trends.models import Alarm, Trend
from certifier.trends.services import Kept
from tests.trends.conftest import COUNT, FIRST, add_run

pytestmark = pytest.mark.django_db
NEXT = FIRST + COUNT
EFFICIENCY = Asked("recorded / delivered : run")


def watch(actor: User, asked: Asked = EFFICIENCY) -> Trend:
    return services.save(actor=actor, asked=asked, kept=Kept("efficiency", is_watched=True))


def test_a_run_that_leaves_the_band_alarms_once(season: System, ben: User) -> None:
    trend = watch(ben)
    assert services.look() == 0
    add_run(NEXT)
    add_run(NEXT + 1, 0.6)
    assert services.look() == 1
    assert services.look() == 0
    alarm = Alarm.objects.get()
    assert (alarm.trend, alarm.run.number) == (trend, NEXT + 1)
    assert alarm.value < alarm.low < 0.9 < alarm.high
    assert Change.objects.get(kind="trends.alarm").run == NEXT + 1


def test_what_was_before_it_was_watched_does_not_alarm(season: System, ben: User) -> None:
    add_run(NEXT, 0.6)
    watch(ben)
    add_run(NEXT + 1)
    assert services.look() == 0


def test_a_run_that_goes_on_waits_until_it_ended(season: System, ben: User) -> None:
    watch(ben)
    add_run(NEXT, 0.6, ended=False)
    assert services.look() == 0
    runs.put_run(actor=None, run=NEXT, facts={"ended_at": "2019-01-01T00:00:00Z"})
    assert services.look() == 1


def test_nothing_is_looked_at_again_until_something_changed(
    season: System, ben: User, django_assert_max_num_queries: object
) -> None:
    watch(ben)
    services.look()
    with django_assert_max_num_queries(2):  # type: ignore[operator]
        services.look()


def test_one_that_cannot_be_drawn_any_more_is_given_up_and_stops_no_other(season: System, ben: User) -> None:
    broken = services.save(actor=ben, asked=Asked("defect.LAR_NOISEBURST : run"), kept=Kept("bursts", is_watched=True))
    defects.change_defect(actor=None, defect="LAR_NOISEBURST", name="LAR_BURST")
    watch(ben)
    add_run(NEXT, 0.6)
    assert services.look() == 1
    broken.refresh_from_db()
    assert not broken.is_watched
    assert "no defect “LAR_NOISEBURST”" in Change.objects.get(kind="trends.given_up").data["reason"]
