"""What stands against a signature, in words. Pure functions of a run and of the states of one system's
stages.
"""

from __future__ import annotations

from collections.abc import Mapping

from certifier.audit.errors import Conflict
from certifier.runs.models import Run

from .models import Stage

UNCHECKED, SIGNED, REOPENED = "unchecked", "signed", "reopened"
STAGES: tuple[str, ...] = tuple(Stage.values)


class NotSignable(Conflict):
    """The stage cannot be signed or reopened now; `reasons` says why, one sentence each."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


def before(stage: str) -> str | None:
    """The stage that comes before this one."""
    place = STAGES.index(stage)
    return STAGES[place - 1] if place else None


def why_not_sign(run: Run, system: str, stage: str, states: Mapping[str, str]) -> list[str]:
    """Every reason why the stage of this system cannot be signed now; empty when it can.

    `states` holds unchecked, signed or reopened per stage; a stage that is not named is unchecked.
    """
    reasons = []
    if states.get(stage) == SIGNED:
        reasons.append(f"The {stage} stage of {system} is signed already; reopen it to sign it again.")
    if not run.last_lumisection:
        reasons.append(f"Run {run.number} has no lumisections yet: there is nothing to look at.")
    if stage != Stage.EXPRESS and run.still_going:
        reasons.append(f"Run {run.number} is still going on; the {stage} stage is signed after its end.")
    earlier = before(stage)
    if earlier is not None and states.get(earlier) != SIGNED:
        state = states.get(earlier, UNCHECKED)
        reasons.append(f"The {earlier} stage of {system} is {state}; it is signed before the {stage} stage.")
    return reasons


def why_not_reopen(system: str, stage: str, states: Mapping[str, str]) -> list[str]:
    """Every reason why the stage cannot be reopened now; empty when it can."""
    if states.get(stage) == SIGNED:
        return []
    return [f"The {stage} stage of {system} is {states.get(stage, UNCHECKED)}; only a signed one can be reopened."]


def reopened_with(stage: str, states: Mapping[str, str]) -> list[str]:
    """The stages that reopening this one reopens: itself, and every later one that is signed."""
    return [later for later in STAGES[STAGES.index(stage) :] if later == stage or states.get(later) == SIGNED]
