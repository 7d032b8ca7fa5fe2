"""Many runs signed at once: what will be signed is shown first, and that is what is signed, or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from certifier.accounts.models import System, User
from certifier.review.checklists import write_checklist
from certifier.review.models import SignOff
from tests.e2e.visiting import visit
from tests.web import experiment
from tests.web.experiment import AFTER, BEFORE, RUN

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]
GOES_ON = AFTER + 10


@pytest.fixture(autouse=True)
def runs(lar: System) -> None:
    """Three runs that LAR has signed express, and one that still goes on."""
    experiment.define()
    for number in (BEFORE, RUN, AFTER):
        experiment.take(number)
        experiment.sign("LAR", run=number)
    experiment.take(GOES_ON, ended_at=None)
    experiment.sign("LAR", run=GOES_ON)
    write_checklist(actor=None, system=lar, stage="bulk", points=["Noise bursts after the veto"])


def previewed(page: Page) -> None:
    page.goto("/sign-offs/many/")
    page.get_by_label("system").select_option("LAR")
    page.get_by_label("stage").select_option("bulk")
    page.get_by_role("button", name="Preview").click()


def signed_bulk() -> list[int]:
    return sorted(SignOff.objects.filter(stage="bulk").values_list("run__number", flat=True))


@pytest.mark.parametrize("scripts", [False, True], ids=["without scripts", "with scripts"])
def test_what_was_previewed_is_signed_or_nothing(
    live_server: Any, browser: Browser, ada: User, ben: User, scripts: bool
) -> None:
    page = visit(browser, live_server, ada, scripts=scripts)
    previewed(page)
    expect(page.get_by_role("heading", name="3 runs can be signed")).to_be_visible()
    expect(page.get_by_role("group", name="Runs that are refused")).to_contain_text(f"Run {GOES_ON} is still going on")
    page.get_by_label(f"run {BEFORE}").uncheck()
    page.get_by_role("button", name="Preview only those ticked").click()
    expect(page.get_by_role("heading", name="2 runs can be signed")).to_be_visible()
    expect(page.get_by_label(f"run {BEFORE}")).to_have_count(0)

    # A point that is left open needs a word, and what somebody enters meanwhile another look.
    page.get_by_role("button", name="Sign 2 runs").click()
    expect(page.get_by_text("Not ticked: “Noise bursts after the veto”")).to_be_visible()
    experiment.record("LAR_NOISEBURST", "7-9", run=RUN, actor=ben)
    page.get_by_label("Noise bursts after the veto").check()
    page.get_by_role("button", name="Sign 2 runs").click()
    expect(page.get_by_text("Something was entered or signed since the preview. Nothing was signed;")).to_be_visible()
    assert signed_bulk() == []
    expect(page.get_by_label("Noise bursts after the veto")).to_be_checked()
    page.get_by_role("button", name="Sign 2 runs").click()
    expect(page.get_by_text("LAR bulk of 2 runs is signed.")).to_be_visible()
    assert signed_bulk() == sorted([RUN, AFTER])
    assert {(act.by_name, *act.ticked) for act in SignOff.objects.filter(stage="bulk")} == {("ada", 0)}
    page.context.close()


def test_who_may_not_sign_sees_what_could_be_and_is_told_whom_to_ask(
    live_server: Any, browser: Browser, ben: User, dee: User
) -> None:
    page = visit(browser, live_server, ben)
    previewed(page)
    expect(page.get_by_text("Signing off the bulk stage needs the role expert of LAR")).to_be_visible()
    expect(page.get_by_role("button", name="Sign 3 runs")).to_have_count(0)
    page.context.close()
    page = visit(browser, live_server, dee)
    answer = page.goto("/sign-offs/many/?system=LAR&stage=bulk")
    assert answer is not None
    assert answer.status == 403
    expect(page.get_by_text("You may not do this.")).to_be_visible()
    page.context.close()
    assert signed_bulk() == []
