"""What of a run's defects is shown: swapped in place by htmx, and the same by plain addresses without scripts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from certifier.accounts.models import User
from certifier.defects import services as defects
from tests.e2e.visiting import visit
from tests.web import experiment
from tests.web.experiment import RUN

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def recorded(systems: object) -> None:
    experiment.define()
    experiment.take()
    experiment.record("LAR_DATACORRUPT", "11-15", comment="FEB data corrupted")
    experiment.record("LAR_NOISEBURST", "3 7-9", present=False, comment="Not seen any more")
    experiment.record("PIXEL_STANDBY", "1-4", comment="Stand-by")


def walk_through(page: Page) -> None:
    """Every toggle there and back; the address follows."""
    table = page.locator("#defects")
    page.goto(f"/runs/{RUN}/")
    expect(table.get_by_text("Not seen any more")).to_be_hidden()
    page.get_by_role("link", name="show absent").click()
    table.get_by_text("Not seen any more").wait_for()
    expect(page).to_have_url(re.compile(re.escape("?absent=true") + "$"))
    page.get_by_role("link", name="show virtual").click()
    table.get_by_role("link", name="PHYS_ALL_GOOD").wait_for()
    expect(page).to_have_url(re.compile(re.escape("?absent=true&virtual=true") + "$"))
    page.get_by_role("link", name="absent shown").click()
    page.get_by_role("link", name="show absent").wait_for()
    expect(table.get_by_text("Not seen any more")).to_be_hidden()
    expect(page).to_have_url(re.compile(re.escape("?virtual=true") + "$"))


def test_it_swaps_the_table_without_a_reload(live_server: Any, browser: Browser, ben: User) -> None:
    page = visit(browser, live_server, ben)
    page.goto(f"/runs/{RUN}/")
    walk_through(page)
    page.evaluate("window.notReloaded = true")
    page.locator("#system-choice").select_option("LAR")
    page.locator("#defects").get_by_text("Stand-by").wait_for(state="detached")
    expect(page.locator("#defects").get_by_text("FEB data corrupted")).to_be_visible()
    expect(page).to_have_url(re.compile("system=LAR"))
    assert page.evaluate("window.notReloaded")
    page.go_back()
    page.locator("#defects").get_by_text("Stand-by").wait_for()
    expect(page.locator("nav.nav")).to_have_count(1)
    page.context.close()


def test_it_works_without_scripts(live_server: Any, browser: Browser, ben: User) -> None:
    page = visit(browser, live_server, ben, scripts=False)
    walk_through(page)
    page.locator("#system-choice").select_option("LAR")
    page.locator("#defects").get_by_role("button", name="Show").click()
    expect(page.locator("#defects").get_by_text("Stand-by")).to_have_count(0)
    expect(page).to_have_url(re.compile("system=LAR"))
    expect(page).to_have_url(re.compile("virtual=true"))
    page.context.close()


def test_a_tag_is_shown_as_such_until_one_goes_back(live_server: Any, browser: Browser, ben: User) -> None:
    defects.create_tag(actor=None, name="pro22-01")
    experiment.record("LAR_NOISEBURST", "50", comment="after the tag")
    page = visit(browser, live_server, ben)
    page.goto(f"/runs/{RUN}/")
    expect(page.get_by_text("after the tag")).to_be_visible()
    page.get_by_label("tag", exact=True).select_option("pro22-01")
    page.get_by_text("You are looking at tag pro22-01").wait_for()
    expect(page.get_by_text("after the tag")).to_have_count(0)
    page.get_by_role("link", name="Back to HEAD", exact=True).click()
    expect(page.get_by_text("after the tag")).to_be_visible()
    page.context.close()


def test_a_system_unfolds_to_its_defects(live_server: Any, browser: Browser, ben: User) -> None:
    page = visit(browser, live_server, ben, scripts=False)
    page.goto(f"/runs/{RUN}/")
    lane = page.locator("#strip").get_by_role("img", name="LAR_DATACORRUPT: 11-15")
    expect(lane).to_be_hidden()
    page.locator("#strip summary", has_text="LAR").click()
    expect(lane).to_be_visible()
    page.context.close()
