"""Predictions with errors: measured intervals cover as often as they say, dense or sparse."""
# ruff: noqa: N803, N806  # X is what scikit-learn calls it

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from mlcore.bench import intervals as bench
from mlcore.errors import MlcoreError, ShapeError, TooFewData
from mlcore.uncertainty import BootstrapRegressor, ConformalRegressor, coverage
from mlcore.uncertainty.nets import EnsembleRegressor, MCDropoutRegressor

LINE = BootstrapRegressor(estimator=LinearRegression(), replicates=8)


def crooked(rng: np.random.Generator, rows: int) -> tuple[Any, Any]:
    """A line with noise that grows and leans to one side: what a bootstrap of residuals takes for one size."""
    X = rng.uniform(0, 4, (rows, 1))
    return X, 2 * X[:, 0] + (0.1 + 0.5 * X[:, 0]) * (rng.exponential(size=rows) - 1)


@pytest.mark.parametrize("level", [0.68, 0.95])
def test_measured_intervals_cover_what_they_say_and_bare_ones_do_not(level: float) -> None:
    inside, bare = [], []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        X, y = crooked(rng, 600)
        asked = crooked(rng, 1000)
        inside.append(coverage(ConformalRegressor(estimator=LINE, groups=1).fit(X, y), *asked, level).inside)
        bare.append(coverage(LINE.fit(X, y), *asked, level).inside)
    # The mean of sixteen: its own error is half a point.
    assert np.mean(inside) == pytest.approx(level, abs=0.02)
    if level < 0.9:  # at 95% too narrow where the noise is large makes up for too wide where it is small
        assert abs(np.mean(bare) - level) > 0.08


def test_sparse_places_have_intervals_of_their_own() -> None:
    dense, sparse, one = [], [], []
    for seed in range(6):
        world = bench.draw(seed, rows=2500, asked=1500)
        grouped = ConformalRegressor(estimator=LINE, groups=4).fit(world.X, world.y)
        alike = ConformalRegressor(estimator=LINE, groups=1).fit(world.X, world.y)
        dense.append(coverage(grouped, *world.asked["dense"], 0.68).inside)
        sparse.append(coverage(grouped, *world.asked["sparse"], 0.68).inside)
        one.append(coverage(alike, *world.asked["sparse"], 0.68).inside)
    assert np.mean(dense) == pytest.approx(0.68, abs=0.03)
    assert np.mean(sparse) == pytest.approx(0.68, abs=0.05)
    assert np.mean(one) < 0.5


@pytest.mark.parametrize(
    "model", [MCDropoutRegressor(epochs=15, passes=20), EnsembleRegressor(members=3, epochs=15), LINE]
)
def test_the_same_seed_says_the_same_and_far_away_is_less_sure(model: Any) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(400, 2))
    y = X[:, 0] ** 2 + 0.1 * rng.normal(size=400)
    asked = np.array([[0.0, 0.0], [6.0, 6.0]])
    first = model.fit(X, y).spread(asked)
    assert model.fit(X, y).spread(asked) == pytest.approx(first)
    assert first[1] > first[0]
    low, high = model.interval(asked, 0.9)
    narrow_low, narrow_high = model.interval(asked, 0.5)
    assert (low < narrow_low).all()
    assert (high > narrow_high).all()


def test_too_few_residuals_make_an_interval_without_end() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(30, 1))
    model = ConformalRegressor(estimator=LINE).fit(X, X[:, 0])
    low, high = model.interval(X[:2], 0.99)
    assert np.isinf(low).all()
    assert np.isinf(high).all()
    assert np.isfinite(model.interval(X[:2], 0.5)[0]).all()


def test_a_row_that_is_not_known_gets_no_answer() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(120, 2))
    model = ConformalRegressor(estimator=LINE).fit(X, X[:, 0])
    asked = np.array([[0.0, np.nan], [0.0, 0.0]])
    assert np.isnan(model.predict(asked)).tolist() == [True, False]
    assert np.isnan(model.interval(asked)[0]).tolist() == [True, False]
    assert np.isnan(model.interval(asked[:1])[0]).all()


@pytest.mark.parametrize(
    ("X", "y", "error", "words"),
    [
        (np.ones(30), np.ones(30), ShapeError, "send"),
        (np.ones((30, 1)), np.ones(29), ShapeError, "30 rows"),
        (np.full((30, 1), np.nan), np.ones(30), MlcoreError, "must be finite"),
        (np.ones((5, 1)), np.ones(5), TooFewData, "5 rows"),
    ],
)
def test_what_cannot_be_fitted_is_refused(X: Any, y: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        LINE.fit(X, y)


def test_levels_columns_and_parameters_that_make_no_sense() -> None:
    X = np.random.default_rng(4).normal(size=(60, 2))
    model = LINE.fit(X, X[:, 0])
    with pytest.raises(MlcoreError, match=r"level is 68"):
        model.interval(X, 68)
    with pytest.raises(ShapeError, match="fitted with 2"):
        model.predict(X[:, :1])
    with pytest.raises(MlcoreError, match="folds are at least 2"):
        ConformalRegressor(estimator=LINE, folds=1).fit(X, X[:, 0])


def test_the_table_has_every_method_on_the_same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        bench, "methods", lambda seed: {"ours": lambda: ConformalRegressor(estimator=LINE), "bare": lambda: LINE}
    )
    (row,) = bench.run([0], quick=True)
    assert row.better == "lower"
    assert row.value < row.peers["bare"].value
    assert "sparse" in row.note
