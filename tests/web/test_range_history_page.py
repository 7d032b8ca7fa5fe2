"""Who said what when about any lumisections of a run."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from certifier.accounts import services
from certifier.accounts.models import User
from certifier.defects import services as defects
from certifier.defects.models import Entry
from certifier.defects.services import NewEntry
from tests.web import experiment
from tests.web.experiment import AFTER, RUN, words

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


def undo(client: Client, entry: Entry, **kept: str) -> Any:
    return client.post(f"/runs/{RUN}/record/undo/", {"entry": entry.pk, "history": "1", **kept}, follow=True)


def buttons(client: Client, query: str = "") -> list[int]:
    """The entries that can be taken back here, from the top."""
    html = client.get(f"/runs/{RUN}/history/{query}").content.decode()
    return [int(number) for number in re.findall(r'name="entry" value="(\d+)"', html)]


def test_an_entry_is_taken_back_where_it_is_the_last_word(ben_page: Client) -> None:
    first, second, elsewhere = Entry.objects.order_by("id")
    assert buttons(ben_page) == [elsewhere.pk, second.pk, first.pk]
    assert buttons(ben_page, "?ls=14-16&system=LAR") == [second.pk, first.pk]
    answer = undo(ben_page, first, ls="14-16", system="LAR")
    assert answer.redirect_chain == [(f"/runs/{RUN}/history/?ls=14-16&system=LAR", 302)]
    text = words(answer.content.decode())
    assert f"Entry {first.pk} is undone: what held before it is said again in 1 new entry." in text
    undone = Entry.objects.latest("id")
    assert (str(undone.lumisections), undone.present, undone.user) == ("10-14 16-20", False, "ben")
    # It holds nowhere any more; the one that stands above it, and the undoing itself, can be undone.
    assert buttons(ben_page, "?system=LAR") == [undone.pk, second.pk]
    assert "later entries have the last word" in text


def test_it_offers_to_take_back_what_one_may_record(page: Page, ben_page: Client, ada: User, dee: User) -> None:
    first, second, elsewhere = Entry.objects.order_by("id")
    assert buttons(page(ada)) == [second.pk, first.pk]
    assert undo(page(ada), elsewhere).status_code == 403
    services.grant_role(actor=None, user=dee, role="viewer")
    assert buttons(page(dee)) == []
    assert undo(page(dee), first).status_code == 403
    assert Entry.objects.count() == 3


def test_what_a_decision_wrote_is_taken_back_where_it_was_decided(ben_page: Client) -> None:
    entry = NewEntry(run=RUN, defect="LAR_NOISEBURST", lumisections="30-35")
    [decided] = defects.record_entries(actor=None, entries=[entry], source="review")
    assert len(buttons(ben_page)) == 3
    answer = undo(ben_page, decided)
    assert answer.status_code == 409
    assert "Undo the decision" in words(answer.content.decode())


def test_an_entry_of_another_run_or_twice_is_refused(ben_page: Client) -> None:
    experiment.take(AFTER)
    experiment.record("LAR_DATACORRUPT", "1-2", run=AFTER)
    other = Entry.objects.latest("id")
    assert undo(ben_page, other).status_code == 404
    first = Entry.objects.earliest("id")
    assert undo(ben_page, first).status_code == 200
    again = undo(ben_page, first)
    assert again.status_code == 409
    assert "holds nowhere any more" in words(again.content.decode())


def test_the_run_page_leads_to_what_was_said_of_what_is_selected(ben_page: Client) -> None:
    html = ben_page.get(f"/runs/{RUN}/?ls=14-16+20").content.decode()
    assert html.count(f'href="/runs/{RUN}/history/?ls=14-16%2020"') == 2
    assert ben_page.get(f"/runs/{RUN}/history/?ls=14-16%2020").status_code == 200
    assert f'href="/runs/{RUN}/history/"' in ben_page.get(f"/runs/{RUN}/").content.decode()
