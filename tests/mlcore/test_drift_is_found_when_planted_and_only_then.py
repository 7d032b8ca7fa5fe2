"""Drift tests count runs, not lumisections: what is planted is found, differences between runs are not drift."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression

from mlcore.conditions import Conditions
from mlcore.drift import benjamini_hochberg, feature_drift, stability_index, two_sample, watch
from mlcore.errors import IncompatibleBinning, MlcoreError, ShapeError, TooFewData
from mlcore.features import FeatureTable


def table(seed: int, runs: int, *, first: int = 1, shift: float = 0.0, widen: float = 1.0) -> FeatureTable:
    """12 features that differ between runs as much as within; `shift` moves the first three, `widen` the fourth."""
    rng = np.random.default_rng(seed)
    run = np.repeat(np.arange(first, first + runs), 40)
    common, own = rng.normal(size=(runs, 12)), rng.normal(size=(run.size, 12))
    own[:, 3] *= widen
    values = common[run - first] + own
    values[:, :3] += shift
    values[:, 11] = np.nan
    names = tuple(f"f{number}" for number in range(12))
    return FeatureTable(values, names, names, Conditions(run=run, lumisection=np.tile(np.arange(1, 41), runs)))


def test_features_that_moved_or_widened_are_named_and_no_others() -> None:
    found = feature_drift(table(0, 30), table(1, 30, first=100, shift=2.5, widen=3.0))
    assert np.flatnonzero(found.drifted).tolist() == [0, 1, 2, 3]
    assert found.kind[:4] == ("place", "place", "place", "width")
    assert (found.psi[:3] > 0.25).all()
    assert np.isnan(found.p_value[11])
    words = found.in_words(2)
    assert words.startswith("4 of 12 features have drifted: ")
    assert words.count("PSI") == 2


def test_runs_that_differ_among_themselves_are_not_drift() -> None:
    alarms = [feature_drift(table(seed, 20), table(seed + 500, 20, first=100)) for seed in range(40)]
    # A false alarm anywhere in at most 5% of the comparisons.
    assert sum(bool(found.drifted.any()) for found in alarms) <= binom.ppf(0.999, 40, 0.05)
    assert "None of 12" in next(found for found in alarms if not found.drifted.any()).in_words()
    # The same comparison of lumisections would cry wolf at nearly every feature.
    from scipy.stats import ks_2samp

    a, b = table(0, 20), table(500, 20, first=100)
    assert np.mean([ks_2samp(a.values[:, f], b.values[:, f]).pvalue < 0.01 for f in range(11)]) > 0.5


def test_a_classifier_sees_a_change_of_several_features_together_and_none_where_there_is_none() -> None:
    moved = two_sample(table(0, 25), table(1, 25, first=100, shift=1.5), classifier=LogisticRegression_without_gaps())
    assert moved.drifted
    assert moved.auc > 0.7
    same = [
        two_sample(
            table(s, 15), table(s + 300, 15, first=100), level=0.05, classifier=LogisticRegression_without_gaps()
        )
        for s in range(30)
    ]
    assert sum(found.drifted for found in same) <= binom.ppf(0.999, 30, 0.05)
    assert two_sample(table(0, 12), table(1, 12, first=100, shift=3.0)).drifted


class LogisticRegression_without_gaps(LogisticRegression):  # noqa: N801
    def fit(self, x: np.ndarray, y: np.ndarray) -> LogisticRegression_without_gaps:
        super().fit(np.nan_to_num(x), y)
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        return super().predict_proba(np.nan_to_num(x))


def scores(seed: int, runs: int, *, change_at: int | None = None, by: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    run = np.repeat(np.arange(runs), 30)
    value = 0.5 * rng.normal(size=runs)[run] + rng.normal(size=run.size)
    if change_at is not None:
        value[run >= change_at] += by
    return value, run


@pytest.mark.parametrize("method", ["cusum", "page-hinkley"])
@pytest.mark.parametrize(("by", "direction"), [(1.5, "up"), (-1.5, "down")])
def test_a_lasting_change_of_the_scores_is_found_soon_and_dated(method: str, by: float, direction: str) -> None:
    value, run = scores(1, 120, change_at=80, by=by)
    found = watch(value, run, np.arange(40), method=method)  # type: ignore[arg-type]
    assert found.alarm is not None
    assert 80 <= found.alarm <= 90
    assert found.started is not None
    assert abs(found.started - 80) <= 5
    assert found.direction == direction
    assert found.run[0] == 40


def test_scores_that_only_differ_between_runs_raise_no_alarm() -> None:
    alarms = [watch(*scores(seed, 140), np.arange(60)).alarm is not None for seed in range(60)]
    assert np.mean(alarms) < 0.15


def test_experts_who_begin_to_overturn_verdicts_are_noticed() -> None:
    rng = np.random.default_rng(3)
    run = np.repeat(np.arange(100), 10)
    overturned = (rng.random(1000) < np.where(run < 70, 0.03, 0.3)).astype(float)
    found = watch(overturned, run, np.arange(40))
    assert found.alarm is not None
    assert 70 <= found.alarm < 80
    never = watch(np.where(run < 40, 0.0, 1.0), run, np.arange(40))
    assert never.alarm == 40
    quiet = watch(np.zeros(1000), run, np.arange(40))
    assert quiet.alarm is None
    assert quiet.direction == ""
    nothing_yet = watch(np.zeros(400), run[:400], np.arange(40))
    assert nothing_yet.alarm is None


def test_the_stability_index_is_the_textbook_sum() -> None:
    x, y = np.repeat([0.0, 1.0], [500, 500]), np.repeat([0.0, 1.0], [800, 200])
    assert stability_index(x, y, bins=2) == pytest.approx(
        (0.8 - 0.5) * np.log(0.8 / 0.5) * 1 + (0.2 - 0.5) * np.log(0.4), abs=0.01
    )
    assert stability_index(x, x) == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(stability_index([np.nan], x))


def test_benjamini_and_hochberg_call_what_the_definition_calls() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        p = np.append(rng.random(12) ** 2, np.nan)
        ordered = np.sort(p[:12])
        largest = max([0] + [k for k in range(1, 13) if ordered[k - 1] <= 0.2 * k / 12])
        called = benjamini_hochberg(p, 0.2)
        assert called.sum() == largest
        assert not called[12]
        assert not largest or p[:12][called[:12]].max() == ordered[largest - 1]


def test_too_little_or_other_data_are_refused() -> None:
    few, enough = table(0, 4), table(1, 6)
    for test in (feature_drift, two_sample):
        with pytest.raises(TooFewData, match="4 runs"):
            test(few, enough)
        with pytest.raises(IncompatibleBinning):
            test(enough, FeatureTable(enough.values[:, :2], ("a", "b"), ("a", "b"), enough.conditions))
    value, run = scores(0, 20)
    with pytest.raises(TooFewData):
        watch(value, run, [1, 2])
    with pytest.raises(ShapeError):
        watch(value, run[:5], np.arange(10))
    with pytest.raises(MlcoreError, match="method"):
        watch(value, run, np.arange(10), method="adwin")  # type: ignore[arg-type]
