"""Every candidate judged in blocks of time inside the training runs; the mean of the best is what scores the rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mlcore.conditions import FloatArray, IntArray

from .run_learners import LEARNERS
from .run_oddness import ODDNESS
from .runs import Prepared, Runs, beside, blocks

#: Weights of the mean of both neighbours in time, against 1 for the run itself: faults last longer than a run.
NEIGHBOURS = (0.0, 0.5, 1.0)
#: Sums of candidates, each first as share of training runs below or as probability.
MIXED: dict[str, dict[str, float]] = {
    "counts and short": {"counts": 1, "short": 1},
    "counts and PCA ranks": {"counts": 1, "PCA ranks": 1},
    "counts, PCA ranks, short": {"counts": 1, "PCA ranks": 1, "short": 1},
    "PCA ranks, pull ranks, short": {"PCA ranks": 1, "pull ranks": 1, "short": 1},
    "counts, PCA ranks, pull ranks, short": {"counts": 1, "PCA ranks": 1, "pull ranks": 1, "short": 1},
    "counts and counts of odd rates": {"counts": 1, "counts of odd rates": 1},
    "counts among 50 and short": {"counts among 50 before and after": 1, "short": 1},
    "counts, counts among 50, short": {"counts": 1, "counts among 50 before and after": 1, "short": 1},
    "tails and short": {"tails": 1, "short": 1},
    "upper half and short": {"upper half": 1, "short": 1},
    "odd subdetectors and short": {"odd subdetectors": 1, "short": 1},
}
_TREES, _BOOSTING, _LINE = (
    "trees of all, decided runs",
    "boosting, decided runs",
    "line of summaries and neighbours, decided runs",
)
MIXED_LEARNED: dict[str, dict[str, float]] = {
    "counts and short": MIXED["counts and short"],
    "PCA ranks, pull ranks, short": MIXED["PCA ranks, pull ranks, short"],
    "trees and counts": {_TREES: 2, "counts": 1},
    "trees, counts, short, PCA ranks": {_TREES: 3, "counts": 1, "short": 1, "PCA ranks": 1},
    "boosting, trees, line": {_BOOSTING: 1, _TREES: 1, _LINE: 1},
    "boosting, trees, line, counts": {_BOOSTING: 1, _TREES: 1, _LINE: 1, "counts": 2},
}
Candidate = tuple[str, float]


@dataclass(frozen=True)
class Family:
    """Candidates by name: alone, or mixed."""

    alone: tuple[str, ...]
    mixed: dict[str, dict[str, float]]

    @property
    def candidates(self) -> list[Candidate]:
        return [(name, weight) for name in (*self.alone, *self.mixed) for weight in NEIGHBOURS]


UNSUPERVISED = Family(tuple(ODDNESS), MIXED)
SUPERVISED = Family((*LEARNERS, "PCA ranks", "short", "counts"), MIXED_LEARNED)


def scored(
    prepared: Prepared, asked: IntArray, wanted: Iterable[Candidate], family: Family, *, seed: int
) -> dict[Candidate, FloatArray]:
    """Scores of the runs asked by every candidate wanted."""
    wanted = list(wanted)
    needed = {part for name, _ in wanted for part in family.mixed.get(name, {name: 1.0})}
    alone = {name: _one(prepared, asked, name, seed) for name in sorted(needed)}
    found = {}
    for name, weight in wanted:
        own = np.sum([times * alone[part] for part, times in family.mixed.get(name, {name: 1.0}).items()], axis=0)
        found[name, weight] = np.asarray((own + weight * beside(own)) / (1 + weight))
    return found


def _one(prepared: Prepared, asked: IntArray, name: str, seed: int) -> FloatArray:
    if name in LEARNERS:
        return LEARNERS[name](prepared, asked, seed)
    values = ODDNESS[name](prepared, asked, seed)
    return _share(values[prepared.train], values[asked])


@dataclass(frozen=True, eq=False)
class Chosen:
    """What was found inside the training runs of one block: candidates from the best down, the AUC of each there, and
    its scores of the training runs, each by what was learned on the other inner blocks."""

    train: IntArray
    test: IntArray
    order: list[Candidate]
    areas: dict[Candidate, float]
    inner: dict[Candidate, FloatArray]


def choose(runs: Runs, family: Family, *, outer: int, inner: int, seed: int = 0) -> list[Chosen]:
    """The order of the candidates for every outer block; the runs of the block are not looked at."""
    found = []
    for train, test in blocks(np.arange(len(runs.labels)), outer):
        scores = {one: np.full(len(runs.labels), np.nan) for one in family.candidates}
        for fit, held in blocks(train, inner):
            for one, score in scored(Prepared(runs, fit), held, scores, family, seed=seed).items():
                scores[one][held] = score
        areas = {one: area(score[train], runs.labels[train]) for one, score in scores.items()}
        order = sorted(areas, key=lambda one: -areas[one])
        found.append(Chosen(train, test, order, areas, {one: score[train] for one, score in scores.items()}))
    return found


def by_the_best(
    runs: Runs, chosen: Sequence[Chosen], family: Family, *, best: int, seed: int, share: float = 1.0
) -> FloatArray:
    """(n,) the mean of the best candidates of every block, each as share of training runs below. `share`: how many of
    the training runs are learned from."""
    score = np.full(len(runs.labels), np.nan)
    for one in chosen:
        kept = np.sort(np.random.default_rng(seed).permutation(one.train)[: round(share * len(one.train))])
        found = scored(Prepared(runs, kept), one.test, one.order[:best], family, seed=seed)
        score[one.test] = np.mean([_share(one.inner[name], values) for name, values in found.items()], axis=0)
    return score


def area(score: FloatArray, labels: IntArray) -> float:
    """AUC by ranks; NaN with one class."""
    bad = labels == 1
    if bad.all() or not bad.any():
        return float("nan")
    above = stats.rankdata(score)[bad].sum() - bad.sum() * (bad.sum() + 1) / 2
    return float(above / (bad.sum() * (~bad).sum()))


def _share(among: FloatArray, values: FloatArray) -> FloatArray:
    """The share of `among` below each value, ties by half."""
    ordered = np.sort(among)
    both = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return np.asarray(both / (2 * len(among)))
