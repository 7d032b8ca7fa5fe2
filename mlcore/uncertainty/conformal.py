"""Intervals that were measured: how far a model misses what it has not seen, in places as dense as this one.

1. In each of a few folds the model is fitted on the others and its residuals are taken, in units of the spread it gave:
   the model's own word for where noise is large is kept, its size is not believed.
2. Rows are grouped by how far their nearest neighbours are (dense to sparse). In each group the quantiles of those
   residuals, low and high apart, make the interval: with n residuals the (n + 1) corrected order statistics.
3. Predictions come from the model fitted on everything.

Within a group an exchangeable new observation is covered with the stated probability, up to 1 / n and the difference
between the fold models and the whole one (cross-conformal prediction; groups as in Mondrian conformal prediction).
Source: Vovk, Ann. Math. Artif. Intell. 74 (2015) 9; arXiv:1905.02928 for the comparison of folds.
"""

# ruff: noqa: N803  # X is what scikit-learn calls it
from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.model_selection import KFold
from sklearn.neighbors import NearestNeighbors

from mlcore.conditions import FloatArray
from mlcore.errors import MlcoreError

from .bootstrap import BootstrapRegressor
from .intervals import IntervalRegressor, checked

_FEWEST_IN_GROUP = 100


class ConformalRegressor(IntervalRegressor):
    """Measured intervals around any regressor with a spread.

    Parameters
    ----------
    estimator : an `IntervalRegressor`; `BootstrapRegressor()` when none is given.
    folds : of the measurement; neighbours : whose distance says how sparse a place is (in units of each column's
    standard deviation); groups : how many from dense to sparse, the sparsest with half as many rows as the one before;
    random_state : seed of the folds.

    Learned: `model_`, `edges_` (between groups, distances), `residuals_` (one sorted array per group, in units of the
    model's spread).
    """

    def __init__(
        self, *, estimator: Any = None, folds: int = 5, neighbours: int = 10, groups: int = 5, random_state: int = 0
    ) -> None:
        self.estimator = estimator
        self.folds = folds
        self.neighbours = neighbours
        self.groups = groups
        self.random_state = random_state

    def _fit(self, X: FloatArray, y: FloatArray) -> None:
        if self.folds < 2 or self.groups < 1 or self.neighbours < 1:
            raise MlcoreError("folds are at least 2, groups and neighbours at least 1.")
        start = self.estimator if self.estimator is not None else BootstrapRegressor(random_state=self.random_state)
        residuals = np.empty(len(y))
        for learned, held in KFold(self.folds, shuffle=True, random_state=self.random_state).split(X):
            model = clone(start).fit(X[learned], y[learned])
            residuals[held] = (y[held] - model.predict(X[held])) / _positive(model.spread(X[held]))
        self.size_ = X.std(axis=0)
        self.size_[self.size_ == 0] = 1.0
        self.known_ = NearestNeighbors(n_neighbors=min(self.neighbours + 1, len(X))).fit(X / self.size_)
        # A row is its own nearest neighbour, which a new one is not.
        distance = self.known_.kneighbors(X / self.size_)[0][:, -1]
        self.edges_ = self._edges(distance)
        group = np.searchsorted(self.edges_, distance)
        self.residuals_ = [np.sort(residuals[group == each]) for each in range(len(self.edges_) + 1)]
        self.model_ = clone(start).fit(X, y)

    def _edges(self, distance: FloatArray) -> FloatArray:
        """From the dense half on, each group has half of the rest, as long as enough rows are left in it."""
        shares = [1 - 0.5 ** (each + 1) for each in range(self.groups - 1)]
        kept = [share for share in shares if (1 - share) * len(distance) >= _FEWEST_IN_GROUP]
        return np.unique(np.quantile(distance, kept)) if kept else np.zeros(0)

    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        return self.model_.predict(X), _positive(self.model_.spread(X))

    def interval(self, X: npt.ArrayLike, level: float = 0.68) -> tuple[FloatArray, FloatArray]:
        """(n,) twice, measured; infinite where so few residuals are known that no interval holds the level."""
        checked(level)
        middle, spread = self._known(X)
        low, high = np.full(len(middle), np.nan), np.full(len(middle), np.nan)
        rows = np.isfinite(middle)
        if not rows.any():
            return low, high
        inputs = np.asarray(X, dtype=np.float64)[rows] / self.size_
        count = min(self.neighbours, self.known_.n_samples_fit_)
        group = np.searchsorted(self.edges_, self.known_.kneighbors(inputs, n_neighbors=count)[0][:, -1])
        bounds = np.array([_bounds(each, level) for each in self.residuals_])[group]
        low[rows] = middle[rows] + bounds[:, 0] * spread[rows]
        high[rows] = middle[rows] + bounds[:, 1] * spread[rows]
        return low, high


def _positive(spread: FloatArray) -> FloatArray:
    return np.maximum(spread, 1e-12)


def _bounds(residuals: FloatArray, level: float) -> tuple[float, float]:
    """Low and high, each missed with half of what the level leaves."""
    tail = (1 - level) / 2
    place = int(np.floor(tail * (len(residuals) + 1)))
    if place < 1:
        return -np.inf, np.inf
    return float(residuals[place - 1]), float(residuals[-place])
