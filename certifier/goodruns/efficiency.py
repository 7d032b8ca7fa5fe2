"""The efficiency table of a list: per period, the share of recorded luminosity that each system leaves good.

As ATLAS publishes it: a row per period (and per project, where there are several), a column per system that the list
depends on, and one for what is good for physics. A lumisection counts against every system that has a part in its being
bad, so the columns do not add up; the loss table is where each is charged once. Runs that wait for a signature are not
counted: nobody has said yet what their efficiency is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from certifier.accounts.models import System
from certifier.lumi import LumiSet
from certifier.runs.profile import Profile

from .accounting import Behind, Case
from .sums import RECORDED, WITH_RECORDED, quantities, sums

NO_PERIOD = "no period"


@dataclass
class Row:
    """One line: sums of recorded luminosity in inverse nanobarn over `runs`; `unknown` of these have none."""

    project: str
    period: str
    runs: int = 0
    unknown: int = 0
    recorded: float = 0.0
    good: float = 0.0
    bad: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.period or self.project or "all"

    @property
    def is_sum(self) -> bool:
        return not self.period

    @property
    def good_share(self) -> float | None:
        return self.good / self.recorded if self.recorded else None

    def share(self, system: str) -> float | None:
        """None where no luminosity is known."""
        return 1.0 - self.bad.get(system, 0.0) / self.recorded if self.recorded else None

    def add(self, other: Row) -> None:
        self.runs += other.runs
        self.unknown += other.unknown
        self.recorded += other.recorded
        self.good += other.good
        for system, amount in other.bad.items():
            self.bad[system] = self.bad.get(system, 0.0) + amount


@dataclass(frozen=True)
class Efficiency:
    """`waiting` runs are not counted, for want of a signature; `outside` lie outside the tag or have no lumisections.
    `columns` are systems with their family."""

    flags: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    waiting: int = 0
    outside: int = 0

    @property
    def families(self) -> list[tuple[str, int]]:
        """Families side by side with how many columns each spans."""
        spans: list[tuple[str, int]] = []
        for _, family in self.columns:
            if spans and spans[-1][0] == family:
                spans[-1] = (family, spans[-1][1] + 1)
            else:
                spans.append((family, 1))
        return spans

    @property
    def has_families(self) -> bool:
        return any(family for _, family in self.columns)

    @property
    def lines(self) -> list[tuple[Row, list[float | None]]]:
        return [(row, [row.share(code) for code, _ in self.columns]) for row in self.rows]

    def to_json(self) -> dict[str, Any]:
        """Everything but the families, which a system may change without any luminosity changing."""
        return {
            "columns": [code for code, _ in self.columns],
            "rows": [
                [row.project, row.period, row.runs, row.unknown, row.recorded, row.good, row.bad] for row in self.rows
            ],
            "waiting": self.waiting,
            "outside": self.outside,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any], systems: Iterable[System]) -> Efficiency:
        rows = tuple(Row(*row) for row in kept["rows"])
        return cls((), _columns(kept["columns"], systems), rows, kept["waiting"], kept["outside"])


def efficiency_in(case: Case, flags: Sequence[str] = ()) -> Efficiency:
    """The table of a list, over lumisections where all `flags` held."""
    stopped = {each.run: each for each in case.left_out}
    held, known = case.held(flags), case.profiles()
    waiting, outside = 0, 0
    by_period: dict[tuple[str, str], Row] = {}
    for each in case.behind:
        left_out = stopped.get(each.row.number)
        if left_out is not None and left_out.unsigned:
            waiting += 1
        elif not each.row.last or (left_out is not None and left_out.is_outside):
            outside += 1
        elif each.row in held:
            project, period = each.row.project, each.row.period
            row = by_period.setdefault((project, period), Row(project, period or NO_PERIOD))
            listed = case.content.get(each.row.number, LumiSet()).bits
            row.add(_of_run(each, held.within(each.row), listed, known.get(each.row.number)))
    rows = _with_sums(list(by_period.values()))
    codes = {system for row in rows for system in row.bad} | set(case.systems)
    return Efficiency(tuple(flags), _columns(codes, case.facts.systems), rows, waiting, outside)


def _of_run(behind: Behind, domain: int, listed: int, profile: Profile | None) -> Row:
    bad: dict[str, int] = {}
    for (system, _), bits in behind.accounts.items():
        bad[system] = bad.get(system, 0) | bits
    for system, bits in behind.unsigned.items():
        bad[system] = bad.get(system, 0) | bits
    values = quantities(profile, behind.row.last)[[RECORDED, WITH_RECORDED]]
    found = sums([domain, domain & listed, *(bits & domain for bits in bad.values())], values)
    (recorded, count), (good, _) = found[:2].tolist()
    amounts = zip(bad, found[2:, 0].tolist(), strict=True)
    return Row("", "", 1, int(not count), recorded, good, {system: amount for system, amount in amounts if amount})


def _with_sums(periods: Sequence[Row]) -> tuple[Row, ...]:
    """The periods of each project followed by the project's sum, where there is more than one; the sum of all last."""
    found: list[Row] = []
    projects = list(dict.fromkeys(row.project for row in periods))
    for project in projects:
        own = [row for row in periods if row.project == project]
        found += own
        if len(projects) > 1 and project:
            found.append(_sum_of(own, project))
    return (*found, _sum_of(periods, "")) if len(periods) > 1 else tuple(found)


def _sum_of(rows: Iterable[Row], project: str) -> Row:
    total = Row(project, "")
    for row in rows:
        total.add(row)
    return total


def _columns(codes: Iterable[str], systems: Iterable[System]) -> tuple[tuple[str, str], ...]:
    """In the order of systems; a code that no system has any more comes last."""
    wanted = {code for code in codes if code}
    known = [(system.code, system.family) for system in systems if system.code in wanted]
    gone = wanted - {code for code, _ in known}
    return (*known, *((code, "") for code in sorted(gone)))
