"""An expert in the review queue: one key for each act, and the same acts without a script."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from certifier.accounts.models import System, User
from certifier.defects.models import Entry
from certifier.precert import services as precert
from certifier.review import claims, services
from certifier.review.deciding import decide
from certifier.review.intake import find_items
from certifier.review.models import Claim, Decision, Item, Kind, Remark
from tests.e2e.visiting import visit
from tests.precert import world
from tests.review.queue_world import CORRUPT, NOISE, RUN, F, define, queue

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def nothing_is_sampled(settings: Any) -> None:
    settings.REVIEW_AUDIT_SHARE = settings.REVIEW_BLIND_SHARE = settings.REVIEW_WHOLE_SHARE = 0.0


def heading(page: Page, lumisections: str) -> None:
    """The item is there with its evidence: no key decides before."""
    page.locator("#item-title", has_text=f"{RUN} · {lumisections} ·").wait_for()
    page.locator("#evidence:not([aria-busy])").wait_for()


def three(lar: System) -> list[Item]:
    define(lar)
    return queue(lar, F("5-9"), F("30-41", "unsure", CORRUPT), F("60-62", "unsure", NOISE))


def eventually(question: Any) -> None:
    ends = time.monotonic() + 10
    while not question():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.05)


def test_keys_confirm_override_and_undo(live_server: Any, browser: Browser, ada: User, lar: System) -> None:
    three(lar)
    page = visit(browser, live_server, ada)
    page.goto("/review/")
    heading(page, "30-41")
    page.get_by_text("held by you until").wait_for()
    page.keyboard.press("a")
    heading(page, "60-62")
    page.keyboard.press("x")
    heading(page, "5-9")
    assert [(row.answer, str(row.bad), str(row.good)) for row in Decision.objects.order_by("id")] == [
        ("confirm", "30-41", ""),
        ("override", "", "60-62"),
    ]
    expect(page.get_by_text("1 left.").first).to_be_attached()
    expect(page).to_have_url(re.compile(r"/review/\d+/$"))
    page.keyboard.press("u")
    heading(page, "60-62")
    expect(page.locator("#held", has_text="held by you")).to_be_visible()
    assert Decision.objects.filter(answer="undo").count() == 1
    page.go_back()
    heading(page, "5-9")
    page.context.close()


def test_another_range_and_defect_by_keys(live_server: Any, browser: Browser, ada: User, lar: System) -> None:
    three(lar)
    page = visit(browser, live_server, ada)
    page.goto("/review/?show=bad")
    heading(page, "5-9")
    page.keyboard.press("e")
    page.keyboard.type("6-12")
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    page.keyboard.type(CORRUPT)
    page.keyboard.press("Escape")
    page.keyboard.press("c")
    page.keyboard.type("axes, exact")
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    page.get_by_text("All is decided.").or_(page.get_by_text("No item matches these filters.")).wait_for()
    done = Decision.objects.get()
    assert (done.answer, str(done.bad), str(done.good), done.comment) == ("override", "6-12", "5", "axes, exact")
    assert Entry.objects.get().defect.name == CORRUPT
    page.context.close()


def test_keys_are_silent_while_somebody_types_and_when_turned_off(
    live_server: Any, browser: Browser, ada: User, lar: System
) -> None:
    three(lar)
    page = visit(browser, live_server, ada)
    page.goto("/review/")
    heading(page, "30-41")
    page.get_by_label("comment").fill("")
    page.get_by_label("comment").press_sequentially("axu")
    expect(page.get_by_label("comment")).to_have_value("axu")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.get_by_label("Keys work in this browser").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("a")
    page.wait_for_timeout(300)
    assert not Decision.objects.exists()
    page.reload()
    page.keyboard.press("x")
    page.wait_for_timeout(300)
    assert not Decision.objects.exists()
    page.context.close()


def test_next_previous_skip_and_the_lease(live_server: Any, browser: Browser, ada: User, lar: System) -> None:
    three(lar)
    page = visit(browser, live_server, ada)
    page.goto("/review/")
    heading(page, "30-41")
    page.locator("#held", has_text="held by you").wait_for()
    page.keyboard.press("j")
    heading(page, "60-62")
    page.keyboard.press("k")
    heading(page, "30-41")
    page.locator("#held", has_text="held by you").wait_for()
    page.keyboard.press("s")
    page.keyboard.type("I was on shift.")
    page.keyboard.press("Enter")
    heading(page, "60-62")
    assert Remark.objects.get().text == "I was on shift."
    page.goto("/runs/")
    eventually(lambda: not Claim.objects.exists())
    page.context.close()


def test_what_another_holds_is_taken_over(
    live_server: Any, browser: Browser, ada: User, chi: User, lar: System
) -> None:
    first = three(lar)[1]
    claims.claim(actor=chi, item=first)
    page = visit(browser, live_server, ada)
    page.goto(f"/review/{first.pk}/")
    page.get_by_text("held by chi until").first.wait_for()
    heading(page, "30-41")
    page.keyboard.press("a")
    page.get_by_text("chi holds item").wait_for()
    page.get_by_label("reason").last.fill("Chi is on a plane.")
    page.get_by_role("button", name="Take over").click()
    page.get_by_text("held by you until").wait_for()
    heading(page, "30-41")
    page.keyboard.press("a")
    heading(page, "60-62")
    page.context.close()


@pytest.mark.parametrize("scripts", [False, True], ids=["without scripts", "with scripts"])
def test_confirming_many_after_a_preview(
    live_server: Any, browser: Browser, ada: User, lar: System, scripts: bool
) -> None:
    define(lar)
    queue(lar, F("5-9"), F("20-24", "bad", CORRUPT), F("30-41", "unsure"))
    page = visit(browser, live_server, ada, scripts=scripts)
    page.goto("/review/")
    page.get_by_role("link", name="Confirm clear ones together").click()
    page.get_by_text("2 items would be confirmed").wait_for()
    page.get_by_label("run 350479, 20-24").uncheck()
    page.get_by_role("button", name="Preview only those ticked").click()
    page.get_by_text("1 item would be confirmed").wait_for()
    page.get_by_role("button", name="Confirm 1").click()
    page.get_by_text("1 item confirmed. Each can be undone.").wait_for()
    assert str(Decision.objects.get().bad) == "5-9"
    page.context.close()


def test_everything_works_without_a_script(live_server: Any, browser: Browser, ada: User, lar: System) -> None:
    three(lar)
    page = visit(browser, live_server, ada, scripts=False)
    page.goto("/review/")
    page.get_by_role("link", name="Show the histograms").click()
    heading(page, "30-41")
    page.get_by_label("lumisections").fill("30-35")
    page.get_by_role("button", name="Confirm").click()
    page.get_by_text("Saved: run 350479, 30-35, is bad.").wait_for()
    heading(page, "60-62")
    page.get_by_role("button", name="undo").click()
    heading(page, "30-41")
    services.sign_off(actor=ada, run=Item.objects.all()[0].run, system=lar, stage="express")
    page.get_by_role("button", name="Data fine").click()
    page.get_by_text("Saved: data of run 350479, 30-41, are fine.").wait_for()
    services.reopen(actor=ada, run=Item.objects.all()[0].run, system=lar, stage="express", comment="once more")
    services.sign_off(actor=ada, run=Item.objects.all()[0].run, system=lar, stage="express")
    page.get_by_role("button", name="undo").click()
    page.get_by_text("LAR express was signed after this decision.").wait_for()
    page.get_by_label("reason").fill("Looked again.")
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("waits again").wait_for()
    page.context.close()


def test_an_audit_item_tells_what_it_was_only_afterwards(
    live_server: Any, browser: Browser, ada: User, lar: System, settings: Any
) -> None:
    settings.REVIEW_AUDIT_SHARE = 1.0
    define(lar)
    version = world.register(lar)
    precert.promote(actor=None, version=version, reason="first")
    world.score(version, world.take(system=lar, noise="5-9", corrupt="20-24"))
    find_items()
    item = Item.objects.filter(kind=Kind.AUDIT).order_by("id")[0]
    page = visit(browser, live_server, ada)
    page.goto(f"/review/{item.pk}/")
    page.get_by_text("what do you see?").wait_for()
    page.get_by_text("shown after your decision").wait_for()
    page.locator("#evidence:not([aria-busy])").wait_for()
    expect(page.get_by_text("audit")).to_have_count(0)
    page.keyboard.press("x")
    page.locator(".review-decided li").first.wait_for()
    page.goto(f"/review/{item.pk}/")
    page.get_by_text("This was an audit sample.").wait_for()
    page.get_by_text("The machine had called it").wait_for()
    page.context.close()


def test_the_answer_to_a_key_is_the_next_item(live_server: Any, browser: Browser, ada: User, lar: System) -> None:
    """How fast it is, benchmarks.bench_review_queue measures; here, that no second request is waited for."""
    define(lar)
    found = queue(lar, *[F(f"{first}", "unsure") for first in range(1, 99, 2)])
    page = visit(browser, live_server, ada)
    page.goto("/review/")
    page.locator("#held", has_text="held by you").wait_for()
    for _ in range(4):
        page.locator("#evidence:not([aria-busy])").wait_for()
        before = page.locator("#item-title").inner_text()
        with page.expect_response(lambda answer: answer.request.method == "POST") as answered:
            page.keyboard.press("a")
        page.wait_for_function("before => document.querySelector('#item-title').innerText !== before", arg=before)
        shown = page.locator("#item-title").inner_text().split(" · ")[1]
        title = re.search(r'id="item-title".*?</h\d>', answered.value.text(), re.DOTALL)
        assert title is not None
        assert f">{shown}</span>" in title.group()
    assert Decision.objects.count() == 4 < len(found)
    page.context.close()


def test_no_page_is_wider_than_its_screen(live_server: Any, browser: Browser, ada: User, lar: System) -> None:
    found = three(lar)
    decide(actor=ada, item=found[2], verdict="confirm", comment="x" * 300)
    page = visit(browser, live_server, ada)
    for address in ("/review/", f"/review/{found[2].pk}/", "/review/bulk/", "/review/agreement/", "/review/?run=1"):
        page.goto(address)
        for width in (1920, 1280, 1100, 390):
            page.set_viewport_size({"width": width, "height": 844})
            page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)
    page.context.close()
