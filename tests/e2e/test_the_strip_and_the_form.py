"""The workplace of experts: lumisections chosen on the strip, a defect recorded by hand, by keys, two at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from certifier.accounts.models import User
from certifier.defects.models import Entry
from tests.e2e.visiting import visit
from tests.web import experiment
from tests.web.experiment import MAIN, RUN

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def run(systems: object) -> None:
    experiment.define()
    experiment.take()
    experiment.record("LAR_NOISEBURST", "40-44", comment="<i>Seen</i> at the desk")


def opened(live_server: Any, browser: Browser, user: User, query: str = "") -> Page:
    page = visit(browser, live_server, user)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"/runs/{RUN}/{query}")
    page.locator(".strip.drawn").wait_for()
    return page


def at(
    page: Page, lumisection: float, lane: str = "luminosity", view: tuple[int, int] = (1, 100)
) -> tuple[float, float]:
    """Where a lumisection is on the screen, in the middle of a lane, when those of the view are shown."""
    box = page.locator(f'[data-lane="{lane}"]').bounding_box()
    assert box is not None
    first, last = view
    inside = (lumisection - first + 0.5) / (last - first + 1)
    return box["x"] + box["width"] * inside, box["y"] + box["height"] / 2


def drag(page: Page, first: float, last: float) -> None:
    page.mouse.move(*at(page, first))
    page.mouse.down()
    page.mouse.move(*at(page, last), steps=3)
    page.mouse.up()


def test_what_is_dragged_fills_the_form_and_the_address_and_is_recorded(
    live_server: Any, browser: Browser, ada: User
) -> None:
    page = opened(live_server, browser, ada)
    drag(page, 11, 15)
    form = page.locator("#record-form")
    expect(form.get_by_label("lumisections")).to_have_value("11-15")
    expect(page).to_have_url(re.compile(re.escape("?ls=11-15") + "$"))
    page.get_by_text("11-15 selected · 5 LS · 50 /nb recorded").wait_for()
    page.keyboard.down("Control")
    drag(page, 20, 20.3)
    drag(page, 30, 31)
    page.keyboard.up("Control")
    expect(form.get_by_label("lumisections")).to_have_value(re.compile(r"^11-15 "))
    form.get_by_label("lumisections").fill("11-15 30-31")
    form.get_by_label("defect", exact=True).fill("LAR_DATACORRUPT")
    page.keyboard.press("Tab")
    form.get_by_text(f"{MAIN}, EMBA and LAR_DATACORRUPT become present on").wait_for()
    page.locator('[data-lane="preview:1"]').wait_for()
    page.evaluate("window.notReloaded = true")
    form.get_by_role("button", name="Record").click()
    form.get_by_text(f"LAR_DATACORRUPT is recorded as present on 11-15 30-31 of run {RUN}.").wait_for()
    page.locator("#defects").get_by_text("LAR_DATACORRUPT").wait_for()
    page.locator('[data-lane="defect:LAR_DATACORRUPT"]').wait_for()
    expect(page).not_to_have_url(re.compile("ls="))
    form.get_by_role("button", name="Undo").click()
    form.get_by_text("is undone").wait_for()
    page.locator("#defects").get_by_text("LAR_DATACORRUPT").wait_for(state="detached")
    assert page.evaluate("window.notReloaded")
    assert [entry.present for entry in Entry.objects.order_by("id")] == [True, True, False]
    page.context.close()


def test_keys_alone_record(live_server: Any, browser: Browser, ada: User) -> None:
    page = opened(live_server, browser, ada, "?ls=40")
    page.keyboard.press("?")
    expect(page.locator("#run-keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("]")
    page.keyboard.press("}")
    page.keyboard.press("}")
    form = page.locator("#record-form")
    expect(form.get_by_label("lumisections")).to_have_value("41-43")
    page.keyboard.press("d")
    page.keyboard.type("corrupt lar")
    page.locator('.combo-option[data-value="LAR_DATACORRUPT"]').wait_for()
    page.keyboard.press("Enter")
    page.locator(".combo-list").wait_for(state="detached")
    expect(form.get_by_label("defect", exact=True)).to_have_value("LAR_DATACORRUPT")
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    page.keyboard.press("c")
    page.keyboard.type("Seen in cell energies")
    page.keyboard.press("Control+Enter")
    form.get_by_text("LAR_DATACORRUPT is recorded as recoverable on 41-43").wait_for()
    entry = Entry.objects.latest("id")
    assert (entry.comment, entry.recoverable, str(entry.lumisections)) == ("Seen in cell energies", True, "41-43")
    page.context.close()


def test_hover_and_keys_read_who_said_what(live_server: Any, browser: Browser, ada: User) -> None:
    page = opened(live_server, browser, ada)
    page.mouse.move(*at(page, 42, "defect:LAR_NOISEBURST"))
    tip = page.locator(".strip-tip")
    tip.wait_for()
    for words in ("LS 42", "LAR_NOISEBURST", "40-44 · present", "system, 20", "<i>Seen</i> at the desk"):
        expect(tip).to_contain_text(words, use_inner_text=True)
    # A click takes the stretch, zooming keeps the lanes together, and the address brings both back.
    page.mouse.click(*at(page, 42, "defect:LAR_NOISEBURST"))
    expect(page.locator("#id_lumisections")).to_have_value("40-44")
    page.keyboard.press("z")
    expect(shown(page)).to_have_text("36-48 shown")
    page.reload()
    page.get_by_text("40-44 selected").wait_for()
    page.context.close()


@pytest.mark.parametrize("keys", [["Enter", "Tab"], ["Tab"]], ids=["Enter and Tab", "Tab"])
def test_who_is_quicker_than_the_list_gets_what_they_meant(
    live_server: Any, browser: Browser, ada: User, keys: list[str]
) -> None:
    page = opened(live_server, browser, ada)
    form = page.locator("#record-form")
    for attempt in range(2):  # the first brings the list, the second finds it in the browser's cache
        page.keyboard.press("d")
        page.keyboard.type("corrupt lar")
        for key in keys:
            page.keyboard.press(key)
        page.keyboard.type(f"4{attempt}")
        expect(form.get_by_label("defect", exact=True)).to_have_value("LAR_DATACORRUPT")
        expect(form.get_by_label("lumisections")).to_have_value(f"4{attempt}")
        expect(page.locator(".combo-list")).to_have_count(0)
        page.keyboard.press("Escape")
        form.get_by_label("defect", exact=True).fill("")
        form.get_by_label("lumisections").fill("")
        page.keyboard.press("Escape")
    page.context.close()


def shown(page: Page) -> Any:
    return page.locator("[data-shown]")


def test_what_is_shown_stands_in_the_address_and_comes_back(live_server: Any, browser: Browser, ada: User) -> None:
    page = opened(live_server, browser, ada, "?ls=40-44")
    page.keyboard.press("+")
    expect(shown(page)).to_have_text("26-75 shown")
    expect(page).to_have_url(re.compile(r"\?ls=40-44&zoom=26-75$"))
    # A drag of the numbers pans: by a quarter of what is shown.
    box = page.locator(".strip-host").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 5, steps=4)
    page.mouse.up()
    expect(page).to_have_url(re.compile(r"zoom=(38-87|39-88)$"))
    address, words = page.url, shown(page).inner_text()
    page.reload()
    expect(shown(page)).to_have_text(words)
    page.get_by_text("40-44 selected").wait_for()
    expect(page).to_have_url(address)
    # It is not lost when a part of the page is asked for anew, nor on the way back.
    page.get_by_role("link", name="show absent").click()
    expect(page).to_have_url(re.compile(r"absent=true&ls=40-44&zoom="))
    expect(page.get_by_role("link", name="absent shown")).to_be_visible()
    expect(shown(page)).to_have_text(words)
    page.keyboard.press("0")
    expect(page).to_have_url(re.compile(r"\?absent=true&ls=40-44$"))
    expect(shown(page)).to_be_empty()
    page.context.close()


def test_a_zoom_that_is_none_is_the_whole_run(live_server: Any, browser: Browser, ada: User) -> None:
    page = opened(live_server, browser, ada)
    for junk in ("9-3", "0-5", "500-600", "1e1-2e1", "12345678-99999999", "<b>"):
        page.goto(f"/runs/{RUN}/?zoom={junk}")
        page.locator(".strip.drawn").wait_for()
        expect(shown(page)).to_be_empty()
    page.keyboard.press("+")
    expect(page).to_have_url(re.compile(r"\?zoom=26-75$"))
    page.context.close()


def test_it_leads_to_who_said_what_of_what_is_selected_or_shown(live_server: Any, browser: Browser, ada: User) -> None:
    page = opened(live_server, browser, ada, "?zoom=36-50")
    expect(shown(page)).to_have_text("36-50 shown")
    link = page.locator("#strip").get_by_role("link", name="history")
    expect(link).to_have_attribute("href", f"/runs/{RUN}/history/?ls=36-50")
    page.mouse.click(*at(page, 42.5, "defect:LAR_NOISEBURST", view=(36, 50)))
    for one in (link, page.locator("#defects").get_by_role("link", name="who said what when")):
        expect(one).to_have_attribute("href", f"/runs/{RUN}/history/?ls=40-44")
    link.click()
    expect(page.get_by_text("<i>Seen</i> at the desk")).to_be_visible()
    page.get_by_role("button", name="Undo entry").click()
    page.get_by_text("is undone: what held before it is said again in 1 new entry.").wait_for()
    expect(page).to_have_url(re.compile(r"/history/\?ls=40-44$"))
    expect(page.get_by_text("later entries have the last word")).to_be_visible()
    assert [entry.present for entry in Entry.objects.order_by("id")] == [True, False]
    page.context.close()


def test_of_two_people_the_second_sees_what_the_first_said(
    live_server: Any, browser: Browser, ada: User, ben: User
) -> None:
    page = opened(live_server, browser, ada, "?ls=11-15")
    experiment.record("LAR_DATACORRUPT", "14-20", actor=ben, present=False, comment="Not seen")
    form = page.locator("#record-form")
    form.get_by_label("defect", exact=True).fill("LAR_DATACORRUPT")
    form.get_by_label("comment").fill("Two boards")
    form.get_by_role("button", name="Record").click()
    form.get_by_text("Somebody else has recorded meanwhile.").wait_for()
    expect(form).to_contain_text("LAR_DATACORRUPT absent on 14-20", use_inner_text=True)
    expect(form.get_by_label("comment")).to_have_value("Two boards")
    form.get_by_role("button", name="Record over it").click()
    form.get_by_text("LAR_DATACORRUPT is recorded as present on 11-15").wait_for()
    assert Entry.objects.latest("id").user == "ada"
    page.context.close()


def test_who_is_signed_out_finds_the_form_as_it_was(live_server: Any, browser: Browser, ada: User) -> None:
    page = opened(live_server, browser, ada, "?ls=11-15")
    form = page.locator("#record-form")
    form.get_by_label("defect", exact=True).fill("LAR_DATACORRUPT")
    form.get_by_label("comment").fill("Two boards")
    cookies = page.context.cookies()
    page.context.clear_cookies(name="sessionid")
    form.get_by_role("button", name="Record").click()
    page.get_by_label("password").wait_for()
    (session,) = (cookie["value"] for cookie in cookies if cookie["name"] == "sessionid")
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": live_server.url}])
    page.goto(f"/runs/{RUN}/")
    expect(page.locator("#id_comment")).to_have_value("Two boards")
    assert not Entry.objects.filter(comment="Two boards").exists()
    page.context.close()


def test_an_outsider_may_not_and_a_viewer_only_looks(live_server: Any, browser: Browser, dee: User) -> None:
    from certifier.accounts import services

    services.grant_role(actor=None, user=dee, role="viewer")
    page = opened(live_server, browser, dee)
    drag(page, 11, 15)
    page.get_by_text("11-15 selected").wait_for()
    expect(page.locator("#record-form button")).to_have_count(0)
    page.context.close()


def test_without_scripts_it_is_recorded_and_undone(live_server: Any, browser: Browser, ada: User) -> None:
    page = visit(browser, live_server, ada, scripts=False)
    page.goto(f"/runs/{RUN}/?ls=11-15")
    form = page.locator("#record-form")
    form.get_by_label("defect", exact=True).fill("LAR_DATACORRUPT")
    form.get_by_role("button", name="Effect").click()
    expect(page.locator("#record-effect")).to_contain_text(
        f"{MAIN}, EMBA and LAR_DATACORRUPT become present on 11-15", use_inner_text=True
    )
    page.locator("#record-form").get_by_role("button", name="Record").click()
    # LAR is hers, and unfolded.
    expect(page.locator("#strip").get_by_role("img", name="LAR_DATACORRUPT: 11-15")).to_be_visible()
    page.locator("#record-form").get_by_role("button", name="Undo").click()
    expect(page.locator("#strip").get_by_role("img", name="LAR_DATACORRUPT")).to_have_count(0)
    page.context.close()
