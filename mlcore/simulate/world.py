"""The whole world in one value: a year, what the detector saw, what was really wrong, and what people said.

Histograms are drawn when they are asked for, run by run, each run of each element from a random stream of its own: a
year of 1,200 runs needs no more memory than what is looked at, and comes out the same in any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mlcore.conditions import BoolArray, Conditions, FloatArray
from mlcore.errors import MlcoreError
from mlcore.features import FeatureTable, shape_features
from mlcore.histograms import HistogramBlock
from mlcore.splits import chronological

from .defects import PREVALENCES, Defect, SystemTruth, plan_defects, touch_year, truth_of
from .drift import SystemDrift, drift_of, map_factor
from .elements import SYSTEMS, Element, elements
from .faults import Fault
from .labelling import LabelHabits, SystemLabels, label_year
from .maps import OccupancyModel
from .rates import ELEMENT as RATES
from .rates import TriggerRates
from .streams import Streams
from .year import Year, simulate_year

PARTS = ("train", "calibration", "test")


def simulate(
    size: str = "s",
    seed: int = 0,
    *,
    prevalence: float | str = "usual",
    lumisection_seconds: float = 60.0,
    habits: LabelHabits | None = None,
) -> World:
    """A world of size "s", "m" or "l".

    Parameters
    ----------
    size, seed : see `simulate_year`; the same two give the same world, to the last count.
    prevalence : share of physics lumisections with an intolerable defect, or one of "usual" (10%), "hard" (25%) and
        "clean" (2%).
    lumisection_seconds : 60 as in ATLAS or 23.3 as in CMS.
    habits : how people label.

    Raises MlcoreError for a size, seed or prevalence that cannot be.
    """
    share = PREVALENCES.get(prevalence) if isinstance(prevalence, str) else float(prevalence)
    if share is None:
        raise MlcoreError(f"prevalence {prevalence!r}: give a number or one of {', '.join(PREVALENCES)}.")
    streams = Streams(seed)
    planned = simulate_year(size, seed, lumisection_seconds=lumisection_seconds)
    parts = _split(planned)
    whole = [(np.isin(planned.run_place, np.unique(planned.run_place[parts[name]])), name == "test") for name in PARTS]
    defects = plan_defects(planned, whole, share, streams)
    year = touch_year(planned, defects, streams)
    return World(
        year=year,
        prevalence=share,
        defects=defects,
        truth=truth_of(year, defects),
        labels=label_year(year, defects, streams, habits),
        split=parts,
        streams=streams,
    )


def _split(year: Year) -> dict[str, BoolArray]:
    """Masks of the physics lumisections of consecutive runs, one run left out between two parts."""
    rows = np.flatnonzero(year.physics)
    masks = {}
    for name, chosen in zip(PARTS, chronological(year.conditions.select(rows), gap=1), strict=True):
        masks[name] = np.zeros(len(year), dtype=bool)
        masks[name][rows[chosen]] = True
    return masks


@dataclass(frozen=True, eq=False)
class World:
    """What `simulate` makes.

    Parameters
    ----------
    year : fills, runs and n lumisections.
    prevalence : share of physics lumisections that are bad.
    defects : all of them in order of time.
    truth : by system, and `GLOBAL` for all together.
    labels : by system.
    split : masks (n,) `train`, `calibration` and `test`: chronological, by run, with one run between; physics only.
    streams : where its chances come from.
    """

    year: Year
    prevalence: float
    defects: tuple[Defect, ...]
    truth: Mapping[str, SystemTruth]
    labels: Mapping[str, SystemLabels]
    split: Mapping[str, BoolArray]
    streams: Streams

    @property
    def systems(self) -> tuple[str, ...]:
        return SYSTEMS

    @property
    def elements(self) -> dict[str, Element]:
        """Monitoring elements by name."""
        return elements()

    @property
    def conditions(self) -> Conditions:
        return self.year.conditions

    @cached_property
    def drift(self) -> dict[str, SystemDrift]:
        """What changes in each system without being wrong, with its steps and labels."""
        return {system: drift_of(self.year, system, self.streams) for system in SYSTEMS}

    @cached_property
    def blocks(self) -> Blocks:
        """Blocks of the whole year by name of the element, drawn when they are looked up and not kept."""
        return Blocks(self)

    def elements_of(self, system: str) -> list[str]:
        """Names of the elements of a system."""
        return [name for name, element in self.elements.items() if element.system == system]

    def block(self, element: str, runs: Iterable[int] | None = None) -> HistogramBlock:
        """Histograms of an element in some runs, given by their places in `year.runs`; all of them when None."""
        places = self._places(runs)
        return HistogramBlock.concatenate([self._draw(element, place) for place in places])

    def expected(self, element: str, place: int, *, healthy: bool = False) -> FloatArray:
        """(lumisections, *bins) mean counts of an element in the run at this place, with its defects; without them
        when `healthy`. This is the truth behind every count."""
        known = self._element(element)
        rows = self.year.runs.rows(place)
        clean = self._healthy(known, rows)
        return clean if healthy else self._with_faults(element, clean, rows)

    def significance(self, place: int, elements: Iterable[str] | None = None) -> FloatArray:
        """(lumisections,) standard deviations by which the run at this place differs from a healthy one, for somebody
        who knows exactly what to look for and may look at all bins of these elements (all of them when None).

        The square is the sum of (bad - good)^2 / good over bins: no method that looks at single lumisections sees more.
        """
        squares = np.zeros(int(self.year.runs.lumisections[place]))
        for name in self.elements if elements is None else elements:
            if self._defects_in(self._element(name).name, self.year.runs.rows(place)):
                good, bad = self.expected(name, place, healthy=True), self.expected(name, place)
                away = np.where(good > 0, (bad - good) ** 2 / np.where(good > 0, good, 1.0), 0.0)
                squares += away.reshape(len(away), -1).sum(axis=1)
        return np.sqrt(squares)

    def rates(self, runs: Iterable[int] | None = None) -> FeatureTable:
        """Rates of the level-1 items and the chains of the high level in some runs."""
        parts = [self._draw_rates(place) for place in self._places(runs)]
        values = np.vstack([part.values for part in parts])
        conditions = Conditions.concatenate([part.conditions for part in parts])
        return FeatureTable(values, parts[0].names, parts[0].groups, conditions)

    def table(self, system: str, runs: Iterable[int] | None = None) -> FeatureTable:
        """Shape features of the system's histograms; the trigger has its rates besides."""
        places = self._places(runs)
        names = [name for name in self.elements_of(system) if not self.elements[name].is_map]
        if system not in SYSTEMS:
            raise MlcoreError(f"there is no system {system!r}; there are {', '.join(SYSTEMS)}.")
        tables = [shape_features(self.block(name, places)) for name in names]
        return FeatureTable.beside([*tables, self.rates(places)] if system == "TRIG" else tables)

    def rows(self, runs: Iterable[int]) -> npt.NDArray[np.int64]:
        """Rows of the year that belong to the runs at these places, in the order of `block` and `table`."""
        return np.concatenate([np.arange(len(self.year))[self.year.runs.rows(place)] for place in runs])

    def _places(self, runs: Iterable[int] | None) -> Sequence[int]:
        places = range(len(self.year.runs)) if runs is None else list(runs)
        if not places or min(places) < 0 or max(places) >= len(self.year.runs):
            raise MlcoreError(f"give places of runs from 0 to {len(self.year.runs) - 1}, at least one.")
        return places

    def _element(self, name: str) -> Element:
        if name not in self.elements:
            raise MlcoreError(f"there is no element {name!r}; `world.elements` lists them.")
        return self.elements[name]

    def _healthy(self, element: Element, rows: slice) -> FloatArray:
        colliding = self.year.colliding.select(rows)
        drift = self.drift[element.system]
        if isinstance(element.model, OccupancyModel):
            factor = map_factor(
                self.year, drift, rows,
                exposure=element.model.geometry.exposure, element=element.name, streams=self.streams,
            )  # fmt: skip
            return np.asarray(element.model.expected(colliding) * factor)
        return element.model.expected(colliding, state=drift.state_of(rows))

    def _with_faults(self, element: str, clean: FloatArray, rows: slice) -> FloatArray:
        """Puts in what was wrong in these rows. What evolves in time (a trip) never goes beyond the end of its run."""
        changed = clean
        for defect in self._defects_in(element, rows):
            fault = self._fault(element, defect)
            within = slice(max(defect.start, rows.start) - rows.start, min(defect.stop, rows.stop) - rows.start)
            changed = fault.apply(changed, within, self.streams.of("fault", element, defect.number, rows.start))
        return changed

    def _defects_in(self, element: str, rows: slice) -> list[Defect]:
        return [
            defect
            for defect in self._by_element.get(element, ())
            if defect.start < rows.stop and defect.stop > rows.start
        ]

    @cached_property
    def _by_element(self) -> dict[str, list[Defect]]:
        found: dict[str, list[Defect]] = {}
        for defect in self.defects:
            for element in defect.family.effects:
                found.setdefault(element, []).append(defect)
        return found

    def _fault(self, element: str, defect: Defect) -> Fault:
        known = self.elements.get(element)
        rng = self.streams.of("place", element, defect.number)
        return defect.family.effects[element](known, defect.strength, defect.length, rng)

    def _draw(self, name: str, place: int) -> HistogramBlock:
        element, rows = self._element(name), self.year.runs.rows(place)
        rng = self.streams.of("draw", name, int(self.year.runs.number[place]))
        expected = self.expected(name, place)
        if isinstance(element.model, OccupancyModel):
            drawn = element.model.draw(self.year.colliding.select(rows), rng, expected=expected)
        else:
            drawn = element.model.draw(
                self.year.colliding.select(rows), rng,
                expected=expected, state=self.drift[element.system].state_of(rows),
            )  # fmt: skip
        # Models were given the activity in the place of pile-up; what detectors see is the pile-up.
        return HistogramBlock(
            name, drawn.axes, drawn.counts, self.conditions.select(rows), drawn.flow, drawn.physics_object
        )

    def _draw_rates(self, place: int) -> FeatureTable:
        rows, model = self.year.runs.rows(place), TriggerRates(self.streams)
        expected = self._with_faults(RATES, model.expected(self.year, rows), rows)
        rng = self.streams.of("draw", RATES, int(self.year.runs.number[place]))
        return model.draw(self.year, rows, rng, expected=expected)


class Blocks(Mapping[str, HistogramBlock]):
    """Blocks of a world by element name. Looking one up draws the whole year of it; nothing is kept."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getitem__(self, element: str) -> HistogramBlock:
        if element not in self._world.elements:
            raise KeyError(element)
        return self._world.block(element)

    def __iter__(self) -> Iterator[str]:
        return iter(self._world.elements)

    def __len__(self) -> int:
        return len(self._world.elements)

    def items(self) -> Any:
        """Pairs one at a time: a year of all elements at once may not fit into memory."""
        return ((name, self[name]) for name in self)
