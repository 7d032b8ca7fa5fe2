"""Pulsed signals of slow control: followed online, forecast better than the season before, and wrong ones are found."""

from __future__ import annotations

import numpy as np
import pytest

from mlcore.bench import pulses as bench
from mlcore.bench.peers.pulses import linear_online, seasonal_naive
from mlcore.detectors.pulses import PulsesDetector
from mlcore.errors import MlcoreError, ShapeError
from mlcore.evaluate import auc
from mlcore.histograms import Axis, HistogramBlock
from mlcore.pipeline.config import DetectorConfig
from mlcore.simulate.slow_control import CYCLE, PULSES, SlowControl, slow_control


@pytest.fixture(scope="module")
def detector() -> PulsesDetector:
    built = DetectorConfig("pulses").build(random_state=0)
    assert isinstance(built, PulsesDetector)
    return built.fit(slow_control(1, runs=5, length=30).block)


@pytest.fixture(scope="module")
def later() -> SlowControl:
    return slow_control(2, runs=4, faulty=True)


def test_the_period_of_the_supercycle_is_found_as_well_as_it_holds(detector: PulsesDetector) -> None:
    assert detector.train_.period_ == pytest.approx(len(PULSES) * CYCLE, abs=1.0)


def test_the_forecast_is_made_of_the_past_only(detector: PulsesDetector, later: SlowControl) -> None:
    run = later.block.select(later.block.conditions.run == 500_001)
    whole, part = (detector.quantiles(one, [0.5])[:, :, 0] for one in (run, run.select(slice(0, 20))))
    assert part == pytest.approx(whole[:20], nan_ok=True)
    assert np.isnan(whole[0, : detector.ahead]).all()


def test_pulses_that_are_low_late_noisy_or_missing_are_found(detector: PulsesDetector, later: SlowControl) -> None:
    settled = later.block.conditions.lumisection > 10
    scores = detector.score(later.block)
    assert auc(scores[settled], later.labels[settled]) > 0.85


def test_a_gap_in_the_readings_is_bridged(detector: PulsesDetector, later: SlowControl) -> None:
    run = later.block.select((later.block.conditions.run == 500_000) & (later.labels == 0))
    kept = run.select(~np.isin(run.conditions.lumisection, (11, 12)))
    both = np.isin(run.conditions.lumisection, kept.conditions.lumisection)
    middle = detector.quantiles(kept, [0.5])[-3:, :, 0]
    assert middle == pytest.approx(detector.quantiles(run.select(both), [0.5])[-3:, :, 0])
    error = np.sqrt(np.mean((middle - kept.flat[-3:]) ** 2))
    assert error < 3 * later.limit


def test_a_signal_that_never_changes_and_a_map_are_told_apart(later: SlowControl) -> None:
    constant = HistogramBlock("SlowControl/flat", later.block.axes, np.full((160, 60), 5.0), later.block.conditions)
    fitted = PulsesDetector().fit(constant)
    assert fitted.train_.period_ == 60
    assert np.isfinite(fitted.score(constant)).all()
    square = (Axis.regular("x", 4, 0, 1), Axis.regular("y", 15, 0, 1))
    with pytest.raises(ShapeError, match="along one axis"):
        PulsesDetector().fit(HistogramBlock("a map", square, np.ones((160, 4, 15)), later.block.conditions))


def test_what_makes_no_sense_is_refused(detector: PulsesDetector, later: SlowControl) -> None:
    with pytest.raises(MlcoreError, match="between 0 and 1"):
        detector.quantiles(later.block, [1.0])
    with pytest.raises(MlcoreError, match="at least 1"):
        PulsesDetector(ahead=0).fit(later.block)


def test_the_usual_forecasts_are_right_where_they_can_be() -> None:
    seconds = np.arange(900)
    whole = 2.0 + np.sin(2 * np.pi * seconds / 30)
    assert seasonal_naive(whole, 30, 20)[60:] == pytest.approx(whole[60:])
    odd = 2.0 + np.sin(2 * np.pi * seconds / 30.4)
    assert np.abs(linear_online(odd, np.arange(20, 24), 20) - odd)[600:].max() < 0.01


def test_the_table_has_its_rows_and_peers() -> None:
    rows = bench.run([3], quick=True)
    assert [row.better for row in rows] == ["lower", "lower"]
    assert len(rows[0].peers) == 3
    assert rows[0].bayes is not None
    assert rows[0].bayes < rows[0].value
