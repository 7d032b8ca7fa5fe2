"""What waits for whom: the runs that an expert, a shifter or a coordinator can move on, and how."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from certifier.accounts import permissions
from certifier.accounts.models import Role, System
from certifier.goodruns.building import Question, needed_systems
from certifier.goodruns.facts import Facts
from certifier.goodruns.models import RunSummary
from certifier.review.models import Action, SignOff, Stage
from certifier.review.queue import waiting_counts
from certifier.review.rules import REOPENED, SIGNED, STAGES, UNCHECKED, why_not_sign
from certifier.review.selectors import signed_systems
from certifier.runs.models import Run

SHOWN = 6
BLOCKING_SHOWN = 8
SHOWN_OF_A_RUN = ("number", "last_lumisection", "started_at", "ended_at")
# A shifter looks at what was taken lately; what is older waits for experts.
LATEST_RUNS = 40

# (run key, system key) -> stage -> signed or reopened
States = dict[tuple[int, int], dict[str, str]]


@dataclass(frozen=True)
class Open:
    """A run on which somebody can sign the next stage of a system, or why it has to wait."""

    run: Run
    system: System
    stage: str
    state: str
    reasons: tuple[str, ...]

    @property
    def mark(self) -> str:
        return REOPENED if self.state == REOPENED else UNCHECKED

    @property
    def words(self) -> str:
        return f"reopened · {self.stage}" if self.state == REOPENED else f"sign {self.stage}"


@dataclass(frozen=True)
class OwnSystem:
    """A system of an expert. `due` are runs to be looked at now, the most urgent first; the rest is counted."""

    system: System
    due: Sequence[Open]
    due_count: int
    final_count: int
    blocked_count: int
    # Items of the review queue.
    review_count: int = 0

    @property
    def more(self) -> int:
        return self.due_count - len(self.due)


@dataclass(frozen=True)
class Blocking:
    """A run of which nothing can be certified, for want of these systems' signatures."""

    run: Run
    recorded_inv_nb: float | None
    systems: Sequence[str]
    systems_in_all: int


@dataclass(frozen=True)
class Unseen:
    """A run of which nobody has looked at the express stage of these systems."""

    run: Run
    systems: Sequence[str]


@dataclass(frozen=True)
class Waiting:
    own: Sequence[OwnSystem]
    unseen: Sequence[Unseen]
    blocking: Sequence[Blocking]
    blocking_count: int
    # Systems of others with what waits for their experts' review; for who may decide in their place.
    review: Sequence[tuple[System, int]]
    # Whether this person can move anything on at all.
    acts: bool


def waiting_for(user: Any) -> Waiting:
    """What waits for one person, by their roles: one to three queries for each of their roles."""
    roles = permissions.roles_of(user)
    names = {role for role, _ in roles}
    facts = Facts()
    systems = facts.systems
    mine = [system for system in systems if (Role.EXPERT, system.pk) in roles]
    coordinates = bool(names & {Role.COORDINATOR, Role.ADMIN})
    blocking, count = _blocking(facts) if coordinates else ([], 0)
    review = waiting_counts(user) if mine or coordinates else {}
    return Waiting(
        own=_own(mine, review) if mine else [],
        unseen=_unseen(systems) if Role.SHIFTER in names else [],
        blocking=blocking,
        blocking_count=count,
        review=[(system, review[system.pk]) for system in systems if review.get(system.pk) and system not in mine],
        acts=bool(mine) or coordinates or Role.SHIFTER in names,
    )


def states_of(runs: Collection[int] | None, systems: Iterable[System]) -> States:
    """The newest act on each stage of these systems, of these runs (keys) or of all, in one query."""
    rows = SignOff.objects.order_by("id").filter(system__in=list(systems))
    if runs is not None:
        rows = rows.filter(run_id__in=runs)
    found: States = {}
    acts = rows.values_list("run_id", "system_id", "stage", "action")
    for run, system, stage, action in acts.iterator(chunk_size=5_000):
        found.setdefault((run, system), {})[stage] = SIGNED if action == Action.SIGN else REOPENED
    return found


def next_stage(states: Mapping[str, str]) -> str | None:
    """The first stage that is not signed."""
    return next((stage for stage in STAGES if states.get(stage) != SIGNED), None)


# -- experts ---------------------------------------------------------------------------------------------------


def _own(systems: Sequence[System], review: Mapping[int, int]) -> list[OwnSystem]:
    runs = list(Run.objects.filter(last_lumisection__gt=0).order_by("-number").defer("attributes"))
    states = states_of(None, systems)
    return [_own_system(system, runs, states, review.get(system.pk, 0)) for system in systems]


def _own_system(system: System, runs: Sequence[Run], states: States, review: int) -> OwnSystem:
    due: list[Open] = []
    final = blocked = 0
    for run in runs:
        of_run = states.get((run.pk, system.pk), {})
        stage = next_stage(of_run)
        if stage is None:
            continue
        reasons = tuple(why_not_sign(run, system.code, stage, of_run))
        state = of_run.get(stage, UNCHECKED)
        if reasons:
            blocked += 1
        elif stage == Stage.FINAL and state != REOPENED:
            # The last word on a period is given for many runs at once: a number says it.
            final += 1
        else:
            due.append(Open(run, system, stage, state, reasons))
    due.sort(key=lambda one: (one.state != REOPENED, STAGES.index(one.stage), -one.run.number))
    return OwnSystem(system, due[:SHOWN], len(due), final, blocked, review)


# -- shifters --------------------------------------------------------------------------------------------------


def _unseen(systems: Sequence[System]) -> list[Unseen]:
    runs = list(Run.objects.filter(last_lumisection__gt=0).order_by("-number").defer("attributes")[:LATEST_RUNS])
    states = states_of([run.pk for run in runs], systems)
    found = [Unseen(run, [system.code for system in systems if not states.get((run.pk, system.pk))]) for run in runs]
    return [unseen for unseen in found if unseen.systems][:SHOWN]


# -- coordinators ----------------------------------------------------------------------------------------------


def _blocking(facts: Facts) -> tuple[list[Blocking], int]:
    """Runs that lack a signature which lists ask for, most luminosity first, and how many there are."""
    asked = _asked_for(facts)
    rows = RunSummary.objects.filter(open_systems__gt=0, run__last_lumisection__gt=0)
    shown = [f"run__{name}" for name in SHOWN_OF_A_RUN]
    found = rows.order_by("-recorded_inv_nb", "-run__number").values_list("run_id", "recorded_inv_nb", *shown)
    recorded = {run: (amount, said) for run, amount, *said in found}
    signed = signed_systems(recorded)
    missing = {run: [system.code for system in asked if system.pk not in signed[run]] for run in recorded}
    held = [run for run in recorded if missing[run]]  # of equal worth, and the worthless last, as the database has them
    held.sort(key=lambda run: -(recorded[run][0] or 0.0))
    worst = []
    for key in held[:BLOCKING_SHOWN]:
        amount, said = recorded[key]
        run = Run(pk=key, **dict(zip(SHOWN_OF_A_RUN, said, strict=True)))
        worst.append(Blocking(run, amount, missing[key], len(asked)))
    return worst, len(held)


def _asked_for(facts: Facts) -> Sequence[System]:
    """The systems that the main virtual defect depends on; all of them where there is none."""
    if facts.main is None:
        return facts.systems
    return needed_systems(Question(require=(facts.main,), meaning=facts.head), facts.systems)
