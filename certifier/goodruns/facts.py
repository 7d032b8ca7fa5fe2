"""What one answer needs of systems and runs, each read once however many reckonings ask for it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from django.db.models import Count, Max, Q, QuerySet, Subquery, Value

from certifier.accounts.models import System
from certifier.defects.as_of import known_tags
from certifier.defects.logic_at import LogicAt, logic_built
from certifier.defects.models import LogicVersion, Tag
from certifier.lumi import RunSelection
from certifier.precert.selectors import NEWEST, SystemModels, models_known
from certifier.runs.models import Run
from certifier.runs.profile import Profile, iterate_profiles

from .main_defect import NEWEST_REQUIRED, main_of

NUMBERS_PER_QUERY: Final = 10_000
# A profile of a thousand lumisections takes 32 kB: of more runs than these, profiles pass by instead of being kept.
MOST_KEPT: Final = 1_000
ROWS_PER_FETCH: Final = 200

# Read beside the systems, since it costs nothing there: what is newest of what only grows, and how much there is.
STANDING: Final = NEWEST | {
    "logic": Subquery(LogicVersion.objects.order_by("-number").values("number")[:1]),
    "logic_at": Subquery(LogicVersion.objects.order_by("-number").values("at")[:1]),
    "tag_count": Subquery(Tag.objects.order_by().values(all=Value(1)).annotate(count=Count("id")).values("count")),
    "tag_at": Subquery(Tag.objects.order_by("-id").values("created_at")[:1]),
    "required": Subquery(NEWEST_REQUIRED),
    "run_count": Subquery(Run.objects.order_by().values(all=Value(1)).annotate(count=Count("pk")).values("count")),
    "newest_start": Subquery(
        Run.objects.order_by().values(all=Value(1)).annotate(newest=Max("started_at")).values("newest")
    ),
}


@dataclass(frozen=True)
class RunRow:
    """What building and accounting need of a run."""

    pk: int
    number: int
    last: int
    project: str = ""
    period: str = ""

    @property
    def domain(self) -> int:
        return (2 << self.last) - 2


class Facts:
    """Of one request, or one step of a task: what it has read stays as it was."""

    def __init__(self) -> None:
        self._rows: dict[int, RunRow] = {}
        self._profiles: dict[int, Profile] = {}
        # Numbers that were looked up, found or not; None when all there are were.
        self._sought: set[int] | None = set()
        self._profiled: set[int] = set()

    # -- what stands -----------------------------------------------------------------------------------

    @cached_property
    def systems(self) -> tuple[System, ...]:
        """All of them, in their order."""
        return tuple(System.objects.annotate(**STANDING))

    def _standing(self, name: str) -> Any:
        """None where there is no system yet, and so nothing that could be defined over one."""
        return getattr(self.systems[0], name) if self.systems else None

    @property
    def head(self) -> LogicAt:
        """The definitions of now."""
        return logic_built(self._standing("logic"), self._standing("logic_at"))

    @cached_property
    def main(self) -> str | None:
        """The virtual defect that stands for the experiment as a whole."""
        return main_of(self.head, self._standing("required") or ())

    @property
    def tags(self) -> list[Tag]:
        """The newest first."""
        return known_tags(self._standing("tag_count") or 0, self._standing("tag_at"))

    @property
    def newest_start(self) -> datetime | None:
        """When the newest run began; None when no run has a time."""
        found: datetime | None = self._standing("newest_start")
        return found

    def models(self, systems: Collection[System]) -> list[SystemModels]:
        """How the models of these systems stand."""
        return models_known(list(systems), tuple(self._standing(name) for name in NEWEST))

    # -- runs --------------------------------------------------------------------------------------------

    def selected(self, selection: RunSelection, also: Collection[int] = ()) -> list[RunRow]:
        """The runs we have of a selection, by number. The runs `also` are looked up with them, for `rows`."""
        spans = selection.ranges()
        size = min(self._standing("run_count") or 0, len(also) + sum(last - first + 1 for first, last in spans))
        if selection.is_all:
            self._read(Run.objects.all(), with_profiles=size <= MOST_KEPT)
            self._sought = None
        else:
            others = sorted(set(also))[:NUMBERS_PER_QUERY]
            within = Q(number__gte=spans[0][0], number__lte=spans[-1][1])
            chosen = Run.objects.filter(within | Q(number__in=others) if others else within)
            self._read(chosen, with_profiles=size <= MOST_KEPT)
            self._now_sought(others)
        return [self._rows[number] for number in sorted(self._rows) if number in selection]

    def rows(self, numbers: Collection[int]) -> list[RunRow]:
        """Those of these runs that we have, by number."""
        missing = self._missing(numbers)
        for start in range(0, len(missing), NUMBERS_PER_QUERY):
            some = Run.objects.filter(number__in=missing[start : start + NUMBERS_PER_QUERY])
            self._read(some, with_profiles=len(missing) <= MOST_KEPT)
        self._now_sought(missing)
        return [self._rows[number] for number in sorted(set(numbers) & self._rows.keys())]

    def _missing(self, numbers: Collection[int]) -> list[int]:
        return [] if self._sought is None else sorted(set(numbers) - self._sought - self._rows.keys())

    def _now_sought(self, numbers: Collection[int]) -> None:
        if self._sought is not None:
            self._sought.update(numbers)

    def _read(self, chosen: QuerySet[Run], *, with_profiles: bool) -> None:
        columns = ["pk", "number", "last_lumisection", "project", "period"]
        columns += ["profile__length", "profile__columns"] if with_profiles else []
        for *facts, length, packed in _of_seven(chosen.order_by("number").values_list(*columns)):
            row = RunRow(*facts)
            self._rows[row.number] = row
            if with_profiles:
                self._profiled.add(row.number)
            if packed is not None:
                self._profiles[row.number] = Profile.unpack(length, packed)

    # -- their luminosity ----------------------------------------------------------------------------------

    def profiles(self, numbers: Collection[int]) -> Mapping[int, Profile] | Following:
        """Profiles by run number, to be asked in ascending order: of very many runs they pass by instead of being
        kept. A run of which nothing is known has none.
        """
        if len(numbers) > MOST_KEPT:
            return Following(iter(sorted(numbers)))
        unknown = set(self._missing(numbers)) | (set(numbers) & self._rows.keys())
        if missing := unknown - self._profiled:
            self._profiles.update(iterate_profiles(missing))
            self._profiled |= missing
        return self._profiles


def _of_seven(rows: QuerySet[Run, Any]) -> Iterator[tuple[Any, ...]]:
    for row in rows.iterator(chunk_size=ROWS_PER_FETCH):
        yield row if len(row) == 7 else (*row, None, None)


class Following:
    """Profiles of runs asked for in ascending order, so that only a batch of them is ever held."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self._source = iterate_profiles(list(numbers))
        self._next: tuple[int, Profile] | None = next(self._source, None)

    def get(self, run: int) -> Profile | None:
        while self._next is not None and self._next[0] < run:
            self._next = next(self._source, None)
        return self._next[1] if self._next is not None and self._next[0] == run else None
