"""Candidates that score a run without any label: how odd its histograms are among those of the training runs.

Each returns (n,) for all runs, higher = odder; where a run stands is then read from the training runs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import stats
from sklearn.covariance import LedoitWolf
from sklearn.ensemble import IsolationForest

from mlcore.conditions import FloatArray, IntArray

from .runs import LEVELS, Prepared, odd_ones, ranks

Oddness = Callable[[Prepared, IntArray, int], FloatArray]
#: Runs before and after against which a run is compared with its time; nearest ones in the space of ranks.
AROUND, NEAREST = 15, 5


def _mean_rank(kind: str, sign: float = 1.0) -> Oddness:
    return lambda prepared, asked, seed: sign * getattr(prepared, kind).mean(axis=1)


def _counts(*kinds: str) -> Oddness:
    return lambda prepared, asked, seed: np.sum([odd_ones(getattr(prepared, kind)) for kind in kinds], axis=0)


def _tail(prepared: Prepared, asked: IntArray, seed: int) -> FloatArray:
    return np.asarray(-np.log(1 - 0.995 * prepared.pca).mean(axis=1))


def _worst_group(prepared: Prepared, asked: IntArray, seed: int) -> FloatArray:
    return np.asarray(ranks(prepared.by_group(prepared.pca), prepared.train).max(axis=1))


def _odd_rates(prepared: Prepared, asked: IntArray, seed: int) -> FloatArray:
    return np.asarray(np.abs(prepared.rates - 0.5).mean(axis=1))


def _counts_of_rates(prepared: Prepared, asked: IntArray, seed: int) -> FloatArray:
    return odd_ones(np.abs(2 * prepared.rates - 1))


def _distance(*kinds: str) -> Oddness:
    """Mahalanobis distance of normal scores, with a shrunk covariance."""

    def of(prepared: Prepared, asked: IntArray, seed: int) -> FloatArray:
        share = np.hstack([getattr(prepared, kind) for kind in kinds])
        edge = 0.5 / len(prepared.train)
        normal = stats.norm.ppf(np.clip(share, edge, 1 - edge))
        return np.asarray(LedoitWolf().fit(normal[prepared.train]).mahalanobis(normal))

    return of


def _given_entries(prepared: Prepared, asked: IntArray, seed: int) -> FloatArray:
    """PCA scores freed of what few entries do to them: a robust line per histogram."""
    runs, train = prepared.runs, prepared.train
    size = np.nanmedian(runs.entries, axis=1)
    freed = np.empty_like(runs.pca)
    for column in range(runs.pca.shape[1]):
        known = train[np.isfinite(runs.pca[train, column])]
        slope = stats.theilslopes(runs.pca[known, column], size[known])[0]
        freed[:, column] = runs.pca[:, column] - slope * size
    return np.asarray(ranks(freed, train).mean(axis=1))


def _against_its_time(prepared: Prepared, asked: IntArray, seed: int) -> FloatArray:
    """PCA scores minus the median of the runs before and after, in training runs and those asked."""
    scores, rows = prepared.runs.pca, np.sort(np.concatenate([prepared.train, asked]))
    moved = np.full_like(scores, np.nan)
    for place, row in enumerate(rows):
        window = rows[max(0, place - AROUND) : place + AROUND + 1]
        moved[row] = scores[row] - np.nanmedian(scores[window[window != row]], axis=0)
    return np.asarray(ranks(moved, prepared.train).mean(axis=1))


def _share_of_its_time(kind: str, around: int, prepared: Prepared, asked: IntArray) -> FloatArray:
    """(n, k) the share of the runs before and after with a smaller score, among training runs and those asked."""
    scores: FloatArray = getattr(prepared.runs, kind)
    rows, share = np.sort(np.concatenate([prepared.train, asked])), np.full_like(scores, 0.5)
    for place, row in enumerate(rows):
        window = rows[max(0, place - around) : place + around + 1]
        others = scores[window[window != row]]
        below = (others < scores[row]).sum(axis=0) + (others == scores[row]).sum(axis=0) / 2
        known = np.isfinite(scores[row])
        share[row, known] = (below / np.maximum(np.isfinite(others).sum(axis=0), 1))[known]
    return share


def _counts_of_its_time(around: int, *kinds: str) -> Oddness:
    return lambda prepared, asked, seed: np.sum(
        [odd_ones(_share_of_its_time(kind, around, prepared, asked)) for kind in kinds], axis=0
    )


def _mean_of_its_time(kind: str, around: int, sign: float = 1.0) -> Oddness:
    return lambda prepared, asked, seed: sign * _share_of_its_time(kind, around, prepared, asked).mean(axis=1)


def _odd_in_both(prepared: Prepared, asked: IntArray, seed: int) -> FloatArray:
    both = [((prepared.pca > level) & (prepared.pull > level - 0.1)).mean(axis=1) / (1 - level) for level in LEVELS]
    return np.asarray(np.sum(both, axis=0))


def _tails(prepared: Prepared, asked: IntArray, seed: int) -> FloatArray:
    """Fisher's sum of the logarithms of both p-values of every histogram."""
    return np.asarray(-np.log(1 - 0.995 * np.hstack([prepared.pca, prepared.pull])).mean(axis=1))


