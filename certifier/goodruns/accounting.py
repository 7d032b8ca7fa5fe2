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

import numpy as np
import numpy.typing as npt

from certifier.accounts.models import System
from certifier.defects import resolution
from certifier.defects.logic_at import Definitions, logic_at
from certifier.lumi import LumiSet, RunLumiMap, RunSelection
from certifier.lumi.roots import roots
from certifier.runs.models import ConditionFlag, Run
from certifier.runs.profile import Profile, iterate_profiles, profiles

from . import building
from .building import Built, Evaluated, LeftOut, Question, RunRow
from .contents import content_of
from .loss_table import NOT_IN_TAG, NOT_SIGNED, OTHER, Account, Charge, LossTable, SystemLoss, by_system, is_defect
from .luminosity import NOTHING, Luminosity, luminosity_in
from .machine import ByMachine
from .models import GoodRunList, Origin

NUMBERS_PER_QUERY = 10_000
# A profile of a thousand lumisections takes 32 kB.
MOST_KEPT = 1_000

# -- questions -------------------------------------------------------------------------------------


def loss_of(list_: GoodRunList, flags: Sequence[str] = ()) -> LossTable:
    """The loss table of a list: see `case_of`."""
    return loss_in(case_of(list_), flags)


def loss_of_built(built: Built, flags: Sequence[str] = ()) -> LossTable:
    """The same of a list that is not published yet."""
    return loss_in(case_of_built(built), flags)


@dataclass(frozen=True)
class Case:
    """A list, the runs it was made from, and what is behind each of their lumisections being bad."""

    content: RunLumiMap
    behind: tuple[Behind, ...]
    left_out: tuple[LeftOut, ...] = ()
    # Codes of the systems that a built list depends on.
    systems: tuple[str, ...] = ()
    as_built: bool = True

    @cached_property
    def order(self) -> Order:
        return Order()

    def profiles(self) -> Mapping[int, Profile] | Following:
        """By run, to be asked in ascending order. Kept for the next reckoning unless the runs are very many."""
        numbers = [each.row.number for each in self.behind]
        return self._kept_profiles if len(numbers) <= MOST_KEPT else Following(iter(numbers))

    @cached_property
    def _kept_profiles(self) -> dict[int, Profile]:
        return profiles(each.row.number for each in self.behind)


def case_of(list_: GoodRunList, runs: Collection[int] | None = None, content: RunLumiMap | None = None) -> Case:
    """For a built list with the defects as they were built with; for any other list, over the runs of it that we have,
    with the defects that are intolerable now. `runs` leaves out all others; `content` saves reading it again.
    """
    content = content_of(list_) if content is None else content
    if list_.origin != Origin.BUILT:
        chosen = content if runs is None else RunLumiMap({run: content[run] for run in runs if run in content})
        return Case(content, _sorted(_today(chosen)), as_built=False)
    return case_of_built(_as_built(list_, content), runs)


def case_of_built(built: Built, runs: Collection[int] | None = None) -> Case:
    """Its runs are those that were looked at when it was built."""
    considered = {*built.content, *(each.run for each in built.left_out)}
    rows = _rows(considered if runs is None else considered & set(runs))
    behind = _with_machines(_behind(built.question, rows, built.entry_id, built.evaluated), built.machine)
    return Case(built.content, _sorted(behind), built.left_out, built.systems)


def case_at_head(question: Question, rows: Sequence[RunRow]) -> Case:
    """Of a list that nobody builds: what the defects take away from these runs now, signed or not."""
    behind = _sorted(_behind(question, rows, None))
    good = {each.row.number: LumiSet.from_bits(each.row.domain & ~_any(each.accounts.values())) for each in behind}
    return Case(RunLumiMap(good), behind)


def _any(sets: Iterable[int]) -> int:
    bits = 0
    for each in sets:
        bits |= each
    return bits


def _sorted(behind: Iterator[Behind]) -> tuple[Behind, ...]:
    return tuple(sorted(behind, key=lambda each: each.row.number))


