"""Chambers of drift tubes by run, 12 layers of wires, where the voltage of the ninth is too low in some runs.

As in arXiv:1808.00911: an image per chamber and run, good runs to learn from, and runs in which layer 9 had 3450 V (an
efficiency of about 70%) against good ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlcore.conditions import Conditions, FloatArray
from mlcore.errors import MlcoreError
from mlcore.histograms import Axis, HistogramBlock

LAYERS, WIRES = 12, 46
#: the layer whose voltage is too low, counted from 0
FAULTY_LAYER = 8


@dataclass(frozen=True)
class ChamberLaw:
    """How chambers and their runs differ.

    Parameters
    ----------
    chambers : in all. learned, judged : runs of each to learn from, and good and faulty ones each to be judged.
    layer : spread of the efficiency of layers, for the life of a chamber. run : the same from run to run.
    gain, dead : spread of single wires, and share of them that is dead, for the life of a chamber.
    hits : per wire, on average; it differs by a factor of four between runs.
    left : efficiency of the faulty layer.

    Set on seeds 0-1 so that the best autoencoder has about the best published area, 0.944 (0.950 on seeds 0-4), see
    `mlcore.bench.dt_regional`.
    """

    chambers: int = 50
    learned: int = 24
    judged: int = 6
    layer: float = 0.08
    run: float = 0.055
    gain: float = 0.05
    dead: float = 0.01
    hits: float = 30.0
    left: float = 0.7

    def __post_init__(self) -> None:
        if min(self.chambers, self.learned, self.judged) < 1 or not 0 <= self.left <= 1:
            raise MlcoreError("chambers: at least one with one run of each kind, and an efficiency from 0 to 1.")


@dataclass(frozen=True, eq=False)
class Chamber:
    """One chamber: good runs to learn from, good and faulty ones to be judged (n, 12, 46); `log_odds` of the latter two
    together for somebody who knows what every wire should have in that run."""

    learned: HistogramBlock
    good: HistogramBlock
    faulty: HistogramBlock
    log_odds: FloatArray


def chamber_sample(seed: int, *, law: ChamberLaw | None = None) -> list[Chamber]:
    """Chambers whose history is known. Wider chambers are cut to what all have, so images are 12 x 46."""
    law = law or ChamberLaw()
    return [
        _chamber(number, np.random.default_rng(child), law)
        for number, child in enumerate(np.random.SeedSequence(seed).spawn(law.chambers), 1)
    ]


def _chamber(number: int, rng: np.random.Generator, law: ChamberLaw) -> Chamber:
    base, x = _usual(rng, law), np.linspace(-1.0, 1.0, WIRES)
    axes = (Axis.regular("layer", LAYERS, 0.5, LAYERS + 0.5), Axis.regular("wire", WIRES, 0.5, WIRES + 0.5))
    blocks, odds = [], []
    for part, runs in enumerate((law.learned, law.judged, law.judged)):
        rate = law.hits * np.exp(rng.uniform(-np.log(2.0), np.log(2.0), runs))
        mean = base * rate[:, None, None] * rng.lognormal(0.0, law.run, (runs, LAYERS, 1))
        mean = mean * (1.0 + 0.05 * rng.standard_normal((runs, 1, 1)) * x)
        usual = mean[:, FAULTY_LAYER].sum(axis=1)
        if part == 2:
            mean[:, FAULTY_LAYER] *= law.left
        counts = rng.poisson(np.maximum(mean, 0.0)).astype(np.float32)
        seen = counts[:, FAULTY_LAYER].sum(axis=1)
        odds.append(seen * np.log(max(law.left, 1e-6)) + (1.0 - law.left) * usual)
        conditions = Conditions(
            run=300_000 + 1_000 * part + np.arange(runs),
            lumisection=np.ones(runs, dtype=np.int64),
            events=np.round(1_000.0 * rate / law.hits),
        )
        name = f"DriftTubes/chamber{number:03d}"
        blocks.append(HistogramBlock(name, axes, counts, conditions, physics_object="muons"))
    return Chamber(blocks[0], blocks[1], blocks[2], np.concatenate(odds[1:]))


def _usual(rng: np.random.Generator, law: ChamberLaw) -> FloatArray:
    """(12, 46) relative rates of the wires of one chamber: it leans to one side, the middle four layers see less, the
    outermost wires are covered in part, some are dead, and no two layers are equally efficient."""
    size, x, wire = (LAYERS, WIRES), np.linspace(-1.0, 1.0, WIRES), np.arange(WIRES)
    tilt = 0.3 * rng.uniform(-1.0, 1.0) + 0.1 * rng.uniform(-1.0, 1.0, (LAYERS, 1))
    edge = rng.uniform(0.0, 2.0, (2, LAYERS, 1))
    covered = np.clip(wire + 1 - edge[0], 0.0, 1.0) * np.clip(WIRES - edge[1] - wire, 0.0, 1.0)
    base = (1.0 + tilt * x) * np.repeat([1.0, 0.8, 1.05], 4)[:, None] * covered * (rng.random(size) > law.dead)
    return np.asarray(base * rng.lognormal(0.0, law.gain, size) * rng.lognormal(0.0, law.layer, (LAYERS, 1)))
