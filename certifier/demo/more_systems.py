"""Ten more systems of the demo, one for each recipe that no other of its systems has: what they see, and what breaks.

Each is as small as its recipe can be shown on: a few histograms of a few dozen bins. `others` lets their histograms
come, lets experts read and sign, and trains; of what is planted in run 350558 nobody has recorded anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from certifier.lumi import LumiSet
from certifier.training.recipes import BY_NAME
from mlcore.conditions import Conditions
from mlcore.histograms import Axis, HistogramBlock
from mlcore.simulate import slow_control
from mlcore.simulate.endcaps import SECTORS, ClockModel, endcap_towers, sector
from mlcore.simulate.map_faults import Excess, MapFault
from mlcore.simulate.maps import Geometry, OccupancyModel
from mlcore.simulate.shape_faults import ChargeScaleStep, GainShift, ShapeFault, Spike, TimingJump, TruncatedHistogram
from mlcore.simulate.shapes import (
    ClusterCharge,
    DetectorState,
    MetSignificance,
    ShapeModel,
    Timing,
    TrackChi2,
)

from .seen import SEED, TakenRun, collided, rows_of

CLEAN, PLANTED = 350549, 350558
# Of a run of the season readings of so many lumisections were kept, one every so many seconds.
KEPT, EVERY = 24, 3
Rng = np.random.Generator
# The first run of the season that these systems know; a detector ages from there on.
BORN, AGED = 348_001, 350_600
# Inverse nanobarn of a lumisection, as it mostly has.
USUAL = 90.0


@dataclass(frozen=True)
class Plan:
    """A system and its recipe.

    defect : what the expert records in the runs before. draw : the histograms of a run with something wrong in some
        lumisections, which of the things that can be wrong being a matter of luck. planted : in run 350558.
    runs : so many before the demo's own are learned from, and of each the first `length` lumisections.
    limit : what they can prove. faults, longest : stretches of a run that are bad on average, and their lumisections.
    steepness : their number goes with this power of luminosity; 0 where faults do not care.
    detectors : parameters by name, of those that would learn for long. settings : others of TRAINING_RECIPE.
    """

    recipe: str
    why: str
    defect: str
    draw: Callable[[TakenRun, LumiSet, Rng], list[HistogramBlock]]
    planted: LumiSet
    runs: int = 20
    length: int = 1_000
    limit: float = 0.1
    faults: float = 1.6
    longest: int = 9
    steepness: float = 0.0
    settings: Mapping[str, Any] = field(default_factory=dict)
    detectors: Mapping[str, Any] = field(default_factory=dict)

    def faults_of(self, run: TakenRun) -> float:
        """Stretches of this run that are bad on average."""
        return self.faults * float((np.mean(run.recorded) / USUAL) ** self.steepness)

    @property
    def quick(self) -> dict[str, Any]:
        """What shortens a training, as settings of TRAINING_RECIPE."""
        found = dict(self.settings)
        if self.detectors:
            made = BY_NAME[self.recipe].config["detectors"]
            found["detectors"] = [one | {"parameters": self.detectors.get(one["name"], {})} for one in made]
        return found


@dataclass(frozen=True)
class Seen:
    """Lumisections of a run, a state of the detector that differs from run to run, and what is wrong where."""

    run: TakenRun
    where: LumiSet
    wobble: float = 1.0
    conditions: Conditions = field(init=False)
    state: DetectorState = field(init=False)
    dice: Rng = field(init=False)

    def __post_init__(self) -> None:
        conditions = collided(self.run)
        dice = np.random.default_rng([SEED, self.run.number, 6])
        state = DetectorState.nominal(conditions).jittered(conditions, dice, size=self.wobble)
        # They are too young to be aged by what a run delivers.
        state = replace(state, dose=np.zeros(len(conditions)))
        for name, value in (("conditions", conditions), ("dice", dice), ("state", state)):
            object.__setattr__(self, name, value)

    @property
    def rows(self) -> Any:
        return rows_of(self.conditions, self.where)

    def shape(
        self,
        model: ShapeModel,
        *faults: ShapeFault,
        state: DetectorState | None = None,
        filled: DetectorState | None = None,
    ) -> HistogramBlock:
        """`filled` : the state in which the lumisections with a fault are."""
        state = state or self.state
        expected = model.expected(self.conditions, state=state)
        if filled is not None:
            expected[self.rows] = model.expected(self.conditions, state=filled)[self.rows]
        for fault in faults:
            expected = fault.apply(expected, self.rows, self.dice)
        return model.draw(self.conditions, self.dice, expected=expected, state=state)

    def map(self, model: OccupancyModel, *faults: MapFault) -> HistogramBlock:
        expected = model.expected(self.conditions)
        for fault in faults:
            expected = fault.apply(expected, self.rows, self.dice)
        return model.draw(self.conditions, self.dice, expected=expected)


def axis(name: str, low: float, high: float, *, label: str, unit: str = "", bins: int = 30) -> Axis:
    return Axis.regular(name, bins, low, high, label=label, unit=unit)


def around(element: str, eta: int, phi: int, *, rate: float = 0.0006, group: str = "") -> OccupancyModel:
    """A map of `eta` places along the beam and `phi` around it."""
    axes = (
        axis("eta", 0.0, 1.2, label="pseudorapidity", bins=eta),
        Axis.regular("phi", phi, -np.pi, np.pi, label="azimuth", unit="rad", circular=True),
    )
    profile = np.repeat(1.2 - 0.4 * axes[0].centres[:, None] / 1.2, phi, axis=1)
    geometry = Geometry(
        element, axes, profile / profile.mean(), np.zeros((eta, phi)), 12 * rate, rate, (2, 2), group
    )  # fmt: skip
    return OccupancyModel(geometry, gain_spread=0.05, random_state=SEED)


def part(model: OccupancyModel, luck: Rng, high: int, wide: int) -> Any:
    """A region of a map, anywhere."""
    mask = np.zeros(model.geometry.bins, dtype=bool)
    eta, phi = (int(luck.integers(0, bins - size + 1)) for bins, size in zip(mask.shape, (high, wide), strict=True))
    mask[eta : eta + high, phi : phi + wide] = True
    return mask


# --- what is seen ---------------------------------------------------------------------------------------------------


def missing_momentum(run: TakenRun, where: LumiSet, luck: Rng) -> list[HistogramBlock]:
    """Significance and soft term go together in a noisy run, which is no fault; a fault moves one of them alone."""
    seen = Seen(run, where)
    significance = MetSignificance(
        element="MET/significance", axis=axis("significance", 0.0, 30.0, label="significance of missing momentum")
    )
    soft = ClusterCharge(
        element="MET/softTerm", axis=axis("soft", 0.0, 80.0, label="soft term", unit="GeV"), physics_object="met",
        most_probable=22.0,
    )  # fmt: skip
    if luck.random() < 0.5:
        noisy = replace(seen.state, material=seen.state.material * 3.0)
        return [seen.shape(significance, filled=noisy), seen.shape(soft)]
    return [seen.shape(significance), seen.shape(soft, ChargeScaleStep(axis=soft.axis, size=0.06))]


def objects_of_the_trigger(run: TakenRun, where: LumiSet, luck: Rng) -> list[HistogramBlock]:
    """What the high-level trigger makes of tracks, calorimeter and muons; one of them is wrong."""
    seen = Seen(run, where)
    models: tuple[ShapeModel, ...] = (
        TrackChi2(element="HLT/Tracks/chi2", axis=axis("chi2", 0.0, 6.0, label="chi-square per degree of freedom")),
        Timing(
            element="HLT/Calo/time", axis=axis("time", -10.0, 10.0, label="time of clusters", unit="ns"),
            physics_object="electrons and photons",
        ),
        ClusterCharge(
            element="HLT/Muons/charge", axis=axis("charge", 0.0, 80_000.0, label="charge on muon tracks", unit="e"),
            physics_object="muons",
        ),
    )  # fmt: skip
    # Of run 350558 the muons are wrong.
    wrong = 2 if run.number == PLANTED else int(luck.integers(3))
    faults: tuple[ShapeFault, ...] = (
        ChargeScaleStep(axis=models[0].axis, size=0.06),
        TimingJump(axis=models[1].axis, size=0.5),
        GainShift(axis=models[2].axis, size=-0.35, share=0.3),
    )
    return [seen.shape(model, *([faults[place]] if place == wrong else [])) for place, model in enumerate(models)]


def gas(run: TakenRun, where: LumiSet, luck: Rng) -> list[HistogramBlock]:
    """Straws: charge, drift time and quality of tracks. Another mixture has another gain and another drift velocity."""
    seen = Seen(run, where)
    charge = ClusterCharge(
        element="TRT/charge", axis=axis("charge", 0.0, 80_000.0, label="charge on straws", unit="e"),
        physics_object="tracks",
    )  # fmt: skip
    time = Timing(
        element="TRT/driftTime", axis=axis("time", -10.0, 10.0, label="drift time about its mean", unit="ns"),
        physics_object="tracks", resolution=2.0,
    )  # fmt: skip
    chi2 = TrackChi2(element="TRT/chi2", axis=axis("chi2", 0.0, 6.0, label="chi-square per degree of freedom"))
    much = float(luck.uniform(0.6, 1.0))
    return [
        seen.shape(charge, ChargeScaleStep(axis=charge.axis, size=0.06, strength=much)),
        seen.shape(time, TimingJump(axis=time.axis, size=0.4, strength=much)),
        seen.shape(chi2),
    ]


def pulses(run: TakenRun, where: LumiSet, luck: Rng) -> list[HistogramBlock]:
    """The current of a pulsed magnet, a reading every three seconds; too low, or noisy. Of the runs before, the
    beginning was kept only."""
    seen = Seen(run, where)
    drawn = slow_control.slow_control(run.number, runs=1, length=len(run.recorded)).block
    (second,) = drawn.axes
    readings, wrong = np.array(drawn.counts[seen.conditions.lumisection - 1, ::EVERY]), seen.rows
    idle = slow_control.IDLE * slow_control.CURRENT
    if luck.random() < 0.5:
        readings[wrong] = idle + 0.75 * (readings[wrong] - idle)
    else:
        noise = seen.dice.normal(0.0, 0.08 * slow_control.CURRENT, readings[wrong].shape)
        readings[wrong] = np.maximum(readings[wrong] + noise, 0.0)
    along = Axis("second", second.edges[::EVERY], label="time in the lumisection", unit="s")
    block = HistogramBlock("LUMI/steering/current", (along,), readings.astype(np.float32), seen.conditions)
    return [block if run.number in (CLEAN, PLANTED) else block.select(seen.conditions.lumisection <= KEPT)]


def endcap(run: TakenRun, where: LumiSet, luck: Rng) -> list[HistogramBlock]:
    """An end-cap in 10 x 10 regions, and when their hits come: a sector sees a part of them, or its clock is late."""
    seen = Seen(run, where)
    whole = endcap_towers()
    profile = whole.profile.reshape(10, 2, 10, 2).sum(axis=(1, 3))
    there = profile > 0
    geometry = replace(
        whole, element="TGC/EA/occupancy", axes=tuple(each.rebin(2) for each in whole.axes),
        profile=np.where(there, profile / profile[there].mean(), 0.0), exposure=np.zeros((10, 10)),
        physics_object="muons",
    )  # fmt: skip
    model = OccupancyModel(geometry, gain_spread=0.07, random_state=SEED)
    wide = sector(geometry, int(luck.integers(SECTORS)))
    late = bool(luck.random() < 0.5)
    occupancy = seen.map(model, *([] if late else [MapFault("a sector sees a part", wide, 0.5)]))
    shift = np.zeros(occupancy.counts.shape)
    if late:
        shift[np.ix_(seen.rows, *(range(10),) * 2)] = 1.0 * wide
    clock = ClockModel(geometry, timed=0.2, random_state=SEED)
    return [occupancy, clock.draw(occupancy, seen.dice, shift=shift)]


def strips(run: TakenRun, where: LumiSet, luck: Rng) -> list[HistogramBlock]:
    """Silicon that ages: the charge falls from week to week, and a crate may be missing."""
    seen = Seen(run, where)
    charge = ClusterCharge(
        element="SCT/Barrel/charge", axis=axis("charge", 0.0, 80_000.0, label="cluster charge", unit="e")
    )
    age = np.clip((run.number - BORN) / (AGED - BORN), 0.0, 1.0)
    aged = replace(seen.state, gain=seen.state.gain * (1.0 - 0.05 * age))
    model = around("SCT/Barrel/occupancy", 8, 12, group="tracks")
    lost = TruncatedHistogram(axis=charge.axis, fraction=0.4, strength=0.15)
    return [
        seen.shape(charge, lost, state=aged),
        seen.map(model, MapFault("a crate is missing", part(model, luck, 4, 3), 0.7)),
    ]


def chambers(run: TakenRun, where: LumiSet, luck: Rng) -> list[HistogramBlock]:
    """Resistive plates: chambers at stand-by voltage see half."""
    seen = Seen(run, where)
    model = around("RPC/BA/occupancy", 8, 12, group="muons")
    return [seen.map(model, MapFault("chambers at stand-by voltage", part(model, luck, 3, 3), 0.5))]


def photons(run: TakenRun, where: LumiSet, luck: Rng) -> list[HistogramBlock]:
    """Candidates of photons: a hot cell fakes more."""
    seen = Seen(run, where)
    model = around("EGAMMA/photons/etaPhi", 8, 8, group="electrons and photons")
    return [seen.map(model, Excess("hot cell", part(model, luck, 2, 2), 1.0, times=2.0))]


def tags(run: TakenRun, where: LumiSet, luck: Rng) -> list[HistogramBlock]:
    """How many spreads tracks pass by the vertex: more of them where the innermost layer is missing."""
    seen = Seen(run, where)
    model = Timing(
        element="BTAG/impactSignificance", physics_object="jets",
        axis=axis("significance", -10.0, 10.0, label="significance of the impact parameter"),
    )  # fmt: skip
    return [seen.shape(model, ChargeScaleStep(axis=model.axis, size=-0.2, strength=float(luck.uniform(0.6, 1.0))))]


def jets(run: TakenRun, where: LumiSet, luck: Rng) -> list[HistogramBlock]:
    """Energy and time of jets, the energy measured the worse the more luminosity there is; a hot tower fakes jets of
    one energy."""
    seen = Seen(run, where)
    energy = ClusterCharge(
        element="JET/energy", axis=axis("energy", 0.0, 200.0, label="energy of jets", unit="GeV"),
        physics_object="jets", most_probable=60.0,
    )  # fmt: skip
    time = Timing(
        element="JET/time", axis=axis("time", -10.0, 10.0, label="time of jets", unit="ns"), physics_object="jets"
    )
    much = seen.conditions.luminosity / USUAL
    smeared = replace(seen.state, gain=seen.state.gain * (1.0 + 0.006 * much**2 * seen.dice.standard_normal(len(much))))
    hot = Spike(axis=energy.axis, bin=int(luck.integers(16, 24)), share=0.03, strength=float(luck.uniform(0.7, 1.0)))
    return [seen.shape(energy, hot, state=smeared), seen.shape(time)]


PLANS: Final[dict[str, Plan]] = {
    "MET": Plan(
        "elements-together", "A noisy run moves significance and sum together; only one of them alone is a fault.",
        "MET_Ex_largeshift", missing_momentum, LumiSet.parse("45-58"),
    ),
    "TRIG_HLT": Plan(
        "channels", "Whoever is called at night wants to know which object it is.",
        "TRIG_HLT_OBJECT_WRONG", objects_of_the_trigger, LumiSet.parse("70-83"),
        settings={"classifier_parameters": {"members": 1}},
    ),
    "TRT": Plan(
        "quality-classes", "A gas detector, as the one that this is known from.",
        "TRT_BADGAS", gas, LumiSet.parse("30-43"),
        settings={"classifier_parameters": {"n_estimators": 60, "folds": 2}},
    ),
    "LUMI": Plan(
        "pulses", "A current that repeats its cycle is no shape: the next reading follows from those before.",
        "LUMI_STEERING_PULSE", pulses, LumiSet.parse("90-99"),
        length=KEPT, longest=8, runs=26, settings={"shares": [0.4, 0.3, 0.1, 0.2]},
        detectors={"pulses": {"ahead": 7, "rounds": 2}},
    ),
    "TGC": Plan(
        "endcaps", "All chambers of a ring see the same collisions, so they know each other best.",
        "TGC_EA_SECTOR_BAD", endcap, LumiSet.parse("50-63"),
    ),
    "SCT": Plan(
        "adaptive-reference", "Sensors age from week to week, and so must what they are held against.",
        "SCT_CRATE_OUT", strips, LumiSet.parse("100-111"),
    ),
    "RPC": Plan(
        "factors", "Chambers are switched in groups, of which good maps are sums.",
        "RPC_BA_STANDBY_HV", chambers, LumiSet.parse("20-33"),
    ),
    "EGAMMA": Plan(
        "map-autoencoder", "Hot cells turn up anywhere; what a good map looks like can be learned.",
        "EGAMMA_B_SEVERE_HOTSPOT", photons, LumiSet.parse("110-123"), detectors={"conv_autoencoder": {"epochs": 8}},
    ),
    "BTAG": Plan(
        "no-labels", "Little has gone wrong so far that one could learn from; whatever is odd is to be looked at.",
        "BTAG_LAYER0_LOSS", tags, LumiSet.parse("64-77"), runs=40,
    ),
    "JET": Plan(
        "flat-in-luminosity", "Towers turn hot where luminosity is high; a list must not choose luminosity by that.",
        "JET_SEVERE_HOTSPOT", jets, LumiSet.parse("75-88"),
        runs=40, steepness=2.0, settings={"classifier_parameters": {"epochs": 6}},
    ),
}  # fmt: skip


def shown(code: str, run: TakenRun) -> list[HistogramBlock]:
    """In the demo's own runs: nothing wrong in 350549, and in 350558 what is planted."""
    plan = PLANS[code]
    luck = np.random.default_rng([SEED, list(PLANS).index(code), 7])
    return plan.draw(run, plan.planted if run.number == PLANTED else LumiSet(), luck)
