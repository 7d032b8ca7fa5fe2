"""Trigger rates: forecasts hold their quantiles, faults are found, and prescale steps are not taken for faults."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlcore.bench import rates as bench
from mlcore.detectors.rates import RatesDetector
from mlcore.errors import MlcoreError, TooFewData
from mlcore.evaluate import auc
from mlcore.features import FeatureTable
from mlcore.pipeline.config import DetectorConfig
from mlcore.simulate.rates import NAMES
from mlcore.simulate.trigger_runs import RateRuns, rate_runs


@pytest.fixture(scope="module")
def world() -> RateRuns:
    return rate_runs(5, runs=36, length=60)


@pytest.fixture(scope="module")
def early(world: RateRuns) -> np.ndarray:
    return np.asarray(world.table.conditions.run < 400_024)


@pytest.fixture(scope="module")
def detector(world: RateRuns, early: np.ndarray) -> RatesDetector:
    built = DetectorConfig("rates").build(random_state=0)
    assert isinstance(built, RatesDetector)
    return built.fit(world.table.select(early), world.labels[early])


def test_what_happens_lies_below_each_quantile_as_often_as_it_says(
    world: RateRuns, early: np.ndarray, detector: RatesDetector
) -> None:
    later, good = world.table.select(~early), world.labels[~early] == 0
    forecast = detector.quantiles(later, [0.1, 0.5, 0.9])
    below = (later.values[good, : len(NAMES), None] <= forecast[good]).mean(axis=(0, 1))
    assert below == pytest.approx([0.1, 0.5, 0.9], abs=0.03)
    assert (np.diff(forecast, axis=2) > 0).all()


def test_faults_are_found_and_the_filter_that_knows_everything_finds_more(
    world: RateRuns, early: np.ndarray, detector: RatesDetector
) -> None:
    labels = world.labels[~early]
    found = auc(detector.score(world.table.select(~early)), labels)
    assert 0.95 < found < auc(world.belief[~early], labels)


def test_a_prescale_step_is_no_fault_and_knowing_of_it_makes_forecasts_narrow(
    world: RateRuns, early: np.ndarray, detector: RatesDetector
) -> None:
    steps = world.steps[~early] & (world.labels[~early] == 0)
    good, later = world.table.select(early & (world.labels == 0)), world.table.select(~early)
    bound = np.quantile(detector.score(good), 0.99)
    assert float((detector.score(later)[steps] > bound).mean()) < 0.1
    blind = RatesDetector(prescaled=False, within_run=False).fit(good)
    column = NAMES.index("L1_EM3")
    wide, narrow = (np.diff(one.quantiles(later, [0.05, 0.95])[:, column], axis=1) for one in (blind, detector))
    assert np.median(narrow) < 0.7 * np.median(wide)


def test_the_forecast_of_a_lumisection_does_not_know_the_future(
    world: RateRuns, early: np.ndarray, detector: RatesDetector
) -> None:
    run = world.table.select(world.table.conditions.run == 400_030)
    whole = detector.score(run)
    until = detector.score(run.select(slice(0, 30)))
    # The last one does not know yet whether its prescales are those of the next.
    assert until[:29] == pytest.approx(whole[:29])


def test_without_luminosity_there_is_no_forecast(world: RateRuns, detector: RatesDetector) -> None:
    run = world.table.select(world.table.conditions.run == 400_030)
    light = run.conditions.luminosity.copy()
    light[7] = np.nan
    dark = replace(run, conditions=replace(run.conditions, luminosity=light))
    assert np.flatnonzero(np.isnan(detector.score(dark))).tolist() == [7]
    assert np.isnan(detector.quantiles(dark, [0.5])[7]).all()


def test_what_makes_no_sense_is_refused(world: RateRuns, detector: RatesDetector) -> None:
    with pytest.raises(MlcoreError, match="between 0 and 1"):
        detector.quantiles(world.table, [5.0])
    prescales = FeatureTable(
        world.table.values[:, len(NAMES) :], world.table.names[len(NAMES) :], NAMES, world.table.conditions
    )
    with pytest.raises(TooFewData, match="no rates to forecast"):
        RatesDetector().fit(prescales)


def test_the_table_has_its_three_rows_and_its_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = [name for name in bench._PEERS if name.startswith("quantile boosting")]
    for name in slow:
        monkeypatch.delitem(bench._PEERS, name)
    rows = bench.run([3], quick=True)
    assert [row.better for row in rows] == ["lower", "higher", "lower"]
    assert all(len(row.peers) == 3 for row in rows)
    assert rows[1].value > max(peer.value for peer in rows[1].peers.values())
    assert rows[1].bayes is not None
    assert rows[1].value < rows[1].bayes
