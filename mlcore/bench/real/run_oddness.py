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

from .runs import Prepared, odd_ones, ranks

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
    "isolation forest": _isolation,
    "far from other runs": _far_from_others,
}
