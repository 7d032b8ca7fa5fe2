"""The ensemble and its scale: what one sees, what all see a little, what is missing, and what labels teach."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.conditions import Conditions
from mlcore.detectors.ensemble import Ensemble, TailScale
from mlcore.errors import BadLabels, TooFewData
from mlcore.evaluate import auc
from mlcore.features import FeatureTable


def _table(values: np.ndarray) -> FeatureTable:
    names = tuple(f"detector {k}" for k in range(values.shape[1]))
    return FeatureTable(values, names, names, Conditions.plain(len(values)))


def _good(n: int, k: int, seed: int = 0) -> np.ndarray:
    """Scores of three scales: exponential, heavy-tailed, normal."""
    rng = np.random.default_rng(seed)
    drawn = np.column_stack([rng.exponential(3.0, n), rng.standard_t(4, n) * 50, *rng.normal(size=(k - 2, n))])
    return drawn


def test_the_scale_says_how_often_good_data_score_as_high() -> None:
    scale = TailScale().fit(_good(20_000, 3))
    found = scale.transform(_good(20_000, 3, seed=1))
    for level in (0.5, 1.0, 2.0, 3.0):
        share = (found > level).mean(axis=0)
        assert np.allclose(np.log10(share), -level, atol=0.25), level


@given(st.lists(st.floats(-1e3, 1e3), min_size=5, max_size=60), st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
@settings(max_examples=60, deadline=None)
def test_the_scale_never_turns_scores_around(good: list[float], fresh: list[float]) -> None:
    scale = TailScale().fit(np.array(good)[:, None])
    ordered = np.sort(np.array(fresh))
    found = scale.transform(ordered[:, None])[:, 0]
    assert (np.diff(found) >= -1e-9).all()
    assert ((found >= 0) & (found <= 40)).all()


def test_unknown_scores_stay_unknown_on_the_scale() -> None:
    scale = TailScale().fit(np.column_stack([np.arange(50.0), np.full(50, np.nan)]))
    found = scale.transform(np.array([[np.nan, 1.0], [60.0, np.nan]]))
    assert np.isnan(found).tolist() == [[True, True], [False, True]]


def test_what_one_detector_sees_is_seen() -> None:
    ensemble = Ensemble().fit(_table(_good(2000, 20)))
    fresh = _good(400, 20, seed=1)
    fresh[:100, 7] += 6.0
    labels = np.r_[np.ones(100), np.zeros(300)].astype(int)
    found = auc(ensemble.score(_table(fresh)), labels)
    assert found > 0.97
    assert found > auc(fresh.mean(axis=1), labels) + 0.1


def test_what_all_see_a_little_is_seen() -> None:
    ensemble = Ensemble().fit(_table(_good(2000, 30)))
    fresh = _good(400, 30, seed=1)
    fresh[:100] += 0.7
    labels = np.r_[np.ones(100), np.zeros(300)].astype(int)
    found = auc(ensemble.score(_table(fresh)), labels)
    assert found > 0.95
    assert found > auc(fresh[:, 2:].max(axis=1), labels) + 0.08


def test_copies_of_one_detector_do_not_outvote_the_others() -> None:
    values = _good(3000, 4)
    copied = np.column_stack([values, *[values[:, 2]] * 15])
    ensemble = Ensemble().fit(_table(copied))
    fresh = _good(3000, 4, seed=1)
    scores = ensemble.score(_table(np.column_stack([fresh, *[fresh[:, 2]] * 15])))
    assert 0.005 < (scores > 2.0).mean() < 0.03


def test_missing_scores_are_left_out_and_nothing_is_nan_only_without_any() -> None:
    ensemble = Ensemble().fit(_table(_good(2000, 6)))
    fresh = _good(600, 6, seed=1)
    fresh[:200, 3] += 8
    fresh[::2, 4] = np.nan
    fresh[5] = np.nan
    scores = ensemble.score(_table(fresh))
    assert np.flatnonzero(np.isnan(scores)).tolist() == [5]
    known = ~np.isnan(scores)
    assert auc(scores[known], (np.arange(600) < 200)[known].astype(int)) > 0.98


def test_labels_teach_which_detector_to_believe() -> None:
    rng = np.random.default_rng(0)

    def draw(n: int) -> tuple[FeatureTable, np.ndarray]:
        labels = (rng.random(n) < 0.2).astype(int)
        values = rng.exponential(size=(n, 6))
        values[:, 0] += 1.5 * labels
        values[:, 3] -= 0.5 * labels
        return _table(values), labels

    learn, y = draw(3000)
    fresh, truth = draw(3000)
    learned, robust = Ensemble().fit(learn, y), Ensemble(mode="robust").fit(learn, y)
    assert learned.weights_ is not None
    assert robust.weights_ is None
    assert auc(learned.score(fresh), truth) > auc(robust.score(fresh), truth) + 0.02
    assert learned.weights_.min() >= 0
    assert learned.weights_[:6].argmax() == 0
    share = learned.contributions(fresh)
    assert share.shape == (3000, 6)
    assert share[truth == 1, 0].mean() > 2 * share[truth == 1, 1].mean()
    assert robust.contributions(fresh).shape == (3000, 6)


def test_labels_that_are_too_few_are_refused_or_not_needed() -> None:
    table = _table(_good(100, 4))
    with pytest.raises(BadLabels):
        Ensemble(mode="learned").fit(table)
    with pytest.raises(TooFewData, match="good lumisections"):
        Ensemble().fit(table, np.ones(100))
    assert Ensemble().fit(table, np.zeros(100)).weights_ is None


def test_a_detector_that_is_always_wrong_gets_no_weight() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    backwards: Any = _table(np.column_stack([rng.normal(size=400) - 3.0 * labels, rng.normal(size=400) - labels]))
    ensemble = Ensemble().fit(backwards, labels)
    assert ensemble.weights_ is None or ensemble.weights_[:2].max() < 0.05
