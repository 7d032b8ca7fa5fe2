"""Writes of this room: signing a stage of a run off, and reopening it. Both only ever add rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Max
from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import System, User
from certifier.audit.errors import CertifierError
from certifier.audit.unit import Unit, unit_of_work
from certifier.defects.models import Entry
from certifier.runs.changes import announce
from certifier.runs.models import Run

from . import checklists
from .checklists import Ticks
from .models import Action, SignOff, Stage
from .rules import REOPENED, SIGNED, NotSignable, reopened_with, why_not_reopen, why_not_sign

LONGEST_COMMENT = 2_000


class SignOffRefused(CertifierError):
    """The request itself makes no sense; the message says what to send instead."""


def sign_off(
    *,
    actor: User | None,
    run: Run,
    system: System,
    stage: str,
    comment: str = "",
    at: datetime | None = None,
    ticks: Ticks | None = None,
) -> SignOff:
    """Sign a stage of a system for a run: express, then bulk, then final.

    Experts of the system and coordinators; shifters sign the express stage. Raises NotSignable with every
    reason that stands against it (`rules.why_not_sign`). Recorded with the newest entry of the run, so that a
    page can tell what was entered afterwards. `at` is for what was signed elsewhere before; left out it is now.
    `ticks` is what was ticked of the checklist that the signer was shown (`checklists.check`); scripts show none.
    """
    _check(stage, comment)
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_sign(actor, system, stage))
        run = _locked(run)
        reasons = why_not_sign(run, system.code, stage, states_of(run, system))
        if reasons:
            raise NotSignable(reasons)
        shown = checklists.check(system, stage, ticks, comment) if ticks is not None else None
        looked_at = {"checklist": shown, "ticked": sorted(set(ticks.ticked))} if shown and ticks else {}
        row = _act(unit, run, system, stage=stage, action=Action.SIGN, comment=comment, at=at, **looked_at)
        data: dict[str, Any] = {"system": system.code, "stage": stage}
        if shown is not None:
            data |= {"checklist": shown.number, "ticked": len(row.ticked), "points": len(shown.points)}
        unit.audit("review.sign_off", f"run {run.number}", data)
    return row


def reopen(
    *,
    actor: User | None,
    run: Run,
    system: System,
    stage: str,
    comment: str,
    at: datetime | None = None,
) -> list[SignOff]:
    """Take a signature back, for a reason. Later stages that are signed are reopened with it, each by a row
    of its own.

    Experts of the system and coordinators. Raises NotSignable when the stage is not signed. Returns the rows,
    the stage that was asked for first. `at` as for `sign_off`.
    """
    _check(stage, comment)
    if not comment.strip():
        raise SignOffRefused("Say why it is reopened: a reason is required.", field="comment")
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_reopen(actor, system))
        run = _locked(run)
        states = states_of(run, system)
        reasons = why_not_reopen(system.code, stage, states)
        if reasons:
            raise NotSignable(reasons)
        stages = reopened_with(stage, states)
        rows = [_act(unit, run, system, stage=each, action=Action.REOPEN, comment=comment, at=at) for each in stages]
        unit.audit(
            "review.reopen",
            f"run {run.number}",
            {"system": system.code, "stages": stages, "reason": comment},
        )
    return rows


def states_of(run: Run, system: System) -> dict[str, str]:
    """signed or reopened per stage of one system, as it is in the database now; unchecked stages are left
    out.
    """
    rows = SignOff.objects.filter(run=run, system=system).order_by("id").values_list("stage", "action")
    return {stage: SIGNED if action == Action.SIGN else REOPENED for stage, action in rows}


def _check(stage: str, comment: str) -> None:
    if stage not in Stage.values:
        raise SignOffRefused(f"“{stage[:40]}” is no stage. Choose one of {', '.join(Stage.values)}.", field="stage")
    if len(comment) > LONGEST_COMMENT:
        raise SignOffRefused(f"A comment has at most {LONGEST_COMMENT} characters.", field="comment")


def _locked(run: Run) -> Run:
    """The run as it is now. Its row stays locked until the commit, so that two people act one after the
    other.

    The lock lets rows that refer to the run (defect entries, lumisections) be written meanwhile.
    """
    return Run.objects.select_for_update(no_key=True).get(pk=run.pk)


def _act(
    unit: Unit,
    run: Run,
    system: System,
    *,
    stage: str,
    action: Action,
    comment: str,
    at: datetime | None,
    **looked_at: Any,
) -> SignOff:
    newest = Entry.objects.filter(run=run).aggregate(newest=Max("id"))["newest"] or 0
    row = SignOff.objects.create(
        run=run,
        system=system,
        stage=stage,
        action=action,
        comment=comment.strip(),
        by=unit.actor,  # type: ignore[misc]  # the audit room knows no more than that it is a person
        by_name=unit.actor_name,
        at=at or timezone.now(),
        entry_id=newest,
        **looked_at,
    )
    data = {"system": system.code, "stage": stage, "action": str(action)}
    announce(unit, "review.sign_off", run=run.number, data=data)
    return row
