"""Bootstrap: the same regressor on many resamples; how much they differ, and how far they miss what they left out."""

# ruff: noqa: N803  # X is what scikit-learn calls it
from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor

from mlcore.conditions import FloatArray

from .intervals import IntervalRegressor


class BootstrapRegressor(IntervalRegressor):
    """The mean of `replicates` clones of a regressor, each fitted on as many rows drawn with replacement.

    The variance of an observation is that of the replicates plus that of the residuals out of the bag (one number for
    all X: where noise changes with X it is wrong, and `ConformalRegressor` around this one measures by how much).

    Parameters
    ----------
    estimator : a scikit-learn regressor; gradient boosting when none is given.
    replicates : how many; random_state : seed of the draws.

    Learned: `models_`, `noise_` (standard deviation of residuals out of the bag).
    Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap (1993).
    """

    def __init__(self, *, estimator: Any = None, replicates: int = 20, random_state: int = 0) -> None:
        self.estimator = estimator
        self.replicates = replicates
        self.random_state = random_state

    def _fit(self, X: FloatArray, y: FloatArray) -> None:
        rng = np.random.default_rng(self.random_state)
        start = self.estimator if self.estimator is not None else HistGradientBoostingRegressor(max_iter=60)
        self.models_ = []
        left_out, times = np.zeros(len(y)), np.zeros(len(y))
        for _ in range(self.replicates):
            rows = rng.integers(0, len(y), len(y))
            model = clone(start).fit(X[rows], y[rows])
            self.models_.append(model)
            out = np.ones(len(y), dtype=bool)
            out[rows] = False
            left_out[out] += model.predict(X[out])
            times[out] += 1
        seen = times > 0
        residuals = y[seen] - left_out[seen] / times[seen]
        self.noise_ = float(np.sqrt((residuals**2).mean()))

    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        each = np.stack([model.predict(X) for model in self.models_])
        return each.mean(axis=0), np.sqrt(each.var(axis=0) + self.noise_**2)
