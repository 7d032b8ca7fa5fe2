"""Everything that a run page shows, read in few queries. See `strip` and `defect_table` for how it is arranged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from django.db.models import OuterRef, Subquery

from certifier.accounts import permissions
from certifier.accounts.models import Role, System
from certifier.defects.as_of import AsOf, as_of
from certifier.defects.errors import UnknownFilter, UnknownTag
from certifier.defects.forms import RecordForm
from certifier.defects.logic_at import LogicAt, logic_at
from certifier.defects.models import Tag
from certifier.defects.naming import did_you_mean, key_of, quoted
from certifier.defects.selectors import DefectInRun, run_defects
from certifier.goodruns.main_defect import main_virtual_defect
from certifier.goodruns.models import RunSummary
from certifier.lumi import LARGEST_RUN, LumiSet, RunSelection
from certifier.precert.lanes import FoundHere, Machine
from certifier.review.panel import Panel, panel
from certifier.review.selectors import SystemState, sign_off_state
from certifier.runs.errors import RunNotFound
from certifier.runs.models import Dataset, ReferenceRun, Run, RunProfile
from certifier.runs.profile import Profile
from certifier.runs.selectors import as_list, flags_of

from .defect_table import DefectRow, in_system_order, rows_of
from .strip import Strip, strip

# Beyond this a table is no reading matter any more; a system can be chosen. Only virtual defects get there.
MOST_ROWS = 1_500


@dataclass(frozen=True)
class Options:
    """What of a run is looked at, as it stands in the address."""

    tag: str = ""
    system: str = ""
    absent: bool = False
    virtual: bool = False

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Options:
        return cls(
            tag=parameters.get("tag", "").strip(),
            system=parameters.get("system", "").strip(),
            absent=parameters.get("absent") == "true",
            virtual=parameters.get("virtual") == "true",
        )


@dataclass(frozen=True, slots=True)
class Moment(AsOf):
    """A moment whose definitions are read once for the whole page."""

    meaning: LogicAt | None = None

    def logic(self) -> LogicAt:
        return self.meaning if self.meaning is not None else AsOf.logic(self)

    @classmethod
    def of(cls, tag: Tag | None) -> Moment:
        known = as_of(tag)
        return cls(known.name, known.up_to, known.version, known.runs, known.at, known.description, known.logic())


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

    def __init__(self, run: Run, options: Options, user: Any) -> None:
        """Raises UnknownTag, NotPartOfTag, UnknownFilter."""
        self.run = run
        self.options = options
        self.user = user
        self.moment = Moment.of(self._tag())
        self.moment.check(run.number)
        self.system = self._system()

    # -- what it is looked at through -----------------------------------------------------------------------

    @cached_property
    def tags(self) -> list[Tag]:
        return list(Tag.objects.only("name", "entry_id", "logic_id", "runs", "created_at", "description"))

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
        names: list[str] = []
        if not self.options.virtual:
            names = [meaning.name for meaning in self.moment.logic().definitions.primaries()]
            if not names:
                return []
        answer = run_defects(self.run, self.moment, defects=names, absent=self.options.absent)
        return in_system_order(answer.defects, [system.code for system in self.systems])

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
        if meaning is None and (now := logic_at().definitions.find(name)) is not None:
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
        return sign_off_state(self.run, self.systems)

    @property
    def signed_count(self) -> int:
        return sum(1 for state in self.states if state.is_signed)

    @cached_property
    def panel(self) -> Panel:
        """The sign-off panel, for which nothing is read twice."""
        return panel(self.run, self.user, self.states)

    @property
    def record_form(self) -> RecordForm | None:
        """None at a tag: what is recorded is recorded now, and would not be seen there."""
        if not self.moment.is_head:
            return None
        allowed = {system.pk for system in self.systems if permissions.can_record_defects(self.user, system)}
        primaries = self.moment.logic().definitions.primaries()
        return RecordForm(names=[meaning.name for meaning in primaries if meaning.system in allowed])

    @cached_property
    def own_systems(self) -> set[str]:
        """Codes of the systems that this person is an expert of."""
        mine = {system for role, system in permissions.roles_of(self.user) if role == Role.EXPERT}
        return {system.code for system in self.systems if system.pk in mine}

    @cached_property
    def strip(self) -> Strip:
        opened = {self.system.code} if self.system else self.own_systems
        return strip(flags_of(self.run), self.defects, self.states, opened, self.machine.lanes if self.machine else {})

    @cached_property
    def machine(self) -> Machine | None:
        """What models say of the run now; None at a tag, which was frozen without them."""
        return Machine(self.run, self.systems, self.profile) if self.moment.is_head else None

    @property
    def findings(self) -> list[FoundHere]:
        return self.machine.findings(self.system) if self.machine else []

    @cached_property
    def datasets(self) -> list[Dataset]:
        return list(self.run.datasets.order_by("stage", "name"))


def run_with_facts(number: int) -> Run:
    """The run with its profile, its summary, `previous`, `following` and `reference` (run numbers), in one query.

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
        .annotate(previous=Subquery(before), following=Subquery(after), reference=Subquery(reference))
        .first()
    )
    if run is None:
        raise RunNotFound(number)
    return run
