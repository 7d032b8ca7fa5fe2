"""What breaks in an occupancy map: each fault changes the expected counts of some lumisections and knows which bins.

Builders take a geometry and a random generator that chooses the place, so a fault can be drawn anywhere; `FAMILIES`
names them. Faults do not throw dice for hits: `OccupancyModel.draw` does that last.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mlcore.conditions import BoolArray, FloatArray
from mlcore.errors import MlcoreError

from .maps import Geometry

Rows = npt.NDArray[Any] | slice


@dataclass(frozen=True, eq=False)
class MapFault:
    """Something wrong in the bins `truth` (mask of shape (*bins)) with `strength` in (0, 1], 1 = total."""

    name: str
    truth: BoolArray
    strength: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 < self.strength <= 1.0:
            raise MlcoreError(f"{self.name}: strength is {self.strength}; it lies above 0 and up to 1, 1 = total.")
        if not self.truth.any():
            raise MlcoreError(f"{self.name}: no channel is concerned; give a mask with at least one.")

    def apply(self, expected: FloatArray, rows: Rows, rng: np.random.Generator) -> FloatArray:
        """A copy of `expected` (n, *bins) with the fault in `rows` (mask, indices or slice, in the order of time)."""
        changed = expected.copy()
        index = np.arange(len(expected))[rows]
        part = changed[index]
        part[:, self.truth] = self._changed(part[:, self.truth], rng)
        changed[index] = part
        return changed

    def _changed(self, expected: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Counts expected in the faulty bins, (rows, bins); by default the share `strength` is lost."""
        return expected * (1.0 - self.strength)


@dataclass(frozen=True, eq=False)
class Excess(MapFault):
    """Counts `times` as many at strength 1; never fewer than `floor` more, so that silent channels become loud too."""

    times: float = 20.0
    floor: float = 0.0

    def _changed(self, expected: FloatArray, rng: np.random.Generator) -> FloatArray:
        return expected + self.strength * np.maximum((self.times - 1.0) * expected, self.floor)


@dataclass(frozen=True, eq=False)
class Flicker(MapFault):
    """Noise that comes and goes: an exponential excess, another in each lumisection, `times` on average."""

    times: float = 3.0

    def _changed(self, expected: FloatArray, rng: np.random.Generator) -> FloatArray:
        burst = rng.exponential(self.strength * (self.times - 1.0), (len(expected), 1))
        return expected * (1.0 + burst)


@dataclass(frozen=True, eq=False)
class Trip(MapFault):
    """High voltage trips in the first of the rows and recovers as exp(-lumisections / `recovery`)."""

    recovery: float = 6.0

    def _changed(self, expected: FloatArray, rng: np.random.Generator) -> FloatArray:
        lost = self.strength * np.exp(-np.arange(len(expected)) / self.recovery)
        return expected * (1.0 - lost[:, None])


@dataclass(frozen=True, eq=False)
class DepthLoss(MapFault):
    """Light lost along the depth (the last axis): `strength` in the first depth, falling by `falloff` each."""

    falloff: float = 0.6

    def _changed(self, expected: FloatArray, rng: np.random.Generator) -> FloatArray:
        depth = np.nonzero(self.truth)[-1]
        return expected * (1.0 - self.strength * self.falloff**depth)


Builder = Callable[..., MapFault]


def _window(geometry: Geometry, start: tuple[int, int], size: tuple[int, int]) -> BoolArray:
    """The existing channels in a window along the first two axes; circular axes wrap."""
    mask = np.zeros(geometry.bins, dtype=bool)
    first, second = (
        (begin + np.arange(width)) % axis.bins if axis.circular else np.arange(begin, min(begin + width, axis.bins))
        for begin, width, axis in zip(start, size, geometry.axes[:2], strict=True)
    )
    mask[np.ix_(first, second)] = True
    return np.asarray(mask & geometry.exists)


def _one(geometry: Geometry, rng: np.random.Generator) -> BoolArray:
    mask = np.zeros(geometry.bins, dtype=bool)
    mask.flat[rng.choice(np.flatnonzero(geometry.exists))] = True
    return mask


