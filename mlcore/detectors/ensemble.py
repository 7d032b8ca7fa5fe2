"""Several detectors as one: their scores on a common scale, combined with or without labels."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.utils.validation import check_is_fitted

from mlcore.conditions import BoolArray, FloatArray, IntArray
from mlcore.errors import TooFewData
from mlcore.features import FeatureTable

from .base import Detector, check_labels, check_weights

#: -log10 of the smallest tail probability that is told apart; beyond it everything is equally impossible
FARTHEST = 40.0
QUANTILES = np.concatenate([np.linspace(0.0, 0.9, 91), np.linspace(0.905, 0.95, 10)])
#: what a score that is not known counts as: the median of good data
UNKNOWN = float(np.log10(2.0))


class TailScale:
    """Scores of any scale as -log10 of how often good lumisections score as high; column by column, NaN stays NaN.

    The bulk is the empirical distribution of what it was fitted on; beyond its 95% quantile the tail is exponential
    with the mean excess seen there, so that two scores beyond all of training still differ. Increasing in the score.

    Attributes: `quantiles_` (101, k) scores at fixed probabilities, `excess_` (k,) mean excess beyond the last.
    """

    quantiles_: FloatArray
    excess_: FloatArray

    def fit(self, scores: FloatArray) -> Self:
        """`scores` (n, k) of good lumisections. A column without a number is later answered with NaN."""
        k = scores.shape[1]
        self.quantiles_, self.excess_ = np.full((QUANTILES.size, k), np.nan), np.full(k, np.nan)
        for column in range(k):
            values = scores[np.isfinite(scores[:, column]), column]
            if not values.size:
                continue
            self.quantiles_[:, column] = np.quantile(values, QUANTILES)
            last = self.quantiles_[-1, column]
            beyond = values[values > last] - last
            bulk = last - np.median(values)
            smallest = max(0.05 * bulk, 1e-6 * abs(last), 1e-12)
            self.excess_[column] = max(float(beyond.mean()) if beyond.size else 0.0, smallest)
        return self

    def transform(self, scores: FloatArray) -> FloatArray:
        """(n, k) -log10 of tail probabilities, from 0 to 40."""
        found = np.full(scores.shape, np.nan)
        tail = -np.log10(1.0 - QUANTILES)
        for column in range(scores.shape[1]):
            if np.isnan(self.excess_[column]):
                continue
            places, last = self.quantiles_[:, column], self.quantiles_[-1, column]
            # Of equal quantiles (ties) the first is meant: a score that most good data have is not a high one.
            unique = np.r_[True, np.diff(places) > 0]
            inside = np.interp(scores[:, column], places[unique], tail[unique])
            beyond = np.maximum(scores[:, column] - last, 0.0) / (self.excess_[column] * np.log(10.0))
            found[:, column] = np.where(beyond > 0, tail[-1], inside) + beyond
        return np.asarray(np.where(np.isnan(scores), np.nan, np.minimum(found, FARTHEST)))


class Ensemble(Detector):
    """Combines scores of several detectors, each a column of a `FeatureTable`; higher = worse in all of them.

    All scores are brought to the scale of `TailScale`. Without bad labels two summaries are taken, the most significant
    column corrected for the number of looks (finds what one detector sees) and the sum of all, measured in the width
    that it has for good data with the correlations between detectors (finds what all see a little); the more
    significant of the two counts. With bad labels the columns and these two summaries get weights by logistic
    regression; weights cannot be negative, so that no detector is ever believed backwards.

    A missing score is left out of both summaries, and counts as that of a typical good lumisection where it has a
    weight of its own. A row without any score is NaN.

    Parameters
    ----------
    mode : `auto` learns weights when there are labels of both kinds; `robust` never does; `learned` insists on them.
    penalty : of the squared weights, relative to one row.

    Attributes
    ----------
    scale_, summary_scale_ : `TailScale` of the columns and of the two summaries.
    mean_, covariance_ : of the columns for good data, on the common scale.
    weights_ : (columns + 2,) not negative, and `intercept_`; None when robust.
    """

    consumes: ClassVar[Literal["block", "table"]] = "table"

    def __init__(self, *, mode: Literal["auto", "robust", "learned"] = "auto", penalty: float = 1.0) -> None:
        self.mode = mode
        self.penalty = penalty

    def fit(self, data: Any, labels: npt.ArrayLike | None = None, *, weights: npt.ArrayLike | None = None) -> Self:
        """Scales from the good lumisections (all, when there are no labels); weights from both kinds, if wanted."""
        self._check_kind(data)
        y = check_labels(labels, len(data), both=self.mode == "learned")
        w = check_weights(weights, len(data))
        good: BoolArray = self._usable(data) if y is None else self._usable(data) & (y == 0)
        if int(good.sum()) < self.fewest:
            raise TooFewData(f"Ensemble: {int(good.sum())} good lumisections, at least {self.fewest} are needed.")
        self.layout_ = data.names
        self._fit(data.select(good), None, None)
        both = y is not None and self.mode != "robust" and bool((y[self._usable(data)] == 1).any())
        self.weights_: FloatArray | None = None
        self.intercept_ = 0.0
        if both and y is not None:
            usable = self._usable(data)
            self._learn(data.select(usable), y[usable], np.ones(int(usable.sum())) if w is None else w[usable])
        return self

    def summaries(self, data: FeatureTable) -> FloatArray:
        """(n, 2) the most significant column and the sum of all, each as -log10 of how often good data have as much."""
        check_is_fitted(self, "layout_")
        return self.summary_scale_.transform(self._summaries(self._scaled(data)))

    def contributions(self, data: FeatureTable) -> FloatArray:
        """(n, columns) how much each detector adds to the score: weight times the root of its scaled score when weights
        were learned, else the scaled score. NaN where the detector gave none."""
        check_is_fitted(self, "layout_")
        scaled = self._scaled(data)
        return scaled if self.weights_ is None else np.asarray(np.sqrt(scaled) * self.weights_[: scaled.shape[1]])

    def _scaled(self, data: FeatureTable) -> FloatArray:
        return self.scale_.transform(np.where(np.isfinite(data.values), data.values, np.nan))

    def _fit(self, data: FeatureTable, labels: IntArray | None, weights: FloatArray | None) -> None:
        self.scale_ = TailScale().fit(np.where(np.isfinite(data.values), data.values, np.nan))
        scaled = self._scaled(data)
        known = np.isfinite(scaled)
        count = np.maximum(known.sum(axis=0), 1)
        self.mean_ = np.where(known, scaled, 0.0).sum(axis=0) / count
        centred = np.where(known, scaled - self.mean_, 0.0)
        pairs = known.T.astype(np.float64) @ known
        self.covariance_ = centred.T @ centred / np.maximum(pairs, 1.0)
        self.summary_scale_ = TailScale().fit(self._summaries(scaled))

    def _summaries(self, scaled: FloatArray) -> FloatArray:
        """(n, 2): the most significant column corrected for looks, and the standardised sum."""
        known = np.isfinite(scaled)
        looks = known.sum(axis=1)
        largest = np.where(known, scaled, -np.inf).max(axis=1, initial=-np.inf)
        mask = known.astype(np.float64)
        variance = np.einsum("ij,ij->i", mask @ self.covariance_, mask)
        total = np.where(known, scaled - self.mean_, 0.0).sum(axis=1)
        both = np.column_stack(
            [
                largest - np.log10(np.maximum(looks, 1)),
                total / np.sqrt(np.maximum(variance, 1e-6 * np.maximum(looks, 1))),
            ]
        )
        both[looks == 0] = np.nan
        return both

    def _design(self, scaled: FloatArray) -> FloatArray:
        """(n, columns + 2) for the regression; roots, so that one enormous score does not rule the fit."""
        summaries = self.summary_scale_.transform(self._summaries(scaled))
        columns = np.nan_to_num(np.hstack([scaled, summaries]), nan=UNKNOWN)
        return np.asarray(np.sqrt(columns))

    def _learn(self, data: FeatureTable, labels: IntArray, weights: FloatArray) -> None:
        x = self._design(self._scaled(data))
        sign = np.where(labels == 1, 1.0, -1.0)
        # Both kinds count alike, however rare bad is: what matters here is the order.
        share = weights / np.where(labels == 1, weights[labels == 1].sum(), weights[labels == 0].sum())
        share = share * len(labels) / 2

        def loss(parameters: FloatArray) -> tuple[float, FloatArray]:
            margin = sign * (x @ parameters[:-1] + parameters[-1])
            pull = -sign * share / (1.0 + np.exp(np.clip(margin, -500, 500)))
            value = (share * np.logaddexp(0.0, -margin)).sum() + 0.5 * self.penalty * (parameters[:-1] ** 2).sum()
            return float(value), np.append(x.T @ pull + self.penalty * parameters[:-1], pull.sum())

        start = np.append(np.full(x.shape[1], 0.1), 0.0)
        bounds = [(0.0, None)] * x.shape[1] + [(None, None)]
        found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 200})
        if found.x[:-1].max() > 0:
            self.weights_, self.intercept_ = np.asarray(found.x[:-1]), float(found.x[-1])

    def _score(self, data: FeatureTable) -> FloatArray:
        scaled = self._scaled(data)
        if self.weights_ is not None:
            return np.asarray(self._design(scaled) @ self.weights_ + self.intercept_)
        return np.asarray(self.summary_scale_.transform(self._summaries(scaled)).max(axis=1))
