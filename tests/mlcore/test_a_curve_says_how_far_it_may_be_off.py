"""A curve through points of runs, with bands that hold what they say also where points are sparse."""

from __future__ import annotations

import numpy as np
import pytest

from mlcore.conditions import FloatArray, IntArray
from mlcore.errors import ShapeError, TooFewData
from mlcore.trending.relation import BOOTSTRAP, GRID, MEASURED, relation

RUNS = 60


def drawn(
    seed: int, *, noise: float = 0.1, wider: float = 0.0, n: int = 1_200
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Points dense at small x and sparse at large, around a sine; `wider`: noise that grows with x."""
    rng = np.random.default_rng(seed)
    x = rng.exponential(1.0, n)
    y = np.sin(x) + (noise + wider * x) * rng.standard_normal(n)
    return x, y, (np.arange(n) % RUNS).astype(np.int64)


@pytest.mark.parametrize("wider", [0.0, 0.3])
def test_new_points_lie_in_the_bands_as_often_as_they_say(wider: float) -> None:
    inner: list[float] = []
    outer: list[float] = []
    for seed in range(5):
        x, y, runs = drawn(seed, wider=wider)
        found = relation(x, y, runs)
        new_x, new_y, _ = drawn(100 + seed, wider=wider)
        here = (new_x >= found.x[0]) & (new_x <= found.x[-1])
        for band, shares in ((found.inner, inner), (found.outer, outer)):
            low, high = (np.interp(new_x[here], found.x, edge) for edge in band)
            shares.append(float(np.mean((low <= new_y[here]) & (new_y[here] <= high))))
    assert np.mean(inner) == pytest.approx(0.68, abs=0.03)
    assert np.mean(outer) == pytest.approx(0.95, abs=0.02)


def test_where_noise_grows_with_x_the_bootstrap_is_not_believed() -> None:
    found = relation(*drawn(1, wider=0.3))
    dense, *_, sparse = found.counted.found[BOOTSTRAP]
    assert dense.inside > 0.75
    assert sparse.inside < 0.6
    assert found.method == MEASURED
    assert all(abs(each.inside - 0.68) < 0.1 for each in found.counted.found[MEASURED])


def test_where_points_and_noise_are_the_same_everywhere_the_bootstrap_is_believed() -> None:
    rng = np.random.default_rng(2)
    x = rng.uniform(0.0, 3.0, 1_200)
    assert relation(x, np.sin(x) + 0.1 * rng.standard_normal(1_200), np.arange(1_200) % RUNS).method == BOOTSTRAP


def test_the_curve_goes_where_the_points_go() -> None:
    found = relation(*drawn(3))
    assert found.x.shape == found.middle.shape == (GRID,)
    dense = found.x < 2.5
    assert np.abs(found.middle - np.sin(found.x))[dense].max() < 0.1


def test_the_correlation_tells_dependence_of_any_form() -> None:
    rng = np.random.default_rng(4)
    x, runs = rng.uniform(-1.0, 1.0, 1_000), np.arange(1_000) % RUNS
    assert abs(relation(x, rng.standard_normal(1_000), runs).correlation) < 0.1
    assert relation(x, x**2, runs).correlation > 0.4
    assert relation(x, 3.0 - x, runs).correlation == pytest.approx(1.0)


def test_what_repeats_itself_is_counted_in_fewer_places() -> None:
    rng = np.random.default_rng(5)
    x = rng.integers(0, 4, 400).astype(float)
    found = relation(x, x + rng.standard_normal(400), np.arange(400) % RUNS)
    assert len(found.counted.distance) == 1


def test_points_that_are_not_finite_are_left_out() -> None:
    x, y, runs = drawn(6, n=300)
    with_gaps = relation(np.append(x, [np.nan, 1.0]), np.append(y, [0.0, np.inf]), np.append(runs, [0, 1]))
    assert np.array_equal(with_gaps.middle, relation(x, y, runs).middle)


@pytest.mark.parametrize(
    ("x", "runs"),
    [(np.arange(59.0), np.arange(59)), (np.arange(100.0), np.ones(100)), (np.ones(100), np.arange(100))],
    ids=["few points", "one run", "one value of x"],
)
def test_too_little_is_refused_in_words(x: FloatArray, runs: FloatArray) -> None:
    with pytest.raises(TooFewData, match="needs 60 points, two runs and an x that varies"):
        relation(x, np.arange(float(len(x))), runs)


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(ShapeError):
        relation(np.arange(70.0), np.arange(71.0), np.arange(70))
