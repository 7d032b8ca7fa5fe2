"""Non-negative factors: each lumisection by itself, and what they cannot add up to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import nnls

from mlcore.checks import check_detector
from mlcore.conditions import Conditions
from mlcore.detectors.nmf import NonNegativeFactors, _rebuilt, _shares
from mlcore.histograms import HistogramBlock
from mlcore.simulate import map_faults
from mlcore.simulate.maps import OccupancyModel, ecal_endcap

MODEL = OccupancyModel(ecal_endcap())


def drawn(n: int, seed: int, fault: str = "") -> HistogramBlock:
    rng = np.random.default_rng(seed)
    where = Conditions(
        run=np.full(n, 1),
        lumisection=np.arange(1, n + 1),
        pileup=rng.uniform(20, 60, n),
        events=rng.uniform(300, 900, n),
    )
    expected = MODEL.expected(where)
    if fault:
        expected = map_faults.FAMILIES[fault](MODEL.geometry, rng).apply(expected, slice(None), rng)
    return MODEL.draw(where, rng, expected=expected)


@pytest.fixture(scope="module")
def fitted() -> NonNegativeFactors:
    return NonNegativeFactors().fit(drawn(120, 0))


def test_it_keeps_the_contract() -> None:
    check_detector(NonNegativeFactors())


@pytest.mark.parametrize("family", ["hot tower", "dead tower", "missing supermodule"])
def test_faults_score_higher_than_good_lumisections(family: str, fitted: NonNegativeFactors) -> None:
    assert fitted.score(drawn(30, 2, family)).min() > fitted.score(drawn(30, 1)).max()


def test_residuals_show_where(fitted: NonNegativeFactors) -> None:
    rng = np.random.default_rng(3)
    fault = map_faults.hot_tower(MODEL.geometry, np.random.default_rng(5))
    where = drawn(10, 4).conditions
    block = MODEL.draw(where, rng, expected=fault.apply(MODEL.expected(where), slice(None), rng))
    residuals = fitted.residuals(block)
    assert (residuals.reshape(10, -1).argmax(axis=1) == np.flatnonzero(fault.truth)[0]).all()
    good = fitted.residuals(drawn(50, 6))[:, MODEL.geometry.exists]
    assert 0.8 < good.std() < 1.3


def test_the_rebuilt_histogram_is_the_best_non_negative_mixture(fitted: NonNegativeFactors) -> None:
    shares, _ = _shares(drawn(5, 7))
    rebuilt = _rebuilt(fitted.factors_, shares)
    for row in range(5):
        best = nnls(fitted.factors_.components_.T, shares[row])[1]
        assert np.linalg.norm(shares[row] - rebuilt[row]) == pytest.approx(best, rel=0.02)


def test_missing_and_empty_lumisections_have_no_residuals(fitted: NonNegativeFactors) -> None:
    block = drawn(3, 8)
    counts = block.counts.copy()
    counts[0], counts[1] = np.nan, 0
    holes = replace(block, counts=counts)
    assert np.isnan(fitted.residuals(holes)[:2]).all()
    assert np.isnan(fitted.score(holes)).tolist() == [True, True, False]
    assert np.isnan(fitted.residuals(holes.select(slice(0, 2)))).all()


def test_lumisections_of_no_weight_teach_nothing() -> None:
    good, bad = drawn(60, 0), drawn(60, 1, "missing supermodule")
    both = HistogramBlock.concatenate([good, replace(bad, conditions=replace(bad.conditions, run=np.full(60, 2)))])
    careful = NonNegativeFactors(components=3).fit(both, weights=np.repeat([1.0, 0.0], 60))
    careless = NonNegativeFactors(components=3).fit(both)
    assert careful.score(bad).mean() > 5 * careless.score(bad).mean()
