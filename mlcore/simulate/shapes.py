"""One-dimensional histograms per lumisection: six quantities that every experiment looks at, with pile-up and drift.

Each model says what is expected and throws the dice last. The parent shape is a cumulative distribution; luminosity,
pile-up and the state of the detector move and stretch it, so that a whole year of lumisections is one interpolation.
Scale: 2,000 to 20,000 entries per histogram, as in arXiv:2501.19237, for 200 to 2,000 events per lumisection.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from mlcore.conditions import Conditions, FloatArray
from mlcore.errors import ShapeError
from mlcore.histograms import Axis, HistogramBlock

BINS = 100
#: What an unknown condition is taken to be.
USUAL_PILEUP, USUAL_EVENTS = 40.0, 1000.0


@dataclass(frozen=True, eq=False)
class DetectorState:
    """What changes slowly and is no defect, (n,) each.

    Parameters
    ----------
    dose : delivered luminosity before the lumisection in inverse femtobarn; charge collection falls with it.
    gain : factor on charges and amplitudes, 1 when perfectly calibrated.
    phase : clock phase in nanoseconds.
    beam_z, beam_width : centre and width of the luminous region along the beam in millimetres.
    material : factor on the number of noise-like entries (tails), 1 nominal.
    """

    dose: FloatArray
    gain: FloatArray
    phase: FloatArray
    beam_z: FloatArray
    beam_width: FloatArray
    material: FloatArray

    def __post_init__(self) -> None:
        lengths = {getattr(self, column.name).shape for column in fields(self)}
        if len(lengths) != 1:
            raise ShapeError(f"detector state: columns have shapes {sorted(lengths)}; give one value per lumisection.")

    @classmethod
    def nominal(cls, conditions: Conditions) -> DetectorState:
        """A detector that only ages: dose is the luminosity of the lumisections before, everything else nominal."""
        luminosity = np.nan_to_num(conditions.luminosity, nan=0.0)
        n = len(conditions)
        return cls(
            dose=(np.cumsum(luminosity) - luminosity) / 1e6,
            gain=np.ones(n),
            phase=np.zeros(n),
            beam_z=np.zeros(n),
            beam_width=np.full(n, 42.0),
            material=np.ones(n),
        )

    def jittered(self, conditions: Conditions, rng: np.random.Generator, *, size: float = 1.0) -> DetectorState:
        """The same with what differs from run to run and a little from lumisection to lumisection.

        Per run: gain 0.4%, phase 0.06 ns, beam position 1.5 mm and width 1.5%, tails 5%. Within a run a fifth of that,
        so that good lumisections of one run resemble each other. `size` scales all of it.
        """

        def wobble() -> FloatArray:
            _, place = np.unique(conditions.run, return_inverse=True)
            per_run = rng.standard_normal(int(place.max(initial=-1)) + 1)
            return np.asarray(size * (per_run[place] + 0.2 * rng.standard_normal(len(conditions))))

        return replace(
            self,
            gain=self.gain * (1 + 0.004 * wobble()),
            phase=self.phase + 0.06 * wobble(),
            beam_z=self.beam_z + 1.5 * wobble(),
            beam_width=self.beam_width * np.exp(0.015 * wobble()),
            material=self.material * np.exp(0.05 * wobble()),
        )


@dataclass(frozen=True, kw_only=True)
class ShapeModel(ABC):
    """One monitoring element of 100 bins. `per_event` entries in each event at pile-up 40."""

    element: str
    axis: Axis
    physics_object: str = ""
    per_event: float = 8.0
    #: how the number of entries grows with pile-up: rate = base + (1 - base) * pileup / 40
    base: float = 0.3

    @abstractmethod
    def cumulative(self, edges: FloatArray, pileup: FloatArray, state: DetectorState) -> FloatArray:
        """Probability below each edge, (n, edges)."""

    def entries(self, conditions: Conditions) -> FloatArray:
        """(n,) mean number of entries, flow included."""
        events = np.where(np.isnan(conditions.events), USUAL_EVENTS, conditions.events)
        return np.asarray(events * self.per_event * (self.base + (1 - self.base) * _pileup(conditions) / USUAL_PILEUP))

    def expected(self, conditions: Conditions, *, state: DetectorState | None = None) -> FloatArray:
        """(n, 100) mean counts. `state` is the nominal ageing detector when not given."""
        return self._expected(conditions, state)[0]

    def draw(
        self,
        conditions: Conditions,
        rng: np.random.Generator,
        *,
        expected: FloatArray | None = None,
        state: DetectorState | None = None,
    ) -> HistogramBlock:
        """Poisson counts around `expected` (with faults, when the caller put some in), flow around its own mean."""
        mean, flow = self._expected(conditions, state)
        counts = rng.poisson(mean if expected is None else expected)
        return HistogramBlock(
            element=self.element,
            axes=(self.axis,),
            counts=counts.astype(np.float32),
            conditions=conditions,
            flow=rng.poisson(flow)[:, None, :].astype(np.float64),
            physics_object=self.physics_object,
        )

    def _expected(self, conditions: Conditions, state: DetectorState | None) -> tuple[FloatArray, FloatArray]:
        known = DetectorState.nominal(conditions) if state is None else state
        below = self.cumulative(self.axis.edges, _pileup(conditions), known)
        entries = self.entries(conditions)[:, None]
        flow = np.column_stack([below[:, 0], 1 - below[:, -1]])
        return entries * np.maximum(np.diff(below, axis=1), 0.0), entries * np.maximum(flow, 0.0)


@dataclass(frozen=True, kw_only=True)
class MetSignificance(ShapeModel):
    """Missing-momentum significance: chi-square of two degrees of freedom widened by pile-up that the resolution does
    not know of, with a heavy tail of events with real missing momentum and noise."""

    element: str = "JetMET/METSig"
    axis: Axis = field(default_factory=lambda: Axis.regular("significance", BINS, 0.0, 30.0))
    physics_object: str = "met"
    per_event: float = 5.0
    base: float = 1.0

    def cumulative(self, edges: FloatArray, pileup: FloatArray, state: DetectorState) -> FloatArray:
        width = (1.0 + 0.15 * (pileup - USUAL_PILEUP) / USUAL_PILEUP) * state.gain**2
        tail = (0.03 * state.material)[:, None]
        core = -np.expm1(-edges[None, :] / (2 * width[:, None]))
        return (1 - tail) * core - tail * np.expm1(-edges[None, :] / (9.0 * state.gain[:, None]))


@dataclass(frozen=True, kw_only=True)
class ClusterCharge(ShapeModel):
    """Cluster charge in electrons: Landau folded with Gaussian noise; the most probable value falls with dose, and
    merged clusters (twice the charge) grow with pile-up. A shoulder of small, broken clusters lies below."""

    element: str = "Pixel/clusterCharge"
    axis: Axis = field(default_factory=lambda: Axis.regular("charge", BINS, 0.0, 80_000.0, unit="e"))
    physics_object: str = "tracks"
    most_probable: float = 24_000.0
    #: inverse femtobarn after which the charge has fallen by 1/e
    lifetime: float = 400.0

    def cumulative(self, edges: FloatArray, pileup: FloatArray, state: DetectorState) -> FloatArray:
        peak = (self.most_probable * state.gain * np.exp(-state.dose / self.lifetime))[:, None]
        merged = (0.02 * pileup / USUAL_PILEUP)[:, None]
        broken = (0.07 * state.material)[:, None]
        scaled = edges[None, :] / peak
        small = np.minimum(scaled / 0.8, 1.0) ** 1.3
        return (1 - merged - broken) * _landau_gauss(scaled) + merged * _landau_gauss(scaled / 2) + broken * small


@dataclass(frozen=True, kw_only=True)
class TrackChi2(ShapeModel):
    """Track chi-square per degree of freedom: Gamma of 14 degrees, pulled up by shared hits at high pile-up, with fake
    tracks in the tail."""

    element: str = "Tracking/chi2PerNdof"
    axis: Axis = field(default_factory=lambda: Axis.regular("chi2/ndof", BINS, 0.0, 6.0))
    physics_object: str = "tracks"
    per_event: float = 9.0

    def cumulative(self, edges: FloatArray, pileup: FloatArray, state: DetectorState) -> FloatArray:
        width = 1.0 + 0.04 * (pileup - USUAL_PILEUP) / USUAL_PILEUP + 2.0 * (state.gain - 1) ** 2
        fakes = np.clip(0.04 * state.material * pileup / USUAL_PILEUP, 0.0, 0.5)[:, None]
        scaled = edges[None, :] / width[:, None]
        return (1 - fakes) * _gamma(scaled) + fakes * -np.expm1(-((edges / 2.4) ** 1.5))[None, :]


@dataclass(frozen=True, kw_only=True)
class Timing(ShapeModel):
    """Arrival time in nanoseconds: a Gaussian that follows the clock phase, with late and out-of-time entries that grow
    with pile-up."""

    element: str = "Calo/time"
    axis: Axis = field(default_factory=lambda: Axis.regular("time", BINS, -10.0, 10.0, unit="ns"))
    physics_object: str = "calorimeter"
    per_event: float = 6.0
    resolution: float = 1.1

    def cumulative(self, edges: FloatArray, pileup: FloatArray, state: DetectorState) -> FloatArray:
        away = edges[None, :] - state.phase[:, None]
        late = (0.05 * state.material * (0.5 + 0.5 * pileup / USUAL_PILEUP))[:, None]
        out = (0.02 * pileup / USUAL_PILEUP)[:, None]
        uniform = np.clip((edges[None, :] + 12.5) / 25.0, 0.0, 1.0)
        core, tail = _normal(away / self.resolution), _normal((away - 1.5) / 2.8)
        return (1 - late - out) * core + late * tail + out * uniform


@dataclass(frozen=True, kw_only=True)
class VertexZ(ShapeModel):
    """Position of vertices along the beam in millimetres: the luminous region, with merged and fake vertices."""

    element: str = "Tracking/vertexZ"
    axis: Axis = field(default_factory=lambda: Axis.regular("z", BINS, -250.0, 250.0, unit="mm"))
    physics_object: str = "beam"
    per_event: float = 7.0
    base: float = 0.05

    def cumulative(self, edges: FloatArray, pileup: FloatArray, state: DetectorState) -> FloatArray:
        away = (edges[None, :] - state.beam_z[:, None]) / state.beam_width[:, None]
        fakes = (0.01 * state.material * pileup / USUAL_PILEUP)[:, None]
        return (1 - fakes) * _normal(away) + fakes * _normal(away / 2.5)


@dataclass(frozen=True, kw_only=True)
class ClusterMultiplicity(ShapeModel):
    """Clusters per event: a Gamma whose mean is proportional to pile-up, broad because the pile-up of single crossings
    differs; noise adds a pedestal."""

    element: str = "Strips/clustersPerEvent"
    axis: Axis = field(default_factory=lambda: Axis.regular("clusters", BINS, 0.0, 12_000.0))
    physics_object: str = "tracks"
    per_event: float = 5.0
    base: float = 1.0
    per_collision: float = 75.0

    def cumulative(self, edges: FloatArray, pileup: FloatArray, state: DetectorState) -> FloatArray:
        pedestal = 120.0 * state.material
        mean = self.per_collision * pileup * (0.6 + 0.4 * state.gain)
        # Width in units of the mean: the square root of the number of collisions, and 12% from the filling scheme.
        shape = 1.0 / (0.12**2 + 0.6 / np.maximum(pileup, 1.0))
        above = np.maximum(edges[None, :] - pedestal[:, None], 0.0) / mean[:, None]
        # The cube root of a Gamma variable is normal to a few parts in a thousand (Wilson and Hilferty).
        centre = 1 - 1 / (9 * shape)
        return np.where(above > 0, _normal((np.cbrt(above) - centre[:, None]) * (3 * np.sqrt(shape))[:, None]), 0.0)


ALL: tuple[type[ShapeModel], ...] = (
    MetSignificance,
    ClusterCharge,
    TrackChi2,
    Timing,
    VertexZ,
    ClusterMultiplicity,
)


def _pileup(conditions: Conditions) -> FloatArray:
    return np.where(np.isnan(conditions.pileup), USUAL_PILEUP, conditions.pileup)


@dataclass(frozen=True)
class _Table:
    """A cumulative distribution known on a grid."""

    grid: FloatArray
    below: FloatArray

    def __call__(self, x: FloatArray) -> FloatArray:
        return np.interp(x.ravel(), self.grid, self.below, left=0.0, right=1.0).reshape(x.shape)


@cache
def _landau_gauss_table() -> _Table:
    """Landau with its peak at 1, width 0.11 of it, folded with 17% Gaussian noise, cumulated on a grid."""
    grid = np.linspace(0.0, 40.0, 16_001)
    step = grid[1] - grid[0]
    # The peak of the standard Landau density lies at -0.2228.
    density = stats.landau.pdf((grid - 1.0) / 0.11 - 0.2228)
    width = round(6 * 0.17 / step)
    kernel = stats.norm.pdf(np.arange(-width, width + 1) * step / 0.17)
    folded = np.convolve(density, kernel / kernel.sum(), mode="same")
    return _tabulated(grid, folded)


@cache
def _gamma_table() -> _Table:
    grid = np.linspace(0.0, 12.0, 6_001)
    return _tabulated(grid, stats.gamma.pdf(grid, 7.0, scale=1 / 7.0))


@cache
def _normal_table() -> _Table:
    grid = np.linspace(-9.0, 9.0, 7_201)
    return _Table(grid, np.asarray(stats.norm.cdf(grid)))


def _tabulated(grid: FloatArray, density: npt.NDArray[Any]) -> _Table:
    below = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2)])
    return _Table(grid, below / below[-1])


def _landau_gauss(x: FloatArray) -> FloatArray:
    return _landau_gauss_table()(x)


def _gamma(x: FloatArray) -> FloatArray:
    return _gamma_table()(x)


def _normal(x: FloatArray) -> FloatArray:
    return _normal_table()(x)
