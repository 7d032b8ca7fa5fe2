"""The map of runs is drawn by a worker, appears without a reload, and a click on a point opens its run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from certifier.accounts.models import System, User
from certifier.ops import jobs
from certifier.ops.models import Job
from tests.precert import world

from .visiting import visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
RUNS = range(world.BEFORE, world.BEFORE + 4)


@pytest.fixture(autouse=True)
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs.perform, "apply_async", lambda *args, **kwargs: None)


def test_a_point_leads_to_its_run(live_server: Any, browser: Browser, lar: System, ben: User) -> None:
    for number in RUNS:
        world.take(number, 20, system=lar)
    page = visit(browser, live_server, ben)
    page.goto(f"/associations/map/LAR/?run={RUNS[2]}")
    page.get_by_role("button", name="Draw now").click()
    expect(page.get_by_text("at work")).to_be_visible()
    page.evaluate("window.stays = true")
    jobs.perform(Job.objects.get().pk)
    expect(page.locator("figure.drawn")).to_be_visible()
    assert page.evaluate("window.stays")
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("document.documentElement.scrollWidth <= 390")
    # The ring is drawn around the point of the run that the address chooses.
    ring = page.locator("figure .scatterlayer .trace").last.locator(".point")
    ring.scroll_into_view_if_needed()
    box = ring.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(page.locator("figure .hoverlayer")).to_contain_text(f"run {RUNS[2]}")
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_url(f"**/runs/{RUNS[2]}/?system=LAR")
