"""What keeps runs out of a list that is being built: by system, and run by run, what each costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from certifier.runs.models import RunProfile

from .building import LeftOut
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


def blocked_runs(left_out: Sequence[LeftOut], lengths: dict[int, int]) -> list[BlockedRun]:
    """The runs left out, the most recorded luminosity first. `lengths` are last lumisections by run number."""
    rows = RunProfile.objects.filter(run__number__in=[each.run for each in left_out]).order_by()
    known = dict(rows.values_list("run__number", "recorded_inv_nb"))
    found = [
        BlockedRun(
            each.run, each.reason, Luminosity(lengths.get(each.run, 0), None, known.get(each.run)), each.unsigned
        )
        for each in left_out
    ]
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
