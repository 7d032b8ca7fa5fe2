"""Who said what when about any lumisections of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from certifier.accounts.models import User
from tests.web import experiment
from tests.web.experiment import RUN, words

Page = Callable[[User | None], Client]


@pytest.fixture
def ben_page(systems: object, ben: User, page: Page) -> Client:
    experiment.define()
    experiment.take()
    experiment.record("LAR_DATACORRUPT", "10-20", actor=ben, comment="first word")
    experiment.record("LAR_DATACORRUPT", "15", actor=ben, present=False, comment="<b>second</b>")
    experiment.record("PIXEL_STANDBY", "40-60", comment="elsewhere")
    experiment.sign("LAR")
    return page(ben)


def test_it_tells_all_that_was_said_of_a_range_the_latest_first(ben_page: Client) -> None:
    text = words(ben_page.get(f"/runs/{RUN}/history/?ls=14-16").content.decode())
    assert "elsewhere" not in text
    signed, second, first = (text.index(word) for word in ("signed express", "<b>second</b>", "first word"))
    assert signed < second < first
    assert "14-16 first word" in text
    assert "LAR_DATACORRUPT absent 15 <b>second</b>" in text


def test_it_tells_all_of_the_run_when_no_range_is_asked_for(ben_page: Client) -> None:
    text = words(ben_page.get(f"/runs/{RUN}/history/").content.decode())
    assert "elsewhere" in text
    assert "first word" in text


def test_it_narrows_to_a_system(ben_page: Client) -> None:
    text = words(ben_page.get(f"/runs/{RUN}/history/?system=PIXEL").content.decode())
    assert "elsewhere" in text
    assert "first word" not in text


def test_it_says_what_is_no_range_and_what_was_never_spoken_of(ben_page: Client) -> None:
    wrong = ben_page.get(f"/runs/{RUN}/history/?ls=9-3")
    assert wrong.status_code == 400
    assert "These are no lumisections of the run." in words(wrong.content.decode())
    text = words(ben_page.get(f"/runs/{RUN}/history/?ls=90&system=PIXEL").content.decode())
    assert "Nothing was said of these." in text


def test_it_is_for_who_may_read(ben_page: Client, page: Page, dee: User) -> None:
    assert page(dee).get(f"/runs/{RUN}/history/").status_code == 403
    assert ben_page.get("/runs/1/history/").status_code == 404


def test_it_asks_little_of_the_database(ben_page: Client, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(12):
        ben_page.get(f"/runs/{RUN}/history/?ls=14-16")
