"""Pulls: normal deviates for good lumisections, large where something is broken, silent where nothing is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

from mlcore.checks import check_detector
from mlcore.conditions import Conditions
from mlcore.detectors.pulls import Pulls, gumbel_log_tail, of_several, pulls_of
from mlcore.errors import IncompatibleBinning, MlcoreError, TooFewData
from mlcore.histograms import HistogramBlock
from mlcore.simulate import map_faults
from mlcore.simulate.maps import OccupancyModel, RegionReadout, ecal_barrel, ecal_endcap, muon_chamber


def conditions(n: int, seed: int = 0, *, scale: float = 1.0) -> Conditions:
    rng = np.random.default_rng(seed)
    return Conditions(
        run=1 + np.arange(n) // 50,
        lumisection=1 + np.arange(n) % 50,
        pileup=rng.uniform(20, 60, n),
        events=np.round(scale * rng.uniform(300, 2000, n)),
    )


BARREL = OccupancyModel(ecal_barrel())


def drawn(n: int, seed: int, model: OccupancyModel = BARREL, *, scale: float = 1.0) -> HistogramBlock:
    return model.draw(conditions(n, seed, scale=scale), np.random.default_rng(seed + 50))


@pytest.fixture(scope="module")
def fitted() -> Pulls:
    return Pulls().fit(drawn(150, 0))


def test_it_keeps_the_contract() -> None:
    for statistic in ("max", "chi2", "combined"):
        check_detector(Pulls(statistic=statistic))


@pytest.mark.parametrize(
    "model",
    [BARREL, OccupancyModel(ecal_barrel(), readout=RegionReadout(0.9, 6.5)), OccupancyModel(muon_chamber(60))],
    ids=["barrel", "barrel read out in regions", "chamber"],
)
def test_pulls_of_good_lumisections_have_unit_variance(model: OccupancyModel) -> None:
    detector = Pulls().fit(drawn(150, 0, model))
    pulls = detector.pulls(drawn(100, 1, model))[:, model.geometry.exists]
    assert abs(pulls.mean()) < 0.02
    assert pulls.std() == pytest.approx(1.0, abs=0.05)
    assert (np.abs(pulls) > 5).mean() < 1e-5


def test_sparse_maps_have_pulls_that_are_never_too_large() -> None:
    detector = Pulls().fit(drawn(150, 0, scale=0.002))
    pulls = detector.pulls(drawn(100, 1, scale=0.002))
    assert pulls.std() < 1.0
    assert np.abs(pulls).max() < 6.0


@pytest.mark.parametrize("family", ["dead tower", "hot tower", "missing supermodule"])
def test_a_planted_fault_is_found_where_it_is(family: str, fitted: Pulls) -> None:
    rng = np.random.default_rng(8)
    where = conditions(40, 2)
    expected = BARREL.expected(where)
    fault = map_faults.FAMILIES[family](BARREL.geometry, rng)
    block = BARREL.draw(where, rng, expected=fault.apply(expected, slice(0, 20), rng))
    pulls = np.abs(fitted.pulls(block))
    assert (pulls[:20][:, fault.truth] > 6).all()
    assert (pulls[:20][:, ~fault.truth] < 6).all()
    scores = fitted.score(block)
    assert scores[:20].min() > scores[20:].max() + 3


def test_hits_in_a_channel_that_was_dead_are_odd_also_where_others_fluctuate() -> None:
    model = OccupancyModel(ecal_barrel(), dead=3, readout=RegionReadout())
    detector = Pulls().fit(drawn(60, 0, model))
    block = drawn(3, 1, model)
    dead = model.gains == 0
    counts = block.counts.copy()
    counts[1, dead] = 20
    pulls = detector.pulls(replace(block, counts=counts))
    assert (pulls[1][dead] > 5).all()
    assert (np.abs(pulls[0][dead]) < 1).all()


def test_scores_are_probabilities_of_good_lumisections(fitted: Pulls) -> None:
    p = 10 ** -fitted.score(drawn(400, 3))
    assert (p < 0.1).mean() == pytest.approx(0.1, abs=0.06)
    assert (p < 0.01).mean() < 0.03


def test_a_detector_that_sees_half_of_everything_is_bad(fitted: Pulls) -> None:
    block = drawn(20, 4)
    half = replace(block, counts=np.floor(block.counts / 2))
    assert fitted.score(half).min() > 5
    assert np.abs(fitted.pulls(half)).max() < 7
    blind = replace(half, conditions=Conditions(half.conditions.run, half.conditions.lumisection))
    assert fitted.score(blind).max() < 5


def test_a_new_shape_shows_in_chi2_before_any_single_bin_does() -> None:
    model = OccupancyModel(ecal_endcap())
    train = drawn(150, 0, model)
    where = conditions(60, 5)
    expected = model.expected(where)
    slope = 1.0 + 0.06 * np.linspace(-1, 1, 20)[:, None]
    bad = model.draw(where, np.random.default_rng(0), expected=expected * slope)
    good = model.draw(where, np.random.default_rng(1))
    areas = {}
    for statistic in ("max", "chi2"):
        detector = Pulls(statistic=statistic).fit(train)
        scores = np.r_[detector.score(bad), detector.score(good)]
        areas[statistic] = roc_auc_score(np.r_[np.ones(60), np.zeros(60)], scores)
    assert areas["chi2"] > 0.95
    assert areas["chi2"] > areas["max"]


def test_nothing_known_is_no_number(fitted: Pulls) -> None:
    block = drawn(4, 6)
    counts = block.counts.copy()
    counts[1], counts[2] = np.nan, 0.0
    holes = replace(block, counts=counts)
    assert np.isnan(fitted.score(holes)).tolist() == [False, True, True, False]
    assert np.isnan(fitted.pulls(holes)[1:3]).all()
    assert fitted.score(block.select(slice(0, 0))).shape == (0,)
    with pytest.raises(TooFewData):
        Pulls().fit(block)
    with pytest.raises(NotFittedError):
        Pulls().pulls(block)


def test_binning_that_changes_in_mid_run_is_refused(fitted: Pulls) -> None:
    block = drawn(10, 7)
    rebinned = block.rebin(2, 2)
    with pytest.raises(IncompatibleBinning):
        HistogramBlock.concatenate([block.select(slice(0, 5)), rebinned.select(slice(5, 10))])
    with pytest.raises(IncompatibleBinning):
        fitted.score(rebinned)


def test_another_element_is_refused(fitted: Pulls) -> None:
    with pytest.raises(MlcoreError):
        fitted.score(replace(drawn(3, 1), element="elsewhere"))


@given(st.floats(20.0, 5000.0), st.floats(-5.0, 5.0))
def test_pulls_of_poisson_counts_agree_with_the_exact_tails(mean: float, deviate: float) -> None:
    count = float(stats.poisson.ppf(stats.norm.cdf(deviate), mean))
    below = stats.poisson.cdf(count, mean) - stats.poisson.pmf(count, mean) / 2
    above = stats.poisson.sf(count, mean) + stats.poisson.pmf(count, mean) / 2
    exact = stats.norm.ppf(below) if below < 0.5 else -stats.norm.ppf(above)
    pull = pulls_of(np.array([count]), np.array([mean]), np.array([0.0]))[0]
    assert pull == pytest.approx(exact, abs=0.35)


@given(st.floats(0.001, 3.9), st.integers(0, 12))
def test_pulls_of_few_counts_are_exact(mean: float, count: int) -> None:
    below = stats.poisson.cdf(count, mean) - stats.poisson.pmf(count, mean) / 2
    above = stats.poisson.sf(count, mean) + stats.poisson.pmf(count, mean) / 2
    exact = stats.norm.ppf(below) if below < 0.5 else -stats.norm.ppf(above)
    pull = pulls_of(np.array([float(count)]), np.array([mean]), np.array([0.0]))[0]
    if abs(exact) < 6.9:
        assert pull == pytest.approx(exact, abs=1e-4)
    else:
        assert pull > 6


@given(st.integers(1, 40), st.floats(-60.0, -1e-6))
def test_several_looks_are_paid_for(looks: int, log_p: float) -> None:
    paid = of_several(np.array([log_p]), looks)[0]
    assert paid == pytest.approx(np.log(-np.expm1(looks * np.log1p(-np.exp(log_p)))), abs=1e-6)


def test_gumbel_tails_are_those_of_scipy() -> None:
    values = np.linspace(-2.0, 30.0, 50)
    assert np.allclose(gumbel_log_tail(values, 1.0, 0.7), stats.gumbel_r.logsf(values, 1.0, 0.7), atol=1e-6)
    assert np.isfinite(gumbel_log_tail(np.array([-100.0, 1e6]), 1.0, 0.7)).all()
