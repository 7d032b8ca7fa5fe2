"""The twenty families of defects that are planted: what each is called, whom it hurts, where it can be seen.

Names follow the conventions of ATLAS; causes and sizes are our own choice of what happens in large experiments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from . import map_faults, shape_faults
from .elements import GLOBAL, Element
from .faults import Fault, Flickering, LongTail, LostEntries, RateFactor, window
from .maps import OccupancyModel
from .rates import ELEMENT as RATES
from .shapes import ShapeModel

#: makes the fault of one element: (element, None for the rates; strength; lumisections that it lasts; generator that
#: chooses the place)
Builder = Callable[["Element | None", float, int, np.random.Generator], Fault]
SHORT, TO_END, MULTI_RUN = "short", "to end of run", "multi-run"


@dataclass(frozen=True)
class Family:
    """A kind of defect.

    Parameters
    ----------
    name : as in a defect database.
    system : who answers for it. `spoils` : the systems whose data are bad while it lasts (its own, and others).
    intolerable : whether data with it are bad; the others are recorded and tolerated.
    effects : how it shows, by element; these are the elements in which it can be seen.
    durations : which of short, to end of run and multi-run it can be.
    weight : how often it comes, relative to the others.
    unseen : held out of training and calibration.
    strengths : lowest and highest strength.
    """

    name: str
    system: str
    description: str
    effects: dict[str, Builder] = field(default_factory=dict)
    spoils: tuple[str, ...] = ()
    intolerable: bool = True
    durations: tuple[str, ...] = (SHORT, TO_END, MULTI_RUN)
    weight: float = 1.0
    unseen: bool = False
    strengths: tuple[float, float] = (0.02, 1.0)

    @property
    def visible(self) -> tuple[str, ...]:
        """Names of the elements in which it can be seen."""
        return tuple(self.effects)


def _map(build: Callable[[OccupancyModel, float, int, np.random.Generator], Fault]) -> Builder:
    def make(element: Element | None, strength: float, length: int, rng: np.random.Generator) -> Fault:
        assert element is not None
        assert isinstance(element.model, OccupancyModel)
        return build(element.model, strength, length, rng)

    return make


def _window(size: tuple[int, int], *, half: int = 0, lost: float = 1.0) -> Builder:
    """A window of a map loses `lost` times the strength of its counts."""
    return _map(
        lambda model, s, _, rng: map_faults.MapFault("window", window(model.geometry, rng, size, half=half), lost * s)
    )


def _trip(model: OccupancyModel, strength: float, length: int, rng: np.random.Generator) -> Fault:
    mask = window(model.geometry, rng, model.geometry.module, half=1)
    return map_faults.Trip("voltage trip", mask, strength, recovery=max(length / 2.5, 1.5))


def _shape(kind: type[shape_faults.ShapeFault], **settings: float) -> Builder:
    def make(element: Element | None, strength: float, length: int, rng: np.random.Generator) -> Fault:
        assert element is not None
        assert isinstance(element.model, ShapeModel)
        return kind(axis=element.model.axis, strength=strength, **settings)

    return make


def _rates(items: tuple[str, ...], times: float, passed: float = 1.0) -> Builder:
    return lambda element, strength, length, rng: RateFactor(items=items, times=times, strength=strength, passed=passed)


_LOST, _TAIL, _JUMP = LostEntries, LongTail, shape_faults.TimingJump
_SCALE, _GAIN, _CUT = shape_faults.ChargeScaleStep, shape_faults.GainShift, shape_faults.TruncatedHistogram
_NOISE = _map(
    lambda model, s, _, rng: map_faults.Flicker("burst", window(model.geometry, rng, (17, 24), half=1), s, times=2.5)
)
_HOT = _map(lambda model, s, _, rng: map_faults.hot_tower(model.geometry, rng, strength=s, times=25.0))
_LAYER = _map(lambda model, s, _, rng: map_faults.layer_efficiency(model.geometry, rng, strength=0.95 * s))

FAMILIES: tuple[Family, ...] = (
    Family(
        "LAR_EMBA_HVTRIP", "ECAL", "A high-voltage line of half barrel A tripped and recovers.",
        {"EcalBarrel/occupancy": _map(_trip), "EcalBarrel/amplitude": _shape(_GAIN, size=-0.5, share=0.15)},
        ("ECAL",), durations=(SHORT, TO_END), weight=1.6,
    ),
    Family(
        "LAR_NOISEBURST", "ECAL", "A burst of coherent noise in the calorimeter.",
        {
            "EcalBarrel/occupancy": _NOISE, "EcalBarrel/pulseChi2": _shape(Flickering, share=0.5),
            "EcalBarrel/cellsPerEvent": _shape(Flickering, share=0.15, reach=0.8),
            "JetMET/METSig": _shape(Flickering, share=0.12, reach=0.5),
        },
        ("ECAL", "JETMET"), durations=(SHORT,), weight=1.6,
    ),
    Family(
        "LAR_FEB_MISSING", "ECAL", "A front-end board sends nothing.",
        {"EcalBarrel/occupancy": _window((8, 4)), "EcalBarrel/cellsPerEvent": _shape(_SCALE, size=0.02)},
        ("ECAL",),
    ),
    Family(
        "LAR_MINBOFF", "ECAL", "A crate of half a supermodule is off.",
        {
            "EcalBarrel/occupancy": _window((17, 2)), "EcalEndcap/time": _shape(_LOST, share=0.25),
        },
        ("ECAL", "JETMET"), unseen=True,
    ),
    Family(
        "TILE_LBA_MODULE_OFF", "HCAL", "A module of long barrel A is off; its neighbours cover for it.",
        {"Hcal/occupancyDepth1": _window((16, 1), half=1)},
        ("HCAL",), intolerable=False,
    ),
    Family(
        "TILE_LBC_TIMING", "HCAL", "Modules of long barrel C lost their timing.",
        {
            "HcalBarrel/time": _shape(_JUMP, size=5.0), "HcalBarrel/pulseChi2": _shape(_GAIN, size=0.8, share=0.5),
            "JetMET/jetTime": _shape(_JUMP, size=0.6),
        },
        ("HCAL", "JETMET"), weight=1.5,
    ),
    Family(
        "PIXEL_BARREL_DISABLED", "PIXEL", "A part of the barrel was disabled and tracks lose a measurement.",
        {
            "Pixel/BarrelLayer2/clusters": _window((32, 4)), "Pixel/BarrelLayer2/charge": _shape(_LOST, share=0.1),
            "Pixel/clustersPerEvent": _shape(_SCALE, size=0.05),
            "Tracking/chi2PerNdof": _shape(_GAIN, size=0.25, share=0.2),
        },
        ("PIXEL", "TRACKER"),
    ),
    Family(
        "PIXEL_DESYNC", "PIXEL", "A read-out driver is out of step: it repeats old events.",
        {
            "Pixel/BarrelLayer2/clusters": _window((8, 4)),
            "Pixel/BarrelLayer1/charge": _shape(shape_faults.DuplicatedEvents, distinct=400),
            "Pixel/residualChi2": _shape(_TAIL, share=0.15),
        },
        ("PIXEL",), durations=(SHORT, TO_END), weight=1.4,
    ),
    Family(
        "SCT_MOD_OUT", "TRACKER", "Modules of the strip tracker are out; the other layers suffice.",
        {"Strips/clustersPerEvent": _shape(_SCALE, size=0.03), "Strips/charge": _shape(_LOST, share=0.06)},
        ("TRACKER",), intolerable=False,
    ),
    Family(
        "SCT_ROD_BUSY", "TRACKER", "A read-out driver is busy and its fragments are cut short.",
        {"Strips/clustersPerEvent": _shape(_SCALE, size=0.1), "Strips/charge": _shape(_CUT, fraction=0.35)},
        ("TRACKER",), unseen=True,
    ),
    Family(
        "TRT_GAIN_SHIFT", "TRACKER", "The gas gain shifted.",
        {"Trt/charge": _shape(_SCALE, size=0.2)}, ("TRACKER",), intolerable=False,
    ),
    Family(
        "MDT_SECTOR_OFF", "MUON", "A sector of the drift tubes is off.",
        {
            "DriftTubes/MB2/occupancy": _window((12, 12)), "DriftTubes/charge": _shape(_LOST, share=0.2),
            "Muons/hitsPerEvent": _shape(_SCALE, size=0.06),
        },
        ("MUON",),
    ),
    Family(
        "RPC_STANDBY", "MUON", "Resistive-plate chambers were left at stand-by voltage.",
        {"Rpc/time": _shape(_LOST, share=0.7), "Muons/chi2PerNdof": _shape(_GAIN, size=0.3, share=0.15)},
        ("MUON",), unseen=True,
    ),
    Family(
        "TGC_LAYER_HV", "MUON", "A layer is at reduced high voltage: 70% efficient, or nearly off.",
        {"DriftTubes/MB2/occupancy": _LAYER, "DriftTubes/charge": _shape(_GAIN, size=-0.4, share=0.15)},
        ("MUON",), weight=1.3,
    ),
    Family(
        "TRIG_HLT_PRESCALE_WRONG", "TRIG", "A wrong prescale was loaded in the high-level trigger.",
        {RATES: _rates(("HLT_mu26_iso", "HLT_2mu6_bJpsi", "HLT_xe110"), 0.1)}, ("TRIG",),
    ),
    Family(
        "TRIG_L1_CAL_HOT", "TRIG", "A hot tower floods the level-1 calorimeter trigger.",
        {
            RATES: _rates(("L1_EM3", "L1_EM22VHI", "L1_TAU60"), 4.0, passed=0.1), "EcalBarrel/occupancy": _HOT,
            "Trigger/L1Calo/towersPerEvent": _shape(_TAIL, share=0.05),
            "Trigger/L1Calo/time": _shape(_TAIL, share=0.2, reach=1.5),
        },
        ("TRIG",), unseen=True,
    ),
    Family(
        "LUMI_VDM", GLOBAL, "The beams were moved across each other on purpose; known from the machine.", durations=(),
        weight=0.0,
    ),
    Family(
        "GLOBAL_BUSY", GLOBAL, "The read-out was held up for most of the lumisection.", spoils=("TRIG",),
        durations=(SHORT,), strengths=(0.3, 1.0),
    ),
    Family(
        "ID_BS_SHIFT", "TRACKER", "The beam spot moved and the constants did not follow.",
        {
            "Tracking/vertexZ": _shape(_JUMP, size=45.0), "Tracking/chi2PerNdof": _shape(_GAIN, size=0.4, share=0.6),
            "Pixel/residualChi2": _shape(_GAIN, size=0.4, share=0.5),
        },
        ("TRACKER", "PIXEL"),
    ),
    Family(
        "GLOBAL_SOLENOID_OFF", GLOBAL, "The solenoid was off: no track momenta in the inner detector.",
        {
            "Tracking/chi2PerNdof": _shape(_GAIN, size=1.2, share=0.7),
            "Strips/clustersPerEvent": _shape(_SCALE, size=0.25), "Pixel/clustersPerEvent": _shape(_SCALE, size=0.15),
            "Muons/chi2PerNdof": _shape(_GAIN, size=0.8, share=0.5), "JetMET/TrackMETSig": _shape(_TAIL, share=0.6),
            "Pixel/residualChi2": _shape(_GAIN, size=0.8, share=0.5),
        },
        ("PIXEL", "TRACKER", "MUON", "JETMET"), durations=(TO_END,), weight=0.5, strengths=(1.0, 1.0),
    ),
)  # fmt: skip
BY_NAME = {family.name: family for family in FAMILIES}
