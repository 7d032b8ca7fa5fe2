"""Figures of merit against brute force and scikit-learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from mlcore.errors import BadLabels, MlcoreError, ShapeError, TooFewData
from mlcore.evaluate import (
    auc,
    average_precision,
    confusion,
    grey_zone,
    grey_zone_curve,
    interval_over_runs,
    intervals_over_runs,
    learning_curve,
    precision_recall,
    reliability,
)


def rows(seed: int, n: int, decimals: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.append([0, 1], (rng.random(n - 2) < 0.3).astype(int))
    return np.round(rng.normal(size=n) + labels, decimals), labels, rng.uniform(0.1, 4.0, n)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(3, 40), st.integers(0, 3))
def test_areas_are_those_of_scikit_learn(seed: int, n: int, decimals: int) -> None:
    scores, labels, weights = rows(seed, n, decimals)
    assert auc(scores, labels, weights) == pytest.approx(roc_auc_score(labels, scores, sample_weight=weights))
    expected = average_precision_score(labels, scores, sample_weight=weights)
    assert average_precision(scores, labels, weights) == pytest.approx(expected)
    gaps, more = np.append(scores, [np.nan, np.nan]), np.append(labels, [0, 1])
    assert auc(gaps, more) == pytest.approx(roc_auc_score(labels, scores))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    st.integers(0, 10**6), st.integers(3, 25), st.sampled_from([0.0, 0.05, 0.2, 0.5]), st.sampled_from([0.0, 0.1, 0.4])
)
def test_the_grey_zone_is_the_smallest_of_all_pairs_of_thresholds(
    seed: int, n: int, pollution: float, loss: float
) -> None:
    scores, labels, weights = rows(seed, n, 1)
    found = grey_zone(scores, labels, weights, pollution=pollution, loss=loss)
    cuts = np.append(np.unique(scores), scores.max() + 1)
    best_good = best_bad = 0
    for cut in cuts:
        below, above = scores < cut, scores >= cut
        called = weights[below].sum()
        if weights[below & (labels == 1)].sum() <= pollution * called * (1 + 1e-9):
            best_good = max(best_good, int(below.sum()))
        if weights[above & (labels == 0)].sum() <= loss * weights[labels == 0].sum() * (1 + 1e-9):
            best_bad = max(best_bad, int(above.sum()))
    assert found.saved == pytest.approx(min(best_good + best_bad, n) / n)
    assert int((scores < found.t_good).sum()) == best_good
    assert 0 <= found.saved_luminosity <= 1 + 1e-12


def test_work_saved_grows_with_the_limit_and_unscored_rows_are_work() -> None:
    scores, labels, weights = rows(0, 3000, 6)
    curve = grey_zone_curve(scores, labels, weights)
    assert (np.diff([point.saved for point in curve]) >= 0).all()
    half = grey_zone(np.append(scores, np.full(3000, np.nan)), np.append(labels, np.zeros(3000)))
    assert half.saved == pytest.approx(grey_zone(scores, labels).saved / 2)
    assert grey_zone(scores, np.ones(3000)).saved == 1.0
    assert grey_zone(scores, np.zeros(3000)).saved == 1.0


def test_verdicts_are_counted_by_truth_and_weight() -> None:
    found = confusion([0, 0, 1, 1, 2, 2, 3, 0], [0, 1, 0, 1, 0, 1, 0, 0], [1, 2, 3, 4, 5, 6, 7, 8])
    assert found.pollution == pytest.approx(2 / 11)
    assert found.loss == pytest.approx(3 / (1 + 8 + 3 + 5))
    assert found.automatic == pytest.approx(18 / 36)
    assert found.unscored == 7
    nothing = confusion([], [])
    assert (nothing.pollution, nothing.loss, nothing.automatic) == (0.0, 0.0, 0.0)
    with pytest.raises(MlcoreError, match="verdicts"):
        confusion([5], [0])
    with pytest.raises(ShapeError):
        confusion([0], [0], [1.0, 2.0])


def test_precision_and_recall_go_from_the_worst_score_down() -> None:
    precision, recall, threshold = precision_recall([0.9, 0.8, 0.8, 0.1], [1, 0, 1, 0])
    assert threshold.tolist() == [0.9, 0.8, 0.1]
    assert precision == pytest.approx([1, 2 / 3, 1 / 2])
    assert recall == pytest.approx([0.5, 1, 1])
    assert np.isnan(average_precision([0.1, 0.2], [0, 0]))
    assert np.isnan(auc([0.1, 0.2], [1, 1]))
    with pytest.raises(BadLabels):
        precision_recall([0.1], [0])
    with pytest.raises(BadLabels):
        average_precision([0.1, 0.2], [0, 3])


def test_reliability_sees_a_probability_that_lies() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    labels = (rng.random(20_000) < p).astype(int)
    assert reliability(p, labels).error < 0.02
    lying = reliability(p**3, labels)
    assert lying.error > 0.15
    assert lying.weight.sum() == 20_000
    with pytest.raises(TooFewData):
        reliability([np.nan], [0])


def test_an_interval_over_runs_is_wider_than_one_over_lumisections() -> None:
    rng = np.random.default_rng(0)
    runs = np.arange(2000) // 100
    labels = (rng.random(2000) < 0.3).astype(int)
    scores = labels + rng.normal(size=2000) + 3 * rng.normal(size=20)[runs]

    def area(chosen: np.ndarray) -> float:
        return auc(scores[chosen], labels[chosen])

    value, low, high = interval_over_runs(area, runs, repeats=100)
    _, narrow_low, narrow_high = interval_over_runs(area, np.arange(2000), repeats=100)
    assert low < value < high
    assert high - low > 1.5 * (narrow_high - narrow_low)
    with pytest.raises(TooFewData):
        interval_over_runs(area, np.zeros(2000))


def test_figures_that_are_asked_together_see_the_same_draws() -> None:
    rng = np.random.default_rng(0)
    runs = np.arange(600) // 50
    labels = (rng.random(600) < 0.3).astype(int)
    samples = labels + rng.normal(size=600), labels + 2 * rng.normal(size=600)

    def both(chosen: np.ndarray) -> list[float]:
        values = [auc(scores[chosen], labels[chosen]) for scores in samples]
        return [*values, values[0] - values[1]]

    found = intervals_over_runs(both, runs, repeats=50)

    def one(place: int) -> Callable[[np.ndarray], float]:
        return lambda chosen: both(chosen)[place]

    assert list(found) == [interval_over_runs(one(place), runs, repeats=50) for place in range(3)]


def test_a_learning_curve_adds_whole_runs() -> None:
    runs = np.repeat(np.arange(20), 5)
    curve = learning_curve(lambda chosen: float(np.unique(runs[chosen]).size * 1000 + chosen.size), runs, repeats=2)
    assert [count for count, _, _ in curve] == [2, 4, 8, 14, 20]
    assert [mean for _, mean, _ in curve] == [count * 1000 + count * 5 for count in (2, 4, 8, 14, 20)]
    assert all(spread == 0 for _, _, spread in curve)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (([[0.1]], [0]), ShapeError),
        (([0.1], [0, 1]), ShapeError),
        (([np.inf], [0]), MlcoreError),
        (([0.1], [2]), BadLabels),
        (([0.1], [0], [-1.0]), ShapeError),
        (([0.1], [0], [np.nan]), ShapeError),
        (([0.1], [0], [1.0, 2.0]), ShapeError),
    ],
)
def test_bad_rows_are_refused(arguments: tuple[object, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        auc(*arguments)  # type: ignore[arg-type]


def test_nothing_to_decide_is_refused() -> None:
    with pytest.raises(TooFewData):
        grey_zone([np.nan], [0])