def _as_built(list_: GoodRunList, content: RunLumiMap) -> Built:
    left_out = tuple(LeftOut.from_json(each) for each in list_.provenance["left_out"])
    machine = tuple(ByMachine.from_json(each) for each in list_.provenance.get("machine", ()))
    question = Question(
        require=tuple(list_.require),
        ignore=tuple(list_.ignore),
        tag=list_.tag,
        runs=RunSelection.parse(list_.run_selection),
        signed_off=list_.signed_off,
        stage=list_.stage,
        meaning=logic_at(list_.logic),
    )
    return Built(question, content, list_.entry_id, left_out, tuple(list_.provenance["systems"]), machine)


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


def _today(content: RunLumiMap) -> Iterator[Behind]:
    """With the primary defects that are called intolerable now."""
    rows = {row.pk: row for row in _rows(content.runs)}
    names = {
        meaning.defect: (meaning.system_code, meaning.name)
        for meaning in logic_at().definitions.primaries()
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


def _rows(numbers: Sequence[int] | set[int]) -> list[RunRow]:
    wanted = sorted(numbers)
    found: list[RunRow] = []
    for start in range(0, len(wanted), NUMBERS_PER_QUERY):
        rows = Run.objects.filter(number__in=wanted[start : start + NUMBERS_PER_QUERY]).order_by("number")
        found += [RunRow(*row) for row in rows.values_list("pk", "number", "last_lumisection")]
    return found


# -- the table -------------------------------------------------------------------------------------


def loss_in(case: Case, flags: Sequence[str] = ()) -> LossTable:
    order, known = case.order, case.profiles()
    reasons = {each.run: each for each in case.left_out}
    runs = case.behind
    held = where_held([each.row for each in runs], flags)
    book = _Book()
    for each in runs:
        profile = known.get(each.row.number)
        domain = each.row.domain & held.get(each.row.pk, 0 if flags else -1)
        listed = case.content.get(each.row.number, LumiSet()).bits
        book.selected += luminosity_in(LumiSet.from_bits(domain), profile)
        book.good += luminosity_in(LumiSet.from_bits(domain & listed), profile)
        book.outside += luminosity_in(LumiSet.from_bits(listed & ~domain), profile)
        charged = list(_charged(each, domain & ~listed, reasons.get(each.row.number), order))
        if charged:
            book.charge(charged, each.final, each.row.last, profile)
    return LossTable(
        tuple(flags),
        len(runs),
        book.selected,
        book.good,
        book.outside,
        book.charges(order),
        case.left_out,
        sum(1 for each in runs if not each.row.last),
        sum(1 for each in runs if flags and each.row.pk not in held),
        case.as_built,
    )


def charged_in(case: Case, where: RunLumiMap) -> tuple[SystemLoss, ...]:
    """What kept these lumisections out of the list, by system; what no system accounts for stands under none."""
    order, known = case.order, case.profiles()
    reasons = {each.run: each for each in case.left_out}
    book = _Book()
    for each in case.behind:
        if each.row.number not in where:
            continue
        lost = where[each.row.number].bits & each.row.domain
        charged = list(_charged(each, lost, reasons.get(each.row.number), order))
        if charged:
            book.charge(charged, each.final, each.row.last, known.get(each.row.number))
    return by_system(book.charges(order))


def _charged(behind: Behind, lost: int, left_out: LeftOut | None, order: Order) -> Iterator[tuple[Account, int]]:
    """Each account with the lumisections charged to it."""
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


class Order(dict[Account, tuple[int, str, bool, str]]):
    """The place of an account among all: systems in their order, then defects by name ignoring case, signatures
    last.
    """

    def __init__(self) -> None:
        super().__init__()
        self._systems = {system.code: place for place, system in enumerate(System.objects.all())}

    def __missing__(self, account: Account) -> tuple[int, str, bool, str]:
        system, defect = account
        name = f"{defect.removeprefix('!').lower()} {defect}"
        place = (self._systems.get(system, len(self._systems)), system, defect == NOT_SIGNED, name)
        self[account] = place
        return place


def where_held(rows: Sequence[RunRow], flags: Sequence[str]) -> dict[int, int]:
    """Where all these conditions held, by primary key of the run; a run that lacks one of them is not in it."""
    if not flags or not rows:
        return {}
    wanted = {row.pk for row in rows}
    found: dict[int, list[int]] = {}
    chosen = ConditionFlag.objects.filter(name__in=flags, run_id__gte=min(wanted), run_id__lte=max(wanted)).values_list(
        "run_id", "lumisections"
    )
    for run, lumisections in chosen:
        if run in wanted:
            found.setdefault(run, []).append(lumisections.bits)
    return {run: _all(bits) for run, bits in found.items() if len(bits) == len(set(flags))}


def _all(sets: Sequence[int]) -> int:
    bits = -1
    for each in sets:
        bits &= each
    return bits


class _Book:
    """The sums that grow run by run. A year has some hundred accounts in each of its runs, so they are kept in arrays:
    `_sums[0]` of what was lost, `_sums[1]` of what of it is recoverable, a row per quantity, a column per account.
    """

    def __init__(self) -> None:
        self.selected = self.good = self.outside = NOTHING
        self._columns: dict[Account, int] = {("", ""): 0}  # the first one takes what is not lost
        self._sums = np.zeros((2, 5, 64))

    def charge(self, charged: Sequence[tuple[Account, int]], final: int, last: int, profile: Profile | None) -> None:
        """Charge lumisections (disjoint bitsets) of a run of `last` lumisections; `final` are the irrecoverable
        ones.
        """
        owners = np.zeros(last, dtype=np.int64)
        for account, bits in charged:
            column = self._columns.setdefault(account, len(self._columns))
            for first, end in LumiSet.from_bits(bits).ranges():
                owners[first - 1 : end] = column
        while len(self._columns) > self._sums.shape[2]:
            self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)], axis=2)
        values = _quantities(profile, last)
        repairable = owners * ~LumiSet.from_bits(final & ((2 << last) - 2)).to_mask(last)
        for part, of in enumerate((owners, repairable)):
            for row, weights in enumerate(values):
                self._sums[part, row] += np.bincount(of, weights, self._sums.shape[2])

    def charges(self, order: Order) -> tuple[Charge, ...]:
        """What was charged, in the order in which it is charged; what belongs to no system last."""
        accounts = [account for account in self._columns if account != ("", "")]
        accounts.sort(key=lambda account: (not account[0], order[account]))
        return tuple(
            Charge(
                *account, self._luminosity(0, account), self._luminosity(1, account) if is_defect(account) else NOTHING
            )
            for account in accounts
        )

    def _luminosity(self, part: int, account: Account) -> Luminosity:
        count, delivered, recorded, with_delivered, with_recorded = self._sums[part, :, self._columns[account]].tolist()
        return Luminosity(
            int(count),
            delivered if with_delivered else None,
            recorded if with_recorded else None,
            int(with_delivered),
            int(with_recorded),
        )


def _quantities(profile: Profile | None, last: int) -> list[npt.NDArray[np.float64]]:
    """Per lumisection: one, what was delivered and recorded (zero where unknown), and whether these are known."""
    columns = np.full((2, last), np.nan)
    if profile is not None:
        for row, name in enumerate(("delivered_inv_nb", "recorded_inv_nb")):
            values = profile[name][:last]
            columns[row, : len(values)] = values
    known = ~np.isnan(columns)
    values = np.where(known, columns, 0.0)
    return [np.ones(last), values[0], values[1], *known.astype(np.float64)]


class Following:
    """Profiles of runs asked for in ascending order, so that only a batch of them is ever held."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self._source = iterate_profiles(list(numbers))
        self._next: tuple[int, Profile] | None = next(self._source, None)

    def get(self, run: int) -> Profile | None:
        while self._next is not None and self._next[0] < run:
            self._next = next(self._source, None)
        return self._next[1] if self._next is not None and self._next[0] == run else None
