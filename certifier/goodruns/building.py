"""From defects to a good-run list. Everything fails closed: what is not known to be good is not in the list.

A lumisection is in the list when its run has lumisections, lies within the tag, every system that the
required virtual defects depend on is signed off (when that is asked) or has a machine whose word counts there
(`machine`), and every required virtual defect is surely absent there. The domain is lumisections 1 to the last one of
the run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from certifier.accounts.models import System
from certifier.audit.errors import CertifierError
from certifier.defects import resolution
from certifier.defects.logic_at import Definitions, LogicAt, Meaning, logic_at, logic_built
from certifier.defects.models import Tag
from certifier.defects.resolution import State
from certifier.lumi import Evaluation, LumiError, LumiSet, RunLumiMap, RunSelection
from certifier.precert.selectors import SystemModels
from certifier.review.models import Stage
from certifier.review.selectors import signed_and_reopened

from .facts import MOST_KEPT, Facts, RunRow
from .machine import ByMachine, Promise, by_machine, promises

LONGEST_SELECTION = 20_000
MOST_NAMES = 100


class BuildRefused(CertifierError):
    """The list cannot be built as asked; `field` names what to change."""


@dataclass(frozen=True)
class Question:
    """What is asked for, checked: names as they are stored, at the definitions that hold."""

    require: tuple[str, ...]
    ignore: tuple[str, ...] = ()
    tag: Tag | None = None
    runs: RunSelection = field(default_factory=RunSelection)
    signed_off: bool = True
    stage: str = ""
    meaning: LogicAt = field(default_factory=logic_at, compare=False, repr=False)

    @property
    def version(self) -> int:
        """The logic version whose definitions hold; 0 before the first definition."""
        return self.meaning.definitions.version


@dataclass(frozen=True)
class LeftOut:
    """A run of the selection of which nothing is in the list, and why; `unsigned` are the systems that lack a
    signature.
    """

    run: int
    reason: str
    unsigned: tuple[str, ...] = ()

    @property
    def is_outside(self) -> bool:
        """Whether the tag says nothing about the run."""
        return self.reason.startswith("not part of tag")

    def to_json(self) -> dict[str, Any]:
        kept: dict[str, Any] = {"run": self.run, "reason": self.reason}
        return kept | ({"unsigned": list(self.unsigned)} if self.unsigned else {})

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> LeftOut:
        return cls(kept["run"], kept["reason"], tuple(kept.get("unsigned", ())))


Evaluated = tuple[RunRow, Evaluation, Mapping[int, State]]


@dataclass(frozen=True)
class Built:
    question: Question
    content: RunLumiMap
    # The highest entry that was counted; None in a preview, which counts what is there when it looks.
    entry_id: int | None
    left_out: tuple[LeftOut, ...]
    # Codes of the systems that the required defects depend on, in the order of systems.
    systems: tuple[str, ...]
    # Where no person signed: what the list relies on instead.
    machine: tuple[ByMachine, ...] = ()
    promises: tuple[Promise, ...] = ()
    # What was read and evaluated on the way, for who accounts for it next; no evaluation where the runs are very many.
    rows: tuple[RunRow, ...] = field(default=(), compare=False, repr=False)
    evaluated: tuple[Evaluated, ...] = field(default=(), compare=False, repr=False)


# -- the question ----------------------------------------------------------------------------------


def ask(
    *,
    require: Sequence[str],
    tag: Tag | None = None,
    ignore: Sequence[str] = (),
    runs: str = "",
    signed_off: bool = True,
    stage: str | None = None,
    facts: Facts | None = None,
) -> Question:
    """Check what is asked for. Raises BuildRefused naming the field: unknown or primary defects, no
    requirement, a run selection that is none.
    """
    meaning = _meaning(tag, facts)
    definitions = meaning.definitions
    if not require:
        raise BuildRefused(
            "Name at least one virtual defect that must be absent: a list that requires nothing would call "
            "everything good.",
            field="require",
        )
    if stage and stage not in Stage.values:
        raise BuildRefused(f"“{stage[:40]}” is no stage. Choose one of {', '.join(Stage.values)}.", field="stage")
    required = tuple(_required(definitions, name, tag) for name in _distinct(require, "require"))
    ignored = tuple(_known(definitions, name, tag, "ignore").name for name in _distinct(ignore, "ignore"))
    for name in required:
        if name in ignored:
            raise BuildRefused(f"{name} is required and ignored at once; take it out of one.", field="ignore")
    return Question(required, ignored, tag, _selection(runs), signed_off, stage or "", meaning)


def _meaning(tag: Tag | None, facts: Facts | None) -> LogicAt:
    if tag is None:
        return facts.head if facts is not None else logic_at()
    # The version of a tag of `Facts.tags` was read with it.
    return logic_built(tag.logic_id, tag.logic.at) if tag.logic is not None else logic_at(0)


def _distinct(names: Sequence[str], where: str) -> list[str]:
    """The names without repetitions (ignoring case), in order."""
    if len(names) > MOST_NAMES:
        raise BuildRefused(f"At most {MOST_NAMES} defects can be named, these are {len(names)}.", field=where)
    return list({name.lower(): name for name in reversed(names)}.values())[::-1]


def _known(definitions: Definitions, name: str, tag: Tag | None, where: str) -> Meaning:
    meaning = definitions.find(name)
    if meaning is None:
        at = f" at tag {tag.name}" if tag else ""
        raise BuildRefused(f"There is no defect “{name[:100]}”{at}.", field=where)
    return meaning


def _required(definitions: Definitions, name: str, tag: Tag | None) -> str:
    meaning = _known(definitions, name, tag, "require")
    if not meaning.is_virtual:
        raise BuildRefused(
            f"{meaning.name} is a primary defect, and a list requires virtual ones. Define a virtual defect "
            f"with the expression “{meaning.name}” and require that.",
            field="require",
        )
    return meaning.name


def _selection(runs: str) -> RunSelection:
    if len(runs) > LONGEST_SELECTION:
        raise BuildRefused(f"The run selection is longer than {LONGEST_SELECTION} characters.", field="runs")
    try:
        return RunSelection.parse(runs)
    except LumiError as error:
        raise BuildRefused(str(error), field="runs") from None


# -- what it depends on ----------------------------------------------------------------------------


def needed(question: Question) -> set[str]:
    """Every defect, primary and virtual, that the required ones depend on, however deep, without the
    ignored.
    """
    logic = question.meaning.logic
    ignored = set(question.ignore)
    waiting = [name for name in question.require if name not in ignored]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(each for each in logic.dependencies(name) if each not in ignored)
    return found


def needed_primaries(question: Question) -> list[Meaning]:
    definitions = question.meaning.definitions
    return [definitions[name] for name in needed(question) if not definitions[name].is_virtual]


def needed_systems(question: Question, systems: Sequence[System] | None = None) -> list[System]:
    """The systems of the primary defects it depends on, in the order of systems: these must be signed off."""
    wanted = {meaning.system for meaning in needed_primaries(question)}
    return [system for system in (System.objects.all() if systems is None else systems) if system.pk in wanted]


# -- the answer ------------------------------------------------------------------------------------


def build(question: Question, up_to: int | None = None, facts: Facts | None = None) -> Built:
    """Build the list from what is committed now. `up_to` is the highest entry to count; by default that of
    the tag, or every entry there is.

    Signatures are read before the entries are frozen, so no signature counts whose signer could have seen
    an entry that the list has not. Nothing is written.
    """
    facts = facts or Facts()
    rows = facts.selected(question.runs)
    gate = Gate.of(question, rows, facts)
    entry_id = up_to if up_to is not None else _frozen_entry(question)
    return _built(gate, rows, entry_id)


def preview(question: Question, facts: Facts, beside: Collection[int] = ()) -> Built:
    """What would be built now, from the entries that are there: nobody who records has to wait until they are frozen.

    Runs that lack a signature are evaluated, too, for what their defects cost. The runs `beside` are looked up as well.
    """
    rows = facts.selected(question.runs, beside)
    gate = Gate.of(question, rows, facts)
    entry_id = question.tag.entry_id if question.tag is not None else None
    return _built(gate, rows, entry_id, everything=True)


def _built(gate: Gate, rows: Sequence[RunRow], entry_id: int | None, *, everything: bool = False) -> Built:
    """With `everything`, also what the gate stops is evaluated; it does not count."""
    question = gate.question
    left_out = [stopped for row in rows if (stopped := gate.stops(row)) is not None]
    stopped_runs = {each.run for each in left_out}
    candidates = [row for row in rows if row.number not in stopped_runs]
    few = len(rows) <= MOST_KEPT
    wanted = [row for row in rows if row.number in gate.within] if everything and few else candidates
    found: Iterable[Evaluated] = evaluated(question, wanted, entry_id)
    kept = tuple(found) if few else ()
    good = dict(_good(question, (each for each in (kept if few else found) if each[0].number not in stopped_runs)))
    nothing = f"{_names(question.require)} present (or not known to be absent) on every lumisection"
    left_out += [LeftOut(run, nothing) for run, lumisections in good.items() if not lumisections]
    machine = gate.relied_on(candidates)
    for each in machine:
        before = good[each.run]
        good[each.run] = before & each.lumisections
        if before and not good[each.run]:
            left_out.append(
                LeftOut(
                    each.run, f"not signed off: {each.system}, whose machine calls nothing else good", (each.system,)
                )
            )
    left_out.sort(key=lambda each: each.run)
    codes = tuple(system.code for system in gate.systems)
    content = RunLumiMap(good)
    used = tuple(each for each in machine if each.run in content)
    promised = tuple(promises(used, gate.models))
    return Built(question, content, entry_id, tuple(left_out), codes, used, promised, tuple(rows), kept)


def _frozen_entry(question: Question) -> int:
    return question.tag.entry_id if question.tag is not None else resolution.settle()


@dataclass(frozen=True)
class Gate:
    """What keeps a whole run out of a list, whatever its defects."""

    question: Question
    systems: tuple[System, ...]
    signed: Mapping[int, set[int]]
    within: RunSelection
    # By primary key of the run and of the system; `models` are those whose word is asked.
    machine: Mapping[int, Mapping[int, ByMachine]] = field(default_factory=dict)
    models: Sequence[SystemModels] = ()

    @classmethod
    def of(cls, question: Question, rows: Sequence[RunRow], facts: Facts) -> Gate:
        """Reads the signatures of these runs as they are now."""
        within = RunSelection.parse(question.tag.runs if question.tag is not None else "")
        systems = tuple(needed_systems(question, facts.systems))
        if not question.signed_off:
            return cls(question, systems, {}, within)
        signed, reopened = signed_and_reopened([row.pk for row in rows], question.stage or None)
        if question.stage:
            return cls(question, systems, signed, within)
        models = facts.models(systems)
        lacking = {row.pk: {system.pk for system in systems} - signed[row.pk] for row in rows}
        machine = by_machine(rows, lacking, models, reopened)
        return cls(question, systems, signed, within, machine, models)

    def relied_on(self, rows: Sequence[RunRow]) -> list[ByMachine]:
        """In the order of runs and systems, what stands for a missing signature."""
        found = []
        for row in rows:
            of_run = self.machine.get(row.pk, {})
            found += [of_run[system.pk] for system in self.systems if system.pk in of_run]
        return found

    def stops(self, row: RunRow) -> LeftOut | None:
        """Why no lumisection of the run can be in the list; None when there is no such reason."""
        if row.number not in self.within:
            return LeftOut(row.number, f"not part of tag {self.question.tag}")
        if not row.last:
            return LeftOut(row.number, "no lumisections are known")
        if self.question.signed_off:
            looked_at = {*self.signed.get(row.pk, ()), *self.machine.get(row.pk, ())}
            missing = tuple(system.code for system in self.systems if system.pk not in looked_at)
            if missing:
                return LeftOut(row.number, f"not signed off: {', '.join(missing)}", missing)
        return None


def _names(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"


def _good(question: Question, found: Iterable[Evaluated]) -> Iterator[tuple[int, LumiSet]]:
    """(run number, lumisections where every required defect is surely absent) for each run."""
    for row, evaluation, _ in found:
        good = LumiSet.from_bits(row.domain)
        for name in question.require:
            good &= evaluation.absent(name)
        yield row.number, good


def evaluated(question: Question, rows: Sequence[RunRow], up_to: int | None) -> Iterator[Evaluated]:
    """The required defects of each run, evaluated, beside the states of its primary defects by primary key.

    Runs pass by one after the other, and only what the required defects need is read and evaluated.
    """
    logic = question.meaning.logic
    names = {meaning.defect: meaning.name for meaning in needed_primaries(question)}
    waiting = {row.pk: row for row in rows}
    for pk, states in resolution.states(runs=list(waiting), up_to=up_to, defects=_worth_filtering(names, question)):
        row = waiting.pop(pk)
        present = {names[defect]: state.present for defect, state in states.items() if defect in names}
        yield row, logic.evaluate(present, row.domain, ignore=question.ignore, only=question.require), states
    for row in waiting.values():
        yield row, logic.evaluate({}, row.domain, ignore=question.ignore, only=question.require), {}


def _worth_filtering(names: dict[int, str], question: Question) -> list[int] | None:
    """The defects to read; None when they are most of all, so that the database need not look each entry
    up.
    """
    primaries = sum(1 for _ in question.meaning.definitions.primaries())
    return sorted(names) if len(names) < 0.5 * primaries else None
