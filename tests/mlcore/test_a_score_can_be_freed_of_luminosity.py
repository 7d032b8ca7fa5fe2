"""Distance correlation, a net against an adversary, and scores on the scale of their luminosity."""
# ruff: noqa: N806  # X is what scikit-learn calls it

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlcore.bench import decorrelation as bench
from mlcore.decorrelate import AdversarialClassifier, FlatScore, distance_correlation
from mlcore.errors import BadLabels, MlcoreError, ShapeError, TooFewData
from mlcore.evaluate import auc


def test_distance_correlation_sees_what_the_usual_one_does_not() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=1500)
    assert distance_correlation(x, 3.0 - 2.0 * x) == pytest.approx(1.0)
    assert abs(np.corrcoef(x, x**2)[0, 1]) < 0.15
    assert distance_correlation(x, x**2) > 0.4
    free = [distance_correlation(x, rng.normal(size=1500)) for _ in range(5)]
    assert np.abs(free).max() < 0.1
    assert distance_correlation(x, np.full(1500, 2.0)) == 0.0


def test_rows_that_are_not_known_are_left_out_and_many_are_drawn() -> None:
    x = np.arange(5000.0)
    y = np.where(x < 4000, x, np.nan)
    assert distance_correlation(x, y) == pytest.approx(1.0)
    with pytest.raises(TooFewData, match="too few for a distance"):
        distance_correlation(x[:9], y[:9])
    with pytest.raises(ShapeError, match="same length"):
        distance_correlation(x, y[:-1])


def test_the_adversary_takes_luminosity_out_of_the_score_and_leaves_the_faults_in() -> None:
    rng = np.random.default_rng(1)
    light = rng.uniform(size=4000)
    y = (rng.random(4000) < 0.3 * (1 - light)).astype(int)
    X = np.column_stack([3 * light + 0.5 * rng.normal(size=4000), 2.5 * y + rng.normal(size=4000)])
    ties, areas = [], []
    for strength in (0.0, 3.0):
        net = AdversarialClassifier(strength=strength, epochs=12).fit(X[:3000], y[:3000], light[:3000])
        score = net.decision_function(X[3000:])
        ties.append(distance_correlation(score[y[3000:] == 0], light[3000:][y[3000:] == 0]))
        areas.append(auc(score, y[3000:]))
    assert ties[1] < 0.5 * ties[0]
    assert areas[1] > areas[0] - 0.03


def test_a_flat_score_has_the_same_distribution_at_every_luminosity() -> None:
    rng = np.random.default_rng(2)
    light = rng.uniform(size=6000)
    score = 4 * light + (0.2 + light) * rng.normal(size=6000)
    flat = FlatScore().fit(score[:3000], light[:3000]).transform(score[3000:], light[3000:])
    low, high = flat[light[3000:] < 0.3], flat[light[3000:] > 0.7]
    assert low.mean() == pytest.approx(high.mean(), abs=0.15)
    assert low.std() == pytest.approx(high.std(), rel=0.1)
    far = FlatScore().fit(score, light).transform([50.0, 60.0, np.nan], [0.5, 0.5, 0.5])
    assert far[1] - far[0] == pytest.approx(10.0)
    assert np.isnan(far[2])
    with pytest.raises(TooFewData, match="too few to know"):
        FlatScore().fit(score[:10], light[:10])


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"y": np.zeros(100)}, BadLabels, "both are needed"),
        ({"against": np.zeros(99)}, ShapeError, "do not belong together"),
        ({"X": np.full((100, 2), np.nan)}, MlcoreError, "must be finite"),
        ({"X": np.zeros((20, 2)), "y": np.arange(20) % 2, "against": np.zeros(20)}, TooFewData, "20 rows"),
    ],
)
def test_what_cannot_be_learned_is_refused(change: dict[str, Any], error: type[Exception], words: str) -> None:
    given = {"X": np.zeros((100, 2)), "y": np.arange(100) % 2, "against": np.zeros(100), **change}
    with pytest.raises(error, match=words):
        AdversarialClassifier().fit(**given)


def test_rows_that_are_not_finite_get_no_score() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(100, 2))
    net = AdversarialClassifier(epochs=2).fit(X, X[:, 0] > 0, rng.normal(size=100))
    assert np.isnan(net.decision_function([[np.nan, 0.0], [0.0, 0.0]])).tolist() == [True, False]
    with pytest.raises(ShapeError, match="fitted with 2"):
        net.decision_function(X[:, :1])


def test_the_table_has_two_rows_with_three_peers() -> None:
    lost, tied = bench.run([4], quick=True)
    assert len(lost.peers) == len(tied.peers) == 3
    assert tied.value < tied.peers["no decorrelation"].value
