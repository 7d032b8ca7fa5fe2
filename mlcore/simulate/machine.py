"""The accelerator's year: when there are fills, with how many bunches, how their luminosity goes.

Numbers are those of a large proton collider of our days: fills of 5 to 14 hours, 2,400 bunches after an intensity ramp,
20 to 60 collisions per crossing, luminosity lifetimes of 8 to 15 hours, levelling at the start of the later fills, two
technical stops, four weeks of heavy ions at the end. Sizes smaller than the whole year are a sample of its fills.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from mlcore.conditions import BoolArray, FloatArray, IntArray

#: 20 April 2026, 06:00 UTC.
START = 1_776_664_800.0
DAY, HOUR = 86_400.0, 3_600.0
#: days of the year, from START, without beam; hardware is replaced in them
STOPS = ((62.0, 69.0), (125.0, 132.0))
LAST_DAY, IONS_FROM = 203.0, 183.0
MOST_BUNCHES = 2_400
#: inelastic cross-section in nanobarn and revolution frequency in Hz: mu = L sigma / (bunches f)
CROSS_SECTION, REVOLUTION = 8.0e7, 11_245.5
FIRST_FILL = 10_608


class Mode(IntEnum):
    """What is being taken: proton collisions, heavy ions, or cosmic rays without beam."""

    PROTONS = 0
    IONS = 1
    COSMICS = 2


class Beam(IntEnum):
    """State of the machine in a lumisection."""

    NONE = 0
    RAMP = 1
    ADJUST = 2
    STABLE = 3


@dataclass(frozen=True, eq=False)
class Fills:
    """One row per fill, in time order; arrays of shape (m,).

    Parameters
    ----------
    number : fill number; 0 for cosmic rays, which have no fill.
    start : seconds since the epoch at which the first run of the fill starts.
    mode : a `Mode`.
    bunches : colliding bunches (0 for cosmic rays).
    pileup : collisions per crossing at the start of stable beams.
    lifetime : hours of the exponential decay.
    levelled : hours for which luminosity is held before it decays.
    before : seconds from the start of the first run until beams collide.
    scan : whether the fill is a van der Meer programme.
    """

    number: IntArray
    start: FloatArray
    mode: IntArray
    bunches: IntArray
    pileup: FloatArray
    lifetime: FloatArray
    levelled: FloatArray
    before: FloatArray
    scan: BoolArray


def plan_fills(lengths: FloatArray, rng: np.random.Generator) -> Fills:
    """Put fills of the given lengths (seconds, shape (m,)) into the year, and say what each is like."""
    m = len(lengths)
    start = _starts(lengths, rng)
    day = (start - START) / DAY
    mode = np.where(day > IONS_FROM, Mode.IONS, Mode.PROTONS)
    mode[rng.permutation(m)[: round(0.04 * m)]] = Mode.COSMICS
    scan = np.zeros(m, dtype=bool)
    if m >= 40:  # in a small sample of the year the one van der Meer fill would be far too much of it
        protons = np.flatnonzero(mode == Mode.PROTONS)
        scan[protons[np.argmin(np.abs(day[protons] - 41.0))]] = True
    # Pile-up grows over the year as the machine is understood; every fill scatters by 5% around that.
    pileup = (36.0 + 20.0 * np.clip(day / 150.0, 0.0, 1.0)) * rng.lognormal(0.0, 0.05, m)
    pileup[scan] = rng.uniform(0.5, 0.7, m)[scan]
    pileup[mode == Mode.IONS] = 0.004 * rng.lognormal(0.0, 0.1, m)[mode == Mode.IONS]
    pileup[mode == Mode.COSMICS] = 0.0
    bunches = np.where(mode == Mode.IONS, 1_088, _bunches(day))
    bunches[scan], bunches[mode == Mode.COSMICS] = 140, 0
    levelled = np.where(rng.random(m) < np.clip((day - 40.0) / 80.0, 0.0, 0.85), rng.uniform(1.0, 5.0, m), 0.0)
    number = FIRST_FILL + np.cumsum(rng.integers(1, 5, m))
    return Fills(
        number=np.where(mode == Mode.COSMICS, 0, number),
        start=start,
        mode=mode.astype(np.int64),
        bunches=bunches.astype(np.int64),
        pileup=pileup,
        lifetime=rng.uniform(8.0, 15.0, m),
        levelled=np.where((mode == Mode.PROTONS) & ~scan, levelled, 0.0),
        before=rng.uniform(900.0, 2_700.0, m),
        scan=scan,
    )


def _starts(lengths: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Starts in seconds since the epoch: fills in order with turn-arounds between them, spread over the whole year."""
    turn_around = rng.lognormal(np.log(4.5), 0.5, len(lengths)) * HOUR
    running = (LAST_DAY - sum(stop - start for start, stop in STOPS)) * DAY
    stretch = max((running - lengths.sum()) / turn_around.sum(), 0.45)
    start = START + np.cumsum(np.r_[0.0, (lengths + stretch * turn_around)[:-1]])
    for first, last in STOPS:
        start[start >= START + first * DAY] += (last - first) * DAY
    return np.asarray(start)


