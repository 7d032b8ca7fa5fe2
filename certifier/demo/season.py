"""A season of data taking of which everything is known: runs in weeks, histograms that age, defects that come and go.

Shapes, faults and the state of a detector are those of `mlcore.simulate`; here they are dealt to runs. Every run of
every system draws from a random stream of its own, so that a season comes out the same in any order, and nothing of it
is kept: whoever asks for the histograms of a run has them drawn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final, Protocol
from zlib import crc32

import numpy as np
import numpy.typing as npt

from certifier.lumi import LumiSet
from mlcore.conditions import Conditions
from mlcore.histograms import Axis, HistogramBlock
from mlcore.simulate.maps import OccupancyModel
from mlcore.simulate.shapes import DetectorState, ShapeModel

Array = npt.NDArray[Any]
SECONDS: Final = 60.0
RUNS_IN_FILL: Final = 3
# Between calibrations the gain falls by so much; each leaves an error. Tails differ from run to run.
WEEKS_BETWEEN, LOSS, LEFT, WOBBLE = 5, 0.004, 0.0008, 0.0008
TAILS, PHASE = 0.02, 0.015
EVENTS_PER_INV_NB: Final = 14.0


class Fault(Protocol):
    def apply(self, expected: Array, rows: Any, rng: np.random.Generator) -> Array: ...


class Effect(Protocol):
    """What a family does to an element: a fault for a strength in (0, 1]."""

    def __call__(self, axis: Axis, strength: float, rng: np.random.Generator) -> Fault: ...


@dataclass(frozen=True)
class Family:
    """What can go wrong: by element, how it shows. `first_week` from which it comes at all; `weight`, how often."""

    name: str
    effects: Mapping[str, Effect]
    weight: float = 1.0
    first_week: int = 0
    longest: int = 25


@dataclass(frozen=True)
class Detector:
    """A system: what it monitors, what can go wrong, and which share of lumisections does."""

    code: str
    name: str
    models: Sequence[ShapeModel | OccupancyModel]
    families: Sequence[Family]
    bad: float = 0.025


@dataclass(frozen=True)
class Silent:
    """From some week on data of a system are bad in a way that none of its histograms shows."""

    system: str
    week: int
    name: str
    share: float = 0.6


@dataclass(frozen=True)
class Defect:
    system: str
    family: str
    lumisections: LumiSet
    strength: float


@dataclass(frozen=True, eq=False)
class SeasonRun:
    """Lumisections 1 to `last`, one value of each in the arrays."""

    number: int
    week: int
    fill: int
    started_at: datetime
    recorded: Array
    pileup: Array

    @property
    def last(self) -> int:
        return len(self.recorded)

    @property
    def ended_at(self) -> datetime:
        return self.started_at + timedelta(seconds=SECONDS * self.last)

    @property
    def conditions(self) -> Conditions:
        return Conditions(
            run=np.full(self.last, self.number),
            lumisection=np.arange(1, self.last + 1),
            luminosity=self.recorded,
            pileup=self.pileup,
            events=self.recorded * EVENTS_PER_INV_NB,
        )


@dataclass(frozen=True)
class Season:
    """`runs` runs of about `length` lumisections in `weeks` weeks from a Monday on.

    strengths : (weakest, strongest) of defects, evenly in their logarithm.
    silent : what begins silently; repaired : by system, the week from which that is mended, set while it is played.
    """

    detectors: Sequence[Detector]
    monday: datetime
    weeks: int = 26
    count: int = 300
    length: float = 150.0
    first_run: int = 340_001
    seed: int = 1
    strengths: tuple[float, float] = (0.06, 1.0)
    silent: Sequence[Silent] = ()
    repaired: dict[str, int] = field(default_factory=dict)
    # Collisions per crossing at the start of a fill, first and last week, and how it scatters from fill to fill.
    pileup: tuple[float, float] = (40.0, 52.0)
    spread: float = 0.04
    # Luminosity of a lumisection per collision, least and most of a fill.
    inv_nb_per_collision: tuple[float, float] = (1.35, 1.35)
    # Delivered until the end of the season, inverse femtobarn.
    dose: float = 60.0

    def _rng(self, *names: Any) -> np.random.Generator:
        """A stream of its own for whatever has a name."""
        return np.random.default_rng([self.seed, crc32(repr(names).encode())])

    def week_begins(self, week: int) -> datetime:
        return self.monday + timedelta(days=7 * week)

    @cached_property
    def runs(self) -> list[SeasonRun]:
        rng = self._rng("runs")
        lengths = np.clip(self.length * rng.lognormal(-0.06, 0.35, self.count), 20, 3 * self.length).astype(int)
        week_of = np.arange(self.count) * self.weeks // self.count
        numbers = self.first_run + np.cumsum(rng.integers(1, 9, self.count))
        found = []
        for week in range(self.weeks):
            mine = np.flatnonzero(week_of == week)
            room = timedelta(days=5.5) / max(len(mine), 1)
            for order, place in enumerate(mine.tolist()):
                at = self.week_begins(week) + timedelta(hours=3) + order * room
                found.append(self._run(int(numbers[place]), week, place, at, int(lengths[place])))
        return found

    def _run(self, number: int, week: int, place: int, at: datetime, length: int) -> SeasonRun:
        fill, in_fill = divmod(place, RUNS_IN_FILL)
        of_fill, rng = self._rng("fill", fill), self._rng("run", number)
        usual = np.interp(week, (0, self.weeks), self.pileup)
        start = usual * of_fill.lognormal(0.0, self.spread) * np.exp(-0.18 * in_fill)
        bunches = of_fill.uniform(*self.inv_nb_per_collision)
        pileup = start * np.exp(-np.arange(length) / 720.0) * (1 + 0.005 * rng.standard_normal(length))
        recorded = bunches * pileup * np.clip(0.96 + 0.01 * rng.standard_normal(length), 0.3, 1.0)
        return SeasonRun(number, week, fill, at, np.round(recorded, 4), np.round(pileup, 3))

    def of_week(self, week: int) -> list[SeasonRun]:
        return [run for run in self.runs if run.week == week]

    # -- what is wrong ----------------------------------------------------------------------------------------

    def defects(self, run: SeasonRun) -> list[Defect]:
        """What was really wrong in a run."""
        return [each for detector in self.detectors for each in self._of_system(detector, run)]

    def _of_system(self, detector: Detector, run: SeasonRun) -> Iterator[Defect]:
        rng = self._rng("defects", detector.code, run.number)
        families = [each for each in detector.families if each.first_week <= run.week]
        weight = np.array([each.weight for each in families])
        taken = LumiSet()
        typical = np.mean([1 + each.longest for each in families]) / 2
        for _ in range(int(rng.poisson(detector.bad * run.last / typical))):
            family = families[int(rng.choice(len(families), p=weight / weight.sum()))]
            first = int(rng.integers(1, run.last + 1))
            where = LumiSet.from_ranges([(first, min(first + int(rng.integers(1, family.longest + 1)) - 1, run.last))])
            low, high = np.log(self.strengths)
            strength = float(np.exp(rng.uniform(low, high)))
            if where := where - taken:
                taken |= where
                yield Defect(detector.code, family.name, where, strength)
        for silent in self.silent:
            mended = self.repaired.get(silent.system, 0)
            until = mended if mended > silent.week else self.weeks
            if silent.system == detector.code and silent.week <= run.week < until:
                size = max(int(silent.share * run.last), 1)
                first = int(rng.integers(1, run.last - size + 2))
                if where := LumiSet.from_ranges([(first, first + size - 1)]) - taken:
                    yield Defect(detector.code, silent.name, where, 1.0)

    def bad(self, run: SeasonRun, system: str) -> LumiSet:
        found = LumiSet()
        for defect in self.defects(run):
            if defect.system == system:
                found |= defect.lumisections
        return found

    # -- what is seen -----------------------------------------------------------------------------------------

    def blocks(self, run: SeasonRun) -> Iterator[HistogramBlock]:
        """The histograms of a run, with its defects in them."""
        defects = self.defects(run)
        for detector in self.detectors:
            mine = [each for each in defects if each.system == detector.code]
            state = self.state(detector, run)
            for model in detector.models:
                rng = self._rng("draw", run.number, name_of(model))
                _, expected = self.expected(detector, model, run, mine, state)
                if isinstance(model, OccupancyModel):
                    yield model.draw(run.conditions, rng, expected=expected)
                else:
                    yield model.draw(run.conditions, rng, expected=expected, state=state)

    def expected(
        self,
        detector: Detector,
        model: ShapeModel | OccupancyModel,
        run: SeasonRun,
        defects: Sequence[Defect],
        state: DetectorState,
    ) -> tuple[Array, Array]:
        """Mean counts of one element without its defects, and with them."""
        families = {each.name: each for each in detector.families}
        if isinstance(model, OccupancyModel):
            clean = np.asarray(model.expected(run.conditions))
        else:
            clean = np.asarray(model.expected(run.conditions, state=state))
        changed = clean
        for place, defect in enumerate(defects):
            family = families.get(defect.family)
            effect = family.effects.get(name_of(model)) if family else None
            if effect is not None:
                rng = self._rng("fault", run.number, name_of(model), place)
                fault = effect(axis_of(model), defect.strength, rng)
                changed = fault.apply(changed, np.fromiter(defect.lumisections.numbers(), dtype=np.int64) - 1, rng)
        return clean, changed

    def significance(self, run: SeasonRun, system: str) -> Array:
        """(last,) standard deviations by which the lumisections of a run differ from what they would be without their
        defects, for somebody who knows what to look for: what no method that looks at single ones can exceed."""
        detector = next(each for each in self.detectors if each.code == system)
        mine = [each for each in self.defects(run) if each.system == system]
        squares = np.zeros(run.last)
        for model in detector.models if mine else ():
            clean, changed = self.expected(detector, model, run, mine, self.state(detector, run))
            away = (changed - clean) ** 2 / np.maximum(clean, 1e-9)
            squares += away.reshape(run.last, -1).sum(axis=1)
        return np.sqrt(squares)

    def state(self, detector: Detector, run: SeasonRun) -> DetectorState:
        """A gain that falls until it is calibrated, tails and a clock that differ from run to run."""
        rng = self._rng("state", detector.code, run.number)
        since = run.week % WEEKS_BETWEEN + (run.started_at - self.week_begins(run.week)) / timedelta(days=7)
        left = self._rng("calibration", detector.code, run.week // WEEKS_BETWEEN).normal(0.0, LEFT)

        def wobble() -> Array:
            return np.asarray(rng.standard_normal() + 0.2 * rng.standard_normal(run.last))

        return DetectorState(
            dose=np.full(run.last, self.dose * run.week / self.weeks),
            gain=(1 - LOSS * since / WEEKS_BETWEEN) * (1 + left) * (1 + WOBBLE * wobble()),
            phase=PHASE * wobble(),
            beam_z=0.3 * wobble(),
            beam_width=42.0 * np.exp(0.005 * wobble()),
            material=np.exp(TAILS * wobble()),
        )


def name_of(model: ShapeModel | OccupancyModel) -> str:
    return model.geometry.element if isinstance(model, OccupancyModel) else model.element


def axis_of(model: ShapeModel | OccupancyModel) -> Axis:
    return model.geometry.axes[0] if isinstance(model, OccupancyModel) else model.axis
