"""Expectations and pulls: the shape of good lumisections, its uncertainty, and bins in standard deviations."""

from __future__ import annotations

import numpy as np
import pytest

from certifier.lumi import LumiSet
from certifier.monitoring import comparison, prediction, selectors
from certifier.monitoring.comparison import expected_of, windows
from certifier.monitoring.models import Element
from certifier.runs.models import Run
from mlcore.conditions import Conditions
from mlcore.histograms import Axis, HistogramBlock
from tests.monitoring.blocks import BEFORE, RUN, TIME, histograms, ingest, take

SHAPE = np.array([1.0, 2, 4, 8, 12, 12, 8, 4, 2, 1])


def block(rows: int, *, level: float = 40.0, seed: int = 3, first: int = 1) -> HistogramBlock:
    counts = np.random.default_rng(seed).poisson(level * SHAPE, (rows, 10)).astype(float)
    conditions = Conditions(run=np.full(rows, RUN), lumisection=np.arange(first, first + rows))
    return HistogramBlock("A/one", (TIME,), counts, conditions)


def test_the_expectation_is_the_mean_of_the_good_lumisections() -> None:
    found = block(60)
    found.counts[40:, :3] *= 30
    good = expected_of(found, LumiSet.parse("1-40"))
    assert good is not None
    np.testing.assert_allclose(good.shape, SHAPE / SHAPE.sum(), rtol=0.1)
    assert good.shape.sum() == pytest.approx(1)
    assert good.rows == 40
    everything = expected_of(found)
    assert everything is not None
    assert everything.shape[0] > 3 * good.shape[0]


def test_there_is_none_without_an_entry() -> None:
    empty = HistogramBlock("A/one", (TIME,), np.zeros((3, 10)), Conditions.plain(3))
    assert expected_of(empty) is None
    assert expected_of(block(5), LumiSet.parse("90-99")) is None


def test_lumisections_with_hardly_an_entry_do_not_count() -> None:
    found = block(30)
    found.counts[:10] *= 0.01
    expected = expected_of(found)
    assert expected is not None
    assert expected.rows == 20


def test_pulls_of_good_lumisections_are_standard_normal() -> None:
    expected = expected_of(block(400))
    assert expected is not None
    pulls = expected.pulls(block(400, seed=4).flat)
    assert abs(float(pulls.mean())) < 0.05
    assert float(pulls.std()) == pytest.approx(1, abs=0.06)


def test_what_scatters_more_than_poisson_pulls_less() -> None:
    factors = np.random.default_rng(8).normal(1, 0.3, (200, 1))
    wild = block(200)
    wild.counts[:, 3] = np.random.default_rng(9).poisson(320 * np.abs(factors[:, 0]))
    expected = expected_of(wild)
    assert expected is not None
    assert expected.relative[3] == pytest.approx(0.3, abs=0.05)
    assert expected.relative[5] < 0.05
    assert np.abs(expected.pulls(wild.flat)[:, 3]).max() < 5


def test_a_dead_corner_does_not_lift_the_rest() -> None:
    expected = expected_of(block(100))
    assert expected is not None
    dead = block(1, level=400, seed=5).flat.copy()
    dead[:, 7:] = 0
    pulls = expected.pulls(dead)[0]
    assert (pulls[7:] < -10).all()
    assert np.abs(pulls[:7]).max() < 5


@pytest.mark.parametrize(
    ("seen", "mean", "least", "most"), [(1, 0.01, 1.5, 3.5), (0, 9.0, -4.5, -4.0), (110, 100.0, 0.9, 1.1)]
)
def test_few_counts_do_not_mislead(seen: float, mean: float, least: float, most: float) -> None:
    (pull,) = comparison.pulls(np.array([seen]), np.array([mean]), np.array([0.0]))
    assert least < pull < most


def test_windows_sum_neighbours_and_know_where_they_are() -> None:
    found = block(10, first=4)
    steps = windows(found, 5)
    assert list(zip(steps.first.tolist(), steps.last.tolist(), strict=True)) == [(4, 5), (6, 10), (11, 13)]
    np.testing.assert_array_equal(steps.counts[1], found.flat[2:7].sum(axis=0))
    assert len(windows(found.select(slice(0, 0)), 5)) == 0


def test_numbers_per_lumisection() -> None:
    axis = Axis("x", np.array([0.0, 1.0, 3.0]))
    counts = np.array([[1.0, 3.0], [0.0, 0.0]])
    found = HistogramBlock("A/one", (axis,), counts, Conditions.plain(2))
    assert comparison.means(found)[0] == pytest.approx((0.5 + 3 * 2) / 4)
    assert comparison.spreads(found)[0] == pytest.approx(np.sqrt(3 / 16) * 1.5)
    assert np.isnan(comparison.means(found)[1])
    map_ = HistogramBlock("A/map", (axis, TIME), np.ones((1, 2, 10)), Conditions.plain(1))
    np.testing.assert_array_equal(comparison.along(map_, 0), [[10, 10]])
    np.testing.assert_array_equal(comparison.along(map_, 1), [np.full(10, 2)])


# --- prediction -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_prediction_learns_from_the_runs_before() -> None:
    numbers = [350001, 350002, 350003, BEFORE]
    for number in numbers:
        take(number, 40)
        ingest(histograms(lumisections="1-40", run=number, seed=number), run=number)
    run = take(RUN, 40)
    ingest(histograms(lumisections="1-40"))
    element = Element.objects.get()
    assert prediction.runs_before(run, element) == [350002, 350003, BEFORE]
    (coverage,) = selectors.coverage_of_run(run).values()
    mine = selectors.histograms(run, coverage)[element.path]
    found = prediction.predict(mine, element, [350002, 350003, BEFORE])
    assert found is not None
    np.testing.assert_allclose(found.mean, 100, rtol=0.15)
    mean, relative = found.summed([0, 10])
    np.testing.assert_allclose(mean.sum(axis=1), [mine.totals[:10].sum(), mine.totals[10:].sum()], rtol=0.02)
    pulls = comparison.pulls(np.add.reduceat(mine.flat, [0, 10], axis=0), mean, relative)
    assert np.abs(pulls).max() < 4


@pytest.mark.django_db
def test_too_few_histograms_predict_nothing() -> None:
    take(BEFORE, 3)
    ingest(histograms(lumisections="1-3", run=BEFORE), run=BEFORE)
    run = take()
    ingest(histograms())
    element = Element.objects.get()
    (coverage,) = selectors.coverage_of_run(Run.objects.get(pk=run.pk)).values()
    mine = selectors.histograms(run, coverage)[element.path]
    assert prediction.predict(mine, element, [BEFORE]) is None
    assert prediction.predict(mine, element, []) is None
