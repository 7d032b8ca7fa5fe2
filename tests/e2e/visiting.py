"""A person at a browser, signed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.test import Client
from playwright.sync_api import expect

from certifier.accounts.models import User

# A page is asked until it answers as it should: what a click starts ends when it ends, and a busy machine is slow.
expect.set_options(timeout=30_000)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


def visit(browser: Browser, live_server: Any, user: User, *, scripts: bool = True) -> Page:
    """A fresh browser of this person; without `scripts` it runs no JavaScript. A failing script fails the test."""
    session = Client()
    session.force_login(user)
    context = browser.new_context(base_url=live_server.url, java_script_enabled=scripts, reduced_motion="reduce")
    context.add_cookies([{"name": "sessionid", "value": session.cookies["sessionid"].value, "url": live_server.url}])
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.on("pageerror", _fail)
    return page


def _fail(error: Any) -> None:
    raise AssertionError(f"A script of the page failed: {error}")
