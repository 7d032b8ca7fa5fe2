"""Where a defect has been seen: over runs, on how much luminosity, from week to week."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from certifier.accounts.models import User
from certifier.defects import services as defects
from certifier.defects.as_of import as_of
from certifier.defects.sightings import Asked, Sighting, _weeks, sightings
from certifier.lumi import LumiSet, RunSelection
from certifier.runs.models import Run
from tests.goodruns import world
from tests.web.experiment import words

pytestmark = pytest.mark.django_db
Page = Callable[[User | None], Client]
START = datetime(2018, 5, 14, 20, tzinfo=UTC)  # a Monday


@pytest.fixture(autouse=True)
def taken() -> None:
    world.make_defects()
    for place, number in enumerate((1, 2, 3)):
        world.make_run(number, 10, recorded=[1000.0] * 10)
        Run.objects.filter(number=number).update(started_at=START + timedelta(days=5 * place))


def seen(name: str, tag: str = "", runs: str = "") -> Any:
    moment = as_of(tag)
    return sightings(moment.logic().definitions[name], moment, RunSelection.parse(runs))


def test_it_tells_runs_lumisections_and_luminosity() -> None:
    world.record(1, "LAR_NOISEBURST", "1-4", recoverable=True)
    world.record(1, "LAR_NOISEBURST", "4", present=False)
    world.record(3, "LAR_NOISEBURST", "9")
    found = seen("LAR_NOISEBURST")
    assert [(each.run, str(each.present), each.touched_inv_nb, each.share) for each in found.found] == [
        (3, "9", pytest.approx(1000.0), pytest.approx(0.1)),
        (1, "1-3", pytest.approx(3000.0), pytest.approx(0.3)),
    ]
    assert (found.lumisections, found.recoverable, found.looked_at) == (4, 3, 3)
    assert [(week.monday, week.runs, week.seen, week.touched_inv_nb) for week in found.weeks] == [
        (date(2018, 5, 14), 2, 1, pytest.approx(3000.0)),
        (date(2018, 5, 21), 1, 1, pytest.approx(1000.0)),
    ]


def test_a_virtual_defect_is_seen_where_its_expression_holds() -> None:
    world.record(1, "LAR_HVTRIP", "1-2")
    world.record(2, "PIXEL_DISABLED", "5")
    found = seen("PHYS_ALL_GOOD")
    assert [(each.run, str(each.present)) for each in found.found] == [(2, "5"), (1, "1-2")]


def test_a_negation_is_seen_where_nothing_was_entered() -> None:
    defects.define_defect(actor=None, name="NO_TRIP", system="LAR", expression="not LAR_HVTRIP")
    world.record(1, "LAR_HVTRIP", "1-9")
    found = seen("NO_TRIP")
    assert [(each.run, str(each.present)) for each in found.found] == [(3, "1-10"), (2, "1-10"), (1, "10")]


def test_it_keeps_to_the_tag_and_to_the_runs_that_are_asked() -> None:
    world.record(1, "LAR_NOISEBURST", "1")
    defects.create_tag(actor=None, name="then", runs="1-2")
    world.record(2, "LAR_NOISEBURST", "1")
    assert [each.run for each in seen("LAR_NOISEBURST", "then").found] == [1]
    assert seen("LAR_NOISEBURST", "then").looked_at == 2
    assert [each.run for each in seen("LAR_NOISEBURST", runs="2-3").found] == [2]


@given(st.lists(st.tuples(st.integers(0, 60), st.booleans(), st.floats(0, 10)), max_size=12))
def test_weeks_hold_every_run_once(drawn: list[tuple[int, bool, float]]) -> None:
    asked = [Asked(n, 5, START + timedelta(days=days), amount) for n, (days, _, amount) in enumerate(drawn)]
    found = [
        Sighting(n, n, 5, None, LumiSet.parse("1"), LumiSet(), amount / 2, amount)
        for n, (_, hit, amount) in enumerate(drawn)
        if hit
    ]
    weeks = _weeks(asked, found)
    assert sum(week.runs for week in weeks) == len(drawn)
    assert sum(week.seen for week in weeks) == len(found)
    assert sum(week.recorded_inv_nb for week in weeks) == pytest.approx(sum(amount for _, _, amount in drawn))
    assert all(later.monday - week.monday == timedelta(7) for week, later in pairwise(weeks))


def test_its_page_says_where_and_offers_the_way_on(page: Page, ben: User) -> None:
    world.record(1, "LAR_NOISEBURST", "1-4")
    client = page(ben)
    answer = client.get("/defects/seen/?defect=lar_noiseburst")
    text = words(answer.content.decode())
    assert "seen in 1 of 3 runs lumisections 4 luminosity touched 4.00 /pb" in text
    assert "2018-05-14 1 of 2 4 4.00 /pb 20.0%" in text
    assert 'data-plot="weeks-plot"' in answer.content.decode()
    assert "/runs/1/history/?ls=1-4" in answer.content.decode()
    assert "Name a defect." in words(client.get("/defects/seen/").content.decode())
    assert "It is present in none of these runs." in words(
        client.get("/defects/seen/?defect=EMBA&runs=2").content.decode()
    )
    wrong = client.get("/defects/seen/?defect=LAR_NOISE&runs=9-1")
    assert wrong.status_code == 400
    assert "There is no defect “LAR_NOISE”." in words(wrong.content.decode())


def test_its_page_is_for_who_may_read(page: Page, dee: User) -> None:
    assert page(dee).get("/defects/seen/").status_code == 403


def test_its_page_asks_little_of_the_database(page: Page, ben: User, django_assert_max_num_queries: Any) -> None:
    world.record(1, "LAR_NOISEBURST", "1-4")
    client = page(ben)
    client.get("/defects/seen/?defect=LAR_NOISEBURST")
    with django_assert_max_num_queries(12):
        client.get("/defects/seen/?defect=LAR_NOISEBURST")
