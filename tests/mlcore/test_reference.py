"""What a histogram should look like: it follows conditions, survives bad training data, and says how sure it is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.conditions import Conditions, FloatArray
from mlcore.errors import IncompatibleBinning, ShapeError, TooFewData
from mlcore.histograms import Axis, HistogramBlock
from mlcore.reference import COLUMNS, FURTHER, Reference, _not_negative
from mlcore.simulate import map_faults
from mlcore.simulate.maps import SECONDS_PER_YEAR, OccupancyModel, RegionReadout, ecal_barrel


def conditions(n: int, seed: int = 0, *, first_run: int = 1) -> Conditions:
    rng = np.random.default_rng(seed)
    return Conditions(
        run=first_run + np.arange(n) // 50,
        lumisection=1 + np.arange(n) % 50,
        pileup=rng.uniform(20, 60, n),
        events=np.round(rng.uniform(300, 2000, n)),
        time=60.0 * np.arange(n, dtype=np.float64),
    )


def tilted(n: int, seed: int = 0, *, bins: int = 12, per_event: float = 4.0) -> tuple[HistogramBlock, FloatArray]:
    """1D histograms whose slope follows pile-up, and what was expected of them."""
    where = conditions(n, seed)
    shape = 1.0 + 0.02 * (where.pileup[:, None] - 40.0) * np.linspace(-1, 1, bins)
    expected = per_event * where.events[:, None] * shape / shape.sum(axis=1, keepdims=True)
    counts = np.random.default_rng(seed + 100).poisson(expected)
    return HistogramBlock("x", (Axis.regular("x", bins, 0, 1),), counts, where), expected


def blind(block: HistogramBlock) -> HistogramBlock:
    return replace(block, conditions=Conditions(block.conditions.run, block.conditions.lumisection))


def test_the_shape_follows_pileup() -> None:
    block, _ = tilted(300)
    fresh, expected = tilted(100, 1)
    reference = Reference().fit(block)
    assert "pileup" in reference.columns_
    predicted = reference.predict(fresh.conditions).mean
    assert np.abs(predicted / expected - 1).max() < 0.04


def test_without_conditions_the_average_shape_is_given_and_its_doubt_covers_the_difference() -> None:
    block, _ = tilted(300)
    fresh, expected = tilted(200, 1)
    reference = Reference().fit(block)
    known, unknown = (reference.predict(b.conditions, totals=expected.sum(axis=1)) for b in (fresh, blind(fresh)))
    off = (unknown.mean - expected)[:, 0] / np.sqrt(unknown.variance[:, 0])
    assert 0.5 < off.std() < 1.5
    assert unknown.variance[:, 0].mean() > 10 * known.variance[:, 0].mean()


def test_a_reference_trained_without_conditions_works() -> None:
    block, _ = tilted(100)
    reference = Reference().fit(blind(block))
    assert reference.columns_ == ()
    prediction = reference.predict(blind(block).conditions)
    assert prediction.mean.shape == (100, 12)
    assert prediction.mean.sum(axis=1) == pytest.approx(np.median(block.totals), rel=0.05)
    assert np.isfinite(prediction.variance).all()


def test_luminosity_stands_in_where_pileup_is_not_known() -> None:
    block, expected = tilted(300)
    where = replace(block.conditions, luminosity=block.conditions.pileup * 9.0, pileup=np.empty(0))
    reference = Reference().fit(replace(block, conditions=where))
    assert "luminosity" in reference.columns_
    assert "pileup" not in reference.columns_
    assert np.abs(reference.predict(where).mean / expected - 1).max() < 0.05


def test_luminosity_is_left_out_where_pileup_is_known() -> None:
    block, _ = tilted(300)
    where = replace(block.conditions, luminosity=np.random.default_rng(0).uniform(1, 2, 300))
    assert "luminosity" not in Reference().fit(replace(block, conditions=where)).columns_


def test_few_rows_carry_few_columns() -> None:
    block, _ = tilted(30)
    assert len(Reference().fit(block).columns_) <= 1


@pytest.mark.parametrize("family", ["missing supermodule", "hot tower"])
def test_bad_training_lumisections_do_not_change_it(family: str) -> None:
    model, where = OccupancyModel(ecal_barrel()), conditions(200)
    rng = np.random.default_rng(3)
    expected = model.expected(where)
    fault = map_faults.FAMILIES[family](model.geometry, rng)
    for_all = fault.apply(expected, np.arange(0, 200, 8), rng)
    reference = Reference().fit(model.draw(where, rng, expected=for_all))
    off = reference.predict(where).mean / expected
    assert off[:, fault.truth].mean() == pytest.approx(1.0, abs=0.01)


def test_lumisections_of_no_weight_teach_nothing() -> None:
    block, _ = tilted(200)
    spoiled = block.counts.copy()
    spoiled[100:] = spoiled[100:, ::-1] * 3
    weights = np.r_[np.ones(100), np.zeros(100)]
    one = Reference().fit(replace(block, counts=spoiled), weights)
    two = Reference().fit(block.select(slice(0, 100)))
    assert np.allclose(one.coefficients_, two.coefficients_)


def test_poisson_counts_have_no_excess_and_regions_have() -> None:
    where = conditions(150)
    quiet = OccupancyModel(ecal_barrel())
    loud = OccupancyModel(ecal_barrel(), readout=RegionReadout(share=0.9, hits=8.0, spread=0.0))
    rng = np.random.default_rng(0)
    poisson, regions = (
        Reference().fit(model.draw(where, rng)).predict(where).variance / model.expected(where)
        for model in (quiet, loud)
    )
    assert np.median(poisson) < 0.1
    assert np.median(regions) == pytest.approx(7.2, rel=0.15)


def test_a_bin_that_fluctuates_more_has_more_variance() -> None:
    block, expected = tilted(400)
    rng = np.random.default_rng(5)
    wild = expected * np.where(np.arange(12) == 4, rng.gamma(25, 1 / 25, (400, 1)), 1.0)
    reference = Reference().fit(replace(block, counts=rng.poisson(wild).astype(float)))
    variance = reference.predict(block.conditions).variance.mean(axis=0)
    assert variance.argmax() == 4
    assert variance[4] > 5 * np.median(variance)


def test_ageing_is_followed() -> None:
    model = OccupancyModel(ecal_barrel(), ageing=0.3)
    where = replace(conditions(300), time=np.linspace(0, SECONDS_PER_YEAR, 300))
    reference = Reference().fit(model.draw(where, np.random.default_rng(0)))
    expected = model.expected(where)
    assert np.abs(reference.predict(where).mean / expected - 1)[:, 0].mean() < 0.015


def test_robust_totals_ignore_what_does_not_fit() -> None:
    model, where = OccupancyModel(ecal_barrel()), conditions(60)
    rng = np.random.default_rng(1)
    expected = model.expected(where)
    reference = Reference().fit(model.draw(where, rng))
    hot = map_faults.hot_tower(model.geometry, rng, times=3000.0).apply(expected, slice(None), rng)
    totals = reference.totals_of(model.draw(where, rng, expected=hot))
    assert np.abs(totals / expected.sum(axis=(1, 2)) - 1).max() < 0.01


def test_totals_follow_events_and_pileup() -> None:
    model, where = OccupancyModel(ecal_barrel()), conditions(120)
    reference = Reference().fit(model.draw(where, np.random.default_rng(1)))
    fresh = conditions(50, 9)
    totals, relative = reference.expected_totals(fresh)
    assert np.abs(totals / model.expected(fresh).sum(axis=(1, 2)) - 1).max() < 0.01
    assert (relative < 0.02).all()
    none = replace(fresh, events=np.zeros(50))
    assert (reference.expected_totals(none)[0] == 0).all()


def test_missing_histograms_have_no_total_and_teach_nothing() -> None:
    block, _ = tilted(60)
    holes = block.counts.copy()
    holes[::7] = np.nan
    reference = Reference().fit(replace(block, counts=holes))
    totals = reference.totals_of(replace(block, counts=holes))
    assert np.isnan(totals[::7]).all()
    assert np.isfinite(totals[1:7]).all()


def test_too_few_histograms_are_refused() -> None:
    block, _ = tilted(60)
    for useless in (block.select(slice(0, 4)), replace(block, counts=np.zeros((60, 12)))):
        with pytest.raises(TooFewData, match="at least 5"):
            Reference().fit(useless)
    with pytest.raises(TooFewData):
        Reference().fit(block, np.zeros(60))


def test_other_axes_and_lengths_are_refused() -> None:
    block, _ = tilted(60)
    reference = Reference().fit(block)
    with pytest.raises(IncompatibleBinning):
        reference.totals_of(block.rebin(2))
    with pytest.raises(ShapeError):
        reference.predict(block.conditions, totals=np.ones(3))
    with pytest.raises(ShapeError):
        Reference().fit(block, np.ones(3))


def test_nothing_asked_is_nothing_given() -> None:
    block, _ = tilted(60)
    reference = Reference().fit(block)
    assert reference.predict(block.conditions.select(slice(0, 0))).mean.shape == (0, 12)


def test_many_lumisections_are_thinned() -> None:
    block, expected = tilted(900)
    reference = Reference(most=200 * 12).fit(block)
    assert np.abs(reference.predict(block.conditions).mean / expected - 1).max() < 0.05


@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10), st.floats(-10, 10)), min_size=3, max_size=8))
def test_two_coefficients_that_may_not_be_negative_are_the_best_ones(points: list[tuple[float, float, float]]) -> None:
    x, y, z = (np.array(column) for column in zip(*points, strict=True))
    a, b = _not_negative([float(part) for part in (x @ x, x @ y, y @ y, x @ z, y @ z)])
    assert a >= 0
    assert b >= 0
    best = ((a * x + b * y - z) ** 2).sum()
    grid = np.array([[i, j] for i in np.linspace(0, 20, 60) for j in np.linspace(0, 20, 60)])
    tried = ((grid[:, :1] * x + grid[:, 1:] * y - z) ** 2).sum(axis=1)
    assert best <= tried.min() + 1e-6 * (1 + (z**2).sum())


def warming(first_run: int, runs: int, seed: int, *, warms: bool = True) -> tuple[HistogramBlock, FloatArray]:
    """Runs of 120 lumisections at a pile-up that stays; a shape that moves as the run goes on, and with the luminosity
    at the same pile-up, or with neither."""
    rng = np.random.default_rng([seed, first_run])
    n = 120 * runs
    lumisection = np.tile(np.arange(1, 121), runs)
    pileup, bunches = np.repeat(rng.uniform(30, 50, runs), 120), np.repeat(rng.uniform(2.0, 6.0, runs), 120)
    where = Conditions(
        np.repeat(np.arange(first_run, first_run + runs), 120), lumisection, luminosity=bunches * pileup, pileup=pileup
    )
    slope = 0.25 * np.exp(-lumisection / 25.0) + 0.04 * (bunches - 4.0) if warms else np.zeros(n)
    shape = 1.0 + slope[:, None] * np.linspace(-1, 1, 12)
    expected = 4_000.0 * shape / shape.sum(axis=1, keepdims=True)
    return HistogramBlock("x", (Axis.regular("x", 12, 0, 1),), rng.poisson(expected), where), expected


def error_of(columns: tuple[str, ...], *, warms: bool) -> float:
    """Root mean square of what a reference of ten runs is off in four others, in units of Poisson's noise."""
    reference = Reference(columns=columns).fit(warming(1, 10, 3, warms=warms)[0])
    fresh, expected = warming(51, 4, 3, warms=warms)
    mean = reference.predict(fresh.conditions, totals=expected.sum(axis=1)).mean
    return float(np.sqrt(np.mean((mean - expected) ** 2 / expected)))


def test_the_length_of_the_run_and_its_luminosity_help_where_the_shape_depends_on_them() -> None:
    without, by_length = (error_of(columns, warms=True) for columns in (COLUMNS, (*COLUMNS, *FURTHER)))
    assert by_length < 0.5 * without
    alone = error_of((*COLUMNS, "run length"), warms=True)
    assert by_length < alone < without


def test_and_do_no_harm_where_it_does_not() -> None:
    without, by_length = (error_of(columns, warms=False) for columns in (COLUMNS, (*COLUMNS, *FURTHER)))
    assert by_length < 0.1
    assert by_length < without + 0.03
