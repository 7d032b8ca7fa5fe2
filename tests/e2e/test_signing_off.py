"""Signing a system of a run off, and opening it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from certifier.accounts.models import User
from certifier.review.models import SignOff
from tests.e2e.visiting import visit
from tests.web import experiment
from tests.web.experiment import RUN

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def run(systems: object) -> None:
    experiment.define()
    experiment.take()
    experiment.record("LAR_NOISEBURST", "3")


def lar(page: Page) -> Locator:
    return page.locator("#sign-off tbody tr", has_text="LAR")


def reading(page: Page) -> Locator:
    """What the strip says of LAR's sign-off."""
    return page.locator("#strip summary", has_text="LAR").locator(".lane-reading")


@pytest.mark.parametrize("scripts", [False, True], ids=["without scripts", "with scripts"])
def test_it_is_signed_and_reopened_for_a_reason(live_server: Any, browser: Browser, ada: User, scripts: bool) -> None:
    page = visit(browser, live_server, ada, scripts=scripts)
    page.goto(f"/runs/{RUN}/")
    expect(reading(page)).to_have_text("open · express", use_inner_text=True)
    lar(page).get_by_role("button", name="Sign express").click()
    page.get_by_text("LAR express of run 350479 is signed.").wait_for()
    reading(page).get_by_text("signed · express").wait_for()
    expect(page.locator("#run-facts").get_by_text("1 of 6 systems")).to_be_visible()
    lar(page).get_by_role("button", name="Sign bulk").click()
    reading(page).get_by_text("signed · bulk").wait_for()

    lar(page).get_by_text("Reopen…").click()
    lar(page).get_by_label("stage").select_option("express")
    lar(page).get_by_label("reason").fill("Look at 3 again.")
    lar(page).get_by_role("button", name="Reopen", exact=True).click()
    reading(page).get_by_text("reopened · express").wait_for()
    expect(page.locator("#run-facts").get_by_text("0 of 6 systems")).to_be_visible()
    acts = SignOff.objects.order_by("id").values_list("stage", "action", "comment")
    assert list(acts) == [
        ("express", "sign", ""),
        ("bulk", "sign", ""),
        ("express", "reopen", "Look at 3 again."),
        ("bulk", "reopen", "Look at 3 again."),
    ]
    page.context.close()


def test_it_says_when_somebody_else_was_quicker(live_server: Any, browser: Browser, ada: User) -> None:
    page = visit(browser, live_server, ada)
    page.goto(f"/runs/{RUN}/")
    experiment.sign("LAR")
    lar(page).get_by_role("button", name="Sign express").click()
    page.get_by_text("The express stage of LAR is signed already").wait_for()
    assert SignOff.objects.count() == 1
    page.context.close()


def test_it_offers_nothing_to_who_may_not(live_server: Any, browser: Browser, ben: User) -> None:
    experiment.sign("LAR")
    page = visit(browser, live_server, ben)
    page.goto(f"/runs/{RUN}/")
    expect(lar(page).get_by_role("button")).to_have_count(0)
    expect(
        page.locator("#sign-off tbody tr", has_text="PIXEL").get_by_role("button", name="Sign express")
    ).to_be_visible()
    page.context.close()
