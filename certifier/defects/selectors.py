"""What the defects of runs are: the answer of one run, its history, the uses and dependencies of a defect."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Max

from certifier.accounts.models import System
from certifier.lumi import Evaluation, LumiSet
from certifier.runs.models import Run

from .as_of import AsOf, as_of
from .errors import UnknownDefect, UnknownFilter
from .logic_at import Definitions, LogicAt, Meaning, logic_at
from .models import Defect, Definition, Entry, Tag
from .naming import did_you_mean, key_of, quoted
from .resolution import Said, State, Told, by_beginning, intervals, said_of_run, state_of, states, told

VIRTUAL_USER = "virtual"


@dataclass(frozen=True, slots=True)
class IntervalInRun:
    """Lumisections on which one payload holds; of a virtual defect `comment` is its causes and `entered_at` None."""

    lumisections: LumiSet
    present: bool
    recoverable: bool
    user: str
    comment: str
    entered_at: datetime | None


@dataclass(frozen=True, slots=True)
class DefectInRun:
    """A defect that is present somewhere in the run (or, when asked for, recorded absent).

    `absent` of a primary defect is where it is recorded absent; of a virtual one, where it evaluates to absent.
    """

    defect: str
    system: str
    virtual: bool
    intolerable: bool
    present: LumiSet
    absent: LumiSet
    recoverable: LumiSet
    # What is said of it; of a virtual defect by nobody, its causes as the comment, at no time.
    told: Sequence[Told]
    description: str = ""

    @property
    def intervals(self) -> list[IntervalInRun]:
        """The same cut along the run, ascending; what is said alike of neighbours is one."""
        return [IntervalInRun(from_first_to(one.first, one.last), *one[2:]) for one in intervals(self.told)]


@dataclass(frozen=True, slots=True)
class RunDefects:
    run: int
    lumisections: LumiSet
    tag: str
    defects: Sequence[DefectInRun] = field(default_factory=list)
    # The highest entry of the run (at the tag) by key of the system whose defect it is about.
    newest: Mapping[int, int] = field(default_factory=dict)


# --- the defects of one run -------------------------------------------------------------------------------------


def run_defects(
    run: Run,
    tag: Tag | AsOf | str | None = None,
    *,
    systems: Collection[str] = (),
    defects: Collection[str] = (),
    ignore: Collection[str] = (),
    absent: bool = False,
) -> RunDefects:
    """The defects of a run at HEAD or at a tag, by name: primaries as recorded, virtual ones as their expressions say.

    `systems` and `defects` (names, ignoring case; together: both must hold) choose what is answered and never change
    the answer for it. `ignore`: ignored primaries count as never set, ignored virtual ones as absent; neither is
    answered. With `absent`, intervals recorded absent are answered as well. All is within the lumisections of the run.
    Raises UnknownTag, NotPartOfTag, UnknownFilter.
    """
    moment = tag if isinstance(tag, AsOf) else as_of(tag)
    moment.check(run.number)
    logic_of_moment = moment.logic()
    logic, definitions = logic_of_moment
    ignored = _named(definitions, ignore, "ignore", moment)
    wanted = _wanted(definitions, systems, defects, moment)
    wanted = [meaning for meaning in wanted if meaning.name not in ignored]
    domain = run.domain.bits
    said = said_of_run(run.pk, up_to=moment.up_to)
    primaries = [meaning for meaning in wanted if not meaning.is_virtual and meaning.defect in said]
    found = [_primary(meaning, said[meaning.defect], domain, absent) for meaning in primaries]
    virtuals = [meaning for meaning in wanted if meaning.is_virtual]
    if virtuals:
        by_name = {
            meaning.name: state_of(entries)
            for defect, entries in said.items()
            if (meaning := definitions.by_defect.get(defect)) is not None
        }
        evaluation = logic.evaluate(
            {name: state.present for name, state in by_name.items()},
            domain,
            ignore=ignored,
            only=[meaning.name for meaning in virtuals],
        )
        recoverable = evaluation.recoverable_bits({name: state.recoverable for name, state in by_name.items()})
        found += [_virtual(meaning, evaluation, recoverable[meaning.name], domain) for meaning in virtuals]
    shown = [one for one in found if one is not None and (one.present or (absent and not one.virtual))]
    shown.sort(key=lambda one: key_of(one.defect))
    return RunDefects(run.number, run.domain, moment.name, shown, _newest(said, definitions))


def _newest(said: Mapping[int, Sequence[Said]], definitions: Definitions) -> dict[int, int]:
    newest: dict[int, int] = {}
    for defect, entries in said.items():
        meaning = definitions.by_defect.get(defect)
        if meaning is not None:
            newest[meaning.system] = max(newest.get(meaning.system, 0), entries[-1].entry)
    return newest


def _primary(meaning: Meaning, said: Sequence[Any], domain: int, absent: bool) -> DefectInRun | None:
    state = state_of(said)
    if not (state.present | (state.absent if absent else 0)) & domain:
        return None
    shown = [one for one in told(said, domain) if one.present or absent]
    return _in_run(meaning, State(*(bits & domain for bits in state)), shown)


def _virtual(meaning: Meaning, evaluation: Evaluation, recoverable: int, domain: int) -> DefectInRun | None:
    present = evaluation.bits[meaning.name]
    if not present:
        return None
    by_payload: dict[tuple[bool, str], list[tuple[int, None]]] = {}
    for stretch, causes in evaluation.causes(meaning.name):
        comment = " ".join(causes)
        here = stretch.bits & recoverable
        for bits, can in ((here, True), (stretch.bits & ~here, False)):
            if bits:
                by_payload.setdefault((can, comment), []).append((bits, None))
    found = by_beginning(Told(True, can, VIRTUAL_USER, comment, parts) for (can, comment), parts in by_payload.items())
    return _in_run(meaning, State(present, domain & ~present, recoverable), found)


def from_first_to(first: int, last: int) -> LumiSet:
    """The lumisections first to last, which are known to be in order."""
    return LumiSet.from_bits((2 << last) - (1 << first))


def _in_run(meaning: Meaning, state: State, shown: Sequence[Told]) -> DefectInRun:
    return DefectInRun(
        defect=meaning.name,
        system=meaning.system_code,
        virtual=meaning.is_virtual,
        intolerable=meaning.intolerable,
        present=LumiSet.from_bits(state.present),
        absent=LumiSet.from_bits(state.absent),
        recoverable=LumiSet.from_bits(state.recoverable),
        told=shown,
        description=meaning.description,
    )


def _named(definitions: Definitions, names: Iterable[str], parameter: str, moment: AsOf) -> set[str]:
    """The stored spellings of these names. Raises UnknownFilter naming the parameter."""
    found = set()
    for name in names:
        meaning = definitions.find(name)
        if meaning is None:
            when = "" if moment.is_head else f" at tag {moment.name}"
            raise UnknownFilter(
                f"There is no defect {quoted(name)}{when}.{did_you_mean(name, definitions)}", field=parameter
            )
        found.add(meaning.name)
    return found


def _wanted(
    definitions: Definitions, systems: Collection[str], names: Collection[str], moment: AsOf
) -> Sequence[Meaning]:
    chosen = list(definitions.values())
    if names:
        spelled = _named(definitions, names, "defect", moment)
        chosen = [meaning for meaning in chosen if meaning.name in spelled]
    if systems:
        codes = known_systems(systems)
        chosen = [meaning for meaning in chosen if key_of(meaning.system_code) in codes]
    return chosen


def known_systems(codes: Iterable[str]) -> set[str]:
    """The codes in lower case. Raises UnknownFilter for one that no system has."""
    known = {key_of(code): code for code in System.objects.values_list("code", flat=True)}
    for code in codes:
        if key_of(code) not in known:
            raise UnknownFilter(
                f"There is no system {quoted(code)}.{did_you_mean(code, known.values())}", field="system"
            )
    return {key_of(code) for code in codes}


# --- history ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One entry under the name its defect had at the moment that was asked for."""

    entry: Entry
    defect: str
    system: str


