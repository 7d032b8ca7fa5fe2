"""What keeps runs out of a list that is being built: by system, and run by run, what each costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .accounting import Case
from .luminosity import NOTHING, Luminosity


@dataclass(frozen=True)
class BlockedRun:
    run: int
    reason: str
    worth: Luminosity
    unsigned: tuple[str, ...] = ()


@dataclass(frozen=True)
class BlockingSystem:
    """A system whose signature is missing. `alone` counts the runs that wait for nobody else."""

    system: str
    runs: tuple[int, ...]
    alone: int
    worth: Luminosity

    @property
    def selection(self) -> str:
        """The runs as a selection, for an address; one that lists very many is left out."""
        return " ".join(map(str, self.runs)) if len(self.runs) <= MOST_IN_ADDRESS else ""


MOST_IN_ADDRESS = 100


def blocked_runs(case: Case) -> list[BlockedRun]:
    """The runs left out, the most recorded luminosity first."""
    profiles = case.profiles()
    left_out = {each.run: each for each in case.left_out}
    found = []
    for each in case.behind:
        stopped = left_out.get(each.row.number)
        if stopped is not None:
            profile = profiles.get(each.row.number)
            recorded = profile.total("recorded_inv_nb") if profile is not None else None
            worth = Luminosity(each.row.last, None, recorded)
            found.append(BlockedRun(stopped.run, stopped.reason, worth, stopped.unsigned))
    return sorted(found, key=lambda each: (-(each.worth.recorded_inv_nb or 0.0), -each.worth.lumisections, each.run))


def blocking_systems(blocked: Sequence[BlockedRun]) -> list[BlockingSystem]:
    """The systems that have not signed, the most luminosity first. A run counts for each that it waits for."""
    codes = dict.fromkeys(code for each in blocked for code in each.unsigned)
    found = []
    for code in codes:
        own = [each for each in blocked if code in each.unsigned]
        alone = sum(1 for each in own if len(each.unsigned) == 1)
        worth = sum((each.worth for each in own), NOTHING)
        found.append(BlockingSystem(code, tuple(sorted(each.run for each in own)), alone, worth))
    return sorted(found, key=lambda each: -(each.worth.recorded_inv_nb or 0.0))
