"""The machine of the demo: thirteen fills of spring 2018, their thirty runs, and what each lumisection saw.

Pure numpy, and the same numbers every time. The world ends on 2018-06-03 00:00 UTC: then the last run is still going
on, and the one before it waits for its lumisections. Luminosity follows from pile-up and the number of colliding
bunches, L = μ n f / σ, as in an intensity ramp-up after a stop: later fills have more bunches. Runs, fills and numbers
are invented; only run 350479 has the defects of a slide that its users know.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from certifier.lumi import LumiSet

Array = npt.NDArray[np.float64]

SEED = 350_479
END_OF_WORLD = datetime(2018, 6, 3, tzinfo=UTC)
PROJECT = "data18_13TeV"
LUMISECTION = timedelta(seconds=60)
SECONDS = 60.0

REVOLUTIONS_PER_S = 11_245.5
CROSS_SECTION_CM2 = 80e-27
INV_NB_PER_INV_CM2 = 1e-33
LIVE = 0.957

FIRST_RUN, SHOWCASE = 350013, 350479


@dataclass(frozen=True)
class Fill:
    """One filling of the machine. Minutes are counted from the declaration of stable beams.

    `pileup` is what head-on beams would give at the start; with `level` they are kept apart until they give no more.
    """

    number: int
    period: str
    stable_at: datetime
    stable_minutes: int
    bunches: int
    pileup: float
    tau_h: float
    level: float | None = None
    scan: bool = False
    # (run number, first minute, lumisections)
    runs: tuple[tuple[int, int, int], ...] = ()


def at(day: int, hour: int, minute: int, month: int = 5) -> datetime:
    return datetime(2018, month, day, hour, minute, tzinfo=UTC)


FILLS = (
    Fill(6648, "K", at(6, 20, 24), 604, 140, 44.0, 13.0,
         runs=((350013, -46, 318), (350026, 276, 40), (350031, 321, 290))),
    Fill(6650, "K", at(7, 23, 10), 688, 140, 47.0, 13.5, scan=True,
         runs=((350067, -41, 733),)),
    Fill(6654, "K", at(9, 15, 34), 637, 204, 48.0, 12.5,
         runs=((350121, -38, 455), (350144, 422, 219))),
    Fill(6659, "K", at(10, 21, 40), 704, 204, 49.0, 13.5,
         runs=((350184, -52, 612), (350193, 566, 142))),
    Fill(6663, "K", at(12, 0, 5), 842, 312, 60.0, 13.2, level=50.0,
         runs=((350220, -40, 884),)),
    Fill(6674, "K", at(12, 16, 40), 641, 312, 55.0, 10.8,
         runs=((350310, -49, 206), (350329, 163, 174), (350361, 343, 301))),
    Fill(6682, "L", at(13, 19, 10), 1455, 312, 100.0, 15.0, level=48.0,
         runs=((350440, -37, 1496),)),
    Fill(6688, "L", at(14, 21, 49), 653, 306, 57.75, 10.4,
         runs=((SHOWCASE, -64, 719),)),
    Fill(6690, "L", at(15, 16, 2), 615, 590, 55.0, 10.2,
         runs=((350531, -42, 387), (350549, 350, 121), (350558, 478, 140))),
    Fill(6700, "L", at(18, 9, 48), 788, 733, 58.0, 12.4, level=52.0, scan=True,
         runs=((350751, -45, 301), (350767, 261, 262), (350771, 529, 262))),
    Fill(6714, "M", at(23, 2, 15), 811, 978, 57.0, 13.0,
         runs=((351062, -51, 233), (351069, 188, 115), (351082, 308, 276), (351094, 590, 224))),
    Fill(6732, "M", at(28, 18, 31), 742, 1225, 58.0, 11.6, level=50.0,
         runs=((351364, -43, 290), (351375, 252, 163), (351393, 421, 324))),
    Fill(6749, "M", at(2, 14, 20, month=6), 10_000, 1551, 58.0, 12.0, level=53.0,
         runs=((351832, -44, 402), (351866, 362, 0), (351894, 431, 149))),
)  # fmt: skip

STILL_GOING = 351894
WITHOUT_LUMISECTIONS = 351866
TOROID_OFF = 350193
# Minutes of the run whose luminosity has not arrived yet.
LENGTH_OF_UNKNOWN = timedelta(minutes=64)


@dataclass(frozen=True)
class WorldRun:
    """A run with one value per lumisection in every array; luminosities in inverse nanobarn."""

    number: int
    fill: Fill
    first_minute: int
    started_at: datetime
    ended_at: datetime | None
    duration_s: Array
    delivered: Array
    recorded: Array
    pileup: Array
    flags: dict[str, LumiSet]
    busy: LumiSet
    attributes: dict[str, Any] = field(default_factory=dict)

    @property
    def last(self) -> int:
        return len(self.pileup)

    @property
    def ready(self) -> LumiSet:
        return self.flags.get("atlas_ready", LumiSet())

    @property
    def domain(self) -> LumiSet:
        return LumiSet.whole(self.last)

    @property
    def over_at(self) -> datetime:
        """When people could begin to look at it."""
        return self.ended_at or END_OF_WORLD


def mean_pileup(fill: Fill, minutes: Array) -> Array:
    """Interactions per crossing: levelled as long as the beams give more, then their exponential decay; a ramp
    of eight minutes while the beams are brought into collision, nothing before and after."""
    decaying = fill.pileup * np.exp(-np.clip(minutes, 0, None) / (60 * fill.tau_h))
    curve = np.minimum(decaying, fill.level) if fill.level else decaying
    ramp = np.clip((minutes + 8) / 8, 0, 1)
    return np.where(minutes < fill.stable_minutes, curve * ramp, 0.0)


def luminosity(pileup: Array, bunches: int, seconds: Array) -> Array:
    """Integrated over `seconds`, in inverse nanobarn."""
    return pileup * bunches * REVOLUTIONS_PER_S / CROSS_SECTION_CM2 * INV_NB_PER_INV_CM2 * seconds


def runs() -> Iterator[WorldRun]:
    """All runs, in the order they were taken."""
    for fill in FILLS:
        for number, first_minute, length in fill.runs:
            yield make_run(fill, number, first_minute, length)


def make_run(fill: Fill, number: int, first_minute: int, length: int) -> WorldRun:
    rng = np.random.default_rng([SEED, number])
    started_at = fill.stable_at + first_minute * LUMISECTION
    minutes = np.arange(first_minute, first_minute + length, dtype=np.float64)
    seconds = np.full(length, SECONDS)
    if length and number not in (STILL_GOING, SHOWCASE):
        seconds[-1] = float(rng.integers(18, 58))  # a run is stopped when it is stopped
    pileup = mean_pileup(fill, minutes) * (1 + 0.006 * rng.standard_normal(length) + wobble(rng, length))
    delivered = luminosity(pileup, fill.bunches, seconds)
    flags, busy = conditions(rng, fill, number, minutes)
    recorded = delivered * live_fraction(rng, length, flags, busy)
    return WorldRun(
        number=number, fill=fill, first_minute=first_minute, started_at=started_at,
        ended_at=ended_at(number, started_at, seconds), duration_s=seconds,
        delivered=np.round(delivered, 4), recorded=np.round(recorded, 4), pileup=np.round(pileup, 3),
        flags=flags, busy=busy, attributes=attributes(rng, fill, number, float(recorded.sum()), pileup),
    )  # fmt: skip


def wobble(rng: np.random.Generator, length: int) -> Array:
    """Slow drifts of the beam overlap, about one per cent."""
    phases = rng.uniform(0, 2 * np.pi, 3)
    periods = np.array([47.0, 118.0, 263.0])
    waves = np.sin(np.arange(length)[:, None] / periods + phases)
    return np.asarray(0.004 * waves.sum(axis=1), dtype=np.float64)


def ended_at(number: int, started_at: datetime, seconds: Array) -> datetime | None:
    if number == STILL_GOING:
        return None
    if number == WITHOUT_LUMISECTIONS:
        return started_at + LENGTH_OF_UNKNOWN
    return started_at + timedelta(seconds=float(seconds.sum()))


def conditions(rng: np.random.Generator, fill: Fill, number: int, minutes: Array) -> tuple[dict[str, LumiSet], LumiSet]:
    """(condition flags, where the read-out was held up)."""
    length = len(minutes)
    if not length:
        return {}, LumiSet()
    stable_mask = (minutes >= 0) & (minutes < fill.stable_minutes)
    stable = LumiSet.from_mask(stable_mask)
    if number == SHOWCASE:
        ready, busy = stable, LumiSet.parse("1-7 12-16 49 456 501 547 608 613 658")
    else:
        ready = stable - warm_start(stable, int(minutes[0]), rng) - stops(rng, stable)
        busy = some_of(rng, LumiSet.whole(length), count=int(rng.poisson(length / 110)), longest=2)
    first = ready.first or 0
    physics = ready - (LumiSet.from_ranges([(first, first + 2)]) if minutes[0] < 0 and first else LumiSet())
    return {"stable_beams": stable, "atlas_ready": ready, "physics_prescale": physics}, busy


def warm_start(stable: LumiSet, first_minute: int, rng: np.random.Generator) -> LumiSet:
    """High voltage goes up once beams are stable: a few minutes at the start of a fill."""
    if first_minute >= 0 or not stable.first:
        return LumiSet()
    return LumiSet.from_ranges([(stable.first, stable.first + int(rng.integers(1, 6)))])


def stops(rng: np.random.Generator, stable: LumiSet) -> LumiSet:
    """Now and then data taking stops within a run, for instance to recover a crate."""
    if len(stable) < 150 or rng.random() < 0.55:
        return LumiSet()
    return some_of(rng, stable, count=int(rng.integers(1, 3)), longest=9)


def some_of(rng: np.random.Generator, allowed: LumiSet, *, count: int, longest: int) -> LumiSet:
    """`count` short stretches of 1 to `longest` lumisections, inside `allowed`."""
    if not allowed or not count:
        return LumiSet()
    numbers = np.fromiter(allowed.numbers(), dtype=np.int64)
    starts = rng.choice(numbers, size=min(count, len(numbers)), replace=False)
    lengths = rng.integers(1, longest + 1, size=len(starts))
    pairs = [(int(start), int(start + length - 1)) for start, length in zip(starts, lengths, strict=True)]
    return LumiSet.from_ranges(pairs) & allowed


def live_fraction(rng: np.random.Generator, length: int, flags: dict[str, LumiSet], busy: LumiSet) -> Array:
    """The share of the delivered luminosity that was read out."""
    live = np.clip(LIVE + 0.008 * rng.standard_normal(length), 0.0, 0.995)
    if not length:
        return live
    held_up = busy.to_mask(length)
    live[held_up] = rng.uniform(0.35, 0.75, int(held_up.sum()))
    stopped = (flags["stable_beams"] - flags["atlas_ready"]).to_mask(length)
    live[stopped] = rng.uniform(0.02, 0.2, int(stopped.sum()))
    return live


def attributes(
    rng: np.random.Generator, fill: Fill, number: int, recorded_inv_nb: float, pileup: Array
) -> dict[str, Any]:
    """What the run registry says besides; event counts go with the luminosity."""
    known = {
        "toroid": "off" if number == TOROID_OFF else "on",
        "solenoid": "on",
        "colliding_bunches": fill.bunches,
        "levelled": fill.level is not None,
    }
    if not len(pileup):
        return known
    events = int(recorded_inv_nb * 780 * rng.uniform(0.97, 1.03)) + 20_000
    streams = {"physics_Main": 0.86, "physics_BphysLS": 0.09, "physics_CosmicCalo": 0.02, "express_express": 0.03}
    return known | {
        "peak_pileup": round(float(pileup.max()), 1),
        "events": events,
        "streams": {name: int(events * share) for name, share in streams.items()},
    }
