"""Fourteen systems of the demo whose models are made otherwise than by the standard recipe. Drawn here are level-1
rates, a map of the tile calorimeter, times of hits in the cathode strips, and a chamber of drift tubes; `more_systems`
draws the others.

None is a set of shapes that a fixed reference is held against. A coordinator chooses the recipes; what the models learn
from are the last runs before the demo's own, whose histograms come when it is tried and which the experts then read and
sign. In the demo's runs the rates show what the sign-off of 350549 asks about (prescales that differ from the key in
the log, lumisections 40 to 55), the map what is recorded in 350531 and, in the showcase, a hot region that nobody has
recorded, the times of 350558 that chambers came back out of step, the tubes what is recorded in 350549 and, in 350558,
a layer at too low a voltage that nobody has recorded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from django.conf import settings

from certifier.accounts.models import System, User
from certifier.defects import services as defects
from certifier.defects.models import Source
from certifier.lumi import LumiSet
from certifier.monitoring import services as monitoring
from certifier.monitoring.models import Element
from certifier.ops.models import Trigger
from certifier.precert.scoring import Scorer
from certifier.precert.unscored import unscored
from certifier.review import intake
from certifier.review import services as review
from certifier.review.deciding import decide
from certifier.review.models import Item, ItemState
from certifier.runs.models import Run
from certifier.training import services as training
from certifier.training.attempt import attempt
from certifier.training.services import Asked
from mlcore.features import FeatureTable
from mlcore.histograms import Axis, HistogramBlock
from mlcore.simulate import emcal, rates, trigger_runs
from mlcore.simulate.map_faults import Excess, MapFault
from mlcore.simulate.maps import OccupancyModel, hadronic_barrel, muon_chamber

from . import more_systems, people, world
from .clock import standing_at
from .more_systems import PLANS
from .season import SeasonRun
from .seen import SEED, TakenRun, collided, rows_of

TRIGGER, TILE, STRIPS, TUBES = "TRIG_L1", "TILE", "CSC", "MDT"
# What the experts record in the runs before, and what is recorded of the map in the demo's own.
NAMES: Final = {
    TRIGGER: "TRIG_L1_CAL_off", TILE: "TILE_EBC_DAQ_PRB", STRIPS: "CSC_EA_OutOfSync_3orMore", TUBES: "MDT_BA_PROBLEM",
} | {code: plan.defect for code, plan in PLANS.items()}  # fmt: skip
UNCOVERED: Final = "TILE_EBA_BAD_COVER"
RECIPES: Final = {
    TRIGGER: ("rates", "Rates are no shapes: what counts is what the luminosity lets one expect."),
    TILE: ("hot-and-dead", "Towers that turn hot or die: nobody can have labelled all the places where they may."),
    STRIPS: ("phase", "Chambers come back a bunch crossing late: some hits of each lumisection, until the next reset."),
    TUBES: ("drift-tubes", "A layer is known by the others of its chamber: the same muons cross them all."),
} | {code: (plan.recipe, plan.why) for code, plan in PLANS.items()}
# Runs before the demo's own that are learned from; what of each is wrong, and for how long at most.
RUNS: Final = {TRIGGER: 40, TILE: 24, STRIPS: 24, TUBES: 24} | {code: plan.runs for code, plan in PLANS.items()}
FAULTS, LONGEST = 1.6, 9
# From one system to the next: all of them learn before Monday.
MINUTES: Final = 4
ITEMS: Final = tuple(item.name for item in rates.ITEMS)
CALORIMETER: Final = ("L1_EM22VHI", "L1_EM3", "L1_TAU60", "L1_J100", "L1_XE50")
HITS_PER_EVENT: Final = 0.5
# What some hundred lumisections can prove, and as few rounds as will do for a demo.
LIMITS: Final = {TRIGGER: 0.05, TILE: 0.1, STRIPS: 0.1, TUBES: 0.1} | {code: plan.limit for code, plan in PLANS.items()}
QUICK: Final[dict[str, Any]] = {
    "confidence": 0.9, "refresh": 0, "folds": 2, "doubt_folds": 2,
    "family_trees": 30, "most_features": 40, "shares": [0.3, 0.3, 0.1, 0.3],
    "classifier_parameters": {"max_iter": 30, "max_depth": 4, "n_estimators": 0},
}  # fmt: skip
# In the demo's own runs: what is seen, whether or not somebody has recorded it.
SHOWN: Final = {
    TRIGGER: (350361, 350549, 350558),
    TILE: (world.SHOWCASE, 350531),
    STRIPS: (350549, 350558),
    TUBES: (350549, 350558),
} | dict.fromkeys(PLANS, (more_systems.CLEAN, more_systems.PLANTED))
WRONG_KEY: Final = LumiSet.parse("40-55")
NO_COVER: Final = LumiSet.parse("108-111")
HOT: Final = LumiSet.parse("402-417")
LATE: Final = LumiSet.parse("88-103")
NO_DATA: Final = LumiSet.parse("57-59")
LOW_VOLTAGE: Final = LumiSet.parse("60-75")
LAYERS, ACROSS = 6, 48
TICK: Final = 25.0


# --- what is seen ---------------------------------------------------------------------------------------------------


def rates_of(run: TakenRun, wrong: Sequence[tuple[LumiSet, Sequence[str], float]]) -> list[HistogramBlock]:
    """The rates of the level-1 items and their prescales; `wrong` are lumisections, items and the factor on them."""
    conditions = collided(run)
    factor = np.ones((len(conditions), len(rates.NAMES)))
    for where, items, by in wrong:
        for name in items:
            factor[rows_of(conditions, where), rates.NAMES.index(name)] *= by
    table = trigger_runs.rates_of(conditions, np.random.default_rng([SEED, run.number]), factor=factor)
    return trigger_runs.as_elements(_of_level_1(table), folder="Trigger/L1")


def _of_level_1(table: FeatureTable) -> FeatureTable:
    kept = [place for place, name in enumerate(table.names) if name.rpartition(":")[2] in ITEMS]
    names, groups = (tuple(values[place] for place in kept) for values in (table.names, table.groups))
    return FeatureTable(table.values[:, kept], names, groups, table.conditions)


def towers() -> OccupancyModel:
    """A part of the barrel: 12 towers along the beam, 16 around it."""
    whole = hadronic_barrel()
    phi = Axis.regular("phi", 16, -np.pi, np.pi, label="azimuth", unit="rad", circular=True)
    eta = Axis.regular("eta", 12, 0.0, 1.2, label="pseudorapidity")
    part = replace(
        whole,
        element="Tile/towers",
        axes=(eta, phi),
        profile=whole.profile[16:28, :16],
        exposure=whole.exposure[16:28, :16],
    )
    return OccupancyModel(part, gain_spread=0.03, random_state=SEED)


def towers_of(run: TakenRun, wrong: Sequence[tuple[LumiSet, MapFault]]) -> list[HistogramBlock]:
    conditions, model = collided(run), towers()
    rng = np.random.default_rng([SEED, run.number, 1])
    expected = model.expected(conditions)
    for where, fault in wrong:
        expected = fault.apply(expected, rows_of(conditions, where), rng)
    return [model.draw(conditions, rng, expected=expected)]


def times_of(run: TakenRun, wrong: Sequence[tuple[LumiSet, float]]) -> list[HistogramBlock]:
    """Times of hits; `wrong` are lumisections and the share of hits that comes a bunch crossing late there."""
    conditions = collided(run)
    rng = np.random.default_rng([SEED, run.number, 4])
    offset = float(rng.normal(0.0, 2.0))
    usual, late = emcal.arrival(offset), emcal.arrival(offset + TICK)
    share = np.zeros(len(conditions))
    for where, part in wrong:
        share[rows_of(conditions, where)] = part
    shape = (1.0 - share[:, None]) * usual + share[:, None] * late
    counts = rng.poisson(np.maximum(conditions.events, 1.0)[:, None] * shape * HITS_PER_EVENT).astype(np.float32)
    axis = Axis("time", emcal.TIME.edges, label="time of hits", unit="ns")
    return [HistogramBlock("CSC/hitTime", (axis,), counts, conditions, physics_object="muons")]


def tubes() -> OccupancyModel:
    """A chamber of the barrel: six layers of 48 tubes."""
    whole = muon_chamber(ACROSS, random_state=SEED)
    layer = Axis.regular("layer", LAYERS, 0.5, LAYERS + 0.5, label="layer")
    tube = Axis.regular("tube", ACROSS, 0.5, ACROSS + 0.5, label="tube")
    part = replace(
        whole,
        element="MDT/BML/hits",
        axes=(layer, tube),
        profile=whole.profile[:LAYERS],
        exposure=whole.exposure[:LAYERS],
    )
    return OccupancyModel(part, gain_spread=0.05, random_state=SEED)


def tubes_of(run: TakenRun, wrong: Sequence[tuple[LumiSet, MapFault]]) -> list[HistogramBlock]:
    conditions, model = collided(run), tubes()
    rng = np.random.default_rng([SEED, run.number, 5])
    # As much as layers of one chamber differ from run to run.
    expected = model.expected(conditions) * rng.lognormal(0.0, 0.03, (1, LAYERS, 1))
    for where, fault in wrong:
        expected = fault.apply(expected, rows_of(conditions, where), rng)
    return [model.draw(conditions, rng, expected=expected)]


def without_data(first: int) -> MapFault:
    mask = np.zeros((LAYERS, ACROSS), dtype=bool)
    mask[:, first : first + 12] = True
    return MapFault("tubes without data", mask)


def low_voltage(layer: int) -> MapFault:
    """Not all hits are lost: a tube at a lower voltage is less efficient."""
    mask = np.zeros((LAYERS, ACROSS), dtype=bool)
    mask[layer] = True
    return MapFault("voltage of a layer too low", mask, 0.4)


def region(eta: int, phi: int, high: int, wide: int) -> npt.NDArray[np.bool_]:
    mask = np.zeros((12, 16), dtype=bool)
    mask[eta : eta + high, phi : phi + wide] = True
    return mask


def blocks(system: str, run: world.WorldRun) -> list[HistogramBlock]:
    """What a system shows in a run of the demo."""
    if system in PLANS:
        return more_systems.shown(system, run)
    if system == TRIGGER:
        return rates_of(run, [(WRONG_KEY, ("L1_EM3",), 0.4)] if run.number == 350549 else [])
    if system == STRIPS:
        return times_of(run, [(LATE, 0.5)] if run.number == 350558 else [])
    if system == TUBES:
        return tubes_of(run, [(NO_DATA, without_data(20)) if run.number == 350549 else (LOW_VOLTAGE, low_voltage(3))])
    if run.number == world.SHOWCASE:
        return towers_of(run, [(HOT, Excess("two by two towers hot", region(5, 11, 2, 2), 1.0, times=2.5))])
    return towers_of(run, [(NO_COVER, MapFault("a module off", region(7, 3, 4, 2)))])


# --- the runs before --------------------------------------------------------------------------------------------------


class Before:
    """The last runs of the season before the demo: their histograms, what is wrong in them, and who reads them."""

    def __init__(self, runs: Sequence[SeasonRun], users: dict[str, User], dataset: str) -> None:
        self.runs = {code: {run.number: run for run in runs[-RUNS[code] :]} for code in RECIPES}
        self.users, self.dataset = users, dataset
        self.bad = {code: {run.number: self._bad(code, run) for run in self.runs[code].values()} for code in RECIPES}

    @cached_property
    def systems(self) -> dict[str, System]:
        return {code: System.objects.get(code=code) for code in RECIPES}

    def _bad(self, code: str, run: TakenRun) -> LumiSet:
        """Some stretches of a few lumisections each."""
        rng = np.random.default_rng([SEED, run.number, list(RECIPES).index(code), 2])
        found, last, faults, longest = LumiSet(), len(run.recorded), FAULTS, LONGEST
        if plan := PLANS.get(code):
            last, faults, longest = min(last, plan.length), plan.faults_of(run), plan.longest
        for _ in range(int(rng.poisson(faults))):
            first = int(rng.integers(2, last + 1))
            found |= LumiSet.from_ranges([(first, min(first + int(rng.integers(1, longest)), last))])
        return found

    def blocks(self, code: str, run: TakenRun) -> list[HistogramBlock]:
        where = self.bad[code][run.number]
        rng = np.random.default_rng([SEED, run.number, list(RECIPES).index(code), 3])
        if code in PLANS:
            return PLANS[code].draw(run, where, rng)
        if code == TRIGGER:
            return rates_of(run, [(where, CALORIMETER, float(rng.uniform(0.4, 0.75)))] if where else [])
        if code == STRIPS:
            return times_of(run, [(where, float(rng.uniform(0.2, 0.5)))] if where else [])
        if code == TUBES:
            fault = without_data(int(rng.integers(0, 36))) if run.number % 2 else low_voltage(int(rng.integers(LAYERS)))
            return tubes_of(run, [(where, fault)] if where else [])
        eta, phi = int(rng.integers(0, 10)), int(rng.integers(0, 14))
        return towers_of(run, [(where, MapFault("no data", region(eta, phi, 3, 3)))] if where else [])

    def play(self, sunday: datetime) -> None:
        """On the evening of a Sunday the histograms come, experts read and sign, and the systems learn."""
        chi = self.users[people.COORDINATOR]
        for place, (code, system) in enumerate(self.systems.items()):
            at = sunday + timedelta(minutes=MINUTES * place)
            with standing_at(at), trained_quickly(code):
                for run in self.runs[code].values():
                    send(system, run.number, self.dataset, self.blocks(code, run))
                    self._read(code, run, at)
                recipe, why = RECIPES[code]
                training.choose_recipe(actor=chi, system=system, recipe=recipe, reason=why)
                attempt(Asked(system, Trigger.SCHEDULE))
                self._answer(code)

    def _read(self, code: str, run: TakenRun, at: datetime) -> None:
        expert = self.users[people.EXPERT_OF[code]]
        if bad := self.bad[code][run.number]:
            entry = defects.NewEntry(run=run.number, defect=NAMES[code], lumisections=bad, entered_at=at)
            defects.record_entries(actor=expert, entries=[entry], source=Source.PAGE)
        row = Run.objects.get(number=run.number)
        review.sign_off(actor=expert, run=row, system=self.systems[code], stage="express", at=at)

    def _answer(self, code: str) -> None:
        """What the first champion says of the runs it learned from, and what the expert makes of that."""
        system, expert, scorer = self.systems[code], self.users[people.EXPERT_OF[code]], Scorer()
        for each in unscored([system]):
            intake.pull(scorer.score(each.version, each.dataset))
        waiting = Item.objects.filter(system=system, state=ItemState.OPEN, run__number__in=self.runs[code])
        for item in waiting.select_related("run", "system").order_by("id"):
            if bad := self.bad[code][item.run.number] & item.lumisections:
                decide(actor=expert, item=item, verdict="confirm", lumisections=bad, defect=NAMES[code])
            else:
                decide(actor=expert, item=item, verdict="override")


@contextmanager
def trained_quickly(code: str) -> Iterator[None]:
    before, limit = settings.TRAINING_RECIPE, LIMITS[code]
    own = PLANS[code].quick if code in PLANS else {}
    settings.TRAINING_RECIPE = {"*": QUICK | {"pollution": limit, "loss": limit} | own}
    try:
        yield
    finally:
        settings.TRAINING_RECIPE = before


def send(system: System, run: int, dataset: str, shown: Sequence[HistogramBlock]) -> None:
    monitoring.ingest(actor=None, run=run, dataset=dataset, blocks=shown)
    for element in Element.objects.filter(path__in=[block.element for block in shown], system=None):
        monitoring.change_element(actor=None, element=element, system=system.code)


def show(runs: dict[int, world.WorldRun], dataset: str) -> None:
    """Their histograms in the demo's own runs."""
    for code, numbers in SHOWN.items():
        system = System.objects.get(code=code)
        for number in numbers:
            send(system, number, dataset, blocks(code, runs[number]))
