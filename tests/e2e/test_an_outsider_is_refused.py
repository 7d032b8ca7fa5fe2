"""Dee can sign in and has no role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from certifier.accounts.models import User
from tests.e2e.visiting import visit
from tests.web import experiment
from tests.web.experiment import RUN

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def test_every_page_says_what_is_missing_and_whom_to_ask(
    live_server: Any, browser: Browser, dee: User, systems: object
) -> None:
    experiment.define()
    experiment.take()
    page = visit(browser, live_server, dee)
    for address in ("/", "/runs/", f"/runs/{RUN}/", "/defects/", "/good-runs/", "/ops/jobs/"):
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == 403, address
        expect(page.get_by_text("You may not do this.")).to_be_visible()
        expect(page.get_by_text("Ask an administrator to grant it.")).to_be_visible()
        assert "data18_13TeV" not in page.content()
    page.get_by_role("link", name="Your account").last.click()
    expect(page.get_by_text("You have no role yet.")).to_be_visible()
    page.context.close()


def test_a_viewer_reads_and_is_offered_nothing_else(
    live_server: Any, browser: Browser, dee: User, systems: object
) -> None:
    from certifier.accounts import services

    experiment.define()
    experiment.take()
    services.grant_role(actor=None, user=dee, role="viewer")
    page = visit(browser, live_server, dee)
    page.goto(f"/runs/{RUN}/")
    expect(page.get_by_text("Your roles let you record no defect.")).to_be_visible()
    expect(page.locator("#sign-off").get_by_role("button")).to_have_count(0)
    page.context.close()
