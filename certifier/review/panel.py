"""The sign-off panel of a run: what each system's stages are, and what this person may do about it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from certifier.accounts import permissions
from certifier.runs.models import Run

from .checklists import all_checklists
from .models import Checklist
from .rules import SIGNED
from .selectors import StageState, SystemState, next_step, sign_off_state


@dataclass(frozen=True)
class PanelRow:
    """One system. `next` is the stage to be signed next, None when all are; `signed` are those that can be reopened."""

    state: SystemState
    next: StageState | None
    may_sign: bool
    may_reopen: bool
    signed: tuple[StageState, ...]
    # The next stage has a checklist: it is signed on a page of its own, where that can be ticked.
    has_checklist: bool = False

    @property
    def can_sign_now(self) -> bool:
        return self.next is not None and self.may_sign and not self.next.blocked_by


@dataclass(frozen=True)
class Panel:
    run: Run
    rows: tuple[PanelRow, ...]
    next_step: str

    @property
    def signed(self) -> int:
        return sum(1 for row in self.rows if row.state.is_signed)

    @property
    def acts(self) -> bool:
        """Whether this person can do anything here, now."""
        return any(row.can_sign_now or (row.may_reopen and row.signed) for row in self.rows)


def panel(
    run: Run,
    user: Any,
    states: Sequence[SystemState] | None = None,
    checklists: Mapping[tuple[int, str], Checklist] | None = None,
) -> Panel:
    """The panel as this person sees it; `states` and `checklists` save reading them again."""
    states = sign_off_state(run) if states is None else states
    checklists = all_checklists() if checklists is None else checklists
    lists = {key for key, held in checklists.items() if held.points}
    return Panel(run, tuple(_row(state, user, lists) for state in states), next_step(run, states))


def _row(state: SystemState, user: Any, lists: Collection[tuple[int, str]]) -> PanelRow:
    stage = state.next_stage
    return PanelRow(
        state=state,
        next=stage,
        may_sign=stage is not None and bool(permissions.can_sign(user, state.system, stage.stage)),
        may_reopen=bool(permissions.can_reopen(user, state.system)),
        signed=tuple(each for each in state.stages if each.state == SIGNED),
        has_checklist=stage is not None and (state.system.pk, stage.stage) in lists,
    )
