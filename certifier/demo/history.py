"""Who said what about the demo's runs: defect entries in the order in which people and robots would have made them.

A run is looked at three times. Robots report within the hour; experts look at the express stream within a day or so;
after the bulk reconstruction they come back, take back what was wrong and what new constants have mended. What would
lie after the end of the world has not happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from certifier.lumi import LumiSet

from . import showcase
from .catalogue import CALCULATOR, EXPERT, PRIMARIES, Primary
from .people import EXPERT_OF, ROBOTS, SHIFTER
from .world import END_OF_WORLD, SEED, SHOWCASE, TOROID_OFF, WorldRun, some_of

TOLERABLE_BUSYNESS, INTOLERABLE_BUSYNESS = 2.1, 0.6
CORRECTED_AT_ONCE = 0.85
TAKEN_BACK = 0.30
MENDED = 0.70
BULK_DAYS = 3.2


@dataclass(frozen=True)
class EntryPlan:
    run: int
    defect: str
    lumisections: LumiSet
    present: bool
    recoverable: bool
    comment: str


@dataclass(frozen=True)
class Visit:
    """What one person or robot recorded in one go."""

    at: datetime
    user: str
    entries: tuple[EntryPlan, ...]


# Why TRT was reopened for run 350193 (see `signatures`), and what was recorded before it was signed again.
LATE_GAS_ANALYSIS = Visit(
    datetime(2018, 5, 24, 11, 8, tzinfo=UTC),
    "fay",
    (
        EntryPlan(
            run=350193,
            defect="TRT_BADGAS",
            lumisections=LumiSet.parse("98-142"),
            present=True,
            recoverable=False,
            comment="Gas analysis of 23 May: the xenon fraction stayed low until the end of the run",
        ),
    ),
)


def visits(runs: list[WorldRun]) -> list[Visit]:
    """All of them, in the order of time."""
    everything = [visit for run in runs if run.last for visit in visits_of(run)] + [LATE_GAS_ANALYSIS]
    return sorted((visit for visit in everything if visit.at < END_OF_WORLD), key=lambda visit: (visit.at, visit.user))


def visits_of(run: WorldRun) -> Iterator[Visit]:
    if run.number == SHOWCASE:
        yield from showcase_visits(run)
        return
    rng = np.random.default_rng([SEED, run.number, 1])
    first_pass = [(primary, entry) for primary in PRIMARIES for entry in records(rng, run, primary)]
    first_pass += [(BY_NAME[entry.defect], entry) for entry in known_facts(rng, run, first_pass)]
    by_user: dict[str, list[EntryPlan]] = {}
    for primary, entry in first_pass:
        by_user.setdefault(author(rng, primary), []).append(entry)
    for user, entries in by_user.items():
        yield Visit(first_look(rng, run, user), user, tuple(entries))
    corrections: dict[str, list[EntryPlan]] = {}
    for primary, entry in first_pass:
        for later in second_thoughts(rng, run, primary, entry):
            corrections.setdefault(EXPERT_OF[primary.system], []).append(later)
    for user, entries in corrections.items():
        yield Visit(second_look(rng, run), user, tuple(entries))


def showcase_visits(run: WorldRun) -> Iterator[Visit]:
    together: dict[tuple[int, str], list[EntryPlan]] = {}
    for known in showcase.ENTRIES:
        lumisections = LumiSet.parse(known.lumisections)
        entry = EntryPlan(run.number, known.defect, lumisections, known.present, known.recoverable, known.comment)
        together.setdefault((known.minutes, known.by), []).append(entry)
    for (minutes, user), entries in together.items():
        yield Visit(run.over_at + timedelta(minutes=minutes), user, tuple(entries))


# --- who and when -------------------------------------------------------------------------------------------


def author(rng: np.random.Generator, primary: Primary) -> str:
    if primary.by != EXPERT:
        return primary.by
    return SHIFTER if rng.random() < 0.12 else EXPERT_OF[primary.system]


def first_look(rng: np.random.Generator, run: WorldRun, user: str) -> datetime:
    if user in ROBOTS:
        return run.over_at + timedelta(minutes=28 + 11 * ROBOTS.index(user), seconds=int(rng.integers(60)))
    return run.over_at + timedelta(hours=float(rng.uniform(1.0, 26.0)))


def second_look(rng: np.random.Generator, run: WorldRun) -> datetime:
    return run.over_at + timedelta(days=BULK_DAYS + float(rng.uniform(0.0, 1.6)))


# --- where --------------------------------------------------------------------------------------------------

Shape = Callable[[np.random.Generator, WorldRun], LumiSet]


def not_ready(_: np.random.Generator, run: WorldRun) -> LumiSet:
    return run.domain - run.ready


def busy(_: np.random.Generator, run: WorldRun) -> LumiSet:
    return run.busy


def whole(_: np.random.Generator, run: WorldRun) -> LumiSet:
    return run.domain


def short_run(_: np.random.Generator, run: WorldRun) -> LumiSet:
    return run.domain if run.last < 130 else LumiSet()


def short(rng: np.random.Generator, run: WorldRun) -> LumiSet:
    return some_of(rng, run.ready, count=1, longest=3)


def block(rng: np.random.Generator, run: WorldRun) -> LumiSet:
    """From a few lumisections to half an hour."""
    if not run.ready:
        return LumiSet()
    start = int(rng.choice(np.fromiter(run.ready.numbers(), dtype=np.int64)))
    length = 1 + int(rng.geometric(1 / 8))
    return LumiSet.from_ranges([(start, min(start + length, run.last))]) & run.ready


def burst(rng: np.random.Generator, run: WorldRun) -> LumiSet:
    return some_of(rng, run.ready, count=int(rng.integers(1, 5)), longest=2)


def bursts(rng: np.random.Generator, run: WorldRun) -> LumiSet:
    return some_of(rng, run.ready, count=1 + int(rng.poisson(run.last / 38)), longest=2)


def start(rng: np.random.Generator, run: WorldRun) -> LumiSet:
    if run.first_minute >= 0 or not run.ready.first:
        return LumiSet()
    first = run.ready.first
    return LumiSet.from_ranges([(first, first + int(rng.integers(1, 7)))]) & run.domain


def scan(_: np.random.Generator, run: WorldRun) -> LumiSet:
    if not run.fill.scan or run.first_minute >= 0 or not run.ready.first:
        return LumiSet()
    first = run.ready.first + 12
    return LumiSet.from_ranges([(first, first + 8)])


def never(_: np.random.Generator, __: WorldRun) -> LumiSet:
    return LumiSet()


SHAPES: dict[str, Shape] = {
    shape.__name__: shape
    for shape in (not_ready, busy, whole, short_run, short, block, burst, bursts, start, scan, never)
}
ONCE = {"not_ready", "busy", "scan", "short_run"}
BY_NAME = {primary.name: primary for primary in PRIMARIES}


def records(rng: np.random.Generator, run: WorldRun, primary: Primary) -> Iterator[EntryPlan]:
    """What is recorded of one defect in one run: usually nothing or one entry, of a long run more."""
    if primary.shape in ONCE:
        count = 1
    elif primary.shape in {"whole", "start"}:
        count = int(rng.random() < min(primary.per_run, 1.0))
    else:
        busyness = INTOLERABLE_BUSYNESS if primary.intolerable else TOLERABLE_BUSYNESS
        count = int(rng.poisson(primary.per_run * busyness * (0.45 + run.last / 520)))
    for _ in range(count):
        lumisections = SHAPES[primary.shape](rng, run)
        if lumisections:
            recoverable = bool(rng.random() < primary.recoverable)
            yield EntryPlan(run.number, primary.name, lumisections, True, recoverable, comment(rng, primary))


def comment(rng: np.random.Generator, primary: Primary) -> str:
    template = primary.comments[int(rng.integers(len(primary.comments)))]
    percent = f"{rng.uniform(38, 79):.1f}"
    return template.format(n=int(rng.integers(2, 49)), sector=f"{int(rng.integers(1, 65)):02d}", percent=percent)


def known_facts(
    rng: np.random.Generator, run: WorldRun, others: list[tuple[Primary, EntryPlan]]
) -> Iterator[EntryPlan]:
    """What follows from how the run was taken, or from another record, not from chance."""

    def fact(defect: str, lumisections: LumiSet) -> EntryPlan:
        return EntryPlan(run.number, defect, lumisections, True, False, comment(rng, BY_NAME[defect]))

    low = next((entry for primary, entry in others if primary.name == "LAR_HECC_HVNONNOMINAL"), None)
    if low and rng.random() < CORRECTED_AT_ONCE:
        yield fact("LAR_HECC_HVNONNOM_CORRECTED", low.lumisections)
    if run.number == TOROID_OFF:
        yield fact("GLOBAL_TOROID_OFF", run.domain)
    if run.last == 40:
        yield fact("GLOBAL_NOTCONSIDERED", run.domain)
    if run.number == 350329:
        yield fact("PIXEL_IBL_HVSCAN", LumiSet.parse("21-48"))
    if run.number == 350193:
        yield fact("TRT_BADGAS", LumiSet.parse("66-97"))
    if run.number == 351062:
        yield fact("LUMI_VDM", LumiSet.parse("204-229"))


# --- afterwards ---------------------------------------------------------------------------------------------


def second_thoughts(rng: np.random.Generator, run: WorldRun, primary: Primary, entry: EntryPlan) -> Iterator[EntryPlan]:
    """What an expert changes after the bulk reconstruction: later entries, over the earlier ones."""
    if primary.name == "LAR_HECC_HVNONNOMINAL":
        corrected = BY_NAME["LAR_HECC_HVNONNOM_CORRECTED"]
        words = "Checked with the bulk: energy scale agrees within 0.5%"
        yield EntryPlan(run.number, corrected.name, entry.lumisections, True, False, words)
    elif entry.recoverable:
        if rng.random() < MENDED:
            yield taken_back(entry, entry.lumisections, "Mended in the bulk reconstruction with new constants")
    elif primary.by != CALCULATOR and primary.shape in {"block", "burst", "bursts"} and rng.random() < TAKEN_BACK:
        yield from narrowed(rng, entry)
    elif primary.shape == "whole" and rng.random() < 0.25:
        yield taken_back(entry, entry.lumisections, "Inserted in error, fine with full statistics")


def narrowed(rng: np.random.Generator, entry: EntryPlan) -> Iterator[EntryPlan]:
    ranges = entry.lumisections.ranges()
    if len(ranges) > 1:
        keep = LumiSet.from_ranges([pair for pair in ranges if rng.random() < 0.6])
        gone = entry.lumisections - keep
        if gone:
            yield taken_back(entry, gone, "Not seen with the bulk constants")
    else:
        first, last = ranges[0]
        middle = first + (last - first) // 2
        gone = entry.lumisections if middle == first else LumiSet.from_ranges([(middle + 1, last)])
        words = "Inserted in error" if gone == entry.lumisections else f"Recovered after {middle}, the rest is fine"
        yield taken_back(entry, gone, words)


def taken_back(entry: EntryPlan, lumisections: LumiSet, words: str) -> EntryPlan:
    return EntryPlan(entry.run, entry.defect, lumisections, False, entry.recoverable, words)
