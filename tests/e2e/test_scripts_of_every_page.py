"""The small scripts that every page has: theme, dialogs, messages, plots."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from certifier.accounts.models import User
from tests.e2e.visiting import visit
from tests.web import experiment

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


def background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_the_theme_is_chosen_and_remembered_by_the_server(live_server: Any, browser: Browser, ben: User) -> None:
    page = visit(browser, live_server, ben)
    page.emulate_media(color_scheme="light")
    page.goto("/account/")
    light = background(page)
    button = page.locator("[data-theme-button]")
    button.click()
    button.click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    dark = background(page)
    assert dark != light
    response = page.request.get("/account/")
    assert '<html lang="en-GB" data-theme="dark">' in response.text()
    page.reload()
    assert background(page) == dark
    button.click()
    assert page.locator("html").get_attribute("data-theme") is None
    assert background(page) == light
    page.emulate_media(color_scheme="dark")
    assert background(page) == dark
    page.context.close()


def test_a_plot_is_drawn_and_takes_the_colours_of_the_theme(
    live_server: Any, browser: Browser, ben: User, systems: object
) -> None:
    experiment.define()
    experiment.summarise(experiment.take(), good_inv_nb=900.0)
    page = visit(browser, live_server, ben)
    page.emulate_media(color_scheme="light")
    page.goto("/")
    figure = page.locator("figure.plot.drawn")
    figure.wait_for()
    line = figure.locator(".scatterlayer .js-line").last
    light = line.evaluate("node => getComputedStyle(node).stroke")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "light => getComputedStyle([...document.querySelectorAll('.scatterlayer .js-line')].at(-1)).stroke !== light",
        arg=light,
    )
    page.context.close()


def test_without_scripts_the_table_stands_for_the_plot(
    live_server: Any, browser: Browser, ben: User, systems: object
) -> None:
    experiment.define()
    experiment.summarise(experiment.take(), good_inv_nb=900.0)
    page = visit(browser, live_server, ben, scripts=False)
    page.goto("/")
    expect(page.locator("figure.plot")).to_be_hidden()
    expect(page.locator(".over-time table")).to_contain_text(
        re.compile(r"L\s+1\s+1\.00 /pb\s+900 /nb\s+90\.0%"), use_inner_text=True
    )
    page.context.close()


def test_a_dialog_opens_and_closes(live_server: Any, browser: Browser, ben: User) -> None:
    page = visit(browser, live_server, ben)
    page.goto("/styleguide/")
    dialog = page.locator("#sample-dialog")
    expect(dialog).to_be_hidden()
    page.get_by_role("link", name="Open dialog").click()
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()
    page.context.close()


def test_a_request_that_gets_lost_says_so(live_server: Any, browser: Browser, ben: User, systems: object) -> None:
    experiment.define()
    run = experiment.take()
    page = visit(browser, live_server, ben)
    page.goto(f"/runs/{run.number}/")
    page.route("**/*absent=true*", lambda route: route.abort())
    page.get_by_role("link", name="show absent").click()
    lost = page.get_by_text("The server could not be reached.")
    lost.wait_for()
    page.locator("#messages [data-dismiss]").click()
    expect(lost).to_be_hidden()
    page.context.close()


@pytest.mark.parametrize("address", ["/", "/runs/", "/runs/350479/", "/account/"])
def test_no_page_is_wider_than_its_screen(
    live_server: Any, browser: Browser, ada: User, systems: object, address: str
) -> None:
    experiment.define()
    experiment.summarise(experiment.take())
    experiment.record("LAR_DATACORRUPT", " ".join(map(str, range(1, 99, 2))), comment="x" * 200)
    experiment.sign("LAR")
    page = visit(browser, live_server, ada)
    page.goto(address)
    for width in (1920, 1280, 1100, 390):
        page.set_viewport_size({"width": width, "height": 844})
        # A plot follows a moment later.
        page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)
    page.context.close()
