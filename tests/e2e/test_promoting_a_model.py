"""A coordinator promotes a model, goes back, and switches automation on; on every screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from certifier.accounts.models import System, User
from certifier.precert.models import Promotion
from certifier.precert.selectors import models_of_system
from tests.e2e.visiting import visit
from tests.precert import world

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def card(page: Page) -> Locator:
    return page.locator("#system-LAR")


@pytest.mark.parametrize("scripts", [False, True], ids=["without scripts", "with scripts"])
def test_it_is_promoted_and_rolled_back_for_a_reason(
    live_server: Any, browser: Browser, chi: User, lar: System, scripts: bool
) -> None:
    first = world.champion(lar)
    world.register(lar, another=1)
    page = visit(browser, live_server, chi, scripts=scripts)
    page.goto("/models/")
    second = card(page).locator("tbody tr", has_text="model 2")
    second.get_by_text("Promote…").click()
    second.get_by_label("reason").fill("Better on the last four weeks.")
    second.get_by_role("button", name="Promote").click()
    page.get_by_text("LAR model 2 is the champion now.").wait_for()

    page.goto("/models/")
    card(page).get_by_text("Roll back…").click()
    card(page).locator("form", has_text="Roll back").get_by_label("reason").fill("It calls noise good.")
    card(page).get_by_role("button", name="Roll back").click()
    page.get_by_text("LAR model 1 is the champion again.").wait_for()
    assert models_of_system(lar).champion == first
    reasons = Promotion.objects.order_by("id").values_list("reason", flat=True)
    assert list(reasons)[1:] == ["Better on the last four weeks.", "It calls noise good."]
    page.context.close()


def test_who_looked_too_early_is_told_so(live_server: Any, browser: Browser, chi: User, lar: System) -> None:
    world.champion(lar)
    second, third = world.register(lar, another=1), world.register(lar, another=2)
    page = visit(browser, live_server, chi)
    page.goto(f"/models/{second.pk}/")
    from certifier.precert import services

    services.promote(actor=chi, version=third)
    page.get_by_label("reason").first.fill("Better.")
    page.get_by_role("button", name="Promote").click()
    page.get_by_text("Meanwhile chi acted: LAR model 3 became champion.").wait_for()
    assert models_of_system(lar).champion == third
    page.context.close()


def test_automation_is_switched_on_and_the_run_page_follows(
    live_server: Any, browser: Browser, chi: User, lar: System
) -> None:
    world.score(world.champion(lar), world.take(system=lar, noise="5-9", corrupt="20-24"))
    page = visit(browser, live_server, chi)
    page.goto("/models/")
    card(page).get_by_text("Mode…").click()
    form = card(page).locator("form", has_text="Switch")
    form.get_by_label("mode").select_option("auto")
    form.get_by_label("reason").fill("The audit found nothing.")
    form.get_by_role("button", name="Switch").click()
    card(page).get_by_text("good counts as checked").wait_for()
    page.goto(f"/runs/{world.RUN}/?system=LAR")
    lane = page.locator(".lane", has_text="machine").first
    expect(lane.get_by_text("to review")).to_be_visible()
    assert "mode auto" in (lane.get_by_role("link", name="machine").get_attribute("title") or "")
    finding = page.locator("#findings tbody tr", has_text="20-24")
    finding.locator("summary").click()
    expect(finding.get_by_text("looks like")).to_be_visible()
    page.context.close()


def test_no_page_is_wider_than_its_screen(live_server: Any, browser: Browser, chi: User, lar: System) -> None:
    version = world.champion(lar)
    world.score(version, world.take(system=lar, noise="5-9", corrupt="20-24", dataset="x" * 120))
    world.register(lar, folder=world.timid_folder())
    page = visit(browser, live_server, chi)
    for address in ("/models/", f"/models/{version.pk}/", f"/runs/{world.RUN}/?system=LAR"):
        page.goto(address)
        page.evaluate("document.querySelectorAll('main details').forEach((each) => { each.open = true; })")
        for width in (1920, 1280, 1100, 390):
            page.set_viewport_size({"width": width, "height": 844})
            page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)
    page.context.close()
