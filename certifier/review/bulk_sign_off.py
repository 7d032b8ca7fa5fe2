"""Signing a stage of one system for many runs at once: previewed first, then all that were shown, or none."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import Count, Max

from certifier.accounts import permissions
from certifier.accounts.models import System, User
from certifier.audit.errors import Conflict
from certifier.audit.unit import unit_of_work
from certifier.defects.models import Entry
from certifier.runs.models import Run, RunProfile

from .checklists import Ticks
from .models import Action, Item, ItemState, SignOff
from .rules import REOPENED, SIGNED, NotSignable, why_not_sign
from .services import SignOffRefused, sign_off

MOST_RUNS: Final = 300


class SigningChanged(Conflict):
    """Something was entered or signed since the preview."""

    def __init__(self) -> None:
        super().__init__("Something was entered or signed since the preview. Nothing was signed; look at it again.")


@dataclass(frozen=True)
class Candidate:
    """A run. `reasons` say why its stage cannot be signed now; `findings` wait in the review queue of the system."""

    run: Run
    reasons: tuple[str, ...]
    findings: int
    recorded_inv_nb: float | None


@dataclass(frozen=True)
class Preview:
    """`seen` names all that the preview depends on: a signature under another one was not previewed."""

    can: tuple[Candidate, ...]
    refused: tuple[Candidate, ...]
    seen: str

    @property
    def findings(self) -> int:
        return sum(each.findings for each in self.can)


def preview(system: System, stage: str, runs: Sequence[Run]) -> Preview:
    """What signing would do to each of these runs. Four queries."""
    keys = [run.pk for run in runs]
    states: dict[int, dict[str, str]] = {}
    acts = SignOff.objects.filter(system=system, run__in=keys).order_by("id")
    for run, of, action in acts.values_list("run_id", "stage", "action"):
        states.setdefault(run, {})[of] = SIGNED if action == Action.SIGN else REOPENED
    entries = dict(
        Entry.objects.filter(run__in=keys, defect__system=system)
        .order_by()
        .values_list("run_id")
        .annotate(newest=Max("id"))
    )
    open_items = Item.objects.filter(run__in=keys, system=system, state=ItemState.OPEN).order_by()
    findings = dict(open_items.values_list("run_id").annotate(count=Count("id")))
    recorded = dict(RunProfile.objects.filter(run__in=keys).order_by().values_list("run_id", "recorded_inv_nb"))
    candidates = [
        Candidate(
            run,
            tuple(why_not_sign(run, system.code, stage, states.get(run.pk, {}))),
            findings.get(run.pk, 0),
            recorded.get(run.pk),
        )
        for run in runs
    ]
    can = tuple(each for each in candidates if not each.reasons)
    facts = [(each.run.pk, sorted(states.get(each.run.pk, {}).items()), entries.get(each.run.pk, 0)) for each in can]
    seen = hashlib.sha256(repr((system.pk, stage, sorted(facts))).encode()).hexdigest()[:32]
    return Preview(can, tuple(each for each in candidates if each.reasons), seen)


def sign_many(
    *,
    actor: User | None,
    system: System,
    stage: str,
    runs: Sequence[Run],
    seen: str,
    comment: str = "",
    ticks: Ticks | None = None,
) -> list[SignOff]:
    """Sign the stage for all of these runs, or for none. Who may sign one of them may sign many.

    `seen` is the preview's. Raises SigningChanged when it would be another one now, and NotSignable when a run among
    them cannot be signed.
    """
    if not runs or len(runs) > MOST_RUNS:
        raise SignOffRefused(f"Choose 1 to {MOST_RUNS} runs; these are {len(runs)}.", field="run")
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_sign(actor, system, stage))
        # In one order, so that two people who sign many do not wait for each other.
        locked = list(Run.objects.select_for_update(no_key=True).filter(pk__in=[run.pk for run in runs]).order_by("pk"))
        now = preview(system, stage, locked)
        if now.refused:
            raise NotSignable([reason for each in now.refused for reason in each.reasons])
        if now.seen != seen:
            raise SigningChanged
        rows = [
            sign_off(actor=actor, run=run, system=system, stage=stage, comment=comment, ticks=ticks) for run in locked
        ]
        data = {"stage": stage, "runs": [run.number for run in locked]}
        unit.audit("review.sign_many", f"system {system.code}", data)
    return rows
