"""Two experts before the same system of the same run: one signs while the other has the page open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from certifier.accounts.models import System, User
from certifier.review.checklists import write_checklist
from certifier.review.models import SignOff
from tests import cast
from tests.e2e.visiting import visit
from tests.web import experiment
from tests.web.experiment import RUN

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
POINTS = ["Noise bursts after the veto", "High-voltage trips"]


@pytest.fixture(autouse=True)
def run(lar: System) -> None:
    experiment.define()
    experiment.take()
    experiment.record("LAR_NOISEBURST", "3")
    write_checklist(actor=None, system=lar, stage="express", points=POINTS)


@pytest.fixture
def eva(lar: System) -> User:
    """The other expert of LAR."""
    return cast.make_expert("eva", lar)


def on_the_page(live_server: Any, browser: Browser, user: User, *, scripts: bool) -> Page:
    page = visit(browser, live_server, user, scripts=scripts)
    page.goto(f"/sign-offs/{RUN}/LAR/express/")
    expect(page.get_by_role("heading", name=f"LAR express of run {RUN}")).to_be_visible()
    return page


def sign(page: Page, comment: str = "", *, ticking: list[str]) -> None:
    for point in ticking:
        page.get_by_label(point).check()
    page.get_by_label("comment").fill(comment)
    page.get_by_role("button", name="Sign LAR").click()


@pytest.mark.parametrize("scripts", [False, True], ids=["without scripts", "with scripts"])
def test_the_second_is_told_that_it_is_signed_and_by_whom(
    live_server: Any, browser: Browser, ada: User, eva: User, scripts: bool
) -> None:
    first = on_the_page(live_server, browser, ada, scripts=scripts)
    second = on_the_page(live_server, browser, eva, scripts=scripts)
    sign(first, "The trips are in the elog.", ticking=POINTS)
    expect(first.get_by_text(f"LAR express of run {RUN} is signed.")).to_be_visible()

    sign(second, "As always.", ticking=POINTS[:1])
    expect(second.get_by_text("Not done. The express stage of LAR is signed already")).to_be_visible()
    expect(second.get_by_text("Reopen it on the run's page to sign it again.")).to_be_visible()
    expect(second.get_by_role("button", name="Sign LAR")).to_have_count(0)
    acts = second.locator("section", has=second.get_by_role("heading", name="Signatures so far"))
    expect(acts).to_contain_text("ada signed express")
    expect(acts).to_contain_text("The trips are in the elog.")
    assert [(act.by_name, act.ticked) for act in SignOff.objects.all()] == [("ada", [0, 1])]

    # What is left to the second is the next stage, which has no list of its own.
    second.get_by_role("link", name=f"Run {RUN}").click()
    row = second.locator("#sign-off tbody tr", has_text="LAR")
    expect(row).to_contain_text("signed ada")
    row.get_by_role("button", name="Sign bulk").click()
    expect(second.get_by_text(f"LAR bulk of run {RUN} is signed.")).to_be_visible()
    assert list(SignOff.objects.order_by("id").values_list("stage", "by_name")) == [("express", "ada"), ("bulk", "eva")]
    for page in (first, second):
        page.context.close()


def test_a_list_that_was_changed_meanwhile_is_looked_at_again(
    live_server: Any, browser: Browser, ada: User, eva: User, lar: System
) -> None:
    first = on_the_page(live_server, browser, ada, scripts=True)
    second = on_the_page(live_server, browser, eva, scripts=True)
    first.get_by_role("link", name="Change this checklist").click()
    first.get_by_label("points").fill("\n".join([*POINTS, "Timing of the new boards"]))
    first.get_by_role("button", name="Save").click()
    expect(first.get_by_text("Timing of the new boards").first).to_be_visible()

    sign(second, ticking=POINTS)
    expect(second.get_by_text("The checklist of LAR express was changed since you opened it.")).to_be_visible()
    for point in POINTS:
        expect(second.get_by_label(point)).to_be_checked()
    expect(second.get_by_label("Timing of the new boards")).not_to_be_checked()
    sign(second, "No new board took part.", ticking=[])
    expect(second.get_by_text(f"LAR express of run {RUN} is signed.")).to_be_visible()
    act = SignOff.objects.get()
    assert act.checklist is not None
    assert (act.by_name, act.ticked, act.checklist.number) == ("eva", [0, 1], 2)
    for page in (first, second):
        page.context.close()


def test_who_may_not_sign_reads_and_is_told_whom_to_ask(live_server: Any, browser: Browser, dee: User) -> None:
    page = visit(browser, live_server, dee)
    answer = page.goto(f"/sign-offs/{RUN}/LAR/express/")
    assert answer is not None
    assert answer.status == 403
    expect(page.get_by_text("You may not do this.")).to_be_visible()
    assert not SignOff.objects.exists()
    page.context.close()
