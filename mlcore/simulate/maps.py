"""Occupancy maps of detectors that never existed: how many hits each channel gives under given conditions.

expected = events x (alpha + beta x pile-up) x profile x gain of the channel x age; counts are Poisson around it, or
clustered where a detector reads out whole regions. The barrel and endcaps are scaled to what the deployed monitoring of
the CMS ECAL corrects for (arXiv:2309.10157 and its code): 391,987 + 9,087.3 x pile-up hits in 500 events of the barrel,
which is about 350 per tower at a pile-up of 50.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from mlcore.conditions import BoolArray, Conditions, FloatArray
from mlcore.errors import ShapeError
from mlcore.histograms import Axis, HistogramBlock

SECONDS_PER_YEAR = 365.25 * 86400.0
GAIN_SPREAD = 0.12


@dataclass(frozen=True, eq=False)
class Geometry:
    """Which channels a map has and how busy they are.

    Parameters
    ----------
    element : path of the monitoring element.
    axes : the axes of the map.
    profile : (*bins) relative rate of each channel, mean 1 over those that exist, 0 where there is none.
    exposure : (*bins) from 0 to 1, how much dose a channel takes relative to the worst; ageing is proportional to it.
    alpha, beta : hits per existing channel and event at no pile-up, and per unit of pile-up.
    module : bins of one readout unit (a supermodule) along the first two axes.
    physics_object : the group in which errors are reported.
    """

    element: str
    axes: tuple[Axis, ...]
    profile: FloatArray
    exposure: FloatArray
    alpha: float
    beta: float
    module: tuple[int, int] = (1, 1)
    physics_object: str = ""

    def __post_init__(self) -> None:
        shape = tuple(axis.bins for axis in self.axes)
        if self.profile.shape != shape or self.exposure.shape != shape:
            raise ShapeError(f"{self.element}: profile and exposure must have the shape of the axes, {shape}.")

    @property
    def bins(self) -> tuple[int, ...]:
        return tuple(axis.bins for axis in self.axes)

    @property
    def exists(self) -> BoolArray:
        """(*bins) channels that are there."""
        return np.asarray(self.profile > 0)


def _phi(bins: int) -> Axis:
    return Axis.regular("phi", bins, -np.pi, np.pi, label="azimuth", unit="rad", circular=True)


def _normalised(profile: FloatArray) -> FloatArray:
    there = profile > 0
    return np.asarray(np.where(there, profile / profile[there].mean(), 0.0))


def ecal_barrel(*, cells: bool = False) -> Geometry:
    """34 x 72 towers in (eta, phi), or its 170 x 360 cells. 36 supermodules of 17 x 4 towers (85 x 20 cells)."""
    fine = 5 if cells else 1
    axes = (Axis.regular("eta", 34 * fine, -1.479, 1.479, label="pseudorapidity"), _phi(72 * fine))
    eta = axes[0].centres[:, None] * np.ones(axes[1].bins)
    # Rises outwards, with the four modules of a supermodule separated by slightly dimmer cracks.
    tower = np.abs(eta) / 0.087
    crack = sum(np.exp(-(((tower - edge) / 0.8) ** 2)) for edge in (0.0, 5.0, 9.0, 13.0))
    profile = _normalised((1.0 + 0.3 * (np.abs(eta) / 1.479) ** 2) * (1.0 - 0.04 * crack))
    per_channel = 1.0 / (2448 * fine**2 * 500)
    return Geometry(
        "EcalBarrel/occupancy" + ("_cells" if cells else ""),
        axes,
        profile,
        (np.abs(eta) / 1.479) ** 2,
        391_987 * per_channel,
        9087.3 * per_channel,
        (17 * fine, 4 * fine),
        "electrons and photons",
    )


def ecal_endcap(side: str = "+", *, cells: bool = False) -> Geometry:
    """20 x 20 towers in (x, y), or 100 x 100 cells; a ring: no corners, and a hole around the beam."""
    fine = 5 if cells else 1
    axes = tuple(Axis.regular(name, 20 * fine, 0.5, 100.5, label=f"crystal {name}") for name in ("x", "y"))
    x, y = np.meshgrid(axes[0].centres - 50.5, axes[1].centres - 50.5, indexing="ij")
    radius = np.hypot(x, y)
    there = (radius > 11.0) & (radius < 50.0)
    profile = _normalised(np.where(there, np.clip(radius / 50.0, 0.2, None) ** -0.9, 0.0))
    base, slope = (49_052.0, 2097.3) if side == "+" else (48_742.0, 2029.6)
    per_channel = 1.0 / (there.sum() * 500)
    return Geometry(
        f"EcalEndcap{side}/occupancy" + ("_cells" if cells else ""),
        axes,
        profile,
        np.where(there, (11.0 / np.maximum(radius, 11.0)) ** 1.5, 0.0),
        base * per_channel,
        slope * per_channel,
        (5 * fine, 5 * fine),
        "electrons and photons",
    )


def hadronic_calorimeter() -> Geometry:
    """64 x 72 towers in (eta, phi) by 7 depths. The barrel has 4 depths, the endcaps 7 with every second phi only
    beyond |eta index| 20 (their towers are twice as wide), the outermost 3 towers of each side 2."""
    axes = (
        Axis.regular("ieta", 64, -32.0, 32.0, label="tower in eta"),
        _phi(72),
        Axis.regular("depth", 7, 0.5, 7.5, label="depth"),
    )
    eta = np.abs(axes[0].centres)[:, None, None] * np.ones((64, 72, 7))
    depth = axes[2].centres[None, None, :] * np.ones((64, 72, 7))
    depths = np.where(eta < 16, 4, np.where(eta < 29, 7, 2))
    coarse = (eta > 20) & (np.arange(72)[None, :, None] % 2 == 1)
    there = (depth <= depths) & ~coarse
    profile = _normalised(np.where(there, np.exp(-0.35 * (depth - 1)) * (1 + (eta / 20) ** 2), 0.0))
    exposure = np.where(there, (eta / 32) ** 2 * np.exp(-0.5 * (depth - 1)), 0.0)
    return Geometry("Hcal/occupancy", axes, profile, exposure, 0.01, 0.0011, (8, 4), "jets")


def hadronic_barrel() -> Geometry:
    """The first depth of the barrel of the hadronic calorimeter, 32 x 72 towers; all are there. Read without zero
    suppression: a tower gives nearly the same number of hits in every event, whatever the pile-up."""
    axes = (Axis.regular("ieta", 32, -16.0, 16.0, label="tower in eta"), _phi(72))
    eta = np.abs(axes[0].centres)[:, None] * np.ones((32, 72))
    return Geometry(
        "HcalBarrel/digisDepth1", axes, _normalised(1.0 + 0.1 * (eta / 16) ** 2), (eta / 32) ** 2, 0.04, 0.0003,
        (8, 4), "jets",
    )  # fmt: skip


def muon_chamber(width: int = 60, *, station: int = 1, random_state: int = 0) -> Geometry:
    """12 layers x `width` wires (47 to 96). Layers are staggered, so some lack up to two wires at either end, and the
    last one there is covered in part only; hits fall with the station and lean to one side of the chamber."""
    if not 47 <= width <= 96:
        raise ShapeError(f"a chamber has from 47 to 96 wires per layer, not {width}.")
    rng = np.random.default_rng(np.random.SeedSequence(random_state))
    axes = (Axis.regular("layer", 12, 0.5, 12.5, label="layer"), Axis.regular("wire", width, 0.5, width + 0.5))
    wire = np.arange(width)
    profile = np.ones((12, 1)) * (1.0 + 0.25 * rng.uniform(-1, 1) * (2 * wire / (width - 1) - 1))
    left, right = rng.uniform(0, 2, 12)[:, None], width - rng.uniform(0, 2, 12)[:, None]
    covered = np.clip(wire + 1 - left, 0, 1) * np.clip(right - wire, 0, 1)
    profile = profile * covered * np.repeat([1.0, 0.8, 1.05], 4)[:, None]
    rate = (1.0, 0.7, 0.6, 0.8)[station - 1]
    return Geometry(
        f"DriftTubes/MB{station}/occupancy",
        axes,
        _normalised(profile),
        np.where(covered > 0, 0.2, 0.0),
        0.002 * rate,
        0.0009 * rate,
        (4, width),
        "muons",
    )


@dataclass(frozen=True)
class RegionReadout:
    """A detector that reads whole regions around what it found interesting, so hits come in clusters.

    share : fraction of the hits that come this way. hits : how many one region puts into each of its channels, on
    average and with a relative `spread` between regions. region : its size along the first two axes. A channel then
    varies 1 + share x hits x (1 + spread²) times more than Poisson.

    The defaults give what the real images of the ECAL barrel show that are in ../shared/data/cms_hist: 12 times the
    variance of Poisson at 290 hits per tower, correlations of 0.57 and 0.34 with the next and the second tower, and one
    tower in a thousand above 1.88 times what is usual there.
    """

    share: float = 0.9
    hits: float = 6.5
    spread: float = 1.0
    region: tuple[int, int] = (3, 3)


@dataclass(eq=False)
class OccupancyModel:
    """One monitoring element: conditions in, expected counts or a drawn block out.

    Parameters
    ----------
    geometry : channels and rates.
    gain_spread : width of the log-normal gains of the channels, fixed for the life of the detector.
    dead : number of channels that have been dead since ever and that everybody knows.
    ageing : share of its hits that the most exposed channel loses per year after `birth` (epoch seconds); no loss where
        the time is not known.
    readout : how hits cluster; None for independent hits.
    random_state : seed of the gains and dead channels.
    """

    geometry: Geometry
    gain_spread: float = GAIN_SPREAD
    dead: int = 0
    ageing: float = 0.0
    birth: float = 0.0
    readout: RegionReadout | None = None
    random_state: int = 0
    gains: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(np.random.SeedSequence(self.random_state))
        spread = self.gain_spread
        gains = rng.lognormal(-(spread**2) / 2, spread, self.geometry.bins)
        there = np.flatnonzero(self.geometry.exists)
        gains.flat[rng.choice(there, min(self.dead, there.size), replace=False)] = 0.0
        self.gains = gains

    def expected(self, conditions: Conditions) -> FloatArray:
        """(n, *bins) mean counts; NaN for lumisections whose events or pile-up are not known."""
        rate = self.geometry.alpha + self.geometry.beta * conditions.pileup
        shape = (-1, *([1] * len(self.geometry.bins)))
        counts = (conditions.events * rate).reshape(shape) * (self.geometry.profile * self.gains)
        if self.ageing:
            years = np.maximum(np.nan_to_num(conditions.time, nan=self.birth) - self.birth, 0.0) / SECONDS_PER_YEAR
            counts *= np.exp(np.log1p(-self.ageing) * years.reshape(shape) * self.geometry.exposure)
        return np.asarray(counts)

    def draw(
        self, conditions: Conditions, rng: np.random.Generator, *, expected: FloatArray | None = None
    ) -> HistogramBlock:
        """Throw the dice around what is expected (with faults, when `expected` is given): a block of float32 counts.
        Rows with an expectation of NaN become missing histograms."""
        mean = self.expected(conditions) if expected is None else expected
        if mean.shape != (len(conditions), *self.geometry.bins):
            raise ShapeError(f"{self.geometry.element}: expected counts have shape {mean.shape}, conditions differ.")
        known = np.asarray(np.isfinite(mean).reshape(len(mean), -1).all(axis=1))
        counts = np.full(mean.shape, np.nan, dtype=np.float32)
        lively = mean[known]
        if self.readout is not None and len(lively):
            healthy = self.expected(conditions.select(known))
            lively = np.asarray(lively * self._clusters(healthy, self.readout, rng))
        counts[known] = rng.poisson(lively)
        return HistogramBlock(
            self.geometry.element,
            self.geometry.axes,
            counts,
            conditions,
            physics_object=self.geometry.physics_object,
        )

    def _clusters(self, healthy: FloatArray, readout: RegionReadout, rng: np.random.Generator) -> FloatArray:
        """(n, *bins) factor of mean 1 by which the number of regions around a channel fluctuates. It follows the
        healthy expectation: a dead channel does not change collisions."""
        usual = readout.share * healthy.mean(axis=tuple(range(1, healthy.ndim))) / readout.hits
        plane = (len(healthy), *healthy.shape[1:3], *([1] * (healthy.ndim - 3)))
        size = region_sums(np.ones((1, *plane[1:])), self.geometry.axes, readout.region)
        rate = usual.reshape((-1, *([1] * (healthy.ndim - 1)))) / (readout.region[0] * readout.region[1])
        thrown = rng.poisson(rate, plane).astype(np.float64)
        if readout.spread:
            # The sum of n gamma-distributed sizes is gamma-distributed again.
            thrown = rng.standard_gamma(thrown / readout.spread**2) * readout.spread**2
        found = region_sums(thrown, self.geometry.axes, readout.region)
        excess = found / np.where(rate > 0, rate * size, 1.0) - (rate > 0)
        return np.asarray(1.0 + readout.share * excess)


def region_sums(values: npt.NDArray[Any], axes: tuple[Axis, ...], region: tuple[int, int]) -> FloatArray:
    """Sums over a window of `region` bins centred at each bin of the first two axes: (n, *bins) to the same. Circular
    axes wrap, others end."""
    summed: FloatArray = np.asarray(values, dtype=np.float64)
    for place, width in enumerate(region):
        mode = "wrap" if axes[place].circular else "constant"
        summed = ndimage.convolve1d(summed, np.ones(width), axis=place + 1, mode=mode)
    return summed
