"""The mean over neighbours is that of the rows beside it in its run, whatever their sign, as counting says."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlcore.conditions import Conditions
from mlcore.pipeline.neighbours import around, far_around

numbers = st.floats(-1e6, 1e6) | st.just(float("nan"))


def conditions(lengths: list[int]) -> Conditions:
    return Conditions(
        run=np.repeat(np.arange(1, len(lengths) + 1), lengths),
        lumisection=np.concatenate([np.arange(1, length + 1) for length in lengths]),
    )


@given(st.lists(st.lists(numbers, min_size=1, max_size=9), min_size=1, max_size=5), st.integers(0, 4))
def test_it_is_the_mean_of_the_known_ones_beside_it(by_run: list[list[float]], window: int) -> None:
    expected: list[float] = []
    for run in by_run:
        for place in range(len(run)):
            beside = [*run[max(place - window, 0) : place], *run[place + 1 : place + 1 + window]]
            known = [value for value in beside if value == value]  # noqa: PLR0124  # not NaN
            expected.append(float(np.mean(known)) if known else float("nan"))
    values = np.concatenate([np.array(run) for run in by_run])
    found = around(values[:, None], conditions([len(run) for run in by_run]), window)
    np.testing.assert_allclose(found[:, 0], np.array(expected), rtol=1e-9, atol=1e-6)


def test_what_lies_below_counts_as_much_as_what_lies_above() -> None:
    values = np.array([[-3.0], [-3.0], [-3.0], [3.0], [3.0], [3.0]])
    found = around(values, conditions([3, 3]), 2)[:, 0]
    np.testing.assert_allclose(found, np.array([-3.0] * 3 + [3.0] * 3))


def test_far_neighbours_are_those_of_runs_that_are_long_enough() -> None:
    values = np.arange(40.0)[:, None]
    of = conditions([17, 16, 7])
    found = far_around(values, of, 8)[:, 0]
    assert np.array_equal(found[:17], around(values, of, 8)[:17, 0])
    assert np.isnan(found[17:]).all()
