"""What ages from week to week moves no column of a classifier; what differs from the rest of its run does."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlcore.conditions import Conditions
from mlcore.features import FeatureTable
from mlcore.histograms import Axis, HistogramBlock
from mlcore.pipeline.neighbours import around
from mlcore.pipeline.shapes import FEWEST, shape_columns, within_run

AXIS = Axis.regular("charge", 40, 0.0, 80.0, unit="ke")


def conditions(lengths: list[int]) -> Conditions:
    return Conditions(
        run=np.repeat(np.arange(1, len(lengths) + 1), lengths),
        lumisection=np.concatenate([np.arange(1, length + 1) for length in lengths]),
    )


def charges(means: np.ndarray, of: Conditions) -> HistogramBlock:
    """Expected counts of a bell around each mean."""
    shape = np.exp(-0.5 * ((AXIS.centres[None, :] - means[:, None]) / 8.0) ** 2)
    return HistogramBlock(element="Pixel/charge", axes=(AXIS,), counts=1e4 * shape, conditions=of)


def column(tables: list[FeatureTable], name: str) -> np.ndarray:
    (found,) = [table.values[:, table.names.index(name)] for table in tables if name in table.names]
    return found


numbers = st.floats(-1e6, 1e6) | st.just(float("nan"))


@given(st.lists(st.lists(numbers, min_size=1, max_size=FEWEST - 1), min_size=1, max_size=5))
def test_in_a_short_run_it_is_the_value_less_the_median_of_what_is_known(by_run: list[list[float]]) -> None:
    values = np.concatenate([np.array(run) for run in by_run])
    expected = []
    for run in by_run:
        known = [value for value in run if value == value]  # noqa: PLR0124  # not NaN
        expected += [value - np.median(known) if known else np.nan for value in run]
    found = within_run(values[:, None], conditions([len(run) for run in by_run]))
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-12, atol=1e-9)


def test_nothing_gives_nothing() -> None:
    assert within_run(np.empty((0, 3)), conditions([0])).shape == (0, 3)


def test_a_gain_that_falls_from_run_to_run_moves_nothing() -> None:
    of = conditions([30] * 8)
    fallen = charges(40.0 - 1.5 * (of.run - 1), of)
    mean = column(shape_columns([fallen], of, (2,), None), "within run Pixel/charge:mean")
    assert np.abs(mean).max() < 1e-9


def test_a_part_of_a_run_that_differs_stands_out_and_its_neighbours_say_so_too() -> None:
    of = conditions([30, 30])
    means = np.full(60, 40.0)
    means[40:46] += 0.5
    tables = shape_columns([charges(means, of)], of, (2,), None)
    here = column(tables, "within run Pixel/charge:mean")
    around = column(tables, "around within run Pixel/charge:mean")
    assert (here[40:46] > 0.4).all()
    assert np.abs(np.delete(here, range(40, 46))).max() < 1e-9
    assert (around[42:44] > 0.4).all()
    assert around[:38].max() < 1e-9


def drifting(length: int, seed: int = 0) -> np.ndarray:
    """What falls along a run, with noise of 1."""
    return 500.0 - 0.3 * np.arange(length) + np.random.default_rng(seed).normal(size=length)


@given(
    st.integers(60, 120), st.floats(0.05, 0.2), st.floats(-40, 40), st.floats(-5, 5), st.integers(0, 10_000), st.data()
)
def test_of_a_run_that_drifts_only_what_differs_is_left(  # noqa: PLR0917  # one value of each
    length: int, share: float, size: float, slope: float, seed: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    first = data.draw(st.integers(0, length - 1))
    odd = np.zeros(length, dtype=bool)
    odd[first : first + int(share * length)] = True
    noise = rng.normal(size=length)
    values = 100.0 + slope * np.arange(length) + noise + size * odd
    found = within_run(values[:, None], conditions([length]))[:, 0]
    # At the end of a run a weak fault tilts the line, since it may be a drift; what can be told from noise is left out.
    assert np.abs(found - (noise + size * odd)).max() < (1.6 if abs(size) > 10 else 3.5)


def test_a_weak_fault_that_lasts_is_seen_by_its_neighbours_though_its_run_drifts() -> None:
    of = conditions([200])
    values = drifting(200)
    values[90:112] -= 1.0
    off = within_run(values[:, None], of)
    mean = around(off, of, 16)[:, 0]
    assert mean[95:107].max() < -0.3
    assert np.abs(np.delete(mean, range(70, 132))).max() < 0.6
    alone = off[:, 0]
    assert alone[90:112].max() > 0, "in single lumisections it is not"


def test_the_line_is_that_of_the_lumisections_and_not_of_their_places() -> None:
    """Some lumisections are missing: the rest lies on the same line."""
    values = drifting(120)[:, None]
    kept = np.r_[0:40, 90:120]
    of = conditions([120])
    found = within_run(values[kept], of.select(kept))
    assert np.abs(found).max() < 4.5


def test_what_is_known_of_half_a_run_only_lies_beside_its_own_median() -> None:
    """No two of them lie half a run apart, so nothing is known of a slope at first."""
    values = np.full((80, 2), np.nan)
    values[:20, 0] = 5.0 + np.random.default_rng(2).normal(size=20)
    values[:, 1] = 3.0
    found = within_run(values, conditions([80]))
    assert np.abs(found[:20, 0]).max() < 4.0
    assert np.abs(np.median(found[:20, 0])) < 0.5
    assert np.isnan(found[20:, 0]).all()
    assert not found[:, 1].any()


def test_what_is_constant_stays_zero_and_a_step_of_it_is_kept() -> None:
    values = np.full((60, 1), 7.0)
    values[20:30] = 9.0
    found = within_run(values, conditions([60]))[:, 0]
    assert np.array_equal(found, values[:, 0] - 7.0)


def test_neighbours_near_and_far_have_columns_of_their_own() -> None:
    of = conditions([60])
    means = np.full(60, 40.0)
    means[20:40] += 0.5
    tables = shape_columns([charges(means, of)], of, (2, 16), None)
    near = column(tables, "around within run Pixel/charge:mean")
    far = column(tables, "far around within run Pixel/charge:mean")
    assert near[30] > far[30] > 0.1
    (only,) = [
        table
        for table in shape_columns([charges(means, of)], of, (2, 16), ["far around within run Pixel/charge:std"])
        if table.names[0].startswith("far")
    ]
    assert np.array_equal(column([only], "far around within run Pixel/charge:mean"), far)


def test_a_missing_histogram_has_no_shape_and_takes_no_part_in_the_median() -> None:
    of = conditions([10])
    block = charges(np.full(10, 40.0), of)
    counts = block.counts.copy()
    counts[3] = 0.0
    empty = HistogramBlock(element=block.element, axes=block.axes, counts=counts, conditions=of)
    found = column(shape_columns([empty], of, (2,), None), "within run Pixel/charge:mean")
    assert np.isnan(found[3])
    assert np.abs(np.delete(found, 3)).max() < 1e-9


def test_a_model_of_before_gets_the_columns_that_it_was_trained_on() -> None:
    of = conditions([10])
    tables = shape_columns([charges(np.full(10, 40.0), of)], of, (2,), ["shape Pixel/charge:mean", "pile-up"])
    assert [table.names[0] for table in tables] == ["shape Pixel/charge:mean"]
    assert column(tables, "shape Pixel/charge:mean")[0] > 35


def test_what_no_column_was_chosen_of_is_not_worked_out() -> None:
    of = conditions([10])
    assert shape_columns([charges(np.full(10, 40.0), of)], of, (2,), ["within run Ecal/time:mean"]) == []
