"""The lumisection strip of a run page: what stands on which lane, before anything is drawn."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from certifier.accounts.models import System
from certifier.defects.selectors import DefectInRun
from certifier.lumi import LumiSet
from certifier.precert.lanes import MachineLane
from certifier.review.decided import Decided
from certifier.review.rules import REOPENED, SIGNED
from certifier.review.selectors import SystemState

# These come first and in this order; what an experiment calls "ready" differs in its first word only.
FIRST_FLAGS = ("stable_beams", "ready")
FLAGS_IN_SIGHT = 3
ACRONYMS = {"alice", "atlas", "cms", "dcs", "hlt", "hv", "l1", "lhcb"}


@dataclass(frozen=True)
class FlagLane:
    name: str
    label: str
    lumisections: LumiSet

    @property
    def key(self) -> str:
        return f"flag:{self.name}"


@dataclass(frozen=True)
class DefectLane:
    """One defect under its system, which its label need not repeat."""

    name: str
    label: str
    description: str
    intolerable: bool
    lumisections: LumiSet

    @property
    def key(self) -> str:
        return f"defect:{self.name}"

    @property
    def kind(self) -> str:
        return "int" if self.intolerable else "tol"


@dataclass(frozen=True)
class SystemLane:
    """A system with the defects present in the run, the sum of them, and how far its sign-off is."""

    system: System
    mark: str
    reading: str
    entries_since: bool
    defects: Sequence[DefectLane]
    is_open: bool
    # What the system's model says; None when it has none.
    machine: MachineLane | None = None
    # What its experts decided in the review; None when nothing.
    decided: Decided | None = None

    @property
    def key(self) -> str:
        return f"system:{self.system.code}"

    @property
    def unfolds(self) -> bool:
        return bool(self.defects or self.machine or self.decided)

    @cached_property
    def sums(self) -> list[tuple[LumiSet, str, str]]:
        """Tolerable below intolerable, as `lane_parts` draws them."""
        return [
            (_union(lane for lane in self.defects if not lane.intolerable), "sum", "tolerable"),
            (_union(lane for lane in self.defects if lane.intolerable), "int", "intolerable"),
        ]


@dataclass(frozen=True)
class Strip:
    flags: Sequence[FlagLane]
    more_flags: Sequence[FlagLane]
    systems: Sequence[SystemLane]
    # Nothing is recorded there, which says nothing about how good they are: their sign-off does.
    without_defects: Sequence[SystemLane]


def strip(
    flags: Mapping[str, LumiSet],
    defects: Iterable[DefectInRun],
    states: Sequence[SystemState],
    opened: Collection[str],
    machine: Mapping[str, MachineLane] | None = None,
    *,
    decided: Mapping[str, Decided] | None = None,
    absent: bool = False,
) -> Strip:
    """`defects` are those present in the run (virtual ones are left out); `opened` are codes of systems to unfold.

    `machine` are the lanes of models, `decided` those of experts, by code of their system. With `absent`, a defect that
    is recorded absent only has a lane as well.
    """
    by_system: dict[str, list[DefectLane]] = {}
    machine, decided = machine or {}, decided or {}
    for defect in defects:
        if not defect.virtual and (defect.present or (absent and defect.absent)):
            by_system.setdefault(defect.system, []).append(_defect_lane(defect))
    lanes = []
    for state in states:
        code = state.system.code
        lane = _system_lane(state, by_system.get(code, ()), machine.get(code), decided.get(code))
        lanes.append(replace(lane, is_open=lane.unfolds and code in opened))
    named = [FlagLane(name, flag_label(name), flags[name]) for name in sorted(flags, key=_place)]
    return Strip(
        flags=named[:FLAGS_IN_SIGHT],
        more_flags=named[FLAGS_IN_SIGHT:],
        systems=[lane for lane in lanes if lane.unfolds],
        without_defects=[lane for lane in lanes if not lane.unfolds],
    )


def flag_label(name: str) -> str:
    """stable_beams -> stable beams, atlas_ready -> ATLAS ready."""
    return " ".join(word.upper() if word.lower() in ACRONYMS else word for word in name.split("_") if word) or name


def _place(name: str) -> tuple[int, str]:
    known = (place for place, end in enumerate(FIRST_FLAGS) if name == end or name.endswith(f"_{end}"))
    return next(known, len(FIRST_FLAGS)), name


def _defect_lane(defect: DefectInRun) -> DefectLane:
    prefix = f"{defect.system}_"
    label = defect.defect[len(prefix) :] if defect.defect.lower().startswith(prefix.lower()) else defect.defect
    return DefectLane(
        name=defect.defect,
        label=label or defect.defect,
        description=defect.description,
        intolerable=defect.intolerable,
        lumisections=defect.present,
    )


def _system_lane(
    state: SystemState, defects: Sequence[DefectLane], machine: MachineLane | None, decided: Decided | None
) -> SystemLane:
    mark, reading = sign_off_words(state)
    return SystemLane(
        system=state.system,
        mark=mark,
        reading=reading,
        entries_since=any(stage.entries_since for stage in state.stages),
        defects=defects,
        is_open=False,
        machine=machine,
        decided=decided,
    )


def sign_off_words(state: SystemState) -> tuple[str, str]:
    """The mark of a system and its stage in words: signed · bulk, reopened · bulk, open · express."""
    reopened = [stage.stage for stage in state.stages if stage.state == REOPENED]
    if reopened:
        return "reopened", f"reopened · {reopened[0]}"
    signed = [stage.stage for stage in state.stages if stage.state == SIGNED]
    if signed:
        return "signed", f"signed · {signed[-1]}"
    return "unchecked", f"open · {state.stages[0].stage}"


def _union(lanes: Iterable[DefectLane]) -> LumiSet:
    together = LumiSet()
    for lane in lanes:
        together |= lane.lumisections
    return together
