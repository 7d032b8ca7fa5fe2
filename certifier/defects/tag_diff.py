"""What differs between two tags, or a tag and HEAD: lumisections per run and defect, definitions, the runs covered.

A defect is the same one on both sides by its key, so a rename is a difference of definitions and of nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from certifier.lumi import LumiSet, RunSelection, parse
from certifier.runs.models import Run

from .as_of import AsOf, as_of
from .definition_rules import difference
from .errors import UnknownFilter
from .logic_at import Definitions, LogicAt, Meaning
from .models import Entry, Tag
from .naming import did_you_mean, key_of, quoted
from .resolution import State, states

NOTHING = State(0, 0, 0)


@dataclass(frozen=True, slots=True)
class DefinitionDifference:
    """`a` or `b` is None where the defect is not defined; `changed` names the fields that differ."""

    a: Meaning | None
    b: Meaning | None
    changed: Sequence[str]

    @property
    def name(self) -> str:
        newest = self.b or self.a
        assert newest is not None
        return newest.name


class RunDifference(NamedTuple):
    """Lumisections of a run where a defect is present on one side only. `recoverable_differs`: present on both."""

    run: int
    defect: str
    system: str
    virtual: bool
    only_in_a: LumiSet
    only_in_b: LumiSet
    recoverable_differs: LumiSet


@dataclass(frozen=True, slots=True)
class TagDiff:
    """`differences` is read while it is iterated, run by run in ascending order; iterate it once."""

    a: AsOf
    b: AsOf
    runs_only_in_a: str
    runs_only_in_b: str
    definitions: Sequence[DefinitionDifference]
    differences: Iterator[RunDifference]


class OneRun(NamedTuple):
    pk: int
    number: int
    last: int


def tag_diff(
    a: Tag | AsOf | str,
    b: Tag | AsOf | str,
    *,
    systems: Collection[str] = (),
    ignore: Collection[str] = (),
    runs: RunSelection | None = None,
    virtual: bool = True,
) -> TagDiff:
    """Compare two moments; "HEAD" is one of them if wished.

    Per run only what both cover is compared; the rest is in `runs_only_in_a` and `runs_only_in_b`. A virtual defect is
    compared where both sides define it; `virtual` False leaves them out. `systems` are lower-case codes, `ignore` names
    known to either side: left out, and never set in what virtual defects say. Raises UnknownTag, UnknownFilter.
    """
    one, other = (moment if isinstance(moment, AsOf) else as_of(moment) for moment in (a, b))
    ours = [OneRun(*row) for row in Run.objects.order_by("number").values_list("pk", "number", "last_lumisection")]
    if runs is not None:
        ours = [run for run in ours if run.number in runs]
    common = [run for run in ours if run.number in one.runs and run.number in other.runs]
    comparison = Comparison(one, other, systems=systems, ignore=ignore, virtual=virtual)
    return TagDiff(
        a=one,
        b=other,
        runs_only_in_a=_numbers(run.number for run in ours if run.number in one.runs and run.number not in other.runs),
        runs_only_in_b=_numbers(run.number for run in ours if run.number in other.runs and run.number not in one.runs),
        definitions=comparison.definitions(),
        differences=comparison.differences(common),
    )


def _numbers(runs: Iterator[int]) -> str:
    numbers = [(run, run) for run in runs]
    return str(RunSelection(numbers)) if numbers else ""


class Comparison:
    """Both sides' logic, and which defects are worth comparing."""

    def __init__(self, a: AsOf, b: AsOf, *, systems: Collection[str], ignore: Collection[str], virtual: bool) -> None:
        self.sides = (a, b)
        self.logics: tuple[LogicAt, LogicAt] = (a.logic(), b.logic())
        self.systems = systems
        self.ignored = self._ignored(ignore)
        self.virtuals = self._virtuals_of_both() if virtual else []
        # A virtual defect whose meaning changed may differ in any run; the others only where entries did.
        self.redefined = self._redefined()

    def _ignored(self, names: Collection[str]) -> set[int]:
        found = set()
        for name in names:
            meanings = [definitions.find(name) for _, definitions in self.logics]
            if meanings == [None, None]:
                known = {known for _, definitions in self.logics for known in definitions}
                raise UnknownFilter(f"There is no defect {quoted(name)}.{did_you_mean(name, known)}", field="ignore")
            found |= {meaning.defect for meaning in meanings if meaning}
        return found

    def _is_shown(self, meaning: Meaning) -> bool:
        return meaning.defect not in self.ignored and (not self.systems or key_of(meaning.system_code) in self.systems)

    def _virtuals_of_both(self) -> list[int]:
        (_, a), (_, b) = self.logics
        return [meaning.defect for meaning in b.virtuals() if meaning.defect in a.by_defect and self._is_shown(meaning)]

    def _redefined(self) -> set[int]:
        """The virtual defects of both sides whose expression, or that of one they depend on, differs beyond names."""
        own = [_expressions_by_key(definitions) for _, definitions in self.logics]
        logic, b = self.logics[1]
        changed = {defect for defect, text in own[1].items() if own[0].get(defect) != text}
        for name in logic.order:
            if any(b[each].defect in changed for each in logic.dependencies(name)):
                changed.add(b[name].defect)
        return changed & set(self.virtuals)

    def definitions(self) -> list[DefinitionDifference]:
        (_, a), (_, b) = self.logics
        found = []
        for defect in {**a.by_defect, **b.by_defect}:
            before, after = a.by_defect.get(defect), b.by_defect.get(defect)
            if not any(self._is_shown(meaning) for meaning in (before, after) if meaning):
                continue
            if before is None or after is None:
                found.append(DefinitionDifference(before, after, []))
            elif changed := list(difference(before, after)):
                found.append(DefinitionDifference(before, after, changed))
        found.sort(key=lambda one: key_of(one.name))
        return found

    def differences(self, runs: Sequence[OneRun]) -> Iterator[RunDifference]:
        touched = self._touched()
        found = self._of_touched([run for run in runs if run.pk in touched])
        if self.redefined:
            found |= self._of_untouched([run for run in runs if run.pk not in touched])
        for number in sorted(found):
            yield from found[number]

    def _of_touched(self, runs: Sequence[OneRun]) -> dict[int, list[RunDifference]]:
        """Runs that got entries in between: everything may differ."""
        keys = [run.pk for run in runs]
        of_a, of_b = (ByRun(states(runs=keys, up_to=side.up_to)) for side in self.sides)
        found = {}
        for run in sorted(runs):  # by key, as the states come
            both = of_a.get(run.pk), of_b.get(run.pk)
            if rows := list(self._of_run(run, both, self.virtuals)):
                found[run.number] = rows
        return found

    def _of_untouched(self, runs: Sequence[OneRun]) -> dict[int, list[RunDifference]]:
        """Runs with the same entries on both sides: only what redefined virtual defects say can differ."""
        needed = set()
        for logic, definitions in self.logics:
            for defect in self.redefined:
                name = definitions.by_defect[defect].name
                needed |= {definitions[primary].defect for primary in logic.primaries_of(name)}
        of_both = ByRun(states(runs=[run.pk for run in runs], up_to=self.sides[0].up_to, defects=sorted(needed)))
        found = {}
        for run in sorted(runs):
            same = of_both.get(run.pk)
            if rows := list(self._of_run(run, (same, same), sorted(self.redefined))):
                found[run.number] = rows
        return found

    def _touched(self) -> set[int]:
        """The runs (keys) that got entries between the two moments."""
        ends = [side.up_to for side in self.sides]
        if ends[0] == ends[1]:
            return set()
        entries = Entry.objects.order_by().filter(id__gt=min(end for end in ends if end is not None))
        if None not in ends:
            entries = entries.filter(id__lte=max(end for end in ends if end is not None))
        return set(entries.values_list("run_id", flat=True).distinct())

    def _of_run(
        self, run: OneRun, both: tuple[dict[int, State], dict[int, State]], virtuals: Sequence[int]
    ) -> Iterator[RunDifference]:
        domain = LumiSet.whole(run.last).bits
        rows = []
        changed = both[0].keys() | both[1].keys() if both[0] is not both[1] else ()
        for defect in changed:
            meaning = self._meaning(defect)
            if meaning is not None and self._is_shown(meaning):
                a, b = both[0].get(defect, NOTHING), both[1].get(defect, NOTHING)
                repairable = (a.recoverable ^ b.recoverable) & a.present & b.present
                rows.append((meaning, a.present & domain, b.present & domain, repairable & domain))
        if virtuals:
            a_bits, b_bits = (self._evaluated(side, both[side], domain, virtuals) for side in (0, 1))
            definitions = self.logics[1].definitions.by_defect
            rows += [(definitions[defect], a_bits[defect], b_bits[defect], 0) for defect in virtuals]
        for meaning, a_present, b_present, repairable in sorted(rows, key=lambda row: key_of(row[0].name)):
            if a_present != b_present or repairable:
                yield RunDifference(
                    run.number,
                    meaning.name,
                    meaning.system_code,
                    meaning.is_virtual,
                    LumiSet.from_bits(a_present & ~b_present),
                    LumiSet.from_bits(b_present & ~a_present),
                    LumiSet.from_bits(repairable),
                )

    def _meaning(self, defect: int) -> Meaning | None:
        (_, a), (_, b) = self.logics
        return b.by_defect.get(defect) or a.by_defect.get(defect)

    def _evaluated(self, side: int, found: dict[int, State], domain: int, virtuals: Sequence[int]) -> dict[int, int]:
        logic, definitions = self.logics[side]
        by_defect = definitions.by_defect
        evaluation = logic.evaluate(
            {by_defect[defect].name: state.present for defect, state in found.items() if defect in by_defect},
            domain,
            ignore=[by_defect[defect].name for defect in self.ignored if defect in by_defect],
            only=[by_defect[defect].name for defect in virtuals],
        )
        return {defect: evaluation.bits[by_defect[defect].name] for defect in virtuals}


class ByRun:
    """States that come in ascending order of run, looked up in ascending order."""

    def __init__(self, found: Iterator[tuple[int, dict[int, State]]]) -> None:
        self._found = found
        self._next: tuple[int, dict[int, State]] | None = next(found, None)

    def get(self, run: int) -> dict[int, State]:
        while self._next is not None and self._next[0] < run:
            self._next = next(self._found, None)
        return self._next[1] if self._next is not None and self._next[0] == run else {}


def _expressions_by_key(definitions: Definitions) -> dict[int, str]:
    """Expressions with keys instead of names: equal texts mean the same whatever the defects are called."""
    keys = {name: f"d{meaning.defect}" for name, meaning in definitions.items()}
    return {meaning.defect: str(parse(meaning.expression or "").renamed(keys)) for meaning in definitions.virtuals()}
