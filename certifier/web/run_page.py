"""Everything that a run page shows, read in few queries. See `strip` and `defect_table` for how it is arranged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import islice
from typing import Any

from django.db.models import Count, OuterRef, Subquery, Value

from certifier.accounts import permissions
from certifier.accounts.models import Role, System
from certifier.defects.as_of import AsOf, as_of, known_tags
from certifier.defects.errors import UnknownFilter, UnknownTag
from certifier.defects.forms import RecordForm
from certifier.defects.logic_at import LogicAt, logic_built
from certifier.defects.models import Entry, LogicVersion, Tag
from certifier.defects.naming import did_you_mean, key_of, quoted
from certifier.defects.selectors import DefectInRun, RunDefects, run_defects
from certifier.goodruns.main_defect import main_virtual_defect
from certifier.goodruns.models import RunSummary
from certifier.lumi import LARGEST_RUN, LumiSet, RunSelection
from certifier.precert.hiding import Hidden
from certifier.precert.lanes import FoundHere, Machine
from certifier.precert.selectors import NEWEST, Parts, datasets_of, models_known
from certifier.review.blind import HELD_BLIND
from certifier.review.checklists import known_checklists
from certifier.review.decided import Decided, decided_of_run
from certifier.review.models import Checklist
from certifier.review.panel import Panel, panel
from certifier.review.selectors import SystemState, sign_off_state
from certifier.runs.errors import RunNotFound
from certifier.runs.models import ReferenceRun, Run, RunProfile
from certifier.runs.profile import Profile
from certifier.runs.selectors import as_list, flags_of

from .defect_table import DefectRow, in_system_order, rows_of
from .strip import Strip, strip

# Definitions, tags and acts on models are only added to, and rarely: each is read again when something newer is there.
NEWEST_OF_ALL = NEWEST | {
    "newest_logic": Subquery(LogicVersion.objects.order_by("-number").values("number")[:1]),
    "newest_logic_at": Subquery(LogicVersion.objects.order_by("-number").values("at")[:1]),
    "tag_count": Subquery(Tag.objects.order_by().values(all=Value(1)).annotate(count=Count("id")).values("count")),
    "newest_tag_at": Subquery(Tag.objects.order_by("-id").values("created_at")[:1]),
    "checklist_count": Subquery(
        Checklist.objects.order_by().values(all=Value(1)).annotate(count=Count("id")).values("count")
    ),
    "newest_checklist_at": Subquery(Checklist.objects.order_by("-id").values("at")[:1]),
    "newest_entry": Subquery(Entry.objects.filter(run=OuterRef("pk")).order_by("-id").values("id")[:1]),
}
# Beyond this a table is no reading matter any more; a system can be chosen. Only virtual defects get there.
MOST_ROWS = 1_500


@dataclass(frozen=True)
class Options:
    """What of a run is looked at, as it stands in the address."""

    tag: str = ""
    system: str = ""
    absent: bool = False
    virtual: bool = False
    lumisections: str = ""
    # An entry that was just recorded.
    recorded: int = 0

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Options:
        return cls(
            lumisections=parameters.get("ls", "").strip(),
            recorded=_number(parameters.get("recorded", "")),
            tag=parameters.get("tag", "").strip(),
            system=parameters.get("system", "").strip(),
            absent=parameters.get("absent") == "true",
            virtual=parameters.get("virtual") == "true",
        )


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


@dataclass(frozen=True, slots=True)
class Moment(AsOf):
    """A moment whose definitions are read once for the whole page."""

    meaning: LogicAt | None = None

    def logic(self) -> LogicAt:
        return self.meaning if self.meaning is not None else AsOf.logic(self)

    @classmethod
    def of(cls, tag: Tag | None, head: LogicAt | None = None) -> Moment:
        """`head` saves reading the definitions of now."""
        known = as_of(tag)
        meaning = head if head is not None and known.is_head else known.logic()
        return cls(**{column.name: getattr(known, column.name) for column in fields(known)}, meaning=meaning)


@dataclass(frozen=True)
class Good:
    """What of the run is fit for physics by the experiment's main virtual defect, and by which systems' word.

    Luminosities in inverse nanobarn, None where nothing is known.
    """

    required: str
    lumisections: LumiSet
    lost: LumiSet
    good_inv_nb: float | None
    lost_inv_nb: float | None
    recorded_inv_nb: float | None
    # Codes of the systems that it depends on and that are not signed: until they are, nothing of it counts.
    unsigned: Sequence[str]

    @property
    def share(self) -> float | None:
        if not self.recorded_inv_nb or self.good_inv_nb is None:
            return None
        return self.good_inv_nb / self.recorded_inv_nb


class RunPage:
    """One run at one moment, as one person sees it. What is asked for is read once, when it is asked for."""

    def __init__(self, run: Run, options: Options, user: Any, draft: Mapping[str, Any] | None = None) -> None:
        """Raises UnknownTag, NotPartOfTag, UnknownFilter, and LumiError for lumisections that are none."""
        self.run = run
        self.options = options
        self.user = user
        # What they had typed when their session was over.
        self.draft = dict(draft or {})
        self.head = logic_built(run.newest_logic, run.newest_logic_at)  # type: ignore[attr-defined]
        self.moment = Moment.of(self._tag(), self.head)
        self.moment.check(run.number)
        self.system = self._system()
        # What somebody chose along the run, and another may be sent.
        last = run.last_lumisection
        self.selected = LumiSet.parse(options.lumisections, last=last) if last else LumiSet()

    # -- what it is looked at through -----------------------------------------------------------------------

    @cached_property
    def tags(self) -> list[Tag]:
        return known_tags(self.run.tag_count, self.run.newest_tag_at)  # type: ignore[attr-defined]

    @property
    def tag_names(self) -> list[str]:
        """Those that cover this run; a run outside a tag has no answer there."""
        return [tag.name for tag in self.tags if not tag.runs or self.run.number in RunSelection.parse(tag.runs)]

    @cached_property
    def systems(self) -> list[System]:
        return list(System.objects.all())

    def _tag(self) -> Tag | None:
        wanted = key_of(self.options.tag)
        if not wanted or wanted == "head":
            return None
        for tag in self.tags:
            if key_of(tag.name) == wanted:
                return tag
        meant = did_you_mean(self.options.tag, [tag.name for tag in self.tags])
        raise UnknownTag(f"There is no tag {quoted(self.options.tag)}.{meant}")

    def _system(self) -> System | None:
        wanted = key_of(self.options.system)
        if not wanted:
            return None
        for system in self.systems:
            if key_of(system.code) == wanted:
                return system
        meant = did_you_mean(self.options.system, [system.code for system in self.systems])
        raise UnknownFilter(f"There is no system {quoted(self.options.system)}.{meant}", field="system")

    # -- defects --------------------------------------------------------------------------------------------

    @cached_property
    def defects(self) -> list[DefectInRun]:
        """Every primary defect of the run; the virtual ones, which take longer, only when they are looked at."""
        return in_system_order(self._answer.defects, [system.code for system in self.systems])

    @cached_property
    def _answer(self) -> RunDefects:
        names: list[str] = []
        if not self.options.virtual:
            names = [meaning.name for meaning in self.moment.logic().definitions.primaries()]
            if not names:
                return RunDefects(self.run.number, self.run.domain, self.moment.name)
        return run_defects(self.run, self.moment, defects=names, absent=self.options.absent)

    @cached_property
    def listed(self) -> list[DefectInRun]:
        """Those of the table: of the chosen system, when one is."""
        code = self.system.code if self.system else ""
        return [defect for defect in self.defects if not code or defect.system == code]

    @cached_property
    def rows(self) -> list[DefectRow]:
        """The first of them; `has_more_rows` tells whether there are others."""
        return self._rows_and_one[:MOST_ROWS]

    @property
    def has_more_rows(self) -> bool:
        return len(self._rows_and_one) > MOST_ROWS

    @cached_property
    def _rows_and_one(self) -> list[DefectRow]:
        return list(islice(rows_of(self.listed), MOST_ROWS + 1))

    @property
    def present_count(self) -> int:
        return sum(1 for defect in self.listed if defect.present)

    @property
    def absent_count(self) -> int:
        return sum(1 for defect in self.listed if not defect.virtual and defect.absent)

    # -- luminosity -----------------------------------------------------------------------------------------

    @cached_property
    def profile(self) -> Profile:
        row: RunProfile | None = getattr(self.run, "profile", None)
        return Profile.unpack(row.length, row.columns) if row else Profile.unknown()

    @property
    def recorded(self) -> list[float | None]:
        """Per lumisection of the run, None where unknown."""
        missing: list[float | None] = [None] * (self.run.last_lumisection - self.profile.length)
        return as_list(self.profile, "recorded_inv_nb") + missing

    @property
    def pileup_known(self) -> bool:
        return bool(self.profile.known("pileup"))

    @cached_property
    def recorded_known(self) -> int:
        """Of how many lumisections the recorded luminosity is known."""
        return len(self.profile.known("recorded_inv_nb"))

    @cached_property
    def main(self) -> str:
        """The experiment's main virtual defect under its name of this moment; empty when there is none.

        The run's summary knows it; where there is no summary yet, or the defect had another name at the tag, it is
        looked up.
        """
        here = self.moment.logic()
        summary: RunSummary | None = getattr(self.run, "summary", None)
        name = summary.required if summary else main_virtual_defect(here)
        if not name:
            return ""
        meaning = here.definitions.find(name)
        if meaning is None and (now := self.head.definitions.find(name)) is not None:
            meaning = here.definitions.by_defect.get(now.defect)
        return meaning.name if meaning is not None and meaning.is_virtual else ""

    @cached_property
    def good(self) -> Good | None:
        """None when no virtual defect is the main one, or the run has no lumisections."""
        if not self.main or not self.run.last_lumisection:
            return None
        present = {defect.defect: defect.present.bits for defect in self.defects if not defect.virtual}
        logic = self.moment.logic().logic
        lost = logic.evaluate(present, self.run.domain, only=[self.main]).present(self.main)
        good = self.run.domain - lost
        return Good(
            required=self.main,
            lumisections=good,
            lost=lost,
            good_inv_nb=self._recorded_in(good),
            lost_inv_nb=self._recorded_in(lost),
            recorded_inv_nb=self.profile.total("recorded_inv_nb"),
            unsigned=self._unsigned(self.main),
        )

    def _recorded_in(self, lumisections: LumiSet) -> float | None:
        value, known = self.profile.sum("recorded_inv_nb", lumisections)
        return value if known or not lumisections else None

    def _unsigned(self, name: str) -> list[str]:
        logic, definitions = self.moment.logic()
        needed = {definitions[primary].system for primary in logic.primaries_of(name)}
        return [state.system.code for state in self.states if state.system.pk in needed and not state.is_signed]

    # -- sign-off and the rest ------------------------------------------------------------------------------

    @cached_property
    def states(self) -> list[SystemState]:
        # Signatures are of now also where one looks at a tag, whose entries are of then.
        return sign_off_state(self.run, self.systems, self._answer.newest if self.moment.is_head else None)

    @property
    def signed_count(self) -> int:
        return sum(1 for state in self.states if state.is_signed)

    @cached_property
    def panel(self) -> Panel:
        """The sign-off panel, for which nothing is read twice."""
        lists = known_checklists(self.run.checklist_count or 0, self.run.newest_checklist_at)  # type: ignore[attr-defined]
        return panel(self.run, self.user, self.states, lists)

    @property
    def record_form(self) -> RecordForm | None:
        """None at a tag: what is recorded is recorded now, and would not be seen there."""
        if not self.moment.is_head:
            return None
        allowed = {system.pk for system in self.systems if permissions.can_record_defects(self.user, system)}
        primaries = self.moment.logic().definitions.primaries()
        names = [meaning.name for meaning in primaries if meaning.system in allowed]
        seen = self.run.newest_entry or 0  # type: ignore[attr-defined]
        return RecordForm(names=names, initial={"lumisections": str(self.selected), "seen": seen} | self.draft)

    @property
    def undoable(self) -> int | None:
        """The entry that this person has just recorded, as the address says, to take it back."""
        if not self.options.recorded:
            return None
        mine = Entry.objects.filter(pk=self.options.recorded, run=self.run, actor=self.user)
        return self.options.recorded if self.moment.is_head and mine.exists() else None

    @cached_property
    def own_systems(self) -> set[str]:
        """Codes of the systems that this person is an expert of."""
        mine = {system for role, system in permissions.roles_of(self.user) if role == Role.EXPERT}
        return {system.code for system in self.systems if system.pk in mine}

    @cached_property
    def strip(self) -> Strip:
        opened = {self.system.code} if self.system else self.own_systems
        lanes = self.machine.lanes if self.machine else {}
        return strip(
            flags_of(self.run),
            self.defects,
            self.states,
            opened,
            lanes,
            decided=self.decided,
            absent=self.options.absent,
        )

    @cached_property
    def decided(self) -> dict[str, Decided]:
        """What experts decided in the review; not at a tag, which was frozen without it."""
        return decided_of_run(self.run, self.systems) if self.moment.is_head else {}

    @cached_property
    def machine(self) -> Machine | None:
        """What models say of the run now; None at a tag, which was frozen without them."""
        if not self.moment.is_head:
            return None
        newest = tuple(getattr(self.run, name) for name in NEWEST)
        # Only where somebody is to say first what they see is it asked whether that is this person.
        viewer = self.user if self.run.held_blind else None  # type: ignore[attr-defined]
        return Machine(self.run, models_known(self.systems, newest), self.profile, self._datasets[1], viewer=viewer)

    @property
    def findings(self) -> list[FoundHere]:
        return self.machine.findings(self.system) if self.machine else []

    @property
    def hidden_findings(self) -> list[tuple[System, Hidden]]:
        return self.machine.hidden(self.system) if self.machine else []

    @cached_property
    def _datasets(self) -> tuple[list[tuple[str, str]], Parts]:
        return datasets_of(self.run)

    @property
    def datasets(self) -> list[tuple[str, str]]:
        """(name, stage)"""
        return self._datasets[0]


def run_with_facts(number: int) -> Run:
    """The run with its profile, its summary, `previous`, `following` and `reference` (run numbers), and what is newest
    of the tables that only grow, in one query.

    Raises RunNotFound.
    """
    numbers = Run.objects.order_by().values("number")
    before = numbers.filter(number__lt=OuterRef("number")).order_by("-number")[:1]
    after = numbers.filter(number__gt=OuterRef("number")).order_by("number")[:1]
    references = ReferenceRun.objects.filter(run_number=OuterRef("number")).order_by("-position")
    reference = references.values("reference_number")[:1]
    if not 0 < number <= LARGEST_RUN:
        raise RunNotFound(number)
    run = (
        Run.objects.filter(number=number)
        .select_related("profile", "summary")
        .annotate(previous=Subquery(before), following=Subquery(after), reference=Subquery(reference), **NEWEST_OF_ALL)
        .annotate(held_blind=HELD_BLIND)
        .first()
    )
    if run is None:
        raise RunNotFound(number)
    return run
