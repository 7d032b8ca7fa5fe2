"""What a list costs: the luminosity of the lumisections that are not in it, charged to what kept them out.

Each lost lumisection is charged once, to the first defect met that is behind a required virtual defect being present
there: systems in their order, within a system defects by name ignoring case. What no defect explains is charged to the
first system, in the same order, whose signature was missing, or whose machine stood for it and did not call it good.
So the charges add up to the loss.

Recoverable is what a reprocessing may bring back: lumisections charged to a defect on which no defect behind the loss
is irrecoverable.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain

from certifier.defects import resolution
from certifier.defects.logic_at import Definitions, LogicAt, logic_at, logic_built
from certifier.lumi import LumiSet, RunLumiMap, RunSelection
from certifier.lumi.roots import roots
from certifier.runs.profile import Profile

from . import building
from .book import Book, Order
from .building import Built, Evaluated, LeftOut, Question
from .conditions import Held
from .contents import content_of
from .facts import Facts, Following, RunRow
from .loss_table import NOT_IN_TAG, NOT_SIGNED, OTHER, Account, LossTable, SystemLoss, by_system
from .luminosity import NOTHING, luminosity_in
from .machine import ByMachine
from .models import GoodRunList, Origin

# -- questions -------------------------------------------------------------------------------------


def loss_of(list_: GoodRunList, flags: Sequence[str] = ()) -> LossTable:
    """The loss table of a list: see `case_of`."""
    return loss_in(case_of(list_), flags)


@dataclass(frozen=True)
class Case:
    """A list, the runs it was made from, and what is behind each of their lumisections being bad."""

    content: RunLumiMap
    behind: tuple[Behind, ...]
    left_out: tuple[LeftOut, ...] = ()
    # Codes of the systems that a built list depends on.
    systems: tuple[str, ...] = ()
    as_built: bool = True
    facts: Facts = field(default_factory=Facts, compare=False, repr=False)

    @cached_property
    def order(self) -> Order:
        return Order(self.facts.systems)

    def profiles(self) -> Mapping[int, Profile] | Following:
        """By run, to be asked in ascending order."""
        return self.facts.profiles([each.row.number for each in self.behind])

    def held(self, flags: Sequence[str]) -> Held:
        """Where these conditions held in its runs."""
        key = tuple(flags)
        if key not in self._held:
            self._held[key] = Held.of([each.row for each in self.behind], key)
        return self._held[key]

    @cached_property
    def _held(self) -> dict[tuple[str, ...], Held]:
        return {}


def case_of(
    list_: GoodRunList,
    runs: Collection[int] | None = None,
    content: RunLumiMap | None = None,
    facts: Facts | None = None,
) -> Case:
    """For a built list with the defects as they were built with; for any other list, over the runs of it that we have,
    with the defects that are intolerable now. `runs` leaves out all others; `content` saves reading it again.
    """
    content = content_of(list_) if content is None else content
    facts = facts or Facts()
    if list_.origin != Origin.BUILT:
        chosen = content if runs is None else RunLumiMap({run: content[run] for run in runs if run in content})
        return Case(content, _sorted(_today(chosen, facts)), as_built=False, facts=facts)
    return case_of_built(as_built(list_, content), runs, facts)


def case_of_built(built: Built, runs: Collection[int] | None = None, facts: Facts | None = None) -> Case:
    """Its runs are those that were looked at when it was built."""
    facts = facts or Facts()
    rows: Sequence[RunRow] = built.rows
    if not rows:
        considered = {*built.content, *(each.run for each in built.left_out)}
        rows = facts.rows(considered if runs is None else considered & set(runs))
    behind = _with_machines(_behind(built.question, rows, built.entry_id, built.evaluated), built.machine)
    return Case(built.content, _sorted(behind), built.left_out, built.systems, facts=facts)


def case_at_head(question: Question, rows: Sequence[RunRow], facts: Facts) -> Case:
    """Of a list that nobody builds: what the defects take away from these runs now, signed or not."""
    behind = _sorted(_behind(question, rows, None))
    good = {each.row.number: LumiSet.from_bits(each.row.domain & ~_any(each.accounts.values())) for each in behind}
    return Case(RunLumiMap(good), behind, facts=facts)


def _any(sets: Iterable[int]) -> int:
    bits = 0
    for each in sets:
        bits |= each
    return bits


def _sorted(behind: Iterator[Behind]) -> tuple[Behind, ...]:
    return tuple(sorted(behind, key=lambda each: each.row.number))


def as_built(list_: GoodRunList, content: RunLumiMap) -> Built:
    """What was built when the list was, but for what can be read again."""
    left_out = tuple(LeftOut.from_json(each) for each in list_.provenance["left_out"])
    machine = tuple(ByMachine.from_json(each) for each in list_.provenance.get("machine", ()))
    question = Question(
        require=tuple(list_.require),
        ignore=tuple(list_.ignore),
        tag=list_.tag,
        runs=RunSelection.parse(list_.run_selection),
        signed_off=list_.signed_off,
        stage=list_.stage,
        meaning=meaning_of(list_),
    )
    return Built(question, content, list_.entry_id, left_out, tuple(list_.provenance["systems"]), machine)


def meaning_of(list_: GoodRunList) -> LogicAt:
    """The definitions that a built list was built with. No query for a list that came from `selectors.lists`."""
    at = getattr(list_, "logic_at", None)
    return logic_built(list_.logic, at) if at is not None else logic_at(list_.logic)


# -- what is behind a loss, run by run -------------------------------------------------------------


@dataclass(frozen=True)
class Behind:
    """A run, and where each account has a part in its being bad: bitsets. `final` is where any of them is
    irrecoverable.
    """

    row: RunRow
    accounts: dict[Account, int] = field(default_factory=dict)
    final: int = 0
    # Where a machine stood for a signature of this system and did not call it good.
    unsigned: dict[str, int] = field(default_factory=dict)


def _with_machines(behind: Iterator[Behind], machine: Sequence[ByMachine]) -> Iterator[Behind]:
    """What no machine called good counts as not signed off."""
    by_run: dict[int, dict[str, int]] = {}
    for each in machine:
        by_run.setdefault(each.run, {})[each.system] = each.lumisections.bits
    for one in behind:
        good = by_run.get(one.row.number, {})
        yield replace(one, unsigned={system: one.row.domain & ~bits for system, bits in good.items()}) if good else one


def _behind(
    question: Question, rows: Sequence[RunRow], up_to: int | None, known: Sequence[Evaluated] = ()
) -> Iterator[Behind]:
    """`known` are runs that have been evaluated already."""
    definitions = question.meaning.definitions
    within = RunSelection.parse(question.tag.runs if question.tag is not None else "")
    # What was entered for a run outside the tag is no part of the answer.
    yield from (Behind(row) for row in rows if row.number not in within)
    inside = [row for row in rows if row.number in within]
    wanted, done = {row.pk for row in inside}, {row.pk for row, _, _ in known}
    rest = [row for row in inside if row.pk not in done]
    again = building.evaluated(question, rest, up_to) if rest else ()
    for row, evaluation, states in chain((each for each in known if each[0].pk in wanted), again):
        behind = roots(evaluation, question.require)
        final = 0
        for root, bits in behind.items():
            # That a defect is absent cannot be repaired: there is no definition of `!NAME`.
            state = states.get(definitions[root].defect) if root in definitions else None
            final |= bits & ~(state.recoverable if state else 0)
        yield Behind(row, {_account(definitions, root): bits for root, bits in behind.items()}, final)


def _account(definitions: Definitions, root: str) -> Account:
    return definitions[root.removeprefix("!")].system_code, root


def _today(content: RunLumiMap, facts: Facts) -> Iterator[Behind]:
    """With the primary defects that are called intolerable now."""
    rows = {row.pk: row for row in facts.rows(content.runs)}
    names = {
        meaning.defect: (meaning.system_code, meaning.name)
        for meaning in facts.head.definitions.primaries()
        if meaning.intolerable
    }
    for pk, states in resolution.states(runs=list(rows), up_to=None, defects=list(names)):
        row = rows.pop(pk)
        final = 0
        for state in states.values():
            final |= state.present & ~state.recoverable
        accounts = {names[defect]: state.present for defect, state in states.items()}
        yield Behind(row, accounts, final)
    yield from map(Behind, rows.values())


# -- the table -------------------------------------------------------------------------------------


def loss_in(case: Case, flags: Sequence[str] = ()) -> LossTable:
    """Over lumisections where all `flags` held: each is in the list, or charged to one account."""
    order, known = case.order, case.profiles()
    reasons = {each.run: each for each in case.left_out}
    held = case.held(flags)
    book, outside = Book(), NOTHING
    for each in case.behind:
        profile = known.get(each.row.number)
        domain = held.within(each.row)
        listed = case.content.get(each.row.number, LumiSet()).bits
        charged = list(_charged(each, domain & ~listed, reasons.get(each.row.number), order))
        book.enter(domain & listed, charged, each.final, each.row.last, profile)
        if listed & ~domain:
            outside += luminosity_in(LumiSet.from_bits(listed & ~domain), profile)
    charges = book.charges(order)
    return LossTable(
        tuple(flags),
        len(case.behind),
        sum((charge.lost for charge in charges), book.good),
        book.good,
        outside,
        charges,
        case.left_out,
        sum(1 for each in case.behind if not each.row.last),
        sum(1 for each in case.behind if each.row not in held),
        case.as_built,
    )


def charged_in(case: Case, where: RunLumiMap) -> tuple[SystemLoss, ...]:
    """What kept these lumisections out of the list, by system; what no system accounts for stands under none."""
    order, known = case.order, case.profiles()
    reasons = {each.run: each for each in case.left_out}
    book = Book()
    for each in case.behind:
        if each.row.number in where:
            lost = where[each.row.number].bits & each.row.domain
            charged = list(_charged(each, lost, reasons.get(each.row.number), order))
            book.enter(0, charged, each.final, each.row.last, known.get(each.row.number))
    return by_system(book.charges(order))


def _charged(behind: Behind, lost: int, left_out: LeftOut | None, order: Order) -> Iterator[tuple[Account, int]]:
    """Each account with the lumisections charged to it."""
    if not lost:
        return
    for account in sorted(behind.accounts, key=order.__getitem__):
        bits = behind.accounts[account] & lost
        if bits:
            yield account, bits
            lost &= ~bits
    for system, bits in behind.unsigned.items():
        if bits & lost:
            yield (system, NOT_SIGNED), bits & lost
            lost &= ~bits
    if not lost:
        return
    if left_out is not None and left_out.unsigned:
        yield (left_out.unsigned[0], NOT_SIGNED), lost
    elif left_out is not None and left_out.is_outside:
        yield ("", NOT_IN_TAG), lost
    else:
        yield ("", OTHER), lost