def _higher_criticism(prepared: Prepared, asked: IntArray, seed: int) -> FloatArray:
    """Whether more histograms are odd than chance would make, at whichever level shows most (Donoho and Jin, 2004)."""
    p = np.sort(1 - np.maximum(prepared.pca, prepared.pull) ** 2, axis=1)
    expected = np.arange(1, p.shape[1] + 1) / p.shape[1]
    excess = np.sqrt(p.shape[1]) * (expected - p) / np.sqrt(np.clip(p * (1 - p), 1e-4, None))
    return np.asarray(excess[:, : p.shape[1] // 2].max(axis=1))


def _upper_half(prepared: Prepared, asked: IntArray, seed: int) -> FloatArray:
    both = np.sort(np.hstack([prepared.pca, prepared.pull]), axis=1)
    return np.asarray(both[:, both.shape[1] // 2 :].mean(axis=1))


def _odd_subdetectors(prepared: Prepared, asked: IntArray, seed: int) -> FloatArray:
    """Counts of odd histograms, by the root of the share in each subdetector: many a little more than one a lot."""
    odd = [((prepared.pca > level) | (prepared.pull > level)).astype(np.float64) for level in LEVELS]
    roots = [np.sqrt(prepared.by_group(one)).mean(axis=1) for one in odd]
    return np.asarray(np.sum([root / (1 - level) for root, level in zip(roots, LEVELS, strict=True)], axis=0))


def _isolation(prepared: Prepared, asked: IntArray, seed: int) -> FloatArray:
    share = np.hstack([prepared.pca, prepared.pull, prepared.rates])
    model = IsolationForest(n_estimators=100, random_state=seed).fit(share[prepared.train])
    return -np.asarray(model.score_samples(share))


def _far_from_others(prepared: Prepared, asked: IntArray, seed: int) -> FloatArray:
    share = np.hstack([prepared.pca, prepared.pull, prepared.rates])
    squared = (share**2).sum(axis=1)
    away = squared[:, None] + squared[None, prepared.train] - 2 * share @ share[prepared.train].T
    away[prepared.train, np.arange(len(prepared.train))] = np.inf
    return np.asarray(np.sort(away, axis=1)[:, :NEAREST].mean(axis=1))


ODDNESS: dict[str, Oddness] = {
    "PCA ranks": _mean_rank("pca"),
    "pull ranks": _mean_rank("pull"),
    "chi2 ranks": _mean_rank("chi2"),
    "short": _mean_rank("entries", -1.0),
    "counts": _counts("pca", "pull"),
    "counts of PCA": _counts("pca"),
    "counts of pull": _counts("pull"),
    "counts of PCA, pull, chi2": _counts("pca", "pull", "chi2"),
    "PCA tail": _tail,
    "worst subdetector": _worst_group,
    "odd rates": _odd_rates,
    "counts of odd rates": _counts_of_rates,
    "distance, PCA": _distance("pca"),
    "distance, PCA and pull": _distance("pca", "pull"),
    "distance, rates": _distance("rates"),
    "PCA given entries": _given_entries,
    "PCA against its time": _against_its_time,
    "counts among 25 before and after": _counts_of_its_time(25, "pca", "pull"),
    "counts among 50 before and after": _counts_of_its_time(50, "pca", "pull"),
    "counts of PCA among 40 before and after": _counts_of_its_time(40, "pca"),
    "PCA ranks among 40 before and after": _mean_of_its_time("pca", 40),
    "short among 25 before and after": _mean_of_its_time("entries", 25, -1.0),
    "odd in both": _odd_in_both,
    "tails": _tails,
    "higher criticism": _higher_criticism,
    "upper half": _upper_half,
    "odd subdetectors": _odd_subdetectors,
    "isolation forest": _isolation,
    "far from other runs": _far_from_others,
}
