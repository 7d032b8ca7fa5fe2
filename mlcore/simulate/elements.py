"""What the invented detector monitors: seven systems, 4 maps and 30 histograms of 100 bins, and the trigger rates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from mlcore.histograms import Axis

from .maps import Geometry, OccupancyModel, ecal_barrel, hadronic_calorimeter, muon_chamber
from .shapes import ClusterCharge, ClusterMultiplicity, MetSignificance, ShapeModel, Timing, TrackChi2, VertexZ

SYSTEMS = ("ECAL", "HCAL", "PIXEL", "TRACKER", "MUON", "TRIG", "JETMET")
#: defects of the whole experiment belong here; the systems they spoil stand with the family
GLOBAL = "GLOBAL"


@dataclass(frozen=True, eq=False)
class Element:
    """A monitoring element: its path, the system that looks after it, and the model that fills it."""

    name: str
    system: str
    model: OccupancyModel | ShapeModel

    @property
    def is_map(self) -> bool:
        return isinstance(self.model, OccupancyModel)

    @property
    def axes(self) -> tuple[Axis, ...]:
        return self.model.geometry.axes if isinstance(self.model, OccupancyModel) else (self.model.axis,)


@cache
def elements() -> dict[str, Element]:
    """All elements by name, in the order of their systems. The gains of channels belong to the detector, not to a
    seed: the same detector takes data in every simulated year."""
    made = [
        *(Element(model.geometry.element, system, model) for system, model in _maps()),
        *(Element(model.element, system, model) for system, model in _shapes()),
    ]
    return {element.name: element for element in sorted(made, key=lambda element: SYSTEMS.index(element.system))}


def _maps() -> list[tuple[str, OccupancyModel]]:
    return [
        ("ECAL", OccupancyModel(ecal_barrel(), dead=5, random_state=11)),
        ("HCAL", OccupancyModel(_hcal_front(), gain_spread=0.10, dead=4, random_state=12)),
        ("PIXEL", OccupancyModel(_pixel_layer(), gain_spread=0.06, dead=9, random_state=13)),
        (
            "MUON",
            OccupancyModel(muon_chamber(72, station=2, random_state=5), gain_spread=0.05, dead=3, random_state=14),
        ),
    ]


def _hcal_front() -> Geometry:
    """The first depth of the hadronic calorimeter, 64 x 72."""
    whole = hadronic_calorimeter()
    front = whole.profile[:, :, 0]
    return Geometry(
        "Hcal/occupancyDepth1", whole.axes[:2], front / front[front > 0].mean(), whole.exposure[:, :, 0],
        whole.alpha, whole.beta, (8, 4), whole.physics_object,
    )  # fmt: skip


def _muon_wheel() -> Geometry:
    """The second station: the chambers of four wheels added up wire by wire."""
    chamber = muon_chamber(72, station=2, random_state=5)
    return replace(chamber, alpha=4 * chamber.alpha, beta=4 * chamber.beta)


def _pixel_layer() -> Geometry:
    """The second barrel layer: 64 read-out chips along the beam (8 modules of 8) on 28 ladders around it.

    Tracks cross the outer modules at a slant and leave more hits; ladders overlap, and every second lies further out.
    """
    axes = (
        Axis.regular("chip", 64, -32.0, 32.0, label="chip along the beam"),
        Axis.regular("ladder", 28, -np.pi, np.pi, label="azimuth of the ladder", unit="rad", circular=True),
    )
    z = axes[0].centres[:, None] / 32.0
    ladder = np.arange(28)
    gap = np.where(np.arange(64) % 8 == 0, 0.93, 1.0)[:, None]
    profile = (1.0 + 0.22 * z**2) * np.where(ladder % 2 == 0, 1.06, 0.94) * (1.0 + 0.03 * np.cos(axes[1].centres)) * gap
    exposure = np.broadcast_to(0.7 + 0.3 * z**2, (64, 28))
    return Geometry(
        "Pixel/BarrelLayer2/clusters",
        axes,
        profile / profile.mean(),
        np.array(exposure),
        alpha=0.004,
        beta=0.0035,
        module=(8, 1),
        physics_object="tracks",
    )


def _time(element: str, group: str, resolution: float, per_event: float, span: float = 10.0) -> Timing:
    axis = Axis.regular("time", 100, -span, span, unit="ns")
    return Timing(element=element, axis=axis, physics_object=group, resolution=resolution, per_event=per_event)


def _charge(
    element: str, group: str, peak: float, per_event: float, *, top: float, unit: str, lifetime: float
) -> ClusterCharge:
    axis = Axis.regular("charge", 100, 0.0, top, unit=unit)
    return ClusterCharge(
        element=element, axis=axis, physics_object=group, most_probable=peak, per_event=per_event, lifetime=lifetime
    )


def _count(element: str, group: str, top: float, per_collision: float, per_event: float) -> ClusterMultiplicity:
    axis = Axis.regular("entries", 100, 0.0, top)
    return ClusterMultiplicity(
        element=element, axis=axis, physics_object=group, per_collision=per_collision, per_event=per_event
    )


def _chi2(element: str, group: str, per_event: float, top: float = 6.0) -> TrackChi2:
    axis = Axis.regular("chi2/ndof", 100, 0.0, top)
    return TrackChi2(element=element, axis=axis, physics_object=group, per_event=per_event)


def _met(element: str, per_event: float, top: float) -> MetSignificance:
    axis = Axis.regular("significance", 100, 0.0, top)
    return MetSignificance(element=element, axis=axis, per_event=per_event)


def _shapes() -> list[tuple[str, ShapeModel]]:
    ecal, hcal, tracks, muons = "electrons and photons", "jets", "tracks", "muons"
    vertex = VertexZ(element="Tracking/vertexZ", per_event=14.0)
    of_system: dict[str, tuple[ShapeModel, ...]] = {
        "ECAL": (
            _time("EcalBarrel/time", ecal, 0.9, 18.0),
            _time("EcalEndcap/time", ecal, 1.3, 12.0),
            _charge("EcalBarrel/amplitude", ecal, 4.5, 16.0, top=20.0, unit="GeV", lifetime=3_000.0),
            _chi2("EcalBarrel/pulseChi2", ecal, 16.0),
            _count("EcalBarrel/cellsPerEvent", ecal, 6_000.0, 38.0, 8.0),
        ),
        "HCAL": (
            _time("HcalBarrel/time", hcal, 1.8, 12.0, 15.0),
            _time("HcalEndcap/time", hcal, 2.2, 10.0, 15.0),
            _charge("HcalBarrel/amplitude", hcal, 2.6, 14.0, top=12.0, unit="GeV", lifetime=3_500.0),
            _chi2("HcalBarrel/pulseChi2", hcal, 12.0),
            _count("HcalBarrel/cellsPerEvent", hcal, 3_000.0, 21.0, 8.0),
        ),
        "PIXEL": (
            _charge("Pixel/BarrelLayer1/charge", tracks, 22_000.0, 18.0, top=80_000.0, unit="e", lifetime=800.0),
            _charge("Pixel/BarrelLayer2/charge", tracks, 23_500.0, 16.0, top=80_000.0, unit="e", lifetime=1_500.0),
            _charge("Pixel/Endcap/charge", tracks, 23_000.0, 12.0, top=80_000.0, unit="e", lifetime=2_000.0),
            _count("Pixel/clustersPerEvent", tracks, 9_000.0, 58.0, 10.0),
            _chi2("Pixel/residualChi2", tracks, 16.0, 5.0),
        ),
        "TRACKER": (
            _charge("Strips/charge", tracks, 96.0, 20.0, top=320.0, unit="ADC", lifetime=3_000.0),
            _count("Strips/clustersPerEvent", tracks, 16_000.0, 100.0, 10.0),
            _charge("Trt/charge", tracks, 7.5, 14.0, top=24.0, unit="keV", lifetime=6_000.0),
            _chi2("Tracking/chi2PerNdof", tracks, 20.0),
            vertex,
        ),
        "MUON": (
            _time("DriftTubes/time", muons, 2.6, 8.0, 20.0),
            _time("Rpc/time", muons, 1.7, 6.0, 12.5),
            _charge("DriftTubes/charge", muons, 95.0, 8.0, top=300.0, unit="ADC", lifetime=9_000.0),
            _chi2("Muons/chi2PerNdof", muons, 6.0),
            _count("Muons/hitsPerEvent", muons, 900.0, 5.5, 6.0),
        ),
        "TRIG": (
            _time("Trigger/L1Calo/time", "level 1", 3.1, 10.0, 25.0),
            _count("Trigger/L1Calo/towersPerEvent", "level 1", 2_500.0, 16.0, 8.0),
        ),
        "JETMET": (
            _met("JetMET/METSig", 12.0, 30.0),
            _met("JetMET/TrackMETSig", 10.0, 24.0),
            _time("JetMET/jetTime", "jets", 1.4, 8.0),
        ),
    }
    return [(system, model) for system, models in of_system.items() for model in models]
