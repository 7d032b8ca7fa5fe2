"""The history of a range of lumisections, reached from the run, narrowed, and undone in; with scripts see the strip."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from certifier.accounts import services
from certifier.accounts.models import User
from certifier.defects.models import Entry
from tests.e2e.visiting import visit
from tests.web import experiment
from tests.web.experiment import RUN

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def run(systems: object, ada: User, ben: User) -> None:
    experiment.define()
    experiment.take()
    experiment.record("LAR_DATACORRUPT", "10-20", actor=ben, comment="Seen by the shift")
    experiment.record("LAR_DATACORRUPT", "12-20", actor=ada, present=False, comment="Not in the reprocessing")
    experiment.record("PIXEL_STANDBY", "15-18", actor=ben, comment="Modules were not on")


@pytest.mark.parametrize("scripts", [False, True], ids=["without scripts", "with scripts"])
def test_it_tells_of_the_range_and_takes_one_word_back(
    live_server: Any, browser: Browser, ada: User, scripts: bool
) -> None:
    page = visit(browser, live_server, ada, scripts=scripts)
    page.goto(f"/runs/{RUN}/?ls=14-16")
    page.get_by_role("link", name="who said what when").click()
    said = page.get_by_role("group", name="What was said")
    for words in ("Seen by the shift", "Not in the reprocessing", "Modules were not on"):
        expect(said).to_contain_text(words)
    # PIXEL is not hers.
    expect(said.get_by_role("button", name="Undo")).to_have_count(2)
    page.locator("#id_system").select_option("LAR")
    page.get_by_role("button", name="Show").click()
    expect(said).not_to_contain_text("Modules were not on")

    hers = said.get_by_role("row").filter(has_text="Not in the reprocessing")
    hers.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("is undone: what held before it is said again in 1 new entry.")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/history/\?ls=14-16&system=LAR$"))
    expect(said.get_by_role("row").nth(1)).to_contain_text("LAR_DATACORRUPT present")
    expect(said.get_by_role("row").nth(1)).to_contain_text("ben said, entry")
    expect(hers).to_contain_text("later entries have the last word")
    assert str(Entry.objects.latest("id").lumisections) == "12-20"
    page.context.close()


def test_what_was_undone_by_another_meanwhile_is_refused_in_words(
    live_server: Any, browser: Browser, ada: User
) -> None:
    page = visit(browser, live_server, ada)
    page.goto(f"/runs/{RUN}/history/?ls=14-16")
    experiment.record("LAR_DATACORRUPT", "1-100", comment="After all")
    page.get_by_role("row").filter(has_text="Not in the reprocessing").get_by_role("button", name="Undo").click()
    expect(page.get_by_text("holds nowhere any more")).to_be_visible()
    assert Entry.objects.count() == 4
    page.context.close()


def test_who_only_reads_is_offered_nothing_and_an_outsider_nothing_at_all(
    live_server: Any, browser: Browser, dee: User
) -> None:
    page = visit(browser, live_server, dee)
    page.goto(f"/runs/{RUN}/history/")
    expect(page.get_by_text("You may not do this.")).to_be_visible()
    services.grant_role(actor=None, user=dee, role="viewer")
    page.goto(f"/runs/{RUN}/history/")
    expect(page.get_by_text("Seen by the shift")).to_be_visible()
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    page.context.close()