def history(run: Run, tag: Tag | AsOf | str | None = None, *, defects: Collection[str] = ()) -> list[HistoryLine]:
    """Every entry of the run in the order in which it was said; at a tag, those of the tag under its names."""
    moment = tag if isinstance(tag, AsOf) else as_of(tag)
    moment.check(run.number)
    definitions = moment.logic().definitions
    rows = Entry.objects.filter(run=run).order_by("id")
    if moment.up_to is not None:
        rows = rows.filter(id__lte=moment.up_to)
    if defects:
        names = _named(definitions, defects, "defect", moment)
        rows = rows.filter(defect_id__in=[definitions[name].defect for name in names])
    lines = []
    for entry in rows:
        meaning = definitions.by_defect.get(entry.defect_id)
        if meaning is not None:
            lines.append(HistoryLine(entry, meaning.name, meaning.system_code))
    return lines


# --- one defect -------------------------------------------------------------------------------------------------


def defect_named(name: str) -> Defect:
    """The defect of that name, ignoring case. Raises UnknownDefect with the nearest names."""
    found = (
        Defect.objects.select_related("system").filter(name_key=key_of(name)).first()
        if name.isascii() and "\x00" not in name
        else None
    )
    if found is None:
        known = list(Defect.objects.values_list("name", flat=True))
        raise UnknownDefect(f"There is no defect {quoted(name)}.{did_you_mean(name, known)}")
    return found


