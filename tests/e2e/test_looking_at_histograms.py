"""The viewer in a browser: figures are drawn, keys step, a click on the picture chooses; without scripts it reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from certifier.accounts.models import User
from certifier.monitoring.models import Element
from certifier.monitoring.services import change_element
from tests.e2e.visiting import visit
from tests.monitoring.blocks import ETA, PHI, histograms, ingest
from tests.web import experiment
from tests.web.experiment import RUN

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
URL = f"/histograms/runs/{RUN}/"
TIME, MAP = "LAr/cellTime", "LAr/occupancy"


@pytest.fixture
def world(systems: object, db: None) -> None:
    experiment.define()
    experiment.take()
    ingest(histograms(TIME, "1-100"), histograms(MAP, "1-100", axes=(ETA, PHI)))
    for element in Element.objects.all():
        change_element(actor=None, element=element, system="LAR")
    experiment.record("LAR_DATACORRUPT", "11-15")


def test_one_walks_from_the_catalogue_to_a_lumisection(
    live_server: Any, browser: Browser, ben: User, world: None
) -> None:
    page = visit(browser, live_server, ben)
    page.goto(f"/runs/{RUN}/")
    page.get_by_role("link", name="Histograms", exact=True).last.click()
    page.wait_for_url(f"**{URL}")
    page.locator(".multiple").first.click()
    page.locator("figure.drawn").nth(2).wait_for()
    page.goto(f"{URL}{TIME}/?ls=41")
    page.get_by_role("link", name="42 ›").wait_for()
    page.keyboard.press("]")
    page.wait_for_url("**ls=42*")
    page.get_by_role("heading", name="42", exact=True).wait_for()
    page.keyboard.press("[")
    page.wait_for_url("**ls=41*")
    # The lumisections of a defect that was recorded here.
    page.get_by_role("link", name="LAR_DATACORRUPT").click()
    page.get_by_role("heading", name="11-15").wait_for()
    page.go_back()
    page.get_by_role("heading", name="41", exact=True).wait_for()
    page.context.close()


def test_a_click_on_a_column_chooses_its_lumisections(
    live_server: Any, browser: Browser, ben: User, world: None
) -> None:
    page = visit(browser, live_server, ben)
    page.goto(f"{URL}{TIME}/?panel=ratio")
    picture = page.locator("figure[data-plot=picture-plot]")
    picture.locator(".heatmaplayer image").wait_for()
    picture.scroll_into_view_if_needed()
    box = picture.locator(".heatmaplayer image").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.305, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + box["width"] * 0.305, box["y"] + box["height"] / 2)
    page.wait_for_url("**ls=31*")
    expect(page).to_have_url(re.compile("panel=ratio"))
    page.get_by_role("heading", name="31", exact=True).wait_for()
    page.context.close()


def test_the_colours_of_a_map_are_those_of_the_theme(
    live_server: Any, browser: Browser, ben: User, world: None
) -> None:
    page = visit(browser, live_server, ben)
    page.goto(f"{URL}{MAP}/")
    figure = page.locator("figure[data-plot=overlay-plot].drawn")
    figure.wait_for()
    scale = figure.evaluate("node => node.data[0].colorscale.map(([, colour]) => colour)")
    assert all(colour.startswith("rgb") for colour in scale)
    assert len(set(scale)) > 1
    page.context.close()


def test_it_reads_without_scripts(live_server: Any, browser: Browser, ben: User, world: None) -> None:
    page = visit(browser, live_server, ben, scripts=False)
    page.goto(f"{URL}{TIME}/?ls=41")
    expect(page.locator("svg.hist")).to_be_visible()
    expect(page.locator("svg.points")).to_be_visible()
    expect(page.locator("img.hist-picture")).to_be_visible()
    page.get_by_role("link", name="42 ›").click()
    expect(page).to_have_url(re.compile(re.escape("?ls=42") + "$"))
    page.select_option("[name=against]", "nothing")
    page.get_by_role("button", name="Show").first.click()
    expect(page).to_have_url(re.compile("against=nothing"))
    page.context.close()


@pytest.mark.parametrize("address", ["/histograms/", URL, f"{URL}{TIME}/?ls=5", f"{URL}{MAP}/"])
def test_no_page_is_wider_than_its_screen(
    live_server: Any, browser: Browser, ben: User, world: None, address: str
) -> None:
    page = visit(browser, live_server, ben)
    page.goto(address)
    for width in (1920, 1280, 1100, 390):
        page.set_viewport_size({"width": width, "height": 844})
        page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)
    page.context.close()
