"""A year of data taking: fills, runs and lumisections with everything that was true of them.

`Year` holds one array per column, one value per lumisection; `Conditions` is the part of it that detectors may see.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from mlcore.conditions import BoolArray, Conditions, FloatArray, IntArray
from mlcore.errors import MlcoreError

from .lumisections import Columns, columns_of_fill, events_of, join
from .machine import DAY, START, Beam, Fills, Mode, plan_fills
from .streams import Streams

Size = Literal["s", "m", "l"]
#: runs of a size, and the runs of a whole year, of which smaller sizes are a sample
RUNS = {"s": 40, "m": 300, "l": 1_200}
WHOLE_YEAR = 1_200
FIRST_RUN = 482_001


@dataclass(frozen=True, eq=False)
class Runs:
    """One row per run in time order, arrays of shape (r,).

    Parameters
    ----------
    number : run number, ascending.
    fill : place in `Fills`.
    start : seconds since the epoch.
    lumisections : how many the run has.
    mode : a `Mode`.
    menu : number of the trigger menu, a new one every week.
    first : row of the run's first lumisection in the columns of the year.
    """

    number: IntArray
    fill: IntArray
    start: FloatArray
    lumisections: IntArray
    mode: IntArray
    menu: IntArray
    first: IntArray

    def __len__(self) -> int:
        return int(self.number.size)

    def rows(self, place: int) -> slice:
        """Rows of the lumisections of the run at this place."""
        return slice(int(self.first[place]), int(self.first[place] + self.lumisections[place]))

    def of_day(self) -> FloatArray:
        """Days since the year began at the start of each run."""
        return np.asarray((self.start - START) / DAY)


@dataclass(frozen=True, eq=False)
class Year:
    """All lumisections of a year, n of them in time order.

    Parameters
    ----------
    seed, size : what it was made from.
    lumisection_seconds : length of a lumisection, 60 s as in ATLAS or 23.3 s as in CMS.
    fills, runs : see there.
    conditions : the n lumisections as detectors see them; luminosity is the recorded one.
    run_place, fill_place : (n,) places in `runs` and `fills`.
    mode, beam : (n,) `Mode` and `Beam`.
    instantaneous : (n,) luminosity in Hz/nb.
    delivered : (n,) luminosity delivered in inverse nanobarn.
    live : (n,) fraction of the time in which the read-out was not busy.
    background : (n,) beam-induced background in arbitrary units, about 1 in quiet lumisections.
    scan : (n,) the beams were moved across each other.
    ready : (n,) high voltages were up.
    solenoid, toroid : (n,) magnets on.
    menu, prescale : (n,) trigger menu and prescale step, 0 at the highest luminosity.
    temperature : (n,) in the cavern, degrees Celsius.
    dose : (n,) luminosity delivered since the year began, inverse femtobarn, of the whole year and not of a sample.
    """

    seed: int
    size: str
    lumisection_seconds: float
    fills: Fills
    runs: Runs
    conditions: Conditions
    run_place: IntArray
    fill_place: IntArray
    mode: IntArray
    beam: IntArray
    instantaneous: FloatArray
    delivered: FloatArray
    live: FloatArray
    background: FloatArray
    scan: BoolArray
    ready: BoolArray
    solenoid: BoolArray
    toroid: BoolArray
    menu: IntArray
    prescale: IntArray
    temperature: FloatArray
    dose: FloatArray

    def __len__(self) -> int:
        return len(self.conditions)

    @property
    def day(self) -> FloatArray:
        """(n,) days since the year began."""
        return np.asarray((self.conditions.time - START) / DAY)

    @cached_property
    def physics(self) -> BoolArray:
        """(n,) lumisections that could be good for physics: protons, stable beams, detector ready, toroid on, beams not
        being moved. The others are known to be unusable from flags alone, and nobody needs a detector for that."""
        quiet = (self.beam == Beam.STABLE) & self.ready & self.toroid & ~self.scan
        return np.asarray(quiet & (self.mode == Mode.PROTONS) & ~self.fills.scan[self.fill_place])

    @property
    def activity(self) -> FloatArray:
        """(n,) proton collisions per event that would fill the detectors as much: pile-up for protons, a heavy-ion
        collision counts for twelve, cosmic rays and noise for next to nothing."""
        ions = (self.mode == Mode.IONS) & (self.instantaneous > 0)
        return np.asarray(np.maximum(np.where(ions, 12.0, self.conditions.pileup), 0.05))

    @cached_property
    def colliding(self) -> Conditions:
        """The conditions with `activity` in the place of pile-up: what models of occupancy are given."""
        return replace(self.conditions, pileup=self.activity)

    def columns(self, rows: npt.NDArray[Any] | slice = slice(None)) -> dict[str, npt.NDArray[Any]]:
        """Everything known per lumisection as named arrays, in the order of a table."""
        table: dict[str, npt.NDArray[Any]] = {
            column.name: getattr(self.conditions, column.name)[rows] for column in fields(Conditions)
        }
        table["fill"] = self.fills.number[self.fill_place][rows]
        table["physics"] = self.physics[rows]
        for column in fields(Year)[8:]:
            table[column.name] = getattr(self, column.name)[rows]
        return table


def simulate_year(size: str, seed: int, *, lumisection_seconds: float = 60.0) -> Year:
    """A year of size "s" (40 runs of 60 to 200 lumisections), "m" (300 runs, about 45,000) or "l" (1,200 runs, about
    180,000). Raises MlcoreError for another size or a lumisection that is not positive."""
    if size not in RUNS:
        raise MlcoreError(f"there is no size {size!r}; choose one of {', '.join(RUNS)}.")
    if not 0 < lumisection_seconds <= 600:
        raise MlcoreError(f"a lumisection lasts {lumisection_seconds} s; it must be more than 0 and at most 600.")
    streams = Streams(seed)
    rng = streams.of("year", "runs")
    lengths = _run_lengths(size, rng)
    fill_of_run, gaps = _deal_into_fills(len(lengths), rng)
    seconds = lengths * lumisection_seconds + gaps
    fills = plan_fills(np.bincount(fill_of_run, seconds).astype(np.float64), streams.of("year", "fills"))
    runs = _runs(fills, fill_of_run, lengths, seconds, rng)
    return _year(size, lumisection_seconds, fills, runs, streams)


def _run_lengths(size: str, rng: np.random.Generator) -> IntArray:
    """Lumisections per run; long runs are as frequent as people leave them alone, short ones are restarts."""
    n = RUNS[size]
    if size == "s":
        return rng.integers(60, 201, n)
    short = rng.random(n) < 0.12
    lengths = np.where(short, rng.uniform(20, 70, n), rng.lognormal(np.log(150.0), 0.38, n))
    return np.asarray(np.clip(lengths, 20, 420), dtype=np.int64)


def _deal_into_fills(n: int, rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """(fill of each run, seconds between its end and the next run's start): one to six runs in a fill."""
    per_fill = 1 + np.minimum(rng.poisson(2.3, n), 5)
    return np.repeat(np.arange(n), per_fill)[:n], rng.lognormal(np.log(240.0), 0.7, n)


def _runs(fills: Fills, fill: IntArray, lengths: IntArray, seconds: FloatArray, rng: np.random.Generator) -> Runs:
    elapsed = np.cumsum(np.r_[0.0, seconds[:-1]])
    first_of_fill = np.r_[True, fill[1:] != fill[:-1]]
    start = fills.start[fill] + elapsed - elapsed[first_of_fill][fill]
    return Runs(
        number=FIRST_RUN + np.cumsum(rng.integers(1, 24, len(lengths))),
        fill=fill,
        start=start,
        lumisections=lengths,
        mode=fills.mode[fill],
        menu=1 + np.floor((start - START) / (7 * DAY)).astype(np.int64),
        first=np.cumsum(np.r_[0, lengths[:-1]]),
    )


def _year(size: str, lumisection_seconds: float, fills: Fills, runs: Runs, streams: Streams) -> Year:
    run_place = np.repeat(np.arange(len(runs)), runs.lumisections)
    number = np.arange(len(run_place)) - runs.first[run_place] + 1
    time = runs.start[run_place] + (number - 1) * lumisection_seconds
    fill_place = runs.fill[run_place]
    parts: list[Columns] = []
    for place in range(len(fills.number)):
        rows = fill_place == place
        rng = streams.of("year", "lumisections", place)
        parts.append(columns_of_fill(fills, place, time[rows] + lumisection_seconds / 2, lumisection_seconds, rng))
    columns = join(parts)
    events = events_of(
        columns, fills.bunches[fill_place], runs.menu[run_place], lumisection_seconds, streams.of("year", "events")
    )
    delivered = columns.instantaneous * lumisection_seconds
    conditions = Conditions(
        run=runs.number[run_place],
        lumisection=number,
        luminosity=delivered * columns.live,
        pileup=columns.pileup,
        events=events,
        time=time,
    )
    return Year(
        seed=streams.seed, size=size, lumisection_seconds=lumisection_seconds, fills=fills, runs=runs,
        conditions=conditions,
        run_place=run_place, fill_place=fill_place, mode=fills.mode[fill_place], beam=columns.beam,
        instantaneous=columns.instantaneous, delivered=delivered, live=columns.live, background=columns.background,
        scan=columns.scan, ready=columns.ready, solenoid=columns.solenoid, toroid=columns.toroid,
        menu=runs.menu[run_place], prescale=columns.prescale, temperature=_temperature(time, streams),
        dose=np.cumsum(delivered) * 1e-6 * WHOLE_YEAR / len(runs),
    )  # fmt: skip


def _temperature(time: FloatArray, streams: Streams) -> FloatArray:
    """Degrees in the cavern: a season, a day that is warmest at 16:00 UTC, weather of a few days, 0.05 of noise."""
    rng = streams.of("year", "temperature")
    day = (time - START) / DAY
    season = 21.5 + 1.8 * np.sin(np.pi * np.clip(day, 0.0, 203.0) / 203.0)
    weather = np.interp(day, np.arange(0.0, 240.0, 3.0), 0.5 * rng.standard_normal(80))
    swing = np.interp(day, np.arange(0.0, 240.0, 5.0), rng.uniform(0.25, 0.7, 48))
    daily = swing * np.cos(2.0 * np.pi * (np.mod(time, DAY) / DAY - 16.0 / 24.0))
    return np.asarray(season + weather + daily + 0.05 * rng.standard_normal(len(time)))
