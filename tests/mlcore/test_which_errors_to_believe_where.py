"""Coverage from dense to sparse places tells which method to believe; Venn-Abers has the truth between its two."""
# ruff: noqa: N806  # X is what scikit-learn calls it

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LinearRegression

from mlcore.bench import intervals as bench
from mlcore.calibration import ProbabilityCalibrator
from mlcore.errors import MlcoreError, TooFewData
from mlcore.uncertainty import BootstrapRegressor, ConformalRegressor
from mlcore.uncertainty.places import Places, coverage_by_place, draw_coverage


@pytest.fixture(scope="module")
def places() -> Places:
    world = bench.draw(1, rows=2500, asked=10)
    more = bench.draw(2, rows=6000, asked=10)
    line = BootstrapRegressor(estimator=LinearRegression(), replicates=8)
    models = {"bare": line.fit(world.X, world.y), "measured": ConformalRegressor(estimator=line).fit(world.X, world.y)}
    return coverage_by_place(models, world.X, more.X, more.y, level=0.68, groups=5)


def test_the_measured_one_is_believed_where_data_are_sparse(places: Places) -> None:
    assert list(places.distance) == sorted(places.distance)
    assert abs(places.found["bare"][-1].inside - 0.68) > 0.1
    assert abs(places.found["measured"][-1].inside - 0.68) < 0.07
    assert "bare" not in {places.believed(group) for group in (3, 4)}
    assert "measured" in {places.believed(group) for group in range(5)}


def test_it_is_drawn(places: Places, tmp_path: Path) -> None:
    assert draw_coverage(places, tmp_path / "coverage.png").read_bytes().startswith(b"\x89PNG")


def test_too_little_to_say_anything_is_refused() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 2))
    model = BootstrapRegressor(estimator=LinearRegression(), replicates=4).fit(X, X[:, 0])
    with pytest.raises(TooFewData, match="rows in a group"):
        coverage_by_place({"a": model}, X, X, X[:, 0])
    with pytest.raises(MlcoreError, match="at least one model"):
        coverage_by_place({}, X, X, X[:, 0])


@pytest.mark.parametrize(("rows", "repeats", "widest"), [(100, 30, 0.5), (400, 10, 0.3)])
def test_the_frequency_of_bad_lies_between_the_two_probabilities_dense_or_sparse(
    rows: int, repeats: int, widest: float
) -> None:
    """Averaged over calibrations: between the lower and the upper one lies a valid probability (arXiv:1211.0025)."""
    low, high, truth, width = [], [], [], []
    asked = np.array([-4.0, -1.0, 0.0, 1.0, 4.0])  # the outer two are rare
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        score = rng.normal(0, 1.4, rows)
        label = (rng.random(rows) < expit(1.5 * score - 0.5)).astype(int)
        one = ProbabilityCalibrator(method="venn-abers").fit(score, label)
        lower, upper = one.interval(asked)
        low.append(lower)
        high.append(upper)
        width.append(upper - lower)
        truth.append(expit(1.5 * asked - 0.5))
    below, above, real = (np.mean(each, axis=0) for each in (low, high, truth))
    assert (below <= real + 0.04).all()
    assert (real <= above + 0.04).all()
    spread = np.mean(width, axis=0)
    assert (spread > 0).all()
    assert spread.max() < widest
