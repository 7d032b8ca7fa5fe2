"""Two lists side by side: what only one of them has, run by run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from certifier.lumi import LumiSet, RunLumiMap, RunSelection

from .accounting import case_of, charged_in
from .contents import contents_of
from .facts import Facts
from .luminosity import NOTHING, Luminosity, luminosity_in, luminosity_of
from .models import GoodRunList


@dataclass(frozen=True)
class RunDifference:
    """Where two lists differ in one run. Either set may be empty, not both."""

    run: int
    only_first: LumiSet
    only_second: LumiSet
    first: Luminosity
    second: Luminosity

    @property
    def last(self) -> int:
        """The highest lumisection on which they differ."""
        return max(self.only_first.last or 0, self.only_second.last or 0)

    @property
    def parts(self) -> list[tuple[LumiSet, str, str]]:
        """For a lane: what only the first has, and what only the second."""
        return [(self.only_first, "bad", "only in the first"), (self.only_second, "good", "only in the second")]


@dataclass(frozen=True)
class ListDifference:
    """Where two lists differ; `first` and `second` are the luminosity of what only one of them has."""

    runs: tuple[RunDifference, ...]
    first: Luminosity
    second: Luminosity
    common: Luminosity

    @property
    def are_equal(self) -> bool:
        return not self.runs


class Contents:
    """Two lists with what they hold, within some runs when these are given, each run and profile read once."""

    def __init__(self, first: GoodRunList, second: GoodRunList, runs: RunSelection | None = None) -> None:
        whole = contents_of([first, second])
        self.lists = (first, second)
        self.whole = (whole[first.pk], whole[second.pk])
        self.first, self.second = (each if runs is None else each.restrict(runs) for each in self.whole)
        self.facts = Facts()

    def difference(self) -> ListDifference:
        return compare(self.first, self.second, facts=self.facts)

    def ours(self, runs: Collection[int]) -> set[int]:
        """Those of these runs that we have."""
        return {row.number for row in self.facts.rows(runs)}


def compare_lists(first: GoodRunList, second: GoodRunList, runs: RunSelection | None = None) -> ListDifference:
    """Compare two stored lists, within `runs` when that is given."""
    return Contents(first, second, runs).difference()


def compare(
    first: RunLumiMap, second: RunLumiMap, *, with_common: bool = True, facts: Facts | None = None
) -> ListDifference:
    """`with_common` False leaves out the luminosity of what both have, for which all profiles must be read."""
    facts = facts or Facts()
    only_first, only_second, both = first - second, second - first, first & second
    differing = sorted({*only_first, *only_second})
    runs = sorted({*differing, *both}) if with_common else differing
    facts.rows(runs)
    profiles = facts.profiles(differing)
    found = []
    for run in differing:
        ours, theirs = only_first.get(run, LumiSet()), only_second.get(run, LumiSet())
        profile = profiles.get(run)
        found.append(RunDifference(run, ours, theirs, luminosity_in(ours, profile), luminosity_in(theirs, profile)))
    return ListDifference(
        tuple(found),
        sum((each.first for each in found), NOTHING),
        sum((each.second for each in found), NOTHING),
        luminosity_of(both, facts.profiles(list(both))) if with_common else NOTHING,
    )


NOT_ASKED = "runs that it was not made from"


@dataclass(frozen=True)
class Reason:
    """What a system accounts for where two lists differ: lumisections that it kept out of one and not of the other.
    The system "" stands for what no system accounts for, NOT_ASKED for runs that the other list was not made from.
    """

    system: str
    first: Luminosity
    second: Luminosity


def reasons(contents: Contents, found: ListDifference) -> list[Reason]:
    """By system: of what only the first has, what kept it out of the second, and the other way round."""
    if not found.runs:
        return []
    ours = _kept_out(contents, 1, [(each.run, each.only_first, each.first) for each in found.runs])
    theirs = _kept_out(contents, 0, [(each.run, each.only_second, each.second) for each in found.runs])
    codes = sorted({*ours, *theirs}, key=lambda code: (code in ("", NOT_ASKED), code))
    return [Reason(code, ours.get(code, NOTHING), theirs.get(code, NOTHING)) for code in codes]


def _kept_out(
    contents: Contents, place: int, parts: Sequence[tuple[int, LumiSet, Luminosity]]
) -> dict[str, Luminosity]:
    """What kept these lumisections of one list out of the other, at this place, by system."""
    parts = [part for part in parts if part[1]]
    if not parts:
        return {}
    case = case_of(contents.lists[place], [run for run, _, _ in parts], contents.whole[place], contents.facts)
    looked_at = {each.row.number for each in case.behind}
    where = RunLumiMap({run: lumisections for run, lumisections, _ in parts})
    charged = {each.system: each.lost for each in charged_in(case, where)}
    outside = sum((amount for run, _, amount in parts if run not in looked_at), NOTHING)
    return charged | ({NOT_ASKED: outside} if outside.lumisections else {})
