"""What a shift leaves to the next one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from certifier.accounts.models import User
from certifier.accounts.permissions import NotAllowed
from certifier.review.models import ShiftNote
from certifier.review.shift_notes import NoteRefused, write_note
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
