"""How far experts agree, with each other and with the machine: counts, luminosity, Cohen's kappa.

Everything is counted by lumisection, of what experts called good or bad, and weighted by recorded luminosity beside. An
agreement of 97% means little where 97% are good anyway; kappa says how much of what chance leaves open was agreed on.

- Between experts: lumisections of which two experts have said something, each with their last word that they did not
  take back themselves; so a decision that a colleague undid and decided otherwise is a disagreement.
- With the machine: what it called good or bad, held against the word that stands; of what it is not sure, nothing is
  said. Beside it what was decided without seeing the verdict: only that tells what an expert would have said alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations

from certifier.accounts.models import System
from certifier.lumi import LumiSet
from certifier.runs.profile import Profile, profiles

from .labels import Label, labels_by_system
from .models import Answer, Decision

GOOD, BAD = False, True


@dataclass
class Table:
    """Two by two: how often one said this and the other that, (one is bad, other is bad)."""

    counts: dict[tuple[bool, bool], int] = field(default_factory=dict)
    inv_nb: dict[tuple[bool, bool], float] = field(default_factory=dict)

    def add(self, one: bool, other: bool, lumisections: LumiSet, profile: Profile) -> None:
        if not lumisections:
            return
        key = (one, other)
        self.counts[key] = self.counts.get(key, 0) + len(lumisections)
        total, known = profile.sum("recorded_inv_nb", lumisections)
        self.inv_nb[key] = self.inv_nb.get(key, 0.0) + (total if known else 0.0)

    def merge(self, other: Table) -> None:
        for key, count in other.counts.items():
            self.counts[key] = self.counts.get(key, 0) + count
            self.inv_nb[key] = self.inv_nb.get(key, 0.0) + other.inv_nb.get(key, 0.0)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def total_inv_nb(self) -> float:
        return sum(self.inv_nb.values())

    @property
    def agreed(self) -> int:
        return sum(count for (one, other), count in self.counts.items() if one == other)

    @property
    def share(self) -> float | None:
        return self.agreed / self.total if self.total else None

    @property
    def share_inv_nb(self) -> float | None:
        agreed = sum(value for (one, other), value in self.inv_nb.items() if one == other)
        return agreed / self.total_inv_nb if self.total_inv_nb else None

    @property
    def kappa(self) -> float | None:
        """None where nothing was open to chance: nobody ever said anything else."""
        if not self.total:
            return None
        first = sum(count for (one, _), count in self.counts.items() if one) / self.total
        second = sum(count for (_, other), count in self.counts.items() if other) / self.total
        chance = first * second + (1 - first) * (1 - second)
        if chance >= 1:
            return None
        return (self.agreed / self.total - chance) / (1 - chance)

    def of(self, one: bool, other: bool) -> int:
        return self.counts.get((one, other), 0)

    # For templates, which cannot call `of`: machine first, expert second.

    @property
    def good_good(self) -> int:
        return self.of(GOOD, GOOD)

    @property
    def good_bad(self) -> int:
        return self.of(GOOD, BAD)

    @property
    def bad_good(self) -> int:
        return self.of(BAD, GOOD)

    @property
    def bad_bad(self) -> int:
        return self.of(BAD, BAD)


@dataclass(frozen=True)
class Agreement:
    """Of one system. `machine` and `blind` say (machine, expert); `pairs` are experts by name, and their table."""

    system: System
    decided: int
    decided_inv_nb: float
    machine: Table
    blind: Table
    experts: Table
    pairs: list[tuple[str, str, Table]]


def agreements(systems: Iterable[System]) -> list[Agreement]:
    """Of each of these systems, in their order; four queries for all of them."""
    labels, words = labels_by_system(), last_words()
    numbers = {label.run.number for some in labels.values() for label in some}
    known = profiles(numbers | {run for of_runs in words.values() for run in of_runs})
    return [_agreement(system, labels.get(system.pk, []), words.get(system.pk, {}), known) for system in systems]


def agreement_of(system: System) -> Agreement:
    return agreements([system])[0]


def _agreement(
    system: System, labels: list[Label], words: dict[int, dict[str, Words]], known: Mapping[int, Profile]
) -> Agreement:
    nothing = Profile.unknown()
    machine, blind = Table(), Table()
    total, luminosity = 0, 0.0
    for label in labels:
        profile = known.get(label.run.number, nothing)
        total += len(label.lumisections)
        luminosity += profile.sum("recorded_inv_nb", label.lumisections)[0]
        for called_bad, where in ((GOOD, label.called_good), (BAD, label.called_bad)):
            machine.add(called_bad, label.is_bad, where, profile)
            if label.was_blind:
                blind.add(called_bad, label.is_bad, where, profile)
    pairs: dict[tuple[str, str], Table] = {}
    for run, of_run in words.items():
        _compare(of_run, known.get(run, nothing), pairs)
    experts = Table()
    for table in pairs.values():
        experts.merge(table)
    named = [(one, other, table) for (one, other), table in sorted(pairs.items())]
    return Agreement(system, total, luminosity, machine, blind, experts, named)


@dataclass
class Words:
    """The last words of one expert on one run."""

    good: LumiSet = field(default_factory=LumiSet)
    bad: LumiSet = field(default_factory=LumiSet)

    def say(self, good: LumiSet, bad: LumiSet) -> None:
        self.good, self.bad = (self.good - bad) | good, (self.bad - good) | bad


def last_words() -> dict[int, dict[int, dict[str, Words]]]:
    """By key of the system, run number and expert. What somebody took back themselves does not count; what others undid
    does."""
    rows = Decision.objects.exclude(answer=Answer.UNDO).order_by("id")
    columns = rows.values_list("item__system_id", "item__run__number", "by_name", "good", "bad", "undone_by__by_name")
    found: dict[int, dict[int, dict[str, Words]]] = {}
    for system, run, name, good, bad, undone_by in columns:
        if undone_by != name:
            found.setdefault(system, {}).setdefault(run, {}).setdefault(name, Words()).say(good, bad)
    return found


def _compare(words: dict[str, Words], profile: Profile, pairs: dict[tuple[str, str], Table]) -> None:
    for one, other in combinations(sorted(words), 2):
        mine, theirs = words[one], words[other]
        table = Table()
        for first, second, where in (
            (GOOD, GOOD, mine.good & theirs.good),
            (GOOD, BAD, mine.good & theirs.bad),
            (BAD, GOOD, mine.bad & theirs.good),
            (BAD, BAD, mine.bad & theirs.bad),
        ):
            table.add(first, second, where, profile)
        if table.total:
            pairs.setdefault((one, other), Table()).merge(table)