def _bunches(day: FloatArray) -> IntArray:
    """Colliding bunches on a day: an intensity ramp at the start of the year, a short one after each stop."""
    steps = np.asarray([75, 300, 600, 1_200, 1_800, 2_100, MOST_BUNCHES])
    ramp = steps[np.searchsorted([2.0, 5.0, 9.0, 14.0, 20.0, 27.0], day)]
    for _, last in STOPS:
        since = day - last
        again = np.asarray([600, 1_200, 1_800, MOST_BUNCHES])[np.searchsorted([0.6, 1.2, 2.0], np.maximum(since, 0.0))]
        ramp = np.where((since >= 0) & (since < 3.0), again, ramp)
    return np.asarray(ramp, dtype=np.int64)


def pileup_in_fill(hours: FloatArray, *, start: float, lifetime: float, levelled: float, phase: float) -> FloatArray:
    """Collisions per crossing at times since beams collide, (n,) hours; 0 before.

    While it is levelled the beams are re-focused every half hour, which leaves a saw-tooth of 2%; later it decays as
    exp(-t / lifetime).
    """
    period = 0.45
    tooth = 0.01 * (1.0 - 2.0 * np.mod(hours / period + phase, 1.0))
    held = np.where(hours < levelled, 1.0 + tooth, np.exp(-np.maximum(hours - levelled, 0.0) / lifetime))
    return np.where(hours > 0.0, start * held, 0.0)


def emittance_scan(minutes: FloatArray, begin: float) -> tuple[FloatArray, BoolArray]:
    """Factor on the luminosity while the beams are moved across each other, once per plane, and where that is so.

    minutes : (n,) since stable beams. The two sweeps take 3 minutes each with 2 minutes of head-on collisions between.
    """
    factor, moving = np.ones_like(minutes), np.zeros(minutes.shape, dtype=bool)
    for first in (begin, begin + 5.0):
        inside = (minutes >= first - 0.5) & (minutes < first + 3.5)
        # Averaged over a sweep of +-3 widths and back, about 45% of the luminosity is left.
        depth = 0.55 * np.clip(1.2 - np.abs(minutes - first - 1.5) / 2.5, 0.0, 1.0)
        factor = np.where(inside, factor * (1.0 - depth), factor)
        moving |= inside
    return factor, moving


def van_der_meer(minutes: FloatArray, *, begin: float, pairs: int = 4) -> tuple[FloatArray, BoolArray]:
    """The same for a calibration fill: `pairs` of sweeps over +-6 widths in 25 minutes each, 10 minutes between."""
    factor, moving = np.ones_like(minutes), np.zeros(minutes.shape, dtype=bool)
    for sweep in range(2 * pairs):
        place = (minutes - begin - 35.0 * sweep) / 25.0
        inside = (place >= 0.0) & (place < 1.0)
        separation = 12.0 * (place - 0.5)
        factor = np.where(inside, np.exp(-(separation**2) / 4.0), factor)
        moving |= inside
    return factor, moving


def instantaneous(pileup: FloatArray, bunches: IntArray | int) -> FloatArray:
    """Luminosity in Hz/nb from collisions per crossing: L = mu bunches f / sigma."""
    return np.asarray(pileup * np.asarray(bunches) * REVOLUTION / CROSS_SECTION, dtype=np.float64)
