"""What a definition would change before it is saved: lumisections and luminosity, over every run, as entered now.

A primary defect changes nothing by being defined or described; a virtual one changes itself and every virtual defect
that depends on it. Renaming changes nothing either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from certifier.lumi import LumiSet
from certifier.runs.models import Run
from certifier.runs.profile import Profile, iterate_profiles

from .definition_rules import settle_expressions
from .logic_at import Definitions, LogicAt, Meaning, build, logic_at
from .naming import key_of
from .resolution import State, states

RUNS_NAMED = 5
# Bitsets by name of a defect.
Present = Mapping[str, int]


@dataclass
class DefinitionEffect:
    """What changes of one virtual defect. Lost is where it becomes present, gained where it becomes absent."""

    name: str
    itself: bool
    runs: int = 0
    lost: int = 0
    gained: int = 0
    lost_inv_nb: float | None = None
    gained_inv_nb: float | None = None
    # The runs with the most lumisections that change, for a look.
    most: list[tuple[int, int]] = field(default_factory=list)

    def count(self, run: int, lost: LumiSet, gained: LumiSet) -> None:
        self.runs += 1
        self.lost += len(lost)
        self.gained += len(gained)
        self.most = sorted([*self.most, (run, len(lost) + len(gained))], key=lambda pair: -pair[1])[:RUNS_NAMED]

    def weigh(self, profile: Profile, lost: LumiSet, gained: LumiSet) -> None:
        self.lost_inv_nb = _added(self.lost_inv_nb, profile, lost)
        self.gained_inv_nb = _added(self.gained_inv_nb, profile, gained)

    @property
    def changes(self) -> bool:
        return bool(self.lost or self.gained)


def _added(known: float | None, profile: Profile, lumisections: LumiSet) -> float | None:
    value, count = profile.sum("recorded_inv_nb", lumisections)
    return (known or 0.0) + value if count else known


def effects_of_definition(wanted: Meaning, before: Meaning | None) -> list[DefinitionEffect]:
    """The virtual defects that `wanted` (in place of `before`, or new) may change, itself first, then by name.

    Raises DefinitionRefused as defining does. Nothing is written.
    """
    head = logic_at()
    if before is not None:
        wanted = replace(wanted, name=before.name, defect=before.defect)
    [settled] = settle_expressions(head.definitions, [wanted])
    if not settled.is_virtual:
        return []
    others = {name: meaning for name, meaning in head.definitions.items() if meaning.defect != settled.defect}
    after = build(Definitions(others | {settled.name: settled}, 0))
    affected = [settled.name, *sorted(_dependents(after, settled.name), key=key_of)]
    known = [name for name in affected if name in head.definitions]
    effects = {name: DefinitionEffect(name, name == settled.name) for name in affected}
    changed: dict[int, list[tuple[DefinitionEffect, LumiSet, LumiSet]]] = {}
    for number, last, present in _runs(head, after, affected):
        domain = (2 << last) - 2
        # Where it is what it was, so is all that depends on it.
        itself = _bits(after, affected[:1], present, domain)
        if known[:1] == affected[:1] and _bits(head, known[:1], present, domain)[settled.name] == itself[settled.name]:
            continue
        old, new = _bits(head, known, present, domain), _bits(after, affected, present, domain)
        for name, effect in effects.items():
            was, becomes = old.get(name, 0), new[name]
            if was != becomes:
                lost, gained = LumiSet.from_bits(becomes & ~was), LumiSet.from_bits(was & ~becomes)
                effect.count(number, lost, gained)
                changed.setdefault(number, []).append((effect, lost, gained))
    for number, profile in iterate_profiles(changed):
        for effect, lost, gained in changed[number]:
            effect.weigh(profile, lost, gained)
    return list(effects.values())


def _bits(logic: LogicAt, names: Sequence[str], present: Present, domain: int) -> Present:
    return logic.logic.evaluate(present, domain, only=names).bits if names else {}


def _dependents(logic: LogicAt, name: str) -> set[str]:
    """The virtual defects that depend on it, however deep."""
    found: set[str] = set()
    for each in logic.logic.order:
        if {name, *found} & set(logic.logic.dependencies(each)):
            found.add(each)
    return found


def _runs(head: LogicAt, after: LogicAt, affected: Sequence[str]) -> Iterator[tuple[int, int, Present]]:
    """(number, last lumisection, where primaries are present) of every run that has lumisections."""
    wanted: set[str] = set()
    for logic in (head, after):
        for name in affected:
            if name in logic.definitions:
                wanted |= set(logic.logic.primaries_of(name))
    names = {after.definitions[name].defect: name for name in wanted if name in after.definitions}
    by_run: dict[int, dict[int, State]] = dict(states(runs=None, up_to=None, defects=list(names)))
    rows = Run.objects.filter(last_lumisection__gt=0).order_by("number").values_list("pk", "number", "last_lumisection")
    for pk, number, last in rows:
        yield number, last, {names[defect]: state.present for defect, state in by_run.get(pk, {}).items()}
