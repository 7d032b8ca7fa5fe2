"""Systems that no person has signed and whose machine's word counts instead: where, and by which model.

A coordinator has switched such a system to auto, and its champion states a live guarantee (`precert`). The machine's
word never stands against a person's: where a signature was reopened, or a stage is asked for by name, it counts
nowhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from certifier.lumi import LumiSet
from certifier.precert.selectors import SystemModels, checked_by_machine
from certifier.runs.models import Run

from .facts import RunRow

# Below what one statement may carry in every database.
RUNS_AT_ONCE: Final = 5_000


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


def by_machine(
    rows: Iterable[RunRow],
    missing: Mapping[int, Collection[int]],
    models: Sequence[SystemModels],
    reopened: Mapping[int, Collection[int]],
) -> dict[int, dict[int, ByMachine]]:
    """By primary key of the run and of the system, of the systems that lack a signature (keys by run). `reopened` are
    those of which a person took a signature back.
    """
    automatic = [each for each in models if each.is_automatic]
    keys = {each.system.pk for each in automatic}
    wanted = [row for row in rows if not keys.isdisjoint(missing.get(row.pk, ()))]
    found: dict[int, dict[int, ByMachine]] = {}
    for start in range(0, len(wanted), RUNS_AT_ONCE):
        some = wanted[start : start + RUNS_AT_ONCE]
        # As much of a run as a verdict is asked of.
        runs = [Run(pk=row.pk, number=row.number, last_lumisection=row.last) for row in some]
        said = checked_by_machine(runs, models=automatic)
        for row in some:
            counts = {
                key: ByMachine(row.number, verdict.system.code, verdict.version.number, verdict.checked)
                for key, verdict in said.get(row.number, {}).items()
                if key in missing[row.pk] and key not in reopened.get(row.pk, ()) and verdict.version is not None
            }
            if counts:
                found[row.pk] = counts
    return found


def promises(used: Iterable[ByMachine], known: Iterable[SystemModels]) -> list[Promise]:
    """What the list relies on, by system; `known` are how the models of all systems that it asks stand."""
    codes = {each.system for each in used}
    found = []
    for models in known:
        version, mode = models.champion, models.mode_row
        if models.system.code in codes and version is not None and mode is not None:
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


def standing(models: Iterable[SystemModels]) -> str:
    """A text that changes whenever the word of another machine counts than before."""
    return " ".join(
        f"{each.system.code}:{each.champion.pk if each.champion else 0}" for each in models if each.is_automatic
    )
