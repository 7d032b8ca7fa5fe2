"""The contract of every detector. `mlcore.checks.check_detector` tests it.

- Parameters are only stored in `__init__`, keyword-only; what is learned ends in `_`; `fit` returns self.
- `random_state` wherever chance is used: the same state gives the same scores.
- `score` answers one float per lumisection: **higher = worse**, on any scale of the detector's own. NaN = cannot score
  (no data, unknown conditions); it is never a confident number.
- A threshold is no part of a detector: calibration and policy decide (`mlcore.pipeline`, `mlcore.selective`).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from mlcore.conditions import FloatArray
from mlcore.errors import BadLabels, IncompatibleBinning, MlcoreError, ShapeError, TooFewData
from mlcore.features import FeatureTable
from mlcore.histograms import HistogramBlock


class Detector(BaseEstimator):  # type: ignore[misc,no-any-unimported]  # scikit-learn has no types
    """Base of detectors on one kind of input: a `HistogramBlock` or a `FeatureTable`, both with their conditions."""

    consumes: ClassVar[Literal["block", "table"]]
    #: needs labels in `fit`
    supervised: ClassVar[bool] = False
    #: fewest rows that `fit` accepts
    fewest: ClassVar[int] = 20

    def fit(self, data: Any, labels: npt.ArrayLike | None = None, *, weights: npt.ArrayLike | None = None) -> Self:
        """Learn from lumisections.

        Parameters
        ----------
        data : HistogramBlock or FeatureTable of n lumisections, as `consumes` says.
        labels : (n,) 0 good, 1 bad. Unsupervised detectors learn from the rows labelled good, from all when None.
        weights : (n,) not negative; how far each label is believed.

        Raises TooFewData, BadLabels, ShapeError.
        """
        self._check_kind(data)
        y = check_labels(labels, len(data), both=self.supervised)
        w = check_weights(weights, len(data))
        if not self.supervised and y is not None:
            data, w = data.select(y == 0), None if w is None else w[y == 0]
        usable = self._usable(data)
        if int(usable.sum()) < self.fewest:
            raise TooFewData(
                f"{type(self).__name__}: {int(usable.sum())} usable lumisections, at least {self.fewest} are needed."
            )
        self.layout_ = _layout(data)
        self._fit(
            data.select(usable),
            None if y is None or not self.supervised else y[usable],
            None if w is None else w[usable],
        )
        return self

    def score(self, data: Any) -> FloatArray:
        """(n,) anomaly scores, higher = worse, NaN = cannot score. Raises IncompatibleBinning when the data do not look
        like those it was fitted on, and scikit-learn's NotFittedError before `fit`."""
        check_is_fitted(self, "layout_")
        self._check_kind(data)
        if _layout(data) != self.layout_:
            raise IncompatibleBinning(
                f"{type(self).__name__}: these data have other axes or features than those it was fitted on; "
                "train it again."
            )
        scores = np.full(len(data), np.nan)
        usable = self._usable(data)
        if usable.any():
            scores[usable] = self._score(data.select(usable))
        return scores

    @abstractmethod
    def _fit(self, data: Any, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        """Learn from usable rows only."""

    @abstractmethod
    def _score(self, data: Any) -> FloatArray:
        """Score usable rows only."""

    def _usable(self, data: Any) -> npt.NDArray[np.bool_]:
        """Rows that can be scored at all."""
        if isinstance(data, HistogramBlock):
            return ~data.missing & (data.totals > 0)
        return np.asarray(np.isfinite(data.values).any(axis=1))

    def _check_kind(self, data: Any) -> None:
        wanted = HistogramBlock if self.consumes == "block" else FeatureTable
        if not isinstance(data, wanted):
            raise MlcoreError(f"{type(self).__name__} takes a {wanted.__name__}, not {type(data).__name__}.")


def _layout(data: HistogramBlock | FeatureTable) -> tuple[Any, ...]:
    if isinstance(data, HistogramBlock):
        return (data.element, *data.axes)
    return data.names


def check_labels(labels: npt.ArrayLike | None, n: int, *, both: bool) -> npt.NDArray[np.int64] | None:
    """Labels as int64 of shape (n,), 0 and 1 only. Raises BadLabels; `both` asks for at least one of each."""
    if labels is None:
        if both:
            raise BadLabels("labels are needed: 0 for good, 1 for bad lumisections.")
        return None
    y = np.asarray(labels)
    if y.shape != (n,):
        raise ShapeError(f"labels have shape {y.shape}, expected ({n},).")
    values = np.unique(y[~np.isnan(y)] if np.issubdtype(y.dtype, np.floating) else y)
    if not np.isin(values, (0, 1)).all() or (np.issubdtype(y.dtype, np.floating) and np.isnan(y).any()):
        raise BadLabels(f"labels must be 0 (good) or 1 (bad); found {values[:5].tolist()}.")
    if both and values.size < 2:
        raise BadLabels("both good and bad lumisections are needed; all labels are the same.")
    return y.astype(np.int64)


def check_weights(weights: npt.ArrayLike | None, n: int) -> FloatArray | None:
    if weights is None:
        return None
    w = np.asarray(weights, dtype=np.float64)
    if w.shape != (n,) or not np.isfinite(w).all() or (w < 0).any() or not w.sum() > 0:
        raise ShapeError(f"weights must be {n} finite numbers from 0, not all 0.")
    return w
