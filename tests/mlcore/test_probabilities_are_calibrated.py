"""Scores become probabilities that can be believed: monotone, NaN stays NaN, distinct where scores are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import isotonic_regression

from mlcore.calibration import ProbabilityCalibrator
from mlcore.errors import BadLabels, MlcoreError
from mlcore.evaluate import auc, reliability

METHODS = ("isotonic", "venn-abers")


def sample(seed: int, n: int = 8000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.2).astype(int)
    return 100 * (rng.normal(size=n) + 2.5 * labels), labels


@pytest.mark.parametrize("method", METHODS)
def test_probabilities_are_true_on_data_that_were_not_seen(method: str) -> None:
    calibrator = ProbabilityCalibrator(method=method).fit(*sample(0))  # type: ignore[arg-type]
    scores, labels = sample(1)
    p = calibrator.predict(scores)
    assert reliability(p, labels).error < 0.015
    assert auc(p, labels) == pytest.approx(auc(scores, labels), abs=2e-3)
    # The truth by Bayes for two Gaussians 2.5 apart.
    truth = 1 / (1 + np.exp(-(2.5 * scores / 100 - 2.5**2 / 2 + np.log(0.25))))
    assert np.abs(p - truth).mean() < 0.02


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.sampled_from(METHODS), st.booleans(), st.booleans())
def test_probabilities_never_fall_with_the_score(seed: int, method: str, ties: bool, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(10, 120))
    scores, labels = rng.normal(size=n), np.append([0, 1], (rng.random(n - 2) < rng.uniform(0.1, 0.9)).astype(int))
    scores = np.round(scores, 1) if ties else scores
    weights = rng.uniform(0.1, 5, n) if weighted else None
    calibrator = ProbabilityCalibrator(method=method).fit(scores, labels, weights)  # type: ignore[arg-type]
    p = calibrator.predict(np.sort(np.concatenate([scores, rng.normal(scale=5, size=50)])))
    assert (np.diff(p) >= -1e-12).all()
    assert ((p > 0) & (p < 1)).all() or method == "venn-abers"
    assert ((p >= 0) & (p <= 1)).all()


def test_a_score_that_is_not_known_stays_unknown_and_is_not_learnt_from() -> None:
    scores, labels = sample(2)
    gaps = np.append(scores, [np.nan] * 1000)
    for method in METHODS:
        plain = ProbabilityCalibrator(method=method).fit(scores, labels)  # type: ignore[arg-type]
        holed = ProbabilityCalibrator(method=method).fit(gaps, np.append(labels, [1] * 1000))  # type: ignore[arg-type]
        assert np.array_equal(plain.predict(scores), holed.predict(scores))
        assert np.isnan(plain.predict([np.nan])).all()


def test_two_scores_hardly_ever_share_a_probability() -> None:
    calibrator = ProbabilityCalibrator().fit(*sample(3))
    scores, _ = sample(4, 2000)
    assert np.unique(calibrator.predict(scores)).size > 0.95 * scores.size
    extremes = calibrator.predict([scores.max() + 10, scores.max() + 20, scores.min() - 20, scores.min() - 10])
    assert extremes[0] < extremes[1]
    assert extremes[2] < extremes[3]


def test_venn_abers_is_what_two_isotonic_fits_say() -> None:
    scores, labels = np.arange(12.0), np.array([0, 0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 1])
    calibrator = ProbabilityCalibrator(method="venn-abers").fit(scores, labels)
    lower, upper = calibrator.interval(scores)
    for row in range(12):
        place = np.searchsorted(scores, scores[row])
        for answer, label in ((lower, 0), (upper, 1)):
            values = np.append(scores, scores[row])
            order = np.argsort(values, kind="stable")
            y = np.append(labels, label)[order].astype(float)
            # Equal scores share one value: their mean, with weight two.
            joined, weight = np.delete(y, place + 1), np.ones(12)
            joined[place], weight[place] = (y[place] + y[place + 1]) / 2, 2.0
            assert answer[row] == pytest.approx(isotonic_regression(joined, sample_weight=weight)[place])
    assert (lower <= upper).all()
    assert calibrator.predict(scores) == pytest.approx(upper / (1 - lower + upper))


def test_what_cannot_be_calibrated_is_refused() -> None:
    with pytest.raises(BadLabels, match="all labels are the same"):
        ProbabilityCalibrator().fit([1.0, 2.0], [0, 0])
    with pytest.raises(BadLabels, match="all labels are the same"):
        ProbabilityCalibrator().fit([np.nan, 2.0], [0, 1])
    with pytest.raises(MlcoreError):
        ProbabilityCalibrator(method="platt").fit([1.0, 2.0], [0, 1])  # type: ignore[arg-type]
    with pytest.raises(MlcoreError):
        ProbabilityCalibrator(prior=0.0).fit([1.0, 2.0], [0, 1])
    with pytest.raises(MlcoreError, match="venn-abers"):
        ProbabilityCalibrator().fit([1.0, 2.0], [0, 1]).interval([1.0])


def test_a_score_that_says_nothing_gives_the_share_of_bad() -> None:
    p = ProbabilityCalibrator().fit(np.ones(100), np.arange(100) % 4 == 0).predict([1.0, 0.0, 2.0])
    assert p == pytest.approx(0.25, abs=0.01)
