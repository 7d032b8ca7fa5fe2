"""A coordinator builds a good-run list, sees at once what it costs, and publishes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from certifier.accounts.models import User
from certifier.goodruns.models import GoodRunList
from tests.e2e.visiting import visit
from tests.web import experiment
from tests.web.experiment import MAIN, RUN

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def run(systems: object) -> None:
    experiment.define()
    experiment.take()
    experiment.record("LAR_DATACORRUPT", "3-12")
    experiment.sign("LAR", "PIXEL")


def test_every_change_is_answered_at_once_and_published_as_seen(live_server: Any, browser: Browser, chi: User) -> None:
    page = visit(browser, live_server, chi)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto("/good-runs/build/")
    page.get_by_label("requires").select_option(MAIN)
    page.get_by_role("button", name="Publish 90 LS").wait_for()
    expect(page).to_have_url(re.compile(f"require={MAIN}"))
    page.locator("#loss figure.drawn").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("ignores").fill("LAR_DATACORRUPT")
    page.get_by_label("ignores").press("Tab")
    page.get_by_role("button", name="Publish 100 LS").wait_for()
    page.reload()
    page.get_by_label("name").fill("week 20")
    page.get_by_role("button", name="Publish 100 LS").click()
    page.get_by_text("The list week 20 is published.").wait_for()
    expect(page.locator("#efficiency").get_by_text("100.0%").first).to_be_visible()
    assert GoodRunList.objects.get().ignore == ["LAR_DATACORRUPT"]
    page.context.close()


def test_without_scripts_the_button_does_the_same(live_server: Any, browser: Browser, chi: User) -> None:
    page = visit(browser, live_server, chi, scripts=False)
    page.goto("/good-runs/build/")
    page.get_by_label("requires").select_option(MAIN)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("group", name="Loss by system").get_by_text("LAR")).to_be_visible()
    page.get_by_label("name").fill("week 20")
    page.get_by_role("button", name="Publish 90 LS").click()
    expect(page.get_by_text("The list week 20 is published.")).to_be_visible()
    page.context.close()


def test_an_outsider_is_refused_on_every_page_of_the_workplace(live_server: Any, browser: Browser, dee: User) -> None:
    page = visit(browser, live_server, dee)
    for address in (
        f"/good-runs/build/?require={MAIN}", "/defects/seen/", f"/runs/{RUN}/history/", "/sign-offs/many/",
        f"/sign-offs/{RUN}/LAR/bulk/", "/sign-offs/checklists/", "/reports/weekly/",
        "/reports/shift/", "/account/people/",
    ):  # fmt: skip
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 403, address
        expect(page.get_by_text("You may not do this.")).to_be_visible()
    page.context.close()
