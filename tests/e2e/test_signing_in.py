"""Signing in and out as a person does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from certifier.accounts.models import User
from tests.e2e.visiting import visit
from tests.web import experiment

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def stranger(live_server: Any, browser: Browser) -> Page:
    return browser.new_context(base_url=live_server.url).new_page()


def sign_in(page: Page, password: str) -> None:
    page.get_by_label("username").fill("ada")
    page.get_by_label("password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_it_leads_to_the_page_that_was_wanted_and_out_again(stranger: Page, ada: User) -> None:
    ada.set_password("correct horse")
    ada.save()
    experiment.define()
    experiment.take()
    stranger.goto("/runs/?period=L")
    assert "/account/sign-in/" in stranger.url
    sign_in(stranger, "wrong")
    expect(stranger.get_by_text("Please enter a correct username and password.")).to_be_visible()
    sign_in(stranger, "correct horse")
    assert stranger.url.endswith("/runs/?period=L")
    expect(stranger.get_by_role("link", name="350479")).to_be_visible()
    stranger.get_by_text("ada ▾").click()
    stranger.get_by_role("button", name="Sign out").click()
    assert "/account/sign-in/" in stranger.url
    stranger.goto("/runs/")
    assert "/account/sign-in/" in stranger.url
    stranger.context.close()


def test_a_token_is_shown_once_and_revoked(live_server: Any, browser: Browser, ada: User) -> None:
    page = visit(browser, live_server, ada)
    page.goto("/account/")
    page.get_by_label("what uses it").fill("mirror of the run registry")
    page.get_by_role("button", name="Make a token").click()
    key = page.get_by_label("The new token").input_value()
    assert len(key) > 30
    page.goto("/account/")
    assert key not in page.content()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("no longer works")).to_be_visible()
    expect(page.get_by_text("revoked")).to_be_visible()
    page.context.close()
