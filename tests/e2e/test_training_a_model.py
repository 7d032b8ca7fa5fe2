"""A coordinator lets a system be trained; what it learned is promoted, and rolled back; on every screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from certifier.accounts.models import System, User
from certifier.ops.jobs import JobHandle
from certifier.ops.models import Job
from certifier.precert.models import Promotion
from certifier.precert.selectors import models_of_system
from certifier.training import tasks
from certifier.training.models import Outcome, Training
from tests.e2e.visiting import visit
from tests.ops.worker_process import environment
from tests.training import world

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def this_installation(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """The process that trains is of the installation under test."""
    import json

    settings.TRAINING_RECIPE = world.RECIPE
    for name, value in (environment() | {"TRAINING_RECIPE": json.dumps(world.RECIPE)}).items():
        monkeypatch.setenv(name, value)


def test_it_is_trained_promoted_and_rolled_back(live_server: Any, browser: Browser, chi: User, lar: System) -> None:
    from tests.precert import world as precert

    world.season(lar)
    first = precert.champion(lar)
    page = visit(browser, live_server, chi)
    page.goto("/training/")
    page.locator("tr", has_text="LAR").get_by_role("button", name="Train now").click()
    page.get_by_text("LAR is trained as soon as a worker has time").wait_for()
    job = Job.objects.get()
    tasks.train(JobHandle(job), **job.arguments)
    Job.objects.filter(pk=job.pk).update(state="done")
    training = Training.objects.get()
    assert training.challenger is not None

    page.goto("/training/LAR/")
    row = page.locator(f"#training-{training.number}")
    expect(row.get_by_text("the champion's")).to_be_visible()
    page.locator("#compared-title").wait_for()
    page.wait_for_selector("[data-plot='compared-plot'] svg")
    row.get_by_role("link", name=f"model {training.challenger.number}").click()
    if training.outcome != Outcome.PROMOTED:
        page.get_by_label("reason").first.fill("It knows the new noise.")
        page.get_by_role("button", name="Promote").click()
        page.get_by_text("is the champion now.").wait_for()
    assert models_of_system(lar).champion == training.challenger

    page.goto("/models/")
    card = page.locator("#system-LAR")
    card.get_by_text("Roll back…").click()
    card.locator("form", has_text="Roll back").get_by_label("reason").fill("It calls noise good.")
    card.get_by_role("button", name="Roll back").click()
    page.get_by_text("LAR model 1 is the champion again.").wait_for()
    assert models_of_system(lar).champion == first
    assert Promotion.objects.order_by("-id")[0].is_rollback
    card.get_by_role("link", name="trainings").click()
    page.get_by_role("heading", name="Training of LAR").wait_for()
    page.context.close()


@pytest.mark.parametrize("scripts", [False, True], ids=["without scripts", "with scripts"])
def test_it_is_paused_and_resumed_for_a_reason(
    live_server: Any, browser: Browser, chi: User, lar: System, scripts: bool
) -> None:
    page = visit(browser, live_server, chi, scripts=scripts)
    page.goto("/training/LAR/")
    page.get_by_text("Pause…").click()
    page.get_by_label("reason").fill("The calorimeter is being repaired.")
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("LAR learns by itself no more").wait_for()
    expect(page.get_by_text("The calorimeter is being repaired.")).to_be_visible()
    page.get_by_label("reason").fill("Repaired.")
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("LAR learns by itself again.").wait_for()
    page.context.close()


def test_no_page_is_wider_than_its_screen(live_server: Any, browser: Browser, chi: User, lar: System) -> None:
    world.season(lar)
    world.train(lar)
    page = visit(browser, live_server, chi)
    for address in ("/training/", "/training/LAR/"):
        page.goto(address)
        page.evaluate("document.querySelectorAll('main details').forEach((each) => { each.open = true; })")
        for width in (1920, 1280, 1100, 390):
            page.set_viewport_size({"width": width, "height": 844})
            page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)
    page.context.close()
