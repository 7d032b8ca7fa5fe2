"""Endcaps of an electromagnetic calorimeter by towers: occupancy, and arrival times beside it; what breaks in either.

A tower is 5 x 5 crystals, of which those at the rims have few. Times are those of the hits that are large enough to be
timed, relative to when a particle from the collision should arrive. The study of N. Dev (CMS machine learning forum, 28
February 2018) has both kinds of images per lumisection, one for each endcap.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import ndtr

from mlcore.conditions import BoolArray, FloatArray
from mlcore.errors import MlcoreError
from mlcore.histograms import Axis, HistogramBlock

from .map_faults import MapFault
from .maps import Geometry, ecal_endcap

#: crystals of a tower along either axis
_CRYSTALS = 5
#: sectors of an endcap, one after the other in azimuth
SECTORS = 9


def endcap_towers(side: str = "+") -> Geometry:
    """20 x 20 towers, each the sum of those of its 25 crystals that exist: at the rims some have one only."""
    fine = ecal_endcap(side, cells=True)
    bins = fine.bins[0] // _CRYSTALS
    there = fine.exists
    shape = (bins, _CRYSTALS, bins, _CRYSTALS)
    summed = fine.profile.reshape(shape).sum(axis=(1, 3))
    dose = (fine.exposure * there).reshape(shape).sum(axis=(1, 3)) / np.maximum(crystals(side), 1)
    exists = summed > 0
    # Rates of a geometry are per existing channel, so that the endcap as a whole has the same number of hits.
    scale = float(there.sum() / exists.sum())
    profile = np.where(exists, summed / summed[exists].mean(), 0.0)
    return replace(
        fine, element=f"EcalEndcap{side}/occupancy", axes=tuple(axis.rebin(_CRYSTALS) for axis in fine.axes),
        profile=profile, exposure=dose, alpha=fine.alpha * scale, beta=fine.beta * scale, module=(1, 1),
    )  # fmt: skip


def crystals(side: str = "+") -> FloatArray:
    """(20, 20) how many crystals each tower has."""
    there = ecal_endcap(side, cells=True).exists
    bins = there.shape[0] // _CRYSTALS
    return np.asarray(there.reshape(bins, _CRYSTALS, bins, _CRYSTALS).sum(axis=(1, 3)), dtype=np.float64)


def sector(geometry: Geometry, number: int) -> BoolArray:
    """(*bins) towers whose centre lies in the sector of that number, from 0, in azimuth around the beam."""
    if not 0 <= number < SECTORS:
        raise MlcoreError(f"an endcap has sectors 0 to {SECTORS - 1}, not {number}.")
    x, y = np.meshgrid(*(axis.centres - axis.centres.mean() for axis in geometry.axes[:2]), indexing="ij")
    share = np.arctan2(y, x) / (2 * np.pi) % 1.0
    return np.asarray((np.floor(share * SECTORS).astype(int) == number) & geometry.exists)


def missing_endcap_sector(geometry: Geometry, rng: np.random.Generator, *, strength: float = 1.0) -> MapFault:
    """One of the nine sectors sees nothing, or that share less: it was missing for a part of the lumisection."""
    return MapFault("missing sector", sector(geometry, int(rng.integers(SECTORS))), strength)


@dataclass(eq=False)
class ClockModel:
    """When hits of each tower arrive: occupancy in, a block (n, *bins, time) of timed hits out.

    Parameters
    ----------
    geometry : the towers.
    timed : share of the hits that are large enough to be timed. offset, resolution : spread of the towers' usual times
        and of single hits, in ns. late : share of hits from neighbouring collisions, anywhere in the window.
    common : spread of what all towers have together in a lumisection, in ns.
    random_state : of the usual times.

    All figures are assumed; none is published with the images.
    """

    geometry: Geometry
    timed: float = 0.1
    offset: float = 0.3
    resolution: float = 2.5
    late: float = 0.03
    common: float = 0.1
    random_state: int = 0
    offsets: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        if not (0 < self.timed <= 1 and self.resolution > 0 and 0 <= self.late < 1):
            raise MlcoreError("clock: the share of timed hits lies above 0, a resolution is positive, late hits are a "
                              "share below 1.")  # fmt: skip
        rng = np.random.default_rng(np.random.SeedSequence(self.random_state))
        self.offsets = rng.normal(0.0, self.offset, self.geometry.bins)

    @property
    def axis(self) -> Axis:
        return Axis.regular("time", 25, -12.5, 12.5, label="time", unit="ns")

    def draw(
        self, occupancy: HistogramBlock, rng: np.random.Generator, *, shift: FloatArray | None = None
    ) -> HistogramBlock:
        """`shift` (n, *bins) ns by which the clock of each tower is wrong. What lies outside counts in the first and
        last bin, as in monitoring."""
        counts = np.asarray(occupancy.counts)
        n = rng.binomial(np.nan_to_num(counts).astype(np.int64), self.timed)
        centre = self.offsets + rng.normal(0.0, self.common, (len(counts), *([1] * len(self.geometry.bins))))
        centre = centre if shift is None else centre + shift
        edges = np.concatenate([[-np.inf], self.axis.edges[1:-1], [np.inf]])
        share = np.diff(ndtr((edges - centre[..., None]) / self.resolution), axis=-1)
        share = (1.0 - self.late) * share + self.late / self.axis.bins
        drawn = rng.multinomial(n, share / share.sum(axis=-1, keepdims=True)).astype(np.float32)
        drawn[np.isnan(counts)] = np.nan
        return HistogramBlock(
            occupancy.element.replace("/occupancy", "/time"), (*occupancy.axes, self.axis), drawn,
            occupancy.conditions, physics_object=occupancy.physics_object,
        )  # fmt: skip
