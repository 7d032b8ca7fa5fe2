"""A defect recorded from the page of its run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from certifier.accounts import services
from certifier.accounts.models import Role, User
from certifier.defects.models import Entry
from tests.e2e.visiting import visit
from tests.web import experiment
from tests.web.experiment import RUN

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def run(systems: object) -> None:
    experiment.define()
    experiment.take()


def fill_in(page: Page, defect: str, lumisections: str, state: str, comment: str) -> None:
    form = page.locator("#record-form")
    form.get_by_label("defect", exact=True).fill(defect)
    form.get_by_label("lumisections").fill(lumisections)
    form.get_by_label(state, exact=True).check(force=True)
    form.get_by_label("comment").fill(comment)
    form.get_by_role("button", name="Record").click()


@pytest.mark.parametrize("scripts", [False, True], ids=["without scripts", "with scripts"])
def test_it_is_recorded_and_shown(live_server: Any, browser: Browser, ada: User, scripts: bool) -> None:
    page = visit(browser, live_server, ada, scripts=scripts)
    page.goto(f"/runs/{RUN}/")
    fill_in(page, "LAR_NOISEBURST", "3 7-9", "recoverable", "Burst in the end-cap")
    page.get_by_text("LAR_NOISEBURST is recorded as recoverable on 3 7-9 of run 350479.").wait_for()
    expect(page).to_have_url(re.compile(f"/runs/{RUN}/"))
    row = page.locator("#defects tbody tr")
    row.wait_for()
    for words in ("LAR_NOISEBURST", "3 7-9", "Burst in the end-cap", "recoverable", "ada"):
        expect(row).to_contain_text(words, use_inner_text=True)
    entry = Entry.objects.get()
    assert (str(entry.lumisections), entry.present, entry.recoverable, entry.user) == ("3 7-9", True, True, "ada")
    page.context.close()


@pytest.mark.parametrize("scripts", [False, True], ids=["without scripts", "with scripts"])
def test_it_says_at_the_field_what_is_wrong_and_keeps_the_rest(
    live_server: Any, browser: Browser, ada: User, scripts: bool
) -> None:
    page = visit(browser, live_server, ada, scripts=scripts)
    page.goto(f"/runs/{RUN}/")
    fill_in(page, "LAR_NOISEBURST", "9-3", "present", "Burst in the end-cap")
    form = page.locator("#record-form")
    expect(form.locator(".field-error")).to_contain_text("9-3")
    expect(form.get_by_label("comment")).to_have_value("Burst in the end-cap")
    assert not Entry.objects.exists()
    page.context.close()


def test_who_lost_the_role_meanwhile_is_told(live_server: Any, browser: Browser, ben: User) -> None:
    page = visit(browser, live_server, ben)
    page.goto(f"/runs/{RUN}/")
    services.grant_role(actor=None, user=ben, role=Role.VIEWER)
    services.revoke_role(actor=None, user=ben, role=Role.SHIFTER)
    fill_in(page, "LAR_NOISEBURST", "3", "present", "")
    page.get_by_text("Recording a defect needs the role").first.wait_for()
    expect(page.locator("#defects")).to_be_visible()
    assert not Entry.objects.exists()
    page.context.close()
