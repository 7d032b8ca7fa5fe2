"""What the demo's detector saw in a few runs: seven elements of three systems, drawn by mlcore.simulate.

In run 350479 they show what people recorded there: two front-end boards of half barrel A lost in 118-132 (and single
lumisections beside), a dip at 199, noise bursts in the endcap. The same counts every time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from certifier.lumi import LumiSet
from mlcore.conditions import Conditions
from mlcore.histograms import Axis, HistogramBlock
from mlcore.simulate.map_faults import Excess, MapFault
from mlcore.simulate.maps import Geometry, OccupancyModel
from mlcore.simulate.shape_faults import ShapeFault, Spike, TruncatedHistogram
from mlcore.simulate.shapes import ClusterCharge, ShapeModel, Timing, TrackChi2, VertexZ

from . import showcase, world

SEED: Final = 118_132
BINS: Final = 50
# Run 350479, its reference, and a few before and after. Of the reference only the beginning was processed.
RUNS: Final = (350310, 350329, 350361, 350440, world.SHOWCASE, 350531)
UP_TO: Final = {350440: 520}
EVENTS_PER_INV_NB: Final = 14.0
CORRUPT, EDGES, DIP = LumiSet.parse("118-132"), LumiSet.parse("117 133 717"), LumiSet.parse("199")
NOISE: Final = LumiSet.parse(showcase.NOISE_A)
SYSTEM_OF: Final = {
    "LAr/EMBA/cellEnergy": "LAR",
    "LAr/EMBA/cellTime": "LAR",
    "LAr/EMBA/pulseQuality": "LAR",
    "LAr/EMBA/occupancy": "LAR",
    "LAr/EMECA/cellTime": "LAR",
    "Pixel/BarrelLayer1/charge": "PIXEL",
    "InnerDetector/vertexZ": "ID",
}


def shapes_of_elements() -> tuple[ShapeModel, ...]:
    energy = Axis.regular("energy", BINS, 0.0, 20.0, label="cell energy", unit="GeV")
    time = Axis.regular("time", BINS, -12.0, 12.0, label="cell time", unit="ns")
    quality = Axis.regular("quality", BINS, 0.0, 6.0, label="pulse quality")
    charge = Axis.regular("charge", BINS, 0.0, 80_000.0, label="cluster charge", unit="e")
    z = Axis.regular("z", BINS, -250.0, 250.0, label="vertex along the beam", unit="mm")
    calo, tracks = "electrons and photons", "tracks"
    return (
        ClusterCharge(element="LAr/EMBA/cellEnergy", axis=energy, physics_object=calo, most_probable=4.5, lifetime=3e3),
        Timing(element="LAr/EMBA/cellTime", axis=time, physics_object=calo, resolution=1.4),
        TrackChi2(element="LAr/EMBA/pulseQuality", axis=quality, physics_object=calo, per_event=5.0),
        Timing(element="LAr/EMECA/cellTime", axis=time, physics_object=calo, resolution=1.9, per_event=4.0),
        ClusterCharge(element="Pixel/BarrelLayer1/charge", axis=charge, physics_object=tracks, most_probable=22_000.0),
        VertexZ(element="InnerDetector/vertexZ", axis=z),
    )


def occupancy_of_cells() -> OccupancyModel:
    """Cells of half barrel A in 14 x 16 regions; it grows dimmer outwards and has two regions that are always dead."""
    axes = (
        Axis.regular("eta", 14, 0.0, 1.4, label="pseudorapidity"),
        Axis.regular("phi", 16, -np.pi, np.pi, label="azimuth", unit="rad", circular=True),
    )
    profile = np.repeat(1.25 - 0.35 * axes[0].centres[:, None], 16, axis=1)
    geometry = Geometry(
        "LAr/EMBA/occupancy", axes, profile / profile.mean(), np.zeros((14, 16)), 0.012, 0.0006, (7, 4),
        "electrons and photons",
    )  # fmt: skip
    return OccupancyModel(geometry, gain_spread=0.05, dead=2, random_state=SEED)


def blocks(run: world.WorldRun) -> Iterator[HistogramBlock]:
    """The histograms of a run, where there were collisions to fill them."""
    last = min(run.last, UP_TO.get(run.number, run.last))
    events = run.recorded[:last] * EVENTS_PER_INV_NB
    rows = np.flatnonzero(events >= 1.0)
    conditions = Conditions(
        run=np.full(len(rows), run.number),
        lumisection=rows + 1,
        luminosity=run.recorded[rows],
        pileup=run.pileup[rows],
        events=events[rows],
    )
    rng = np.random.default_rng([SEED, run.number])
    for model in shapes_of_elements():
        expected = model.expected(conditions)
        for faulty, fault in _faults(run.number, model):
            expected = fault.apply(expected, _rows(conditions, faulty), rng)
        yield model.draw(conditions, rng, expected=expected)
    occupancy = occupancy_of_cells()
    expected = occupancy.expected(conditions)
    for faulty, broken in _broken(run.number, occupancy.geometry):
        expected = broken.apply(expected, _rows(conditions, faulty), rng)
    yield occupancy.draw(conditions, rng, expected=expected)


def _rows(conditions: Conditions, lumisections: LumiSet) -> npt.NDArray[np.intp]:
    return np.flatnonzero(lumisections.to_mask(int(conditions.lumisection.max()))[conditions.lumisection - 1])


def _faults(run: int, model: ShapeModel) -> list[tuple[LumiSet, ShapeFault]]:
    if run != world.SHOWCASE:
        return []
    axis = model.axis
    known: dict[str, list[tuple[LumiSet, ShapeFault]]] = {
        # Large signals of two boards are lost, and what they send instead piles up where their digits end.
        "LAr/EMBA/cellEnergy": [
            (CORRUPT, TruncatedHistogram(axis=axis, fraction=0.32, strength=0.75)),
            (CORRUPT, Spike(axis=axis, bin=29, share=0.06)),
            (EDGES, TruncatedHistogram(axis=axis, fraction=0.32, strength=0.12)),
            (DIP, TruncatedHistogram(axis=axis, fraction=0.1, strength=0.5)),
        ],
        "LAr/EMBA/cellTime": [
            (CORRUPT, TruncatedHistogram(axis=axis, fraction=0.56, strength=0.6)),
            (CORRUPT, Spike(axis=axis, bin=36, share=0.05)),
        ],
        "LAr/EMECA/cellTime": [(NOISE, Spike(axis=axis, bin=31, share=0.012))],
    }
    return known.get(model.element, [])


def _broken(run: int, geometry: Geometry) -> list[tuple[LumiSet, MapFault]]:
    if run != world.SHOWCASE:
        return []
    boards, stripe = np.zeros(geometry.bins, dtype=bool), np.zeros(geometry.bins, dtype=bool)
    boards[3:10, 9:12] = True
    stripe[3:10, 7] = True
    return [
        (CORRUPT, MapFault("two boards lost", boards, 0.92)),
        (CORRUPT, Excess("a board that repeats itself", stripe, 1.0, times=2.2)),
        (EDGES, MapFault("a few events lost", boards, 0.15)),
    ]
