"""A coordinator lets nothing be learned from some runs, for a reason, and lets them be learned from again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.append_only import AppendOnlyError
from certifier.audit.models import AuditEvent
from certifier.runs.models import Run
from certifier.training import services
from certifier.training.errors import BadRuns, ReasonNeeded
from certifier.training.models import LeftOut, Outcome
from certifier.training.recipe import recipe_of
from certifier.training.sample import plan
from certifier.training.selectors import is_left_out, left_out_acts
from tests.training import world

pytestmark = pytest.mark.django_db
Page = Callable[[User | None], Client]
WHY = "The calibration was wrong, and no histogram shows it."


def learned_from(system: System) -> list[int]:
    return [each.run.number for each in plan(system, recipe_of(system)).runs]


def test_they_are_in_no_training_until_they_are_taken_back(lar: System, pixel: System, chi: User) -> None:
    numbers = [run.number for run in world.season(lar, 8)]
    assert learned_from(lar) == numbers
    services.leave_out(actor=chi, system=pixel, first_run=numbers[0], last_run=numbers[-1], reason=WHY)
    assert learned_from(lar) == numbers, "what is left out of one system is not of another"

    services.leave_out(actor=chi, system=lar, first_run=numbers[2], last_run=numbers[5], reason=WHY)
    assert learned_from(lar) == [*numbers[:2], *numbers[6:]]
    assert plan(lar, recipe_of(lar)).by_hand == 4
    services.leave_out(
        actor=chi, system=lar, first_run=numbers[4], last_run=numbers[4], reason="This one is good.", again=True
    )
    assert learned_from(lar) == [*numbers[:2], numbers[4], *numbers[6:]]
    services.leave_out(actor=chi, system=lar, first_run=1, last_run=numbers[4], reason="Nor that.")
    assert learned_from(lar) == numbers[6:]
    assert [row.number for row in reversed(left_out_acts(lar))] == [1, 2, 3]


def test_it_is_something_new_to_learn(lar: System, chi: User) -> None:
    runs = world.season(lar)
    assert world.train(lar).challenger is not None
    assert world.train(lar).outcome == Outcome.UNCHANGED
    services.leave_out(actor=chi, system=lar, first_run=runs[0].number, last_run=runs[1].number, reason=WHY)
    training = world.train(lar)
    assert training.challenger is not None
    assert training.extent["first_run"] == runs[2].number


def test_the_newest_act_that_names_a_run_holds() -> None:
    acts = [LeftOut(first_run=5, last_run=5, is_left_out=False), LeftOut(first_run=3, last_run=8, is_left_out=True)]
    assert [is_left_out(run, acts) for run in (2, 3, 5, 8, 9)] == [False, True, False, True, False]


@pytest.mark.parametrize(("first", "last"), [(0, 5), (-3, 5), (9, 8), (1, 2**63)])
def test_runs_that_are_none_are_refused(lar: System, chi: User, first: int, last: int) -> None:
    with pytest.raises(BadRuns, match="the first not after the last"):
        services.leave_out(actor=chi, system=lar, first_run=first, last_run=last, reason=WHY)
    assert not LeftOut.objects.exists()


@pytest.mark.parametrize("reason", ["", "  ", "x" * 2001])
def test_it_needs_a_reason(lar: System, chi: User, reason: str) -> None:
    with pytest.raises(ReasonNeeded, match="reason"):
        services.leave_out(actor=chi, system=lar, first_run=1, last_run=2, reason=reason)


@pytest.mark.parametrize("name", ["ada", "ben", "dee"])
def test_it_is_for_coordinators(lar: System, name: str, request: pytest.FixtureRequest, page: Page) -> None:
    actor = request.getfixturevalue(name)
    with pytest.raises(NotAllowed, match="needs the role coordinator"):
        services.leave_out(actor=actor, system=lar, first_run=1, last_run=2, reason=WHY)
    answer = page(actor).post("/training/LAR/left-out/", {"first_run": "1", "last_run": "2", "reason": WHY})
    assert answer.status_code == 403
    assert not LeftOut.objects.exists()


def test_what_was_done_is_kept(lar: System, chi: User) -> None:
    row = services.leave_out(actor=chi, system=lar, first_run=1, last_run=2, reason=WHY)
    assert AuditEvent.objects.filter(code="training.leave_out").count() == 1
    row.reason = "Something else."
    with pytest.raises(AppendOnlyError):
        row.save()
    with pytest.raises(AppendOnlyError):
        row.delete()


def test_the_page_shows_it_and_takes_it(lar: System, chi: User, ben: User, page: Page) -> None:
    world.season(lar, 8)
    number = Run.objects.order_by("number").values_list("number", flat=True)[1]
    sent = {"first_run": f" {number}", "last_run": f"{number} ", "reason": WHY, "what": "out"}
    done = page(chi).post("/training/LAR/left-out/", sent, follow=True).content.decode()
    assert f"From run {number} LAR learns nothing." in done
    mine, read = (page(who).get("/training/LAR/now/").content.decode() for who in (chi, ben))
    assert WHY in mine
    assert WHY in read
    assert "Leave runs out, or learn from them again" in mine
    assert "Leave runs out, or learn from them again" not in read
    assert "1 run was left out by a coordinator." in read
    again = page(chi).post("/training/LAR/left-out/", {**sent, "what": "again"}, follow=True).content.decode()
    assert f"From run {number} LAR learns again." in again
    assert "left out by a coordinator" not in page(ben).get("/training/LAR/now/").content.decode()


@pytest.mark.parametrize("first", ["", "x", "-1", "1.5", "٣", "9" * 30])
def test_the_page_says_what_is_wrong_with_a_run(lar: System, chi: User, page: Page, first: str) -> None:
    sent = {"first_run": first, "last_run": "5", "reason": WHY}
    said = page(chi).post("/training/LAR/left-out/", sent, follow=True).content.decode()
    assert "the first not after the last" in said
    assert not LeftOut.objects.exists()
