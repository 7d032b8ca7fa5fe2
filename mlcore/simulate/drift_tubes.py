"""Single layers of drift tubes: what each wire sees in a run, and what can be wrong with it (arXiv:1808.00911).

A tenth of the layers is faulty. Much that is harmless makes the others differ: rates that lean or bend along the layer,
few hits, single wires that are dead or noisy, pairs of very noisy ones, regions a little dim.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlcore.conditions import Conditions, FloatArray, IntArray
from mlcore.errors import MlcoreError
from mlcore.histograms import Axis, HistogramBlock

WIRES = 60
#: what is wrong with a layer
KINDS = ("region without efficiency", "noisy region")
_SHARES = (0.9, 0.1)
LAYERS_PER_RUN = 75


@dataclass(frozen=True)
class LayerLaw:
    """How layers differ and what is wrong with some.

    Parameters
    ----------
    layers : in all. bad : share of them.
    hits : fewest and most per wire, evenly in the logarithm.
    slope, curve : largest linear and quadratic change along the layer of the logarithm of the rate.
    gain : spread of single wires. edge : largest part of a wire that is not covered at either end.
    single, pair, dim : share of layers with one or two single wires that are dead or noisy, with a neighbouring pair of
        noisy ones, and with a region that is a little dim; harmless all three.
    noisy_pair : how noisy, in times of the usual. dim_left : efficiency of a dim region, at least.
    left : efficiency that is left of a faulty region, least and most. noise : times the usual of a noisy one.
    length : of a faulty region in wires, evenly in the logarithm.

    Set on seeds 0-4 so that the published network and the variance have about their published areas of 0.995 and 0.977,
    see `mlcore.bench.dt_local`.
    """

    layers: int = 6_280
    bad: float = 0.0975
    hits: tuple[float, float] = (5.0, 500.0)
    slope: float = 0.75
    curve: float = 0.35
    gain: float = 0.05
    edge: float = 0.75
    single: float = 0.25
    pair: float = 0.1
    noisy_pair: tuple[float, float] = (3.0, 10.0)
    dim: float = 0.05
    dim_left: float = 0.8
    left: tuple[float, float] = (0.0, 0.2)
    noise: tuple[float, float] = (2.0, 4.0)
    length: tuple[int, int] = (10, 40)

    def __post_init__(self) -> None:
        if self.layers < 1 or not 0 < self.bad < 1 or not 1 <= self.length[0] <= self.length[1] <= WIRES:
            raise MlcoreError(f"layers: at least one, some bad, and regions of 1 to {WIRES} wires.")


@dataclass(frozen=True, eq=False)
class LayerSample:
    """Layers, one per row; their truth.

    Parameters
    ----------
    block : (n, 60) hits. A row is a layer of a run; those of a run are numbered like lumisections.
    labels : (n,) 1 for faulty. kind : (n,) place in `KINDS`, -1 for none. healthy : (n, 60) hits expected of the same
        layer without its fault.
    """

    block: HistogramBlock
    labels: IntArray
    kind: IntArray
    healthy: FloatArray
    law: LayerLaw


def layer_sample(seed: int, *, law: LayerLaw | None = None) -> LayerSample:
    """Layers of as many runs as are needed, in order of time; the same seed and law give the same."""
    law = law or LayerLaw()
    shape, trouble, dice = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
    n = law.layers
    healthy = _healthy(law, shape)
    _harmless(healthy, law, trouble)
    kind = np.where(trouble.random(n) < law.bad, trouble.choice(len(KINDS), n, p=_SHARES), -1)
    expected = healthy.copy()
    for row in np.flatnonzero(kind >= 0):
        factor = trouble.uniform(*(law.left, law.noise)[kind[row]])
        expected[row, _region(law.length, trouble)] *= factor
    axis = Axis.regular("wire", WIRES, 0.5, WIRES + 0.5)
    counts = dice.poisson(expected).astype(np.float32)
    number = np.arange(n)
    conditions = Conditions(run=297_000 + number // LAYERS_PER_RUN, lumisection=1 + number % LAYERS_PER_RUN)
    block = HistogramBlock("DriftTubes/layer", (axis,), counts, conditions, physics_object="muons")
    return LayerSample(block, (kind >= 0).astype(np.int64), kind, healthy, law)


def _healthy(law: LayerLaw, rng: np.random.Generator) -> FloatArray:
    """(n, 60) hits expected of layers in which nothing happened."""
    n, x, wire = law.layers, np.linspace(-1.0, 1.0, WIRES), np.arange(WIRES)
    low, high = np.log(law.hits)
    rate = np.exp(rng.uniform(low, high, (n, 1)))
    tilt, bend = rng.uniform(-1.0, 1.0, (2, n, 1))
    edge = rng.uniform(0.0, law.edge, (2, n, 1))
    covered = np.clip(wire + 1 - edge[0], 0.0, 1.0) * np.clip(WIRES - edge[1] - wire, 0.0, 1.0)
    smooth = np.exp(law.slope * tilt * x + law.curve * bend * (x**2 - 1.0 / 3.0))
    return np.asarray(rate * smooth * covered * rng.lognormal(0.0, law.gain, (n, WIRES)))


def _harmless(healthy: FloatArray, law: LayerLaw, rng: np.random.Generator) -> None:
    """What experts do not mind, in place."""
    n = len(healthy)
    for row in np.flatnonzero(rng.random(n) < law.single):
        wires = rng.choice(WIRES, int(rng.integers(1, 3)), replace=False)
        healthy[row, wires] *= 0.0 if rng.random() < 0.6 else rng.uniform(1.5, 3.0)
    for row in np.flatnonzero(rng.random(n) < law.pair):
        first = int(rng.integers(0, WIRES - 1))
        healthy[row, first : first + 2] *= rng.uniform(*law.noisy_pair)
    for row in np.flatnonzero(rng.random(n) < law.dim):
        healthy[row, _region((4, 30), rng)] *= rng.uniform(law.dim_left, 1.0)


def _region(length: tuple[int, int], rng: np.random.Generator) -> slice:
    """So many wires, evenly in the logarithm, anywhere."""
    low, high = np.log(length)
    wires = int(np.exp(rng.uniform(low, high)))
    first = int(rng.integers(0, WIRES - wires + 1))
    return slice(first, first + wires)


def layer_log_odds(sample: LayerSample, rows: IntArray) -> FloatArray:
    """(rows,) log of how much likelier each layer is with some fault than without, for somebody who knows what every
    wire should have: no method can order layers better."""
    counts = np.asarray(sample.block.counts[rows], dtype=np.float64)
    mean, law = np.maximum(sample.healthy[rows], 1e-9), sample.law
    parts = []
    for kind, (low, high) in enumerate((law.left, law.noise)):
        for factor in np.linspace(max(low, 0.01), high, 5):
            wire = counts * np.log(factor) - (factor - 1.0) * mean
            parts.append(_over_regions(wire, law) + np.log(_SHARES[kind] / 5.0))
    return np.asarray(np.logaddexp.reduce(parts, axis=0))


def _over_regions(wire: FloatArray, law: LayerLaw) -> FloatArray:
    """(n,) log mean over lengths, evenly in the logarithm, and places of the sum over the region's wires."""
    sums = np.concatenate([np.zeros((len(wire), 1)), np.cumsum(wire, axis=1)], axis=1)
    lengths = np.arange(law.length[0], law.length[1] + 1)
    share = np.log((lengths + 1.0) / lengths)
    parts = []
    for length, weight in zip(lengths, share / share.sum(), strict=True):
        regions = sums[:, length:] - sums[:, :-length]
        parts.append(np.logaddexp.reduce(regions, axis=1) - np.log(regions.shape[1]) + np.log(weight))
    return np.asarray(np.logaddexp.reduce(parts, axis=0))
