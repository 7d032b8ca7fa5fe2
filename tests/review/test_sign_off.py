"""Stages are signed in order, by whom it concerns, and never silently changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.append_only import AppendOnlyError
from certifier.audit.models import AuditEvent
from certifier.review import selectors, services
from certifier.review.models import SignOff
from certifier.review.rules import NotSignable
from certifier.runs.models import Change, Run

STARTED = datetime(2018, 5, 15, 9, 41, tzinfo=UTC)


def stage_state(run: Run, system: System, stage: str) -> selectors.StageState:
    (state,) = selectors.sign_off_state(run, [system])
    return next(each for each in state.stages if each.stage == stage)


def sign(actor: User | None, run: Run, system: System, *stages: str) -> None:
    for stage in stages:
        services.sign_off(actor=actor, run=run, system=system, stage=stage)


def test_it_is_unchecked_before_anybody_acts(make_run: Callable[..., Run], lar: System) -> None:
    (state,) = selectors.sign_off_state(make_run(), [lar])
    assert [(stage.stage, stage.state) for stage in state.stages] == [
        ("express", "unchecked"),
        ("bulk", "unchecked"),
        ("final", "unchecked"),
    ]
    assert not state.is_signed


def test_it_signs_stages_in_order(make_run: Callable[..., Run], lar: System, ada: User) -> None:
    run = make_run()
    services.sign_off(actor=ada, run=run, system=lar, stage="express", comment="all good")
    state = stage_state(run, lar, "express")
    assert (state.state, state.by, state.comment) == ("signed", "ada", "all good")
    assert stage_state(run, lar, "bulk").blocked_by == ()
    assert stage_state(run, lar, "final").blocked_by == (
        "The bulk stage of LAR is unchecked; it is signed before the final stage.",
    )
    sign(ada, run, lar, "bulk", "final")
    assert stage_state(run, lar, "final").state == "signed"


def test_it_records_the_act_and_announces_it(make_run: Callable[..., Run], lar: System, ada: User) -> None:
    run = make_run()
    sign(ada, run, lar, "express")
    event = AuditEvent.objects.get(code="review.sign_off")
    assert (event.actor_name, event.subject, event.data) == (
        "ada",
        "run 350479",
        {"system": "LAR", "stage": "express"},
    )
    change = Change.objects.get(kind="review.sign_off")
    assert (change.run, change.data["action"]) == (350479, "sign")


@pytest.mark.parametrize(
    ("lumisections", "ended", "stage", "reason"),
    [
        (0, True, "express", "Run 350479 has no lumisections yet: there is nothing to look at."),
        (100, True, "bulk", "The express stage of LAR is unchecked; it is signed before the bulk stage."),
        (100, False, "bulk", "Run 350479 is still going on; the bulk stage is signed after its end."),
        (100, False, "final", "Run 350479 is still going on; the final stage is signed after its end."),
    ],
)
def test_it_says_what_blocks_a_signature(
    *, make_run: Callable[..., Run], lar: System, ada: User, lumisections: int, ended: bool, stage: str, reason: str
) -> None:
    run = make_run(
        350479, lumisections=lumisections, started_at=STARTED, ended_at=STARTED.replace(hour=20) if ended else None
    )
    with pytest.raises(NotSignable) as refusal:
        sign(ada, run, lar, stage)
    assert reason in refusal.value.reasons
    assert refusal.value.status == 409
    assert reason in stage_state(run, lar, stage).blocked_by
    assert not SignOff.objects.exists()


def test_it_lets_the_express_stage_be_signed_while_the_run_goes_on(
    make_run: Callable[..., Run], lar: System, ada: User
) -> None:
    run = make_run(started_at=STARTED, ended_at=None)
    sign(ada, run, lar, "express")
    assert stage_state(run, lar, "express").state == "signed"


def test_it_does_not_sign_twice(make_run: Callable[..., Run], lar: System, ada: User) -> None:
    run = make_run()
    sign(ada, run, lar, "express")
    with pytest.raises(NotSignable, match="signed already; reopen it to sign it again"):
        sign(ada, run, lar, "express")


def test_it_takes_a_signature_as_final_only_until_it_is_reopened(
    make_run: Callable[..., Run], lar: System, ada: User
) -> None:
    run = make_run()
    sign(ada, run, lar, "express", "bulk", "final")
    rows = services.reopen(actor=ada, run=run, system=lar, stage="express", comment="noise found")
    assert [row.stage for row in rows] == ["express", "bulk", "final"]
    assert {row.comment for row in rows} == {"noise found"}
    assert [stage_state(run, lar, stage).state for stage in ("express", "bulk", "final")] == ["reopened"] * 3
    sign(ada, run, lar, "express")
    assert stage_state(run, lar, "express").state == "signed"
    assert stage_state(run, lar, "bulk").state == "reopened"


def test_it_reopens_only_what_is_signed_later(make_run: Callable[..., Run], lar: System, ada: User) -> None:
    run = make_run()
    sign(ada, run, lar, "express", "bulk")
    rows = services.reopen(actor=ada, run=run, system=lar, stage="bulk", comment="reprocessed")
    assert [row.stage for row in rows] == ["bulk"]
    assert stage_state(run, lar, "express").state == "signed"


@pytest.mark.parametrize("state", ["unchecked", "reopened"])
def test_it_does_not_reopen_what_is_not_signed(
    make_run: Callable[..., Run], lar: System, ada: User, state: str
) -> None:
    run = make_run()
    if state == "reopened":
        sign(ada, run, lar, "express")
        services.reopen(actor=ada, run=run, system=lar, stage="express", comment="once")
    with pytest.raises(NotSignable, match=f"is {state}; only a signed one can be reopened"):
        services.reopen(actor=ada, run=run, system=lar, stage="express", comment="again")


@pytest.mark.parametrize("reason", ["", "   "])
def test_it_wants_a_reason_for_reopening(make_run: Callable[..., Run], lar: System, ada: User, reason: str) -> None:
    run = make_run()
    sign(ada, run, lar, "express")
    with pytest.raises(services.SignOffRefused, match="a reason is required"):
        services.reopen(actor=ada, run=run, system=lar, stage="express", comment=reason)


def test_it_knows_no_other_stage(make_run: Callable[..., Run], lar: System, ada: User) -> None:
    with pytest.raises(services.SignOffRefused, match="Choose one of express, bulk, final"):
        sign(ada, make_run(), lar, "prompt")


def test_it_keeps_every_act(make_run: Callable[..., Run], lar: System, ada: User) -> None:
    run = make_run()
    sign(ada, run, lar, "express")
    services.reopen(actor=ada, run=run, system=lar, stage="express", comment="why")
    sign(ada, run, lar, "express")
    assert list(SignOff.objects.order_by("id").values_list("action", flat=True)) == ["sign", "reopen", "sign"]
    row = SignOff.objects.first()
    assert row is not None
    row.comment = "something else"
    with pytest.raises(AppendOnlyError):
        row.save()


def test_it_lets_a_shifter_sign_express_and_no_more(make_run: Callable[..., Run], lar: System, ben: User) -> None:
    run = make_run()
    sign(ben, run, lar, "express")
    with pytest.raises(NotAllowed, match="expert of LAR"):
        sign(ben, run, lar, "bulk")
    with pytest.raises(NotAllowed, match="expert of LAR"):
        services.reopen(actor=ben, run=run, system=lar, stage="express", comment="mine")


def test_it_refuses_the_expert_of_another_system(make_run: Callable[..., Run], pixel: System, ada: User) -> None:
    with pytest.raises(NotAllowed, match="expert of PIXEL"):
        sign(ada, make_run(), pixel, "express")


def test_it_refuses_an_outsider(make_run: Callable[..., Run], lar: System, dee: User) -> None:
    with pytest.raises(NotAllowed):
        sign(dee, make_run(), lar, "express")
    assert not SignOff.objects.exists()


def test_it_tells_the_next_step(make_run: Callable[..., Run], lar: System, pixel: System, chi: User) -> None:
    run: Any = make_run()
    systems = [pixel, lar]

    def step() -> str:
        return selectors.next_step(run, selectors.sign_off_state(run, systems))

    assert step() == "Sign PIXEL express, then 1 more."
    sign(chi, run, pixel, "express")
    assert step() == "Sign LAR express."
    sign(chi, run, lar, "express")
    assert step() == "Sign PIXEL bulk, then 1 more."
    for system in systems:
        sign(chi, run, system, "bulk", "final")
    assert step() == "Nothing: every system is signed up to the final stage."
    run.last_lumisection = 0
    assert step() == "Nothing to sign yet: no lumisection is known."


def test_it_counts_a_system_as_signed_for_many_runs_in_one_query(
    make_run: Callable[..., Run], lar: System, pixel: System, chi: User, django_assert_num_queries: Any
) -> None:
    first, second, third, other = (make_run(number) for number in (350001, 350002, 350003, 350004))
    sign(chi, first, lar, "express")
    sign(chi, second, lar, "express", "bulk")
    services.reopen(actor=chi, run=second, system=lar, stage="bulk", comment="look again")
    sign(chi, third, lar, "express", "bulk")
    sign(chi, third, pixel, "express")
    runs = [first.pk, second.pk, third.pk, other.pk]
    with django_assert_num_queries(1):
        found = selectors.signed_systems(runs)
    assert found == {first.pk: {lar.pk}, second.pk: set(), third.pk: {lar.pk, pixel.pk}, other.pk: set()}
    assert selectors.signed_systems(runs, "bulk") == {
        first.pk: set(),
        second.pk: set(),
        third.pk: {lar.pk},
        other.pk: set(),
    }
    assert selectors.signed_systems([]) == {}
