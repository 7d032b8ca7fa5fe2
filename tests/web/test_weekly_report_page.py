"""The weekly report: what was taken, signed, certified and lost in a week, what is open, what was new."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from certifier.accounts.models import User
from certifier.web.weekly_report import Week
from tests.web import experiment
from tests.web.experiment import AFTER, BEFORE, RUN, words

Page = Callable[[User | None], Client]


@pytest.fixture
def ben_page(systems: object, ben: User, page: Page) -> Client:
    """RUN and AFTER in week 20 of 2018, BEFORE in week 19."""
    experiment.define()
    experiment.take(BEFORE, started_at="2018-05-10T20:00:00Z", ended_at="2018-05-10T22:00:00Z")
    experiment.take(RUN)
    experiment.take(AFTER)
    experiment.record("LAR_DATACORRUPT", "1-10", recoverable=True)
    experiment.record("LAR_DATACORRUPT", "1-50", run=BEFORE)
    experiment.summarise(experiment.take(RUN), good_inv_nb=900.0, open_systems=0, signed_systems=2)
    experiment.summarise(experiment.take(AFTER), open_systems=2)
    return page(ben)


def test_it_is_of_the_week_of_the_newest_run(ben_page: Client) -> None:
    text = words(ben_page.get("/reports/weekly/").content.decode())
    assert "Data quality, week 2018-W20" in text
    assert "from 2018-05-14 to 2018-05-20 runs taken 2 recorded 2.00 /pb certified 900 /nb" in text
    assert "waits for signatures 1.00 /pb" in text
    assert "lost to defects 100 /nb" in text
    assert "LAR 10 100 /nb 100 /nb" in text


def test_other_weeks_are_asked_for_by_name(ben_page: Client) -> None:
    html = ben_page.get("/reports/weekly/?week=2018-W19").content.decode()
    assert f'href="/runs/{BEFORE}/"' in html
    assert f'href="/runs/{RUN}/"' not in html
    assert "?week=2018-W18" in html
    assert "?week=2018-W20" in html
    assert "No run was taken in this week." in words(ben_page.get("/reports/weekly/?week=2017-W01").content.decode())
    wrong = ben_page.get("/reports/weekly/?week=2018-W99")
    assert wrong.status_code == 400
    assert "That is no week" in words(wrong.content.decode())


def test_it_names_older_runs_that_are_open_and_what_is_new(ben_page: Client) -> None:
    text = words(ben_page.get("/reports/weekly/").content.decode())
    assert f"{BEFORE} 2018-05-10 20:00" in text.partition("Older runs still open")[2]
    now = Week.at(datetime.now(UTC)).name
    new = words(ben_page.get(f"/reports/weekly/?week={now}").content.decode()).partition("New defects")[2]
    assert "LAR_DATACORRUPT recorded for the first time 2 runs" in new
    assert "PHYS_ALL_GOOD defined, PIXEL, virtual" in new
    assert "LAR 2 1 2 1" in new


def test_it_counts_what_was_signed(ben_page: Client) -> None:
    experiment.sign("LAR", "PIXEL")
    experiment.sign("LAR", stage="bulk")
    experiment.reopen("LAR", "Again.", stage="bulk")
    now = Week.at(datetime.now(UTC)).name
    text = words(ben_page.get(f"/reports/weekly/?week={now}").content.decode())
    assert "LAR 1 1 – 1 1" in text
    assert "PIXEL 1 – – – 1" in text


def test_it_is_for_who_may_read(page: Page, dee: User) -> None:
    assert page(dee).get("/reports/weekly/").status_code == 403


def test_it_says_when_there_is_nothing(page: Page, ben: User) -> None:
    assert "No run was taken in this week." in words(page(ben).get("/reports/weekly/").content.decode())


def test_more_runs_do_not_need_more_queries(ben_page: Client, django_assert_max_num_queries: Any) -> None:
    for number in range(RUN + 100, RUN + 120):
        experiment.take(number)
    ben_page.get("/reports/weekly/")
    with django_assert_max_num_queries(12):
        ben_page.get("/reports/weekly/")


@pytest.mark.parametrize(
    ("text", "monday"),
    [("2018-W01", "2018-01-01"), ("2020-W53", "2020-12-28"), ("2018-W53", ""), ("2018-20", ""), ("", "")],
)
def test_weeks_are_those_of_the_calendar(text: str, monday: str) -> None:
    week = Week.of(text)
    assert (week.monday.isoformat() if week else "") == monday
    assert week is None or (week.name == text and week.before.after == week)
