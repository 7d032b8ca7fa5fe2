"""Reads of this room: the state of every stage, what stands against a signature, what to do next."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max

from certifier.accounts.models import System
from certifier.defects.models import Entry
from certifier.runs.models import Run

from .labels import Label as Label  # noqa: PLC0414  what `training` reads
from .labels import labels_of as labels_of  # noqa: PLC0414
from .models import Action, SignOff
from .rules import REOPENED, SIGNED, STAGES, UNCHECKED, why_not_sign


@dataclass(frozen=True)
class StageState:
    """One stage of one system: unchecked, signed or reopened, since when, and what stands against signing
    it.
    """

    stage: str
    state: str
    by: str = ""
    at: datetime | None = None
    comment: str = ""
    blocked_by: tuple[str, ...] = ()
    # Defects of the system were entered after the signature: nobody who signed has seen them.
    entries_since: bool = False


@dataclass(frozen=True)
class SystemState:
    system: System
    stages: tuple[StageState, ...]

    @property
    def next_stage(self) -> StageState | None:
        """The first stage that is not signed; None when all are."""
        return next((stage for stage in self.stages if stage.state != SIGNED), None)

    @property
    def is_signed(self) -> bool:
        """What good-run lists ask: some stage is signed, and none is reopened."""
        states = {stage.state for stage in self.stages}
        return SIGNED in states and REOPENED not in states


def sign_off_state(
    run: Run, systems: Sequence[System] | None = None, newest_entries: Mapping[int, int] | None = None
) -> list[SystemState]:
    """Every system with its stages, in the order of systems. Two queries, three when `systems` are not given, one less
    with `newest_entries` (key of the system: the highest entry of the run about a defect of it).
    """
    systems = list(System.objects.all()) if systems is None else systems
    newest: dict[int, dict[str, SignOff]] = {}
    for row in SignOff.objects.filter(run=run).order_by("id"):
        newest.setdefault(row.system_id, {})[row.stage] = row
    if newest_entries is None:
        newest_entries = _newest_entries(run) if newest else {}
    return [_system_state(run, system, newest.get(system.pk, {}), newest_entries) for system in systems]


def _newest_entries(run: Run) -> dict[int, int]:
    """The highest entry of the run per system of its defect."""
    rows = Entry.objects.filter(run=run).order_by().values("defect__system").annotate(newest=Max("id"))
    return {row["defect__system"]: row["newest"] for row in rows}


def _system_state(run: Run, system: System, rows: Mapping[str, SignOff], entries: Mapping[int, int]) -> SystemState:
    states = {stage: SIGNED if row.action == Action.SIGN else REOPENED for stage, row in rows.items()}
    stages = []
    for stage in STAGES:
        row = rows.get(stage)
        blocked = tuple(why_not_sign(run, system.code, stage, states))
        if row is None:
            stages.append(StageState(stage, UNCHECKED, blocked_by=blocked))
        else:
            since = states[stage] == SIGNED and entries.get(system.pk, 0) > row.entry_id
            stages.append(StageState(stage, states[stage], row.by_name, row.at, row.comment, blocked, since))
    return SystemState(system, tuple(stages))


def next_step(run: Run, states: Sequence[SystemState]) -> str:
    """In one sentence, what is to be done next for the run."""
    if not run.last_lumisection:
        return "Nothing to sign yet: no lumisection is known."
    if not states:
        return "Nothing to sign: no system is defined."
    for stage in STAGES:
        open_systems = [
            state.system.code for state in states if state.next_stage is not None and state.next_stage.stage == stage
        ]
        if not open_systems:
            continue
        if stage != STAGES[0] and run.still_going:
            return f"Wait for the end of the run, then sign the {stage} stage."
        more = f", then {len(open_systems) - 1} more" if len(open_systems) > 1 else ""
        return f"Sign {open_systems[0]} {stage}{more}."
    return "Nothing: every system is signed up to the final stage."


def signed_systems(run_ids: Iterable[int], stage: str | None = None) -> dict[int, set[int]]:
    """Primary keys of the signed systems per run (primary key), for many runs in one query. Every run asked
    for is a key.

    A system counts as signed when one of its stages is signed (at or after `stage`, when that is given) and
    none is reopened.
    """
    return signed_and_reopened(run_ids, stage)[0]


def signed_and_reopened(
    run_ids: Iterable[int], stage: str | None = None
) -> tuple[dict[int, set[int]], dict[int, set[int]]]:
    """The same, and the systems of which a person took a signature back and nobody has signed again, in one query."""
    wanted = set(run_ids)
    # Of a run, a system and a stage the newest act counts.
    newest = {(run, system, of): action for run, system, of, action in _acts(wanted)}
    enough = set(STAGES[STAGES.index(stage) :] if stage else STAGES)
    signed: dict[int, set[int]] = {run: set() for run in wanted}
    reopened: dict[int, set[int]] = {run: set() for run in wanted}
    for (run, system, of), action in newest.items():
        if run in wanted and action == Action.REOPEN:
            reopened[run].add(system)
        elif run in wanted and of in enough:
            signed[run].add(system)
    return {run: systems - reopened[run] for run, systems in signed.items()}, reopened


def _acts(runs: Collection[int]) -> Iterable[tuple[int, int, str, str]]:
    rows = SignOff.objects.order_by("id")
    if not runs:
        return []
    # A span instead of a list of keys: the statement stays small, and most questions are about neighbouring
    # runs.
    rows = rows.filter(run_id__gte=min(runs), run_id__lte=max(runs))
    return rows.values_list("run_id", "system_id", "stage", "action").iterator(chunk_size=5_000)
