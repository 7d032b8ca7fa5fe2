"""What ages from week to week moves no column of a classifier; what differs from the rest of its run does."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlcore.conditions import Conditions
from mlcore.features import FeatureTable
from mlcore.histograms import Axis, HistogramBlock
from mlcore.pipeline.shapes import shape_columns, within_run

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


@given(st.lists(st.lists(numbers, min_size=1, max_size=6), min_size=1, max_size=5))
def test_it_is_the_value_less_the_median_of_what_is_known_of_its_run(by_run: list[list[float]]) -> None:
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
    mean = column(shape_columns([fallen], of, 2, None), "within run Pixel/charge:mean")
    assert np.abs(mean).max() < 1e-9


def test_a_part_of_a_run_that_differs_stands_out_and_its_neighbours_say_so_too() -> None:
    of = conditions([30, 30])
    means = np.full(60, 40.0)
    means[40:46] += 0.5
    tables = shape_columns([charges(means, of)], of, 2, None)
    here = column(tables, "within run Pixel/charge:mean")
    around = column(tables, "around within run Pixel/charge:mean")
    assert (here[40:46] > 0.4).all()
    assert np.abs(np.delete(here, range(40, 46))).max() < 1e-9
    assert (around[42:44] > 0.4).all()
    assert around[:38].max() < 1e-9


def test_a_missing_histogram_has_no_shape_and_takes_no_part_in_the_median() -> None:
    of = conditions([10])
    block = charges(np.full(10, 40.0), of)
    counts = block.counts.copy()
    counts[3] = 0.0
    empty = HistogramBlock(element=block.element, axes=block.axes, counts=counts, conditions=of)
    found = column(shape_columns([empty], of, 2, None), "within run Pixel/charge:mean")
    assert np.isnan(found[3])
    assert np.abs(np.delete(found, 3)).max() < 1e-9


def test_a_model_of_before_gets_the_columns_that_it_was_trained_on() -> None:
    of = conditions([10])
    tables = shape_columns([charges(np.full(10, 40.0), of)], of, 2, ["shape Pixel/charge:mean", "pile-up"])
    assert [table.names[0] for table in tables] == ["shape Pixel/charge:mean"]
    assert column(tables, "shape Pixel/charge:mean")[0] > 35


def test_what_no_column_was_chosen_of_is_not_worked_out() -> None:
    of = conditions([10])
    assert shape_columns([charges(np.full(10, 40.0), of)], of, 2, ["within run Ecal/time:mean"]) == []
