"""What a shift leaves to the next one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.demo.clock import standing_at
from certifier.review.models import ShiftNote
from certifier.review.services import sign_off
from certifier.review.shift_notes import NoteRefused, write_note
from certifier.runs.models import Run
from tests import cast
from tests.web import experiment
from tests.web.experiment import RUN, words

Page = Callable[[User | None], Client]
AT = "/reports/shift/?until=2018-05-15T02:00&hours=8"


@pytest.fixture
def ben_page(systems: object, ben: User, page: Page) -> Client:
    experiment.define()
    experiment.take()
    return page(ben)


def test_it_shows_the_runs_of_the_hours_before(ben_page: Client) -> None:
    assert f'href="/runs/{RUN}/"' in ben_page.get(AT).content.decode().partition("Runs of this shift")[2]
    text = words(ben_page.get("/reports/shift/?until=2018-06-01T02:00").content.decode())
    assert "No run was taken." in text
    assert "from, UTC 2018-05-31 18:00" in text


def test_it_shows_what_was_recorded_and_signed_lately_and_what_is_open(ben_page: Client, ben: User) -> None:
    experiment.record("LAR_DATACORRUPT", "3-5", actor=ben, comment="see <elog>")
    experiment.sign("LAR")
    html = ben_page.get("/reports/shift/").content.decode()
    text = words(html)
    assert "see <elog>" in text
    assert "see &lt;elog&gt;" in html
    assert "LAR express signed by system" in text
    assert f"{RUN} GLOBAL, PIXEL, SCT" in text.partition("Express, not signed")[2].replace("going on ", "")


def test_a_note_is_kept_for_the_next_shift(ben_page: Client) -> None:
    answer = ben_page.post("/reports/shift/", {"text": "HV of half barrel A is off.\nCall Ada."}, follow=True)
    text = words(answer.content.decode())
    assert "Your note is kept for the next shift." in text
    assert "HV of half barrel A is off. Call Ada. ben," in text
    assert ben_page.post("/reports/shift/", {"text": "  "}).status_code == 400
    assert ShiftNote.objects.count() == 1


def test_only_who_works_on_shifts_writes_notes(page: Page, dee: User) -> None:
    viewer = cast.make_user("vic", "viewer")
    for actor in (dee, viewer):
        with pytest.raises(NotAllowed, match="needs the role shifter"):
            write_note(actor=actor, text="x")
    assert page(dee).get("/reports/shift/").status_code == 403
    client = page(viewer)
    assert "needs the role shifter" in words(client.get("/reports/shift/").content.decode())
    assert client.post("/reports/shift/", {"text": "x"}).status_code == 403
    assert not ShiftNote.objects.exists()


def test_a_note_is_neither_empty_nor_a_book(ben: User) -> None:
    for text in ("", " \n", "x" * 4001):
        with pytest.raises(NoteRefused):
            write_note(actor=ben, text=text)


def test_it_asks_little_of_the_database(ben_page: Client, django_assert_max_num_queries: Any) -> None:
    ben_page.get(AT)
    with django_assert_max_num_queries(12):
        ben_page.get(AT)


def test_it_tells_the_notes_of_then_and_the_last_ones_where_there_is_no_newer(ben_page: Client, ben: User) -> None:
    for day in (12, 14, 16):
        with standing_at(datetime(2018, 5, day, 22, tzinfo=UTC)):
            write_note(actor=ben, text=f"Said on the {day}th.")
    then = words(ben_page.get(AT).content.decode())
    assert "Said on the 14th." in then
    assert "Said on the 12th." not in then
    assert "Said on the 16th." not in then
    now = words(ben_page.get("/reports/shift/").content.decode())
    assert "none of the last day; these are the last ones" in now
    assert now.index("Said on the 16th.") < now.index("Said on the 12th.")


def test_it_leads_back_to_the_last_shift_on_which_something_was_signed(ben_page: Client, lar: System) -> None:
    row = Run.objects.get(number=RUN)
    sign_off(actor=None, run=row, system=lar, stage="express", at=datetime(2018, 5, 15, 3, 20, 30, tzinfo=UTC))
    html = ben_page.get("/reports/shift/?until=2018-06-01T02:00&hours=12").content.decode()
    assert "?until=2018-05-15T03:21&amp;hours=12" in html
    assert "?until=2018-05-31T14:00&amp;hours=12" in html
    there = words(ben_page.get("/reports/shift/?until=2018-05-15T03:21&hours=12").content.decode())
    assert "LAR express signed by system" in there
    assert "Something was signed last" not in there
