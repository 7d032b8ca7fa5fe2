"""Planting: which defect comes when, how strong, for how long; and the truth that follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mlcore.conditions import BoolArray, FloatArray, IntArray
from mlcore.errors import MlcoreError

from .elements import GLOBAL, SYSTEMS
from .families import BY_NAME, FAMILIES, MULTI_RUN, SHORT, TO_END, Family
from .machine import Mode
from .streams import Streams
from .year import Year

#: share of lumisections with an intolerable defect: arXiv:1709.08607 has 25%, a good year of today 2%
PREVALENCES = {"usual": 0.10, "hard": 0.25, "clean": 0.02}
MIXTURE = (SHORT,) * 6 + (TO_END,) * 3 + (MULTI_RUN,)
LEVELS = 9
LONGEST_SHORT = 10
#: no single defect fills more than this share of what a part of the year may have
LARGEST = 0.25


@dataclass(frozen=True)
class Defect:
    """Something that was really wrong.

    Parameters
    ----------
    number : from 0 in order of time.
    family : what.
    strength : in (0, 1].
    duration : short, to end of run or multi-run.
    start, stop : first row of the year and one past the last.
    """

    number: int
    family: Family
    strength: float
    duration: str
    start: int
    stop: int

    @property
    def rows(self) -> slice:
        return slice(self.start, self.stop)

    @property
    def length(self) -> int:
        return self.stop - self.start

    def pieces(self, year: Year) -> Iterator[tuple[int, int, int]]:
        """(place of the run, first and last lumisection) for each run that it touches."""
        for place in np.unique(year.run_place[self.rows]).tolist():
            whole = year.runs.rows(place)
            first, last = max(self.start, whole.start), min(self.stop, whole.stop)
            yield place, first - whole.start + 1, last - whole.start


@dataclass(frozen=True, eq=False)
class SystemTruth:
    """What was true for one system, arrays of shape (n,).

    Parameters
    ----------
    bad : an intolerable defect spoils it.
    family : place in `FAMILIES` of the strongest defect, intolerable ones first; -1 where there is none.
    strength : its strength; 0 where there is none.
    """

    bad: BoolArray
    family: IntArray
    strength: FloatArray

    @property
    def unseen(self) -> BoolArray:
        """(n,) the defect belongs to a family that training never shows."""
        held_out = np.asarray([family.unseen for family in FAMILIES] + [False])
        return np.asarray(held_out[self.family])


def plan_defects(
    year: Year, parts: Sequence[tuple[BoolArray, bool]], prevalence: float, streams: Streams
) -> tuple[Defect, ...]:
    """Plant defects into each part of the year until the share `prevalence` of its physics lumisections is bad.

    parts : (mask of lumisections of whole runs, whether held-out families may appear there).
    Raises MlcoreError when `prevalence` does not lie in (0, 0.5].
    """
    if not 0.0 < prevalence <= 0.5:
        raise MlcoreError(f"prevalence {prevalence}: give a share of bad lumisections above 0 and up to 0.5.")
    planned: list[Defect] = []
    for number, (mask, unseen) in enumerate(parts):
        planned += _Part(year, mask, unseen, streams.of("defects", number)).plant(prevalence)
    planned += _scans(year)
    planned.sort(key=lambda defect: (defect.start, defect.stop, defect.family.name))
    return tuple(replace(defect, number=number) for number, defect in enumerate(planned))


class _Part:
    """Planting in one part of the year. Durations, strengths and families are dealt like cards, so that even a small
    sample has its share of each."""

    def __init__(self, year: Year, mask: BoolArray, unseen: bool, rng: np.random.Generator) -> None:
        self.year, self.rng = year, rng
        self.open = mask & year.physics
        self.families = [family for family in FAMILIES if family.weight and (unseen or not family.unseen)]
        self.came = np.zeros(len(self.families))
        self.taken = {system: np.zeros(len(year), dtype=bool) for system in (*SYSTEMS, GLOBAL)}
        self.bad = np.zeros(len(year), dtype=bool)
        self.durations, self.levels = _deck(MIXTURE, rng), _deck(range(LEVELS), rng)

    def plant(self, prevalence: float) -> list[Defect]:
        target = round(prevalence * int(self.open.sum()))
        planted: list[Defect] = []
        while (room := target - int(self.bad.sum())) > 0:
            duration = next(self.durations)
            family = self._family(duration)
            place = self._place(family, duration, min(room, max(10, round(LARGEST * target))))
            if place is None:  # too little room is left for that; only a short one fits
                duration = SHORT
                family = family if SHORT in family.durations else self._family(SHORT)
                place = self._place(family, SHORT, room)
            if place is None:
                continue
            low, high = np.log(family.strengths)
            strength = float(np.exp(low + (high - low) * next(self.levels) / (LEVELS - 1)))
            planted.append(Defect(0, family, strength, duration, *place))
            for system in (family.system, *family.spoils):
                self.taken[system][slice(*place)] = True
            if family.intolerable:
                self.bad[slice(*place)] |= self.open[slice(*place)]
        return planted

    def _family(self, duration: str) -> Family:
        fits = np.asarray([duration in family.durations for family in self.families])
        weight = np.asarray([family.weight for family in self.families])
        chance = fits * weight * 4.0 ** -(self.came / weight)
        place = int(self.rng.choice(len(fits), p=chance / chance.sum()))
        self.came[place] += 1
        return self.families[place]

    def _place(self, family: Family, duration: str, most: int) -> tuple[int, int] | None:
        """(start, stop) in physics that overlaps no defect of the same systems and is not longer than `most`."""
        rows = np.flatnonzero(self.open)
        for _ in range(60):
            start = int(_one_of(rows, self.rng))
            stop = self._stop(start, duration, most)
            if stop is None:
                continue
            concerned = (family.system, *family.spoils)
            if not any(self.taken[system][start:stop].any() for system in concerned):
                return start, stop
        return None

    def _stop(self, start: int, duration: str, most: int) -> int | None:
        end = self._end_of_run(start)
        if duration == SHORT:
            return min(start + int(self.rng.integers(1, LONGEST_SHORT + 1)), end, start + most)
        if duration == TO_END:
            return end if LONGEST_SHORT < end - start <= most else None
        last = self.year.run_place[start]
        for _ in range(int(self.rng.integers(1, 4))):
            following = np.flatnonzero(self.open & (self.year.run_place == last + 1))
            if following.size == 0:
                break
            last, end = last + 1, int(following[-1]) + 1
        if last == self.year.run_place[start]:
            return None
        first_of_last = int(np.flatnonzero(self.open & (self.year.run_place == last))[0])
        stop = int(self.rng.integers(first_of_last, end)) + 1
        return stop if stop - start <= most else None

    def _end_of_run(self, start: int) -> int:
        """One past the last physics row of the run, but the run's own end when beams were stable until there."""
        rows = self.year.runs.rows(int(self.year.run_place[start]))
        return int(rows.start + np.flatnonzero(self.open[rows])[-1] + 1)


