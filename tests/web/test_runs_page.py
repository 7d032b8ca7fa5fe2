"""The list of runs: its filters stand in the address, and its derived numbers say how old they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from certifier.accounts.models import SavedFilter, User
from certifier.audit.models import AuditEvent
from certifier.goodruns.models import SummaryWatermark
from certifier.runs import services as runs
from certifier.runs.models import ChangeCounter
from tests.web import experiment
from tests.web.experiment import AFTER, BEFORE, RUN, words

Page = Callable[[User | None], Client]


@pytest.fixture
def ben_page(systems: object, ben: User, page: Page) -> Client:
    experiment.define()
    for number, period in ((BEFORE, "K"), (RUN, "L"), (AFTER, "L")):
        experiment.take(number, period=period, fill=6600 + number % 10)
    return page(ben)


def shown(client: Client, query: str = "") -> list[int]:
    """The run numbers in the order of the list."""
    response = client.get(f"/runs/{query}")
    assert response.status_code == 200
    return [int(number) for number in re.findall(r'class="run-number" href="/runs/(\d+)/"', response.content.decode())]


def test_it_lists_the_newest_first(ben_page: Client) -> None:
    assert shown(ben_page) == [AFTER, RUN, BEFORE]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?runs=350000-350500", [RUN, BEFORE]),
        ("?runs=350479+350531", [AFTER, RUN]),
        ("?period=K", [BEFORE]),
        ("?project=data18_13TeV&beam=pp", [AFTER, RUN, BEFORE]),
        ("?fill=6609", [RUN]),
        ("?fill=0", []),
        ("?period=L&runs=350531", [AFTER]),
    ],
)
def test_it_filters_by_what_a_run_is(ben_page: Client, query: str, found: list[int]) -> None:
    assert shown(ben_page, query) == found


def test_it_finds_what_a_system_has_not_signed(ben_page: Client) -> None:
    experiment.sign("LAR")
    experiment.sign("LAR", run=BEFORE)
    experiment.sign("LAR", run=BEFORE, stage="bulk")
    assert shown(ben_page, "?unsigned=LAR") == [AFTER]
    assert shown(ben_page, "?unsigned=PIXEL") == [AFTER, RUN, BEFORE]
    experiment.reopen("LAR", "Look again.", run=BEFORE, stage="bulk")
    assert shown(ben_page, "?unsigned=LAR") == [AFTER, BEFORE]


def test_it_finds_where_a_defect_is_present_now(ben_page: Client) -> None:
    experiment.record("LAR_NOISEBURST", "3-5")
    experiment.record("LAR_NOISEBURST", "3", run=AFTER)
    experiment.record("LAR_NOISEBURST", "3", run=AFTER, present=False)
    assert shown(ben_page, "?defect=lar_noiseburst") == [RUN]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?runs=9-3", "9-3"),
        ("?runs=hello", "hello"),
        ("?fill=x", "Enter a whole number."),
        ("?fill=99999999999999999999", "less than or equal to"),
        ("?period=Z", "Z is not one of the available choices."),
        ("?unsigned=NOBODY", "Select a valid choice."),
        ("?defect=LAR_NOISE", "There is no defect “LAR_NOISE”."),
        ("?defect=EMBA", "EMBA is virtual; runs can be sought by primary defects only."),
        ("?runs=" + "+".join(str(number) for number in range(1, 500, 2)), "At most 200 runs or ranges"),
    ],
)
def test_it_says_at_the_field_what_makes_no_sense(ben_page: Client, query: str, said: str) -> None:
    response = ben_page.get(f"/runs/{query}")
    assert response.status_code == 200
    text = response.content.decode()
    assert "field-error" in text
    assert said in words(text)
    assert shown(ben_page, query) == []


def test_it_shows_what_was_derived_and_how_old_it_is(ben_page: Client) -> None:
    run = experiment.take()
    long_ago = timezone.now() - timedelta(minutes=7)
    experiment.summarise(
        run,
        good_inv_nb=950.0,
        signed_systems=2,
        open_systems=0,
        defect_count=5,
        intolerable_count=2,
        refreshed_at=long_ago,
    )
    SummaryWatermark.objects.create(pk=1, sequence=ChangeCounter.objects.get(pk=1).value - 4)
    text = words(ben_page.get("/runs/?runs=350479").content.decode())
    assert "1.00 /pb 950 /nb 95.0% ● 2 of 2 2 of 5" in text.replace("certified 95.0% lost 5.0% ", "")
    assert "as of 7 min ago , 4 changes behind" in text
    text = words(ben_page.get("/runs/").content.decode())
    assert "2 runs not summed up yet" in text
    assert "3 runs 300 LS · 1.00 /pb recorded · 950 /nb certified" in text


def test_it_does_not_call_unsigned_luminosity_lost(ben_page: Client) -> None:
    experiment.summarise(experiment.take(), signed_systems=1, open_systems=1)
    shown = ben_page.get("/runs/?runs=350479").content.decode()
    assert "not signed yet 100.0%" in shown
    assert "lost 100.0%" not in shown


def test_it_pages_and_keeps_the_filters(ben_page: Client) -> None:
    runs.put_runs(actor=None, runs=[{"run": number, "period": "M"} for number in range(1, 121)])
    assert shown(ben_page, "?period=M")[0] == 120
    assert shown(ben_page, "?period=M&page=3") == list(range(20, 0, -1))
    assert shown(ben_page, "?period=M&page=99") == list(range(20, 0, -1))
    text = ben_page.get("/runs/?period=M&page=2").content.decode()
    assert "51–100 of 120 runs" in words(text)
    assert 'href="?period=M&amp;page=3"' in text
    alone = ben_page.get("/runs/?period=M&page=2", headers={"HX-Request": "true", "HX-Target": "runs"})
    assert b"<html" not in alone.content
    assert b"51\xe2\x80\x93100 of 120 runs" in alone.content


def test_it_offers_to_clear_filters_that_find_nothing(ben_page: Client) -> None:
    text = words(ben_page.get("/runs/?fill=1").content.decode())
    assert "No run matches these filters." in text
    assert "Clear the filters" in text


def test_it_says_how_to_begin(page: Page, ben: User) -> None:
    text = words(page(ben).get("/runs/").content.decode())
    assert "No run is known yet." in text
    assert "manage.py import_runs" in text
    assert "manage.py import_defects" in text


def test_it_is_not_for_outsiders(page: Page, dee: User) -> None:
    assert page(dee).get("/runs/").status_code == 403
    assert page(None).get("/runs/?period=K").headers["Location"] == "/account/sign-in/?next=/runs/%3Fperiod%3DK"


def test_it_finds_what_lost_more_than_an_amount(ben_page: Client) -> None:
    experiment.summarise(experiment.take(BEFORE), good_inv_nb=400.0, open_systems=0)
    experiment.summarise(experiment.take(RUN), good_inv_nb=990.0, open_systems=0)
    # Nothing of it is certified because nobody has signed: that is not lost.
    experiment.summarise(experiment.take(AFTER), good_inv_nb=None, open_systems=2)
    assert shown(ben_page, "?lost=0.5") == [BEFORE]
    assert shown(ben_page, "?lost=0.005") == [RUN, BEFORE]


def test_it_finds_what_is_unsigned_for_long(ben_page: Client) -> None:
    experiment.summarise(experiment.take(BEFORE), open_systems=0)
    experiment.summarise(experiment.take(RUN), open_systems=1)
    now = timezone.now().isoformat()
    experiment.take(AFTER, started_at=now, ended_at=None)
    assert shown(ben_page, "?older=7") == [RUN]


def test_mine_is_what_a_person_can_move_on(ben_page: Client, page: Page, ada: User, chi: User) -> None:
    experiment.sign("LAR", "PIXEL", "SCT", "TILE", "TRIG_L1", "GLOBAL", run=BEFORE)
    for stage in ("express", "bulk", "final"):
        experiment.sign("LAR", run=RUN, stage=stage)
    # Ben, a shifter, signs express; Ada, expert of LAR, every stage of it.
    assert shown(ben_page, "?mine=on") == [AFTER, RUN]
    assert shown(page(ada), "?mine=on") == [AFTER, BEFORE]
    experiment.reopen("LAR", "Look again.", run=RUN, stage="final")
    assert shown(page(ada), "?mine=on") == [AFTER, RUN, BEFORE]
    experiment.summarise(experiment.take(BEFORE), open_systems=0)
    assert shown(page(chi), "?mine=on") == [AFTER, RUN]


def test_filters_are_saved_by_name_and_forgotten(ben_page: Client) -> None:
    body = {"page": "web:runs", "query": "period=L&page=3&fill=", "name": "my L"}
    answer = ben_page.post("/account/filters/", body, follow=True)
    assert answer.redirect_chain == [("/runs/?period=L", 302)]
    text = answer.content.decode()
    assert "“my L” is saved among your filters." in words(text)
    assert 'aria-current="true" href="/runs/?period=L">my L</a>' in text
    key = SavedFilter.objects.get().pk
    assert AuditEvent.objects.filter(code="accounts.save_filter", actor_name="ben").exists()
    assert "“my L” is forgotten." in words(
        ben_page.post(f"/account/filters/{key}/forget/", follow=True).content.decode()
    )
    assert not SavedFilter.objects.exists()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"name": " "}, "Give the filter a name"),
        ({"query": "page=2"}, "Nothing is filtered here"),
        ({"query": "runs=" + "1" * 2000}, "longer than 1000 characters"),
        ({"page": "https://elsewhere"}, "cannot be saved"),
    ],
)
def test_it_says_why_a_filter_cannot_be_saved(ben_page: Client, body: dict[str, str], said: str) -> None:
    given = {"page": "web:runs", "query": "period=L", "name": "mine"} | body
    assert said in words(ben_page.post("/account/filters/", given, follow=True).content.decode())
    assert not SavedFilter.objects.exists()


def test_nobody_saves_without_a_role_or_forgets_what_is_not_theirs(
    ben_page: Client, page: Page, dee: User, ada: User
) -> None:
    body = {"page": "web:runs", "query": "period=L", "name": "mine"}
    assert page(dee).post("/account/filters/", body).status_code == 403
    ben_page.post("/account/filters/", body)
    key = SavedFilter.objects.get().pk
    assert page(ada).post(f"/account/filters/{key}/forget/").status_code == 404
    assert SavedFilter.objects.exists()


def test_it_asks_little_of_the_database(ben_page: Client, django_assert_max_num_queries: Any) -> None:
    ben_page.get("/runs/")
    with django_assert_max_num_queries(12):
        ben_page.get("/runs/?older=7&lost=1&mine=on&period=L")
