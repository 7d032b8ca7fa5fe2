"""What happens lumisection by lumisection in one fill: beam states, luminosity, dead time, background, magnets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from mlcore.conditions import BoolArray, FloatArray, IntArray

from .machine import (
    HOUR,
    MOST_BUNCHES,
    Beam,
    Fills,
    Mode,
    emittance_scan,
    instantaneous,
    pileup_in_fill,
    van_der_meer,
)

#: fractions of the fill's first luminosity below which the next looser prescale set is loaded
PRESCALE_STEPS = (0.88, 0.76, 0.64, 0.52, 0.40)


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of `Year` that are drawn per fill, arrays of shape (n,)."""

    beam: IntArray
    pileup: FloatArray
    instantaneous: FloatArray
    live: FloatArray
    background: FloatArray
    scan: BoolArray
    ready: BoolArray
    solenoid: BoolArray
    toroid: BoolArray
    prescale: IntArray


def join(parts: Sequence[Columns]) -> Columns:
    return Columns(
        **{column.name: np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Columns)}
    )


def columns_of_fill(fills: Fills, place: int, time: FloatArray, seconds: float, rng: np.random.Generator) -> Columns:
    """Everything that is drawn for the lumisections of a fill.

    time : (n,) middle of the lumisections, seconds since the epoch. seconds : their length.
    """
    n = len(time)
    since = time - fills.start[place] - fills.before[place]
    if fills.mode[place] == Mode.COSMICS:
        return _cosmics(n, rng)
    beam, ready, end = _states(since, time[-1] - fills.start[place] - fills.before[place], seconds, rng)
    pileup = pileup_in_fill(
        since / HOUR, start=fills.pileup[place], lifetime=fills.lifetime[place],
        levelled=fills.levelled[place], phase=rng.random(),
    )  # fmt: skip
    pileup *= np.clip(since / 240.0, 0.0, 1.0) * (since < end) * (1.0 + 0.003 * rng.standard_normal(n))
    minutes = (since - 300.0) / 60.0
    move = (
        van_der_meer(minutes, begin=20.0) if fills.scan[place] else emittance_scan(minutes, float(rng.uniform(8, 20)))
    )
    scan = move[1] & (beam == Beam.STABLE)
    factor = np.where(scan, move[0], 1.0)
    pileup = np.maximum(pileup * factor, 0.0)
    relative = pileup / max(fills.pileup[place], 1e-9)
    luminosity = instantaneous(pileup, int(fills.bunches[place]))
    toroid = np.full(n, rng.random() > 0.01)
    return Columns(
        beam=beam,
        pileup=pileup,
        instantaneous=luminosity,
        live=_live(luminosity, seconds, rng),
        background=_background(beam, fills.bunches[place] / MOST_BUNCHES, rng),
        scan=scan,
        ready=ready,
        solenoid=np.ones(n, dtype=bool),
        toroid=toroid,
        prescale=_prescale(relative, (beam == Beam.STABLE) & ~scan),
    )


def _states(
    since: FloatArray, last: float, seconds: float, rng: np.random.Generator
) -> tuple[IntArray, BoolArray, float]:
    """(beam states, high voltages up, second of the dump). Collisions begin at 0, stable beams are declared five
    minutes later, and the high voltages need one to four minutes more."""
    end = last - rng.uniform(0.5, 6.0) * seconds
    beam = np.select(
        [since >= end, since >= 300.0, since >= -420.0, since >= -2_100.0],
        [Beam.NONE, Beam.STABLE, Beam.ADJUST, Beam.RAMP],
        Beam.NONE,
    ).astype(np.int64)
    up = (since >= 300.0 + rng.uniform(60.0, 240.0)) & (since < end)
    return beam, up, float(end)


def _live(luminosity: FloatArray, seconds: float, rng: np.random.Generator) -> FloatArray:
    """Live fraction: dead time grows with the rate; now and then a resynchronisation holds everything up."""
    n = len(luminosity)
    dead = 0.008 + 0.0016 * luminosity + rng.gamma(2.0, 0.0015, n)
    stops = rng.random(n) < 0.006 * seconds / 60.0
    dead[stops] += rng.uniform(0.05, 0.35, n)[stops]
    return np.asarray(1.0 - np.minimum(dead, 1.0))


def _background(beam: IntArray, intensity: float, rng: np.random.Generator) -> FloatArray:
    """Background that beams make: about 1 at full intensity, in bursts of a few minutes up to twenty times that."""
    n = len(beam)
    slow = np.exp(0.08 * np.cumsum(rng.standard_normal(n)) / np.sqrt(np.arange(n) + 1.0))
    level = intensity * slow * np.where(beam == Beam.ADJUST, 1.6, np.where(beam == Beam.NONE, 0.02, 1.0))
    for first in np.flatnonzero(rng.random(n) < 0.004):
        length = 1 + rng.poisson(2.0)
        level[first : first + length] *= 1.0 + rng.lognormal(1.4, 0.6)
    return np.asarray(level * rng.lognormal(0.0, 0.05, n))


def _prescale(relative: FloatArray, counts: BoolArray) -> IntArray:
    """Step of the prescale set. It follows the luminosity downwards, once per step, and ignores ramps and scans."""
    lowest = np.minimum.accumulate(np.where(counts, relative, np.inf))
    return np.asarray((lowest[:, None] < np.asarray(PRESCALE_STEPS)).sum(axis=1), dtype=np.int64)


def _cosmics(n: int, rng: np.random.Generator) -> Columns:
    off = rng.random() < 0.4
    none = np.zeros(n)
    return Columns(
        beam=np.zeros(n, dtype=np.int64), pileup=none, instantaneous=none, live=1.0 - rng.gamma(2.0, 0.001, n),
        background=0.01 * rng.lognormal(0.0, 0.1, n), scan=none > 0, ready=none == 0, solenoid=np.full(n, not off),
        toroid=np.full(n, not off), prescale=np.zeros(n, dtype=np.int64),
    )  # fmt: skip


def events_of(
    columns: Columns, bunches: IntArray, menu: IntArray, seconds: float, rng: np.random.Generator
) -> FloatArray:
    """(n,) events that reach the monitoring, 200 to 2,000 in a minute of collisions.

    The stream's bandwidth changes with the menu of the week. Within a fill the rate falls with the luminosity, and
    each looser prescale step brings it back, which makes a saw-tooth.
    """
    weekly = np.exp(0.3 * rng.standard_normal(200))[menu]
    steps = np.asarray((1.0, *PRESCALE_STEPS))
    full = np.where(bunches > 0, instantaneous(np.full(len(bunches), 50.0), np.maximum(bunches, 1)), 1.0)
    relative = columns.instantaneous / full
    share = (np.maximum(bunches, 1) / MOST_BUNCHES) ** 0.35
    rate = np.where(bunches > 0, 17.0 * share * weekly * relative / steps[columns.prescale], 2.5)
    quiet = (columns.beam < Beam.ADJUST) & (bunches > 0)
    rate = np.where(quiet, 0.6, np.maximum(rate, 0.6))
    return rng.poisson(np.clip(rate, 0.0, 33.0) * columns.live * seconds).astype(np.float64)
