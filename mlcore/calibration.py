"""From a score on any scale to a probability of being bad: monotone, NaN stays NaN."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit
from sklearn.base import BaseEstimator
from sklearn.isotonic import isotonic_regression
from sklearn.utils.validation import check_is_fitted

from .conditions import FloatArray
from .errors import BadLabels, MlcoreError
from .evaluate import scored

GROUPS = 1000  # neighbouring scores are put together before Venn-Abers; more would not be seen


class ProbabilityCalibrator(BaseEstimator):  # type: ignore[misc,no-any-unimported]  # scikit-learn has no types
    """P(bad | score), never falling with the score.

    Parameters
    ----------
    method : "isotonic" is isotonic regression, joined between the centres of its steps along log odds and continued
        beyond the ends, so that two different scores hardly ever share a probability: a policy can then put its
        threshold between any two lumisections, also where everything is bad. "venn-abers" (arXiv:1211.0025) gives a
        probability from the two that an isotonic fit would give if the lumisection were good or bad; `interval` tells
        both, and their distance says how little is known.
    prior : half a good and half a bad lumisection by default are added to each step, so that no probability is 0 or 1.

    Learned: `score_`, `probability_` (knots); `lower_`, `upper_` for Venn-Abers.
    """

    def __init__(self, *, method: Literal["isotonic", "venn-abers"] = "isotonic", prior: float = 1.0) -> None:
        self.method = method
        self.prior = prior

    def fit(self, scores: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Self:
        """Learn from n scores (NaN left out), labels 0 good 1 bad, and weights. Raises BadLabels for one class only."""
        if self.method not in ("isotonic", "venn-abers"):
            raise MlcoreError(f"method is {self.method!r}; there are isotonic and venn-abers.")
        if not self.prior > 0:
            raise MlcoreError("prior is above 0; without it a probability would be 0 or 1.")
        rows = scored(scores, labels, weights=weights)
        if np.unique(rows.label).size < 2:
            raise BadLabels("a calibration needs good and bad lumisections that have a score; all labels are the same.")
        values, place = np.unique(rows.score, return_inverse=True)
        # Weights count lumisections, so that the prior means the same whatever unit the luminosity has.
        weight = rows.weight / rows.weight.mean()
        total = np.bincount(place, weight).astype(np.float64)
        bad = np.bincount(place, weight * rows.label).astype(np.float64)
        if self.method == "isotonic":
            self.score_, self.probability_ = _centred(values, bad, total, self.prior)
        else:
            self.score_, self.lower_, self.upper_ = _venn_abers(values, bad, total)
            self.probability_ = np.maximum.accumulate(self.upper_ / (1 - self.lower_ + self.upper_))
        return self

    def predict(self, scores: npt.ArrayLike) -> FloatArray:
        """(n,) probabilities of being bad, NaN where the score is NaN. Raises NotFittedError before `fit`."""
        check_is_fitted(self, "probability_")
        score = np.asarray(scores, dtype=np.float64)
        if self.method == "venn-abers":
            return np.asarray(np.interp(score, self.score_, self.probability_))
        odds = logit(self.probability_)
        answer = np.interp(score, self.score_, odds)
        if self.score_.size > 1:
            widths = np.maximum(np.diff(self.score_), np.finfo(float).tiny)
            slopes = np.maximum(np.diff(odds), 1e-9) / widths
            with np.errstate(over="ignore"):
                below = odds[0] + slopes[0] * (score - self.score_[0])
                above = odds[-1] + slopes[-1] * (score - self.score_[-1])
            answer = np.where(score < self.score_[0], below, np.where(score > self.score_[-1], above, answer))
        # Within what a float near 1 can tell apart.
        return np.asarray(expit(np.clip(answer, -30.0, 30.0)))

    def interval(self, scores: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Lower and upper probability of Venn-Abers, each (n,). Raises MlcoreError for the other method."""
        check_is_fitted(self, "probability_")
        if self.method != "venn-abers":
            raise MlcoreError("only venn-abers has an interval; choose that method.")
        score = np.asarray(scores, dtype=np.float64)
        return (
            np.asarray(np.interp(score, self.score_, self.lower_)),
            np.asarray(np.interp(score, self.score_, self.upper_)),
        )


def _centred(values: FloatArray, bad: FloatArray, total: FloatArray, prior: float) -> tuple[FloatArray, FloatArray]:
    """Centres and probabilities of the steps of isotonic regression (arXiv:1701.05964), strictly ascending."""
    fitted = isotonic_regression(bad / total, sample_weight=total)
    _, step = np.unique(fitted, return_inverse=True)
    weight, wrong = np.bincount(step, total), np.bincount(step, bad)
    centre = np.bincount(step, total * values) / weight
    smoothed = (wrong + prior / 2) / (weight + prior)
    # Adding the prior can turn two small neighbouring steps round; they are levelled again.
    smoothed = isotonic_regression(smoothed, sample_weight=weight)
    return centre, smoothed


def _venn_abers(values: FloatArray, bad: FloatArray, total: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """At each of up to GROUPS scores: what isotonic regression says with that score added as good, and as bad."""
    place = np.minimum((np.cumsum(total) - total / 2) / total.sum() * GROUPS, GROUPS - 1).astype(np.int64)
    _, place = np.unique(place, return_inverse=True)
    weight, wrong = np.bincount(place, total), np.bincount(place, bad)
    centre = np.bincount(place, total * values) / weight
    lower, upper = np.empty(centre.size), np.empty(centre.size)
    for row in range(centre.size):
        more = weight.copy()
        more[row] += 1.0
        lower[row] = isotonic_regression(wrong / more, sample_weight=more)[row]
        with_bad = wrong.copy()
        with_bad[row] += 1.0
        upper[row] = isotonic_regression(with_bad / more, sample_weight=more)[row]
    # Equal fits differ in the last digit, which must not make a probability fall.
    return centre, np.maximum.accumulate(lower), np.maximum.accumulate(upper)
