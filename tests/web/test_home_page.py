"""Home: what waits for whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from certifier.accounts.models import Role, User
from certifier.goodruns.models import GoodRunList, Origin
from certifier.runs import services as runs
from tests import cast
from tests.web import experiment
from tests.web.experiment import AFTER, BEFORE, RUN, words

Page = Callable[[User | None], Client]


@pytest.fixture
def three_runs(systems: object) -> None:
    experiment.define()
    for number in (BEFORE, RUN, AFTER):
        experiment.summarise(experiment.take(number, lumisections=100 if number != BEFORE else 50))


def home(client: Client) -> str:
    response = client.get("/")
    assert response.status_code == 200
    return words(response.content.decode())


@pytest.mark.usefixtures("three_runs")
def test_it_tells_an_expert_what_to_sign_next(page: Page, ada: User) -> None:
    experiment.sign("LAR", run=AFTER)
    experiment.sign("LAR", run=RUN)
    experiment.reopen("LAR", "Look at 11-15 again.", run=RUN)
    text = home(page(ada))
    assert "LAR Liquid-argon calorimeter 3 runs not signed" in text
    due = text.split("runs not signed")[1]
    assert (
        due.index("350479 ○ reopened · express") < due.index("350440 ○ sign express") < due.index("350531 ○ sign bulk")
    )


@pytest.mark.usefixtures("three_runs")
def test_it_counts_what_can_only_be_signed_at_the_end(page: Page, ada: User) -> None:
    for number in (BEFORE, RUN, AFTER):
        experiment.sign("LAR", run=number)
    for number in (BEFORE, RUN):
        experiment.sign("LAR", run=number, stage="bulk")
    runs.put_run(actor=None, run=AFTER, facts={"ended_at": None})
    text = home(page(ada))
    assert "Nothing is due. 2 runs can be signed final. 1 waits for the end of the run." in text


@pytest.mark.usefixtures("three_runs")
def test_it_tells_a_shifter_what_nobody_has_looked_at(page: Page, ben: User) -> None:
    experiment.sign("LAR", "PIXEL", "SCT", "TILE", "TRIG_L1", run=AFTER)
    text = home(page(ben))
    assert "350531 100 LS ○ not looked at GLOBAL".replace("not looked at", "unchecked") in text
    assert "350440 50 LS" in text


@pytest.mark.usefixtures("three_runs")
def test_it_tells_a_coordinator_what_keeps_runs_out_of_lists(page: Page, chi: User) -> None:
    experiment.sign("PIXEL", "SCT", "TILE", "TRIG_L1", "GLOBAL")
    text = home(page(chi))
    assert "Runs that lists have to leave out 3" in text
    blocking = text.split("most luminosity first")[1]
    assert "350479 1.00 /pb ○ unchecked LAR" in blocking
    assert "350440 500 /nb ○ unchecked all systems" in blocking
    assert blocking.index("350531") < blocking.index("350440")


@pytest.mark.usefixtures("three_runs")
def test_it_says_when_nothing_waits(page: Page, ben: User) -> None:
    for number in (BEFORE, RUN, AFTER):
        experiment.sign(*cast.SYSTEMS, run=number)
    assert "Nothing waits." in home(page(ben))


@pytest.mark.usefixtures("three_runs")
def test_it_tells_a_reader_that_others_act(page: Page) -> None:
    reader = cast.make_user("vic", Role.VIEWER)
    assert "You may read everything; nothing waits for your word." in home(page(reader))


@pytest.mark.usefixtures("three_runs")
def test_it_shows_the_latest_runs_and_the_luminosity(page: Page, ben: User) -> None:
    experiment.summarise(experiment.take(), good_inv_nb=900.0, signed_systems=2, open_systems=0)
    response = page(ben).get("/")
    text = words(response.content.decode())
    assert text.index("350531 6688") < text.index("350479 6688") < text.index("350440 6688")
    assert "L 3 2.50 /pb 900 /nb 36.0%" in text
    assert b'data-plot="over-time-plot"' in response.content
    assert b'<script id="over-time-plot" type="application/json">' in response.content


@pytest.mark.usefixtures("three_runs")
def test_it_names_the_latest_list(page: Page, ben: User) -> None:
    assert "None is published yet." in home(page(ben))
    GoodRunList.objects.create(
        name="All good of L",
        origin=Origin.IMPORTED,
        sha256="0" * 64,
        run_count=3,
        lumisection_count=240,
        recorded_inv_nb=2400.0,
    )
    assert "All good of L runs 3 lumisections 240 recorded 2.40 /pb imported by the installation" in home(page(ben))


@pytest.mark.usefixtures("three_runs")
def test_it_tells_what_happened_lately(page: Page, ben: User, ada: User) -> None:
    experiment.record("LAR_NOISEBURST", "3-5", actor=ada)
    text = home(page(ben))
    assert "Lately ada recorded 1 entry on run 350479: LAR_NOISEBURST" in text


def test_it_says_how_to_begin_where_nothing_is_there(page: Page, chi: User) -> None:
    text = home(page(chi))
    assert "No run is known yet." in text
    assert "manage.py import_runs" in text
    assert "manage.py import_defects" in text


def test_it_stands_before_any_summary_was_made(page: Page, chi: User, systems: object) -> None:
    experiment.take()
    text = home(page(chi))
    assert "No luminosity has been summed up yet." in text
    assert "1 run not summed up yet" in text


def test_it_is_not_for_outsiders(page: Page, dee: User) -> None:
    refused = page(dee).get("/")
    assert refused.status_code == 403
    assert "Ask an administrator to grant it." in words(refused.content.decode())
    assert page(None).get("/").headers["Location"] == "/account/sign-in/?next=/"


@pytest.mark.parametrize("who", ["ada", "ben", "chi"])
def test_it_asks_little_of_the_database(
    who: str, page: Page, request: pytest.FixtureRequest, django_assert_max_num_queries: Any
) -> None:
    client = page(request.getfixturevalue(who))
    request.getfixturevalue("three_runs")
    experiment.sign("LAR", run=AFTER)
    client.get("/")
    with django_assert_max_num_queries(12):
        assert client.get("/").status_code == 200
