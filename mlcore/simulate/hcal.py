"""Maps of the hadronic barrel, a third each good, with a hot region and with a dead one: one channel or 5 x 5.

As the study of G. Fidalgo made them for CMS (ML hackathon, 2018): good maps of lumisections, faults put in by hand at
one place or at any.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from mlcore.conditions import Conditions, FloatArray, IntArray
from mlcore.errors import MlcoreError
from mlcore.histograms import HistogramBlock

from .maps import OccupancyModel, hadronic_barrel, region_sums

GOOD, HOT, DEAD = 0, 1, 2
CLASSES = ("good", "hot", "dead")
#: corner of a fault at a fixed place
FIXED = (13, 30)


@dataclass(frozen=True)
class HcalLaw:
    """How much is seen and what is wrong.

    Parameters
    ----------
    events : in a lumisection on average; it varies by a factor of two. spread : of the gains of channels.
    hot : times its hits that a hot channel has. per_run : lumisections of a run.

    The number of events is set on seeds 0-4 so that the networks of the study, 900 maps to learn from, are as accurate
    as published: 0.992 for 5 x 5 anywhere (0.9908), 0.912 for single channels (0.9083; 0.943 at 4,000 events).
    """

    events: float = 2_500.0
    spread: float = 0.02
    hot: float = 2.0
    per_run: int = 10

    def __post_init__(self) -> None:
        if not (self.events > 0 and self.spread >= 0 and self.hot > 1 and self.per_run >= 1):
            raise MlcoreError("hcal: events are positive, a hot channel has more than its hits, a run is not empty.")


@dataclass(frozen=True, eq=False)
class HcalMaps:
    """n maps with their truth: `classes` (n,) of `CLASSES`, `corner` (n, 2) of the fault; `expected` (n, eta, phi) when
    good."""

    block: HistogramBlock
    classes: IntArray
    corner: IntArray
    expected: FloatArray
    size: int
    law: HcalLaw

    @property
    def good(self) -> HistogramBlock:
        return self.block.select(self.classes == GOOD)


class HcalDetector:
    """A detector whose gains are drawn once; maps of many lumisections can be taken with it."""

    def __init__(self, seed: int, law: HcalLaw | None = None) -> None:
        self.law = law or HcalLaw()
        self.seed = seed
        self.model = OccupancyModel(hadronic_barrel(), gain_spread=self.law.spread, random_state=seed)

    def maps(self, n: int, *, size: int, fixed: bool = False, part: int = 0) -> HcalMaps:
        """n lumisections with the classes in turn. `part` names the sample: others are other runs."""
        rng = np.random.default_rng(np.random.SeedSequence((self.seed, size, int(fixed), part)))
        conditions = self._conditions(n, rng, first_run=1 + 100_000 * part)
        expected = self.model.expected(conditions)
        wrong, classes = expected.copy(), np.arange(n) % len(CLASSES)
        high, wide = self.model.geometry.bins
        corner = np.column_stack([rng.integers(0, high - size + 1, n), rng.integers(0, wide - size + 1, n)])
        if fixed:
            corner[:] = FIXED
        for row in np.flatnonzero(classes != GOOD):
            first, second = corner[row]
            wrong[row, first : first + size, second : second + size] *= self.law.hot if classes[row] == HOT else 0.0
        block = self.model.draw(conditions, rng, expected=wrong)
        return HcalMaps(block, classes, corner, expected, size, self.law)

    def _conditions(self, n: int, rng: np.random.Generator, *, first_run: int) -> Conditions:
        per = self.law.per_run
        runs = -(-n // per)
        pileup = np.repeat(rng.uniform(20.0, 55.0, runs), per)[:n] * rng.normal(1.0, 0.01, n)
        return Conditions(
            run=np.repeat(np.arange(first_run, first_run + runs), per)[:n],
            lumisection=np.tile(np.arange(1, per + 1), runs)[:n],
            luminosity=10.0 * pileup,
            pileup=pileup,
            events=np.round(rng.uniform(0.67, 1.33, n) * self.law.events),
        )


def best_classes(maps: HcalMaps) -> IntArray:
    """(n,) the likeliest class for somebody who knows what every channel should have, how hot hot is and how large
    faults are, but not where: no method is right more often."""
    counts, mean, size = maps.block.counts.astype(np.float64), maps.expected, maps.size
    hot = counts * np.log(maps.law.hot) - (maps.law.hot - 1.0) * mean
    dead = np.where(counts > 0, -1e6, mean)
    parts = [np.zeros(len(counts))]
    for ratio in (hot, dead):
        sums = region_sums(ratio, maps.block.axes, (size, size))
        inside = sums[:, size // 2 : sums.shape[1] - (size - 1) // 2]
        parts.append(np.asarray(logsumexp(inside, axis=(1, 2)) - np.log(inside[0].size)))
    return np.asarray(np.column_stack(parts).argmax(axis=1))
