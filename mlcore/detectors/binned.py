"""Histogram boosting on features that are binned beforehand."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier

from mlcore.conditions import FloatArray, IntArray

BINS = 63


class BinnedBoosting:
    """scikit-learn's histogram boosting for two classes, fed with bin numbers.

    With sample weights scikit-learn 1.9 finds its bins column by column in Python, which takes ten times as long as all
    the trees; cut at plain quantiles first, the trees are as good. `parameters` are those of
    HistGradientBoostingClassifier. NaN stays NaN, a branch of its own.
    """

    def __init__(self, **parameters: Any) -> None:
        self.parameters = parameters

    def fit(self, x: npt.NDArray[np.floating[Any]], labels: IntArray, weights: FloatArray | None = None) -> Self:
        """x (n, f), labels (n,) 0 and 1, weights (n,) or None; only their ratios count."""
        inner = np.linspace(0.0, 1.0, BINS + 1)[1:-1]
        ordered = np.sort(x, axis=0)
        known = np.isfinite(x).sum(axis=0)
        place = np.clip(np.ceil(inner[:, None] * known[None, :]).astype(np.int64) - 1, 0, None)
        self.edges_ = np.nan_to_num(np.take_along_axis(ordered, place, axis=0), nan=0.0)
        self.trees_ = HistGradientBoostingClassifier(
            max_leaf_nodes=None, max_bins=BINS, l2_regularization=1.0, early_stopping=False, **self.parameters
        ).fit(self._codes(x), labels, sample_weight=None if weights is None else weights / weights.mean())
        return self

    def decision_function(self, x: npt.NDArray[np.floating[Any]]) -> FloatArray:
        """(n,) log-odds of label 1."""
        return np.asarray(self.trees_.decision_function(self._codes(x)), dtype=np.float64)

    def _codes(self, x: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
        codes = np.empty(x.shape, dtype=np.float32)
        for column in range(x.shape[1]):
            codes[:, column] = np.searchsorted(self.edges_[:, column], x[:, column])
        codes[~np.isfinite(x)] = np.nan
        return codes