def _one_of(values: IntArray, rng: np.random.Generator) -> Any:
    """One of the values; `Generator.choice` copies them each time."""
    return values[int(rng.integers(len(values)))]


def _deck(cards: Iterable[Any], rng: np.random.Generator) -> Iterator[Any]:
    """Deals the cards in random order, again and again."""
    pack = list(cards)
    while True:
        for place in rng.permutation(len(pack)):
            yield pack[place]


def _scans(year: Year) -> list[Defect]:
    """Scans are known from the machine; each is recorded as LUMI_VDM."""
    moving = year.scan & (year.mode == Mode.PROTONS)
    edges = np.flatnonzero(np.diff(np.r_[False, moving, False].astype(np.int8)))
    family = BY_NAME["LUMI_VDM"]
    return [Defect(0, family, 1.0, SHORT, int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]


def truth_of(year: Year, defects: Sequence[Defect]) -> dict[str, SystemTruth]:
    """The truth of every system, and of GLOBAL, which is bad where any system is."""
    truth = {}
    for system in SYSTEMS:
        own = [defect for defect in defects if system in defect.family.spoils]
        truth[system] = _truth(len(year), own)
    truth[GLOBAL] = _truth(len(year), defects)
    return truth


def _truth(n: int, defects: Sequence[Defect]) -> SystemTruth:
    bad, family, strength = np.zeros(n, dtype=bool), np.full(n, -1), np.zeros(n)
    # The strongest intolerable defect is written last and stays.
    for defect in sorted(defects, key=lambda defect: (defect.family.intolerable, defect.strength)):
        family[defect.rows], strength[defect.rows] = FAMILIES.index(defect.family), defect.strength
        bad[defect.rows] |= defect.family.intolerable
    return SystemTruth(bad, family, strength)


def touch_year(year: Year, defects: Sequence[Defect], streams: Streams) -> Year:
    """The year as it was with its global defects: a busy read-out records less, a magnet is off."""
    live, solenoid = year.live.copy(), year.solenoid.copy()
    for defect in defects:
        if defect.family.name == "GLOBAL_BUSY":
            rng = streams.of("defects", "busy", defect.number)
            live[defect.rows] *= 1.0 - 0.95 * defect.strength * rng.uniform(0.8, 1.0, defect.length)
        if defect.family.name == "GLOBAL_SOLENOID_OFF":
            solenoid[defect.rows] = False
    kept = np.where(year.live > 0, live / np.where(year.live > 0, year.live, 1.0), 0.0)
    events: npt.NDArray[Any] = streams.of("defects", "events").binomial(year.conditions.events.astype(np.int64), kept)
    conditions = replace(
        year.conditions, luminosity=year.delivered * live, events=np.where(kept < 1.0, events, year.conditions.events)
    )
    return replace(year, live=live, solenoid=solenoid, conditions=conditions)
