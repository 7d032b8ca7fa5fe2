"""Systems that no person has signed and whose machine's word counts instead: where, and by which model.

A coordinator has switched such a system to auto, and its champion states a live guarantee (`precert`). The machine's
word never stands against a person's: where a signature was reopened, or a stage is asked for by name, it counts
nowhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from certifier.accounts.models import System
from certifier.lumi import LumiSet
from certifier.precert.selectors import checked_by_machine, models_of
from certifier.review.selectors import reopened_systems
from certifier.runs.models import Run

# A scoring holds a number for each lumisection: runs are read so many at a time.
RUNS_AT_ONCE: Final = 200


@dataclass(frozen=True)
class ByMachine:
    """A system of a run: on `lumisections` its model number `model` says good, and that counts as looked at."""

    run: int
    system: str
    model: int
    lumisections: LumiSet

    def to_json(self) -> dict[str, Any]:
        return {"run": self.run, "system": self.system, "model": self.model, "lumisections": str(self.lumisections)}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> ByMachine:
        return cls(kept["run"], kept["system"], kept["model"], LumiSet.parse(kept["lumisections"]))


@dataclass(frozen=True)
class Promise:
    """What a list relied on: the champion, what it promises, and who said that its word counts, when and why."""

    system: str
    model: int
    digest: str
    promise: str
    by: str
    since: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        return dict(self.__dict__)


def by_machine(missing: Mapping[int, Collection[int]], systems: Sequence[System]) -> dict[int, dict[int, ByMachine]]:
    """By primary key of the run and of the system, of the systems that lack a signature (keys by run)."""
    automatic = [each.system for each in models_of(systems) if each.is_automatic]
    wanted = [run for run, lacking in missing.items() if any(system.pk in lacking for system in automatic)]
    found: dict[int, dict[int, ByMachine]] = {}
    if not automatic:
        return found
    for start in range(0, len(wanted), RUNS_AT_ONCE):
        runs = list(Run.objects.filter(pk__in=wanted[start : start + RUNS_AT_ONCE]).defer("attributes"))
        said = checked_by_machine(runs, automatic)
        reopened = reopened_systems(run.pk for run in runs)
        for run in runs:
            counts = {
                key: ByMachine(run.number, verdict.system.code, verdict.version.number, verdict.checked)
                for key, verdict in said.get(run.number, {}).items()
                if key in missing[run.pk] and key not in reopened[run.pk] and verdict.version is not None
            }
            if counts:
                found[run.pk] = counts
    return found


def promises(used: Iterable[ByMachine]) -> list[Promise]:
    """What the list relies on, by system."""
    codes = {each.system for each in used}
    found = []
    for models in models_of(System.objects.filter(code__in=codes)) if codes else ():
        version, mode = models.champion, models.mode_row
        if version is not None and mode is not None:
            found.append(
                Promise(
                    system=models.system.code,
                    model=version.number,
                    digest=version.digest,
                    promise=models.guarantee.words,
                    by=mode.by_name,
                    since=mode.at.isoformat(),
                    reason=mode.reason,
                )
            )
    return found


def standing(systems: Sequence[System]) -> str:
    """A text that changes whenever the word of another machine counts than before."""
    return " ".join(
        f"{each.system.code}:{each.champion.pk if each.champion else 0}"
        for each in models_of(systems)
        if each.is_automatic
    )