def _somewhere(geometry: Geometry, rng: np.random.Generator, size: tuple[int, int], *, grid: bool) -> BoolArray:
    """A window of that size, wholly inside along open axes; aligned to multiples of the size with `grid`."""
    size = (min(size[0], geometry.bins[0]), min(size[1], geometry.bins[1]))
    while True:
        start = []
        for width, axis in zip(size, geometry.axes[:2], strict=True):
            if grid:
                start.append(int(rng.integers(axis.bins // width)) * width)
            else:
                start.append(int(rng.integers(axis.bins if axis.circular else axis.bins - width + 1)))
        mask = _window(geometry, (start[0], start[1]), size)
        # The corners of an endcap hold nothing that could break.
        if mask.any():
            return mask


def dead_tower(geometry: Geometry, rng: np.random.Generator, *, strength: float = 1.0) -> MapFault:
    """One channel that sees nothing (or that share less)."""
    return MapFault("dead tower", _one(geometry, rng), strength)


def hot_tower(geometry: Geometry, rng: np.random.Generator, *, strength: float = 1.0, times: float = 20.0) -> MapFault:
    """One channel with `times` its counts."""
    return Excess("hot tower", _one(geometry, rng), strength, times, floor=times)


def warm_tower(geometry: Geometry, rng: np.random.Generator, *, strength: float = 1.0) -> MapFault:
    """One channel with half as many counts again."""
    return Excess("warm tower", _one(geometry, rng), strength, 1.5)


def noisy_cell(geometry: Geometry, rng: np.random.Generator, *, strength: float = 1.0, times: float = 3.0) -> MapFault:
    """One channel whose noise comes and goes."""
    return Flicker("noisy cell", _one(geometry, rng), strength, times)


def missing_supermodule(geometry: Geometry, rng: np.random.Generator, *, strength: float = 1.0) -> MapFault:
    """One whole readout module, 17 x 4 towers in the barrel."""
    return MapFault("missing supermodule", _somewhere(geometry, rng, geometry.module, grid=True), strength)


def weak_region(
    geometry: Geometry, rng: np.random.Generator, *, strength: float = 0.15, size: tuple[int, int] = (5, 5)
) -> MapFault:
    """A region of 5 x 5 channels that loses 15% of its counts, anywhere."""
    return MapFault("weak region", _somewhere(geometry, rng, size, grid=False), strength)


def voltage_trip(
    geometry: Geometry, rng: np.random.Generator, *, strength: float = 1.0, recovery: float = 6.0
) -> MapFault:
    """One module trips and comes back slowly."""
    return Trip("voltage trip", _somewhere(geometry, rng, geometry.module, grid=True), strength, recovery)


def phi_stripe(geometry: Geometry, rng: np.random.Generator, *, strength: float = 0.3, width: int = 1) -> MapFault:
    """All channels at one place along the second axis."""
    mask = _somewhere(geometry, rng, (geometry.bins[0], width), grid=False)
    return MapFault("phi stripe", mask, strength)


def layer_efficiency(
    geometry: Geometry, rng: np.random.Generator, *, strength: float = 0.3, layer: int | None = None
) -> MapFault:
    """One layer (first axis, counted from 1) at an efficiency of 1 - strength: 0.7 for the voltage fault of
    arXiv:1808.00911, 0.05 for the layer that is nearly off there."""
    number = int(rng.integers(1, geometry.bins[0] + 1)) if layer is None else layer
    return MapFault("layer efficiency", _window(geometry, (number - 1, 0), (1, geometry.bins[1])), strength)


def depth_loss(
    geometry: Geometry, rng: np.random.Generator, *, strength: float = 0.4, falloff: float = 0.6
) -> MapFault:
    """A sector of a geometry with depths loses light, most in the first depth."""
    if len(geometry.axes) < 3:
        raise MlcoreError(f"{geometry.element} has no depths; use weak_region instead.")
    return DepthLoss("depth loss", _somewhere(geometry, rng, geometry.module, grid=True), strength, falloff)


def missing_ring(geometry: Geometry, rng: np.random.Generator, *, strength: float = 1.0) -> MapFault:
    """All channels at one place along the first axis."""
    mask = _somewhere(geometry, rng, (1, geometry.bins[1]), grid=False)
    return MapFault("missing ring", mask, strength)


def missing_sector(geometry: Geometry, rng: np.random.Generator, *, strength: float = 1.0, parts: int = 12) -> MapFault:
    """A sector: one of `parts` equal pieces of the second axis, over the whole first axis."""
    size = (geometry.bins[0], max(geometry.bins[1] // parts, 1))
    return MapFault("missing sector", _somewhere(geometry, rng, size, grid=True), strength)


#: every family by name; `depth loss` needs a geometry with depths
FAMILIES: dict[str, Builder] = {
    "dead tower": dead_tower,
    "hot tower": hot_tower,
    "warm tower": warm_tower,
    "noisy cell": noisy_cell,
    "missing supermodule": missing_supermodule,
    "weak region": weak_region,
    "voltage trip": voltage_trip,
    "phi stripe": phi_stripe,
    "layer efficiency": layer_efficiency,
    "depth loss": depth_loss,
    "missing ring": missing_ring,
    "missing sector": missing_sector,
}
