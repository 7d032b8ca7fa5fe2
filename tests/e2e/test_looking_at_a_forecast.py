"""What a champion expected is asked for on the page of an element, and appears there when the worker is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from certifier.accounts.models import System, User
from certifier.ops import jobs
from certifier.ops.models import Job
from tests.precert.champions import champion, few_rates

from .visiting import visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
RATE = "Trigger/HLT_mu26_iso"


@pytest.fixture(autouse=True)
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs.perform, "apply_async", lambda *args, **kwargs: None)


def test_the_band_appears_without_a_reload(live_server: Any, browser: Browser, lar: System, ben: User) -> None:
    _, dataset = champion(lar, few_rates(), {"name": "rates", "quantities": True})
    page = visit(browser, live_server, ben)
    page.goto(f"/histograms/runs/{dataset.run.number}/{RATE}/?ls=5-8")
    card = page.locator("#champion")
    card.get_by_role("button", name="Work it out").click()
    expect(card.get_by_text("at work")).to_be_visible()
    assert "ls=5-8" in page.url
    page.evaluate("document.title = 'not reloaded'")
    jobs.perform(Job.objects.get().pk)
    expect(card.locator("figure.drawn")).to_be_visible()
    expect(card.get_by_text("25% to 75%")).to_be_visible()
    assert page.title() == "not reloaded"
    expect(card.get_by_text("at work")).to_have_count(0)


def test_without_scripts_it_is_there_after_a_reload(live_server: Any, browser: Browser, lar: System, ben: User) -> None:
    _, dataset = champion(lar, few_rates(), {"name": "rates", "quantities": True})
    page = visit(browser, live_server, ben, scripts=False)
    page.goto(f"/histograms/runs/{dataset.run.number}/{RATE}/")
    card = page.locator("#champion")
    card.get_by_role("button", name="Work it out").click()
    expect(card.get_by_text("at work")).to_be_visible()
    jobs.perform(Job.objects.get().pk)
    page.reload()
    expect(card.get_by_text("Each forecast is made of luminosity and pile-up")).to_be_visible()
