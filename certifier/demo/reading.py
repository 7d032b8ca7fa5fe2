"""How the experts of a season read a run: nearly always right, sometimes blind, sometimes seeing ghosts.

A defect is missed the more often the weaker it is; its ends are off by a lumisection or two now and then; rarely
something is recorded where nothing is. One reading of a run by a system: whoever is asked twice says the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from certifier.lumi import LumiSet

from .season import Season, SeasonRun


@dataclass(frozen=True)
class Habits:
    """weakest, strongest : chance to see a defect of the weakest and of the strongest kind, in between with the
    logarithm of the strength. ghosts : share of good lumisections that are taken for bad. off : chance that an end is
    off by one or two."""

    weakest: float = 0.80
    strongest: float = 0.995
    ghosts: float = 0.0005
    off: float = 0.15


Reading = dict[str, LumiSet]


def read(season: Season, run: SeasonRun, system: str, habits: Habits) -> Reading:
    """By defect, where an expert would say that it is."""
    rng = np.random.default_rng([season.seed, run.number, crc32(system.encode()), 7])
    detector = next(each for each in season.detectors if each.code == system)
    found: Reading = {}
    low, high = np.log(season.strengths)
    for defect in season.defects(run):
        if defect.system != system:
            continue
        share = (np.log(defect.strength) - low) / (high - low)
        if rng.random() < habits.weakest + (habits.strongest - habits.weakest) * share:
            where = _blurred(defect.lumisections, run.last, habits, rng)
            found[defect.family] = found.get(defect.family, LumiSet()) | where
    for _ in range(int(rng.poisson(habits.ghosts * run.last / 2.5))):
        first = int(rng.integers(1, run.last + 1))
        ghost = LumiSet.from_ranges([(first, min(first + int(rng.integers(0, 4)), run.last))])
        name = detector.families[int(rng.integers(len(detector.families)))].name
        found[name] = found.get(name, LumiSet()) | ghost
    return found


def all_of(reading: Reading) -> LumiSet:
    found = LumiSet()
    for where in reading.values():
        found |= where
    return found


def _blurred(where: LumiSet, last: int, habits: Habits, rng: np.random.Generator) -> LumiSet:
    first, end = where.first or 1, where.last or 1
    if rng.random() < habits.off:
        first = int(np.clip(first + rng.integers(-2, 3), 1, end))
    if rng.random() < habits.off:
        end = int(np.clip(end + rng.integers(-2, 3), first, last))
    return LumiSet.from_ranges([(first, end)])
