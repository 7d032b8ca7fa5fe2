"""What recording something would change in a run: the defect itself, and the virtual defects that follow from it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from certifier.lumi import LumiSet
from certifier.runs.models import Run
from certifier.runs.profile import Profile, profile_of

from .entry_input import NewEntry, Resolved, resolve_all
from .logic_at import LogicAt, logic_at
from .resolution import State, said_of_run, state_of

NOTHING = State(0, 0, 0)
NAMED_TOGETHER = 2


@dataclass(frozen=True, slots=True)
class Effect:
    """One defect that changes. `recorded_inv_nb` is the recorded luminosity of what changes, None where unknown."""

    defect: str
    virtual: bool
    intolerable: bool
    becomes_present: LumiSet
    becomes_absent: LumiSet
    recorded_inv_nb: float | None


@dataclass(frozen=True, slots=True)
class SameEffect:
    """Defects that change on the same lumisections, to be said in one sentence."""

    first: Effect
    others: Sequence[str]

    @property
    def more(self) -> int:
        return max(0, len(self.others) - NAMED_TOGETHER)

    @property
    def named(self) -> str:
        """`A`, `A and B`, `A, B, C`; how many more there are says `more`."""
        names = [self.first.defect, *self.others[:NAMED_TOGETHER]]
        if self.more or len(names) == 1:
            return ", ".join(names)
        return f"{', '.join(names[:-1])} and {names[-1]}"


def together(effects: Sequence[Effect]) -> list[SameEffect]:
    """The effects grouped by what changes, in the order of the first of each group."""
    groups: dict[tuple[LumiSet, LumiSet], list[Effect]] = {}
    for effect in effects:
        groups.setdefault((effect.becomes_present, effect.becomes_absent), []).append(effect)
    return [SameEffect(group[0], [other.defect for other in group[1:]]) for group in groups.values()]


@dataclass(frozen=True)
class Change:
    """A run before and after some entries that nobody has recorded yet: the states of its primary defects by key."""

    run: Run
    logic: LogicAt
    resolved: Sequence[Resolved]
    before: Mapping[int, State]
    after: Mapping[int, State]

    def present(self, names: Sequence[str], ignore: Collection[str] = ()) -> tuple[LumiSet, LumiSet]:
        """Where any of these virtual defects is present, before and after; primaries are named as well."""
        return tuple(self._any(states, names, ignore) for states in (self.before, self.after))  # type: ignore[return-value]

    def _any(self, states: Mapping[int, State], names: Sequence[str], ignore: Collection[str]) -> LumiSet:
        named, domain = _named(self.logic, states), self.run.domain
        evaluation = self.logic.logic.evaluate(named, domain, ignore=ignore, only=names)
        together = LumiSet()
        for name in names:
            together |= evaluation.present(name)
        return together


def change_of(run: Run, entries: Sequence[NewEntry], *, comments_demanded: bool = True) -> Change:
    """What recording the entries would come to. Raises EntriesRefused as recording does. Nothing is written."""
    resolved = resolve_all(entries, comments_demanded=comments_demanded)
    now = {defect: state_of(said) for defect, said in said_of_run(run.pk).items()}
    then = dict(now)
    for one in resolved:
        then[one.defect.pk] = _after(then.get(one.defect.pk, NOTHING), one)
    return Change(run, logic_at(), resolved, now, then)


def effects_of(run: Run, entries: Sequence[NewEntry]) -> list[Effect]:
    """The defects that would change, virtual ones first, and of these the one that depends on most defects.

    Raises EntriesRefused as recording does. Nothing is written.
    """
    return effects(change_of(run, entries), profile_of(run))


def effects(change: Change, profile: Profile) -> list[Effect]:
    """As `effects_of`, of a change that is known already."""
    logic, run = change.logic, change.run
    before, after = (
        logic.logic.evaluate(_named(logic, states), run.domain).bits for states in (change.before, change.after)
    )
    found = []
    for name, meaning in logic.definitions.items():
        becomes_present = LumiSet.from_bits(after.get(name, 0) & ~before.get(name, 0))
        becomes_absent = LumiSet.from_bits(before.get(name, 0) & ~after.get(name, 0))
        changed = becomes_present | becomes_absent
        if changed:
            value, known = profile.sum("recorded_inv_nb", changed)
            recorded = value if known else None
            found.append(
                Effect(name, meaning.is_virtual, meaning.intolerable, becomes_present, becomes_absent, recorded)
            )
    depth = {effect.defect: len(logic.logic.primaries_of(effect.defect)) for effect in found}
    return sorted(found, key=lambda effect: (not effect.virtual, -depth[effect.defect], effect.defect.lower()))


def _after(state: State, one: Resolved) -> State:
    bits, entry = one.lumisections.bits, one.entry
    present, absent, recoverable = (held & ~bits for held in state)
    if not entry.present:
        return State(present, absent | bits, recoverable)
    return State(present | bits, absent, recoverable | (bits if entry.recoverable else 0))


def _named(logic: LogicAt, states: Mapping[int, State]) -> dict[str, int]:
    by_defect = logic.definitions.by_defect
    return {by_defect[defect].name: state.present for defect, state in states.items() if defect in by_defect}
