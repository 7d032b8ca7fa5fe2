"""Two lists side by side: what only one of them has, run by run."""

from __future__ import annotations

from dataclasses import dataclass

from certifier.lumi import LumiSet, RunLumiMap, RunSelection
from certifier.runs.profile import iterate_profiles

from .contents import content_of
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


def compare_lists(first: GoodRunList, second: GoodRunList, runs: RunSelection | None = None) -> ListDifference:
    """Compare two stored lists, within `runs` when that is given."""
    contents = [content_of(each) for each in (first, second)]
    if runs is not None:
        contents = [content.restrict(runs) for content in contents]
    return compare(*contents)


def compare(first: RunLumiMap, second: RunLumiMap, *, with_common: bool = True) -> ListDifference:
    """`with_common` False leaves out the luminosity of what both have, for which all profiles must be read."""
    only_first, only_second = first - second, second - first
    differing = sorted({*only_first, *only_second})
    profiles = dict(iterate_profiles(differing))
    found = []
    for run in differing:
        ours, theirs = only_first.get(run, LumiSet()), only_second.get(run, LumiSet())
        profile = profiles.get(run)
        found.append(RunDifference(run, ours, theirs, luminosity_in(ours, profile), luminosity_in(theirs, profile)))
    return ListDifference(
        tuple(found),
        sum((each.first for each in found), NOTHING),
        sum((each.second for each in found), NOTHING),
        luminosity_of(first & second) if with_common else NOTHING,
    )