@dataclass(frozen=True, slots=True)
class Usage:
    """Where a primary defect was used. `runs` and `lumisections` count where it is present now."""

    entries: int
    runs_recorded: int
    runs: int
    lumisections: int
    recoverable: int
    users: Sequence[tuple[str, int]]
    last_seen: Entry | None
    latest_run: int | None


def usage(defect: Defect) -> Usage:
    """How much of it there is at HEAD, who recorded it, and when last."""
    runs = lumisections = recoverable = recorded = 0
    latest = None
    for run, of_run in states(runs=None, up_to=None, defects=[defect.pk]):
        recorded += 1
        state = of_run[defect.pk]
        if state.present:
            runs += 1
            lumisections += state.present.bit_count()
            recoverable += state.recoverable.bit_count()
            latest = run if latest is None else max(latest, run)
    entries = Entry.objects.filter(defect=defect)
    users = entries.order_by().values_list("user").annotate(count=Count("id")).order_by("-count", "user")
    return Usage(
        entries=sum(count for _, count in users),
        runs_recorded=recorded,
        runs=runs,
        lumisections=lumisections,
        recoverable=recoverable,
        users=list(users),
        last_seen=entries.select_related("run").order_by("-id").first(),
        latest_run=_latest_number(defect),
    )


def _latest_number(defect: Defect) -> int | None:
    newest: int | None = Run.objects.filter(
        pk__in=Entry.objects.filter(defect=defect).order_by().values("run_id")
    ).aggregate(newest=Max("number"))["newest"]
    return newest


def brief_usage(defects: Collection[int]) -> Mapping[int, tuple[int, int, int]]:
    """defect pk -> (entries, runs with entries, newest entry), for a page of the catalogue; from the index alone."""
    rows = (
        Entry.objects.filter(defect_id__in=defects)
        .order_by()
        .values_list("defect_id")
        .annotate(Count("id"), Count("run_id", distinct=True), Max("id"))
    )
    return {defect: (entries, runs, newest) for defect, entries, runs, newest in rows}


def used_by(name: str, logic: LogicAt | None = None) -> list[Meaning]:
    """The virtual defects whose expressions name it."""
    evaluator, definitions = logic or logic_at()
    key = key_of(name)
    return [
        meaning
        for meaning in definitions.virtuals()
        if key in {key_of(each) for each in evaluator.dependencies(meaning.name)}
    ]


def definitions_of(defect: Defect) -> list[Definition]:
    """Everything it was called and meant, the newest first."""
    return list(
        Definition.objects.filter(defect=defect)
        .select_related("version", "version__by", "system")
        .order_by("-version_id")
    )


@dataclass(frozen=True, slots=True)
class Branch:
    """A defect and what its expression names. `again`: it is unfolded elsewhere in the tree, or lies too deep to be."""

    meaning: Meaning
    children: Sequence[Branch]
    again: bool = False


DEEPEST_BRANCH = 50


def dependency_tree(name: str, logic: LogicAt | None = None) -> Branch:
    """What a defect depends on, all the way down. A defect met twice is unfolded once, so the tree stays small."""
    evaluator, definitions = logic or logic_at()
    unfolded: set[str] = set()

    def grow(here: str, depth: int) -> Branch:
        meaning = definitions[evaluator.spelled(here)]
        direct = evaluator.dependencies(meaning.name)
        if direct and (meaning.name in unfolded or depth > DEEPEST_BRANCH):
            return Branch(meaning, (), again=True)
        unfolded.add(meaning.name)
        return Branch(meaning, [grow(child, depth + 1) for child in direct])

    return grow(name, 0)


def system_codes() -> list[tuple[int, str]]:
    """(primary key, code) of every system."""
    return list(System.objects.values_list("pk", "code"))
