"""What every regressor with errors offers, and how its intervals are judged."""

# ruff: noqa: N803  # X is what scikit-learn calls it
from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.stats import norm
from sklearn.base import BaseEstimator, RegressorMixin

from mlcore.conditions import FloatArray
from mlcore.errors import MlcoreError, ShapeError, TooFewData

FEWEST = 20


class IntervalRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc,no-any-unimported]  # no types
    """A regressor that says how far it may be off. `fit` checks its input; what it refuses is typed."""

    @abstractmethod
    def _fit(self, X: FloatArray, y: FloatArray) -> None: ...

    @abstractmethod
    def _predict(self, X: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(n,) twice: the prediction and the standard deviation of an observation around it."""

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:
        """Learn from X (n, f) and y (n,), finite. Raises ShapeError, MlcoreError and TooFewData."""
        inputs, targets = _table(X), np.asarray(y, dtype=np.float64)
        if targets.shape != (len(inputs),):
            raise ShapeError(f"y has shape {targets.shape}, X has {len(inputs)} rows.")
        if not np.isfinite(inputs).all() or not np.isfinite(targets).all():
            raise MlcoreError("X and y must be finite; leave out or fill what is not known first.")
        if len(inputs) < FEWEST:
            raise TooFewData(f"{len(inputs)} rows; at least {FEWEST} are needed to say how far a prediction is off.")
        self.n_features_in_ = inputs.shape[1]
        self._fit(inputs, targets)
        return self

    def predict(self, X: npt.ArrayLike) -> FloatArray:
        """(n,); NaN for a row that is not finite."""
        return self._known(X)[0]

    def spread(self, X: npt.ArrayLike) -> FloatArray:
        """(n,) standard deviation that the model gives an observation at X, in the unit of y."""
        return self._known(X)[1]

    def interval(self, X: npt.ArrayLike, level: float = 0.68) -> tuple[FloatArray, FloatArray]:
        """(n,) twice: an observation at X lies between them with probability `level`, as far as the model knows."""
        middle, spread = self._known(X)
        half = float(norm.ppf((1 + checked(level)) / 2)) * spread
        return middle - half, middle + half

    def _known(self, X: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        inputs = _table(X)
        if inputs.shape[1] != self.n_features_in_:
            raise ShapeError(f"X has {inputs.shape[1]} columns; it was fitted with {self.n_features_in_}.")
        rows = np.isfinite(inputs).all(axis=1)
        middle, spread = np.full(len(inputs), np.nan), np.full(len(inputs), np.nan)
        if rows.any():
            middle[rows], spread[rows] = self._predict(inputs[rows])
        return middle, spread


def _table(X: npt.ArrayLike) -> FloatArray:
    inputs = np.asarray(X, dtype=np.float64)
    if inputs.ndim != 2:
        raise ShapeError(f"X has shape {inputs.shape}; send (rows, features).")
    return inputs


def checked(level: float) -> float:
    if not 0 < level < 1:
        raise MlcoreError(f"level is {level}; it is a probability between 0 and 1.")
    return level


@dataclass(frozen=True)
class Coverage:
    """How often what was seen lay in its interval, of `count` times, and how wide intervals were (mean, unit of y)."""

    level: float
    inside: float
    count: int
    width: float

    @property
    def error(self) -> float:
        """Standard deviation of `inside` if it were `level`."""
        return float(np.sqrt(self.level * (1 - self.level) / self.count)) if self.count else float("nan")


def coverage(model: IntervalRegressor, X: npt.ArrayLike, y: npt.ArrayLike, level: float = 0.68) -> Coverage:
    """Count it on data that the model was not fitted on. Rows without an interval are outside: nothing was promised."""
    low, high = model.interval(X, level)
    seen = np.asarray(y, dtype=np.float64)
    inside = (low <= seen) & (seen <= high)
    width = high - low
    known = width[np.isfinite(width)]
    return Coverage(
        level,
        float(inside.mean()) if len(seen) else float("nan"),
        len(seen),
        float(known.mean()) if len(known) else float("nan"),
    )
