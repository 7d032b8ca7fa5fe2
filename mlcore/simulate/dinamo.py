"""The toy world of DINAMO (arXiv:2501.19237, section on synthetic data): one Gaussian histogram per run.

As published: 100 bins; 2,000 to 20,000 entries per run; the mean swings slowly with amplitude 0.5 and a period of
1,000 runs; with probability 0.005 a run begins a new regime, its mean 0.5 to 1.5 and its width 0.1 to 0.4 away; the
right half gains or loses a binomial share of 0.4 of its entries, which plays the systematic uncertainty; one run in ten
is bad: mean off by 0.25 to 0.75, width by 0.05 to 0.2, and 1 to 20 dead bins.

Two things the description leaves open are fixed so that DINAMO-S, written from the paper, gives its published figures
within about a point (AUC 0.983, balanced accuracy 0.942): the bins of the right half move together in a run, and 20% of
the bad runs have dead bins only. With bins that move one by one and no such runs DINAMO-S gives 0.995 and 0.98: too
easy.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import special

from mlcore.conditions import BoolArray, Conditions, FloatArray, IntArray
from mlcore.histograms import Axis, HistogramBlock

IMPOSSIBLE = 1e-30


@dataclass(frozen=True, eq=False)
class DinamoRuns:
    """Runs in the order in which they were taken, with all their truth.

    `block` has one row per run; `labels` (n,) 0 good, 1 bad; `mean`, `width` (n,) of the shape measured; `off` (n, 2)
    how far they are from what is good at that time; `entries` (n,) thrown; `up` (n,) whether the right half gained;
    `dead` (n, bins) dead bins; `jump` (n,) where a new regime began, `regime` (n, 2) its mean and width.
    """

    block: HistogramBlock
    labels: IntArray
    mean: FloatArray
    width: FloatArray
    off: FloatArray
    entries: IntArray
    up: BoolArray
    dead: BoolArray
    jump: BoolArray
    regime: FloatArray

    def mislabelled(self, share: float, rng: np.random.Generator) -> IntArray:
        """The labels with a share of them wrong, drawn at random among all runs."""
        wrong = rng.random(len(self.labels)) < share
        return np.asarray(np.where(wrong, 1 - self.labels, self.labels))


@dataclass(frozen=True, kw_only=True)
class DinamoToy:
    """The parameters of the toy, at their published values."""

    entries: tuple[int, int] = (2_000, 20_000)
    swing: float = 0.5
    period: float = 1_000.0
    jump_probability: float = 0.005
    jump_mean: tuple[float, float] = (0.5, 1.5)
    jump_width: tuple[float, float] = (0.1, 0.4)
    systematic: float = 0.4
    bad_share: float = 0.1
    bad_mean: tuple[float, float] = (0.25, 0.75)
    bad_width: tuple[float, float] = (0.05, 0.2)
    dead_bins: tuple[int, int] = (1, 20)
    #: share of bad runs whose only fault is dead bins
    dead_only: float = 0.2
    #: whether the bins of the right half move together
    together: bool = True
    axis: Axis = field(default_factory=lambda: Axis.regular("x", 100, -5.0, 5.0))

    def draw(self, runs: int, rng: np.random.Generator) -> DinamoRuns:
        """`runs` consecutive runs."""
        regime, jump = self._regimes(runs, rng)
        labels = np.zeros(runs, dtype=np.int64)
        labels[rng.choice(runs, size=round(self.bad_share * runs), replace=False)] = 1
        moved = (labels == 1) & (rng.random(runs) >= self.dead_only)
        off = np.column_stack([either_way(self.bad_mean, runs, rng), either_way(self.bad_width, runs, rng)])
        off[~moved] = 0.0
        mean, width = self._good_mean(runs) + regime[:, 0] + off[:, 0], 1.0 + regime[:, 1] + off[:, 1]
        entries = rng.integers(*self.entries, size=runs, endpoint=True)
        up = rng.random(runs) < 0.5
        counts = self._smeared(self._thrown(entries, mean, width, rng), up, rng)
        dead = self._dead(labels == 1, rng)
        counts[dead] = 0
        conditions = Conditions(run=np.arange(1, runs + 1), lumisection=np.ones(runs, dtype=np.int64))
        block = HistogramBlock("Toy/gaussian", (self.axis,), counts.astype(np.float64), conditions)
        return DinamoRuns(block, labels, mean, width, off, entries, up, dead, jump, regime)

    def shape(self, mean: FloatArray, width: FloatArray) -> FloatArray:
        """(n, bins) probability of each bin before the right half gains or loses."""
        edges = (self.axis.edges[None, :] - mean[:, None]) / width[:, None]
        return np.asarray(np.diff(special.ndtr(edges), axis=1))

    def oracle(self, runs: DinamoRuns) -> FloatArray:
        """(n,) log posterior odds of bad against good of an oracle, which no method can surpass.

        It knows the toy, the regime before each run, and the mean, width, entries and systematic with which each run
        was measured. It knows neither whether a new regime began in that run nor which bins are dead. When the
        systematic moves bins one by one it takes the smaller expectation, and its answer is a little below the limit.
        """
        odds = np.log(self.bad_share / (1 - self.bad_share)) + self._dead_evidence(runs)
        moved = (runs.off != 0).any(axis=1) | runs.jump
        good_stays = np.log(1 - self.jump_probability)
        odds[~moved] += np.log(self.dead_only) - good_stays
        before = np.vstack([np.zeros((1, 2)), runs.regime[:-1]])[moved]
        now = np.column_stack([runs.mean - self._good_mean(len(runs.labels)), runs.width - 1.0])[moved]
        as_bad = (1 - self.dead_only) * _density(now - before, self.bad_mean, self.bad_width)
        as_jump = self.jump_probability * _density(now, self.jump_mean, self.jump_width)
        # A run that is bad in a new regime may fit neither alone: those two at once are too rare to be weighed.
        sure = np.where((as_bad == 0) & (as_jump == 0), 1.0, 0.0)
        odds[moved] += np.log(as_bad + sure + IMPOSSIBLE) - np.log(as_jump + IMPOSSIBLE)
        return np.asarray(odds)

    def _good_mean(self, runs: int) -> FloatArray:
        return np.asarray(self.swing * np.sin(2 * np.pi * np.arange(1, runs + 1) / self.period))

    def _regimes(self, runs: int, rng: np.random.Generator) -> tuple[FloatArray, BoolArray]:
        """Mean and width that the latest regime adds, (n, 2), and where one began."""
        jump = rng.random(runs) < self.jump_probability
        latest = np.maximum.accumulate(np.where(jump, np.arange(1, runs + 1), 0))
        drawn = np.column_stack([either_way(self.jump_mean, runs, rng), either_way(self.jump_width, runs, rng)])
        return np.vstack([np.zeros((1, 2)), drawn])[latest], jump

    def _thrown(self, entries: IntArray, mean: FloatArray, width: FloatArray, rng: np.random.Generator) -> IntArray:
        """(n, bins) entries that fell on the axis."""
        inside = self.shape(mean, width)
        outside = np.maximum(1.0 - inside.sum(axis=1, keepdims=True), 0.0)
        share = np.hstack([inside, outside])
        return np.asarray(rng.multinomial(entries, share / share.sum(axis=1, keepdims=True))[:, :-1])

    def _smeared(self, counts: IntArray, up: BoolArray, rng: np.random.Generator) -> IntArray:
        half = self.axis.bins // 2
        smeared, right = counts.copy(), counts[:, half:]
        gains = np.broadcast_to(up[:, None], right.shape) if self.together else rng.random(right.shape) < 0.5
        smeared[:, half:] = right + np.where(gains, 1, -1) * rng.binomial(right, self.systematic)
        return smeared

    def _dead(self, bad: BoolArray, rng: np.random.Generator) -> BoolArray:
        how_many = np.where(bad, rng.integers(*self.dead_bins, size=len(bad), endpoint=True), 0)
        rank = rng.random((len(bad), self.axis.bins)).argsort(axis=1).argsort(axis=1)
        return np.asarray(rank < how_many[:, None])

    def _dead_evidence(self, runs: DinamoRuns) -> FloatArray:
        """(n,) log likelihood ratio of some dead bins against none, the number of them unknown."""
        expected = runs.entries[:, None] * self.shape(runs.mean, runs.width)
        lost = ~runs.up | (not self.together)
        expected[:, self.axis.bins // 2 :] *= np.where(lost, 1 - self.systematic, 1.0)[:, None]
        empty = runs.block.counts == 0
        evidence = []
        for how_many in range(self.dead_bins[0], self.dead_bins[1] + 1):
            chance = how_many / self.axis.bins
            # A bin that is empty is dead, or alive and empty by chance exp(-expected).
            ratio = np.logaddexp(np.log(chance) + expected, np.log1p(-chance))
            evidence.append(np.where(empty, ratio, np.log1p(-chance)).sum(axis=1))
        return np.asarray(special.logsumexp(evidence, axis=0) - np.log(len(evidence)))


def either_way(limits: tuple[float, float], n: int, rng: np.random.Generator) -> FloatArray:
    """(n,) numbers whose size is uniform between the limits and whose sign is a coin."""
    return np.asarray(rng.uniform(*limits, size=n) * rng.choice((-1, 1), size=n))


def _density(off: FloatArray, mean: tuple[float, float], width: tuple[float, float]) -> FloatArray:
    """(n,) density of `either_way` in mean and width at `off`, (n, 2)."""
    density = np.ones(len(off))
    for column, (low, high) in enumerate((mean, width)):
        size = np.abs(off[:, column])
        density *= np.where((size > low) & (size < high), 1 / (2 * (high - low)), 0.0)
    return density
