"""Stretches and segments, against loops that look at one lumisection after the other."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.conditions import Conditions
from mlcore.errors import MlcoreError, ShapeError
from mlcore.stretches import hysteresis, segments, stretches

LEVELS = [np.nan, 0.0, 0.2, 0.5, 0.6, 0.9, 1.0]


@st.composite
def runs(draw: Any) -> tuple[Conditions, np.ndarray]:
    """Up to three runs with holes in their numbering, in any order of rows."""
    keys = draw(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 14)), unique=True, max_size=30))
    values = draw(st.lists(st.sampled_from(LEVELS), min_size=len(keys), max_size=len(keys)))
    run, lumisection = (np.array([key[place] for key in keys], dtype=np.int64) for place in (0, 1))
    return Conditions(run=run, lumisection=lumisection), np.array(values, dtype=np.float64)


def _by_hand(
    conditions: Conditions, values: np.ndarray, *, high: float, low: float, shortest: int, bridge: int
) -> list[tuple[int, int, int]]:
    found = []
    for run in sorted(set(conditions.run.tolist())):
        known = {int(n): v for r, n, v in zip(conditions.run, conditions.lumisection, values, strict=True) if r == run}
        inside: list[int] = []
        for number in range(1, 16 + bridge + 2):
            if number in known and known[number] > low:
                inside.append(number)
            elif inside and number - inside[-1] > bridge:
                if max(known[one] for one in inside) > high and inside[-1] - inside[0] + 1 >= shortest:
                    found.append((run, inside[0], inside[-1]))
                inside = []
    return found


@given(runs(), st.sampled_from([0.1, 0.5, 0.55]), st.sampled_from([0.55, 0.8]), st.integers(1, 4), st.integers(0, 3))
def test_stretches_are_those_that_a_person_would_count(
    drawn: tuple[Conditions, np.ndarray], low: float, high: float, shortest: int, bridge: int
) -> None:
    conditions, values = drawn
    limits: dict[str, Any] = {"high": high, "low": low, "shortest": shortest, "bridge": bridge}
    found = stretches(values, conditions, **limits)
    expected = _by_hand(conditions, values, **limits)
    assert [(one.run, one.first, one.last) for one in found] == expected
    numbers = hysteresis(values, conditions, **limits)
    for place, one in enumerate(found):
        assert sorted(np.flatnonzero(numbers == place).tolist()) == sorted(one.rows)
        assert [conditions.lumisection[row] for row in one.rows] == sorted(conditions.lumisection[list(one.rows)])
        assert {one.first, one.last} <= set(conditions.lumisection[list(one.rows)].tolist())
        assert values[one.peak] == one.top == np.nanmax(values[list(one.rows)])
        assert low < one.mean <= one.top or bridge
    assert np.isin(numbers, np.arange(-1, len(found))).all()


@given(runs())
def test_segments_partition_the_lumisections(drawn: tuple[Conditions, np.ndarray]) -> None:
    conditions, values = drawn
    verdicts = np.nan_to_num(values * 10, nan=30).astype(int)
    by_key = {
        (int(r), int(n)): int(v) for r, n, v in zip(conditions.run, conditions.lumisection, verdicts, strict=True)
    }
    covered = []
    parts = segments(verdicts, conditions)
    for part in parts:
        for number in range(part.first, part.last + 1):
            assert by_key[part.run, number] == part.value
            covered.append((part.run, number))
    assert covered == sorted(by_key)
    for one, two in pairwise(parts):
        assert (one.run, one.last + 1, one.value) != (two.run, two.first, two.value)


def test_a_stretch_says_where_it_is() -> None:
    found = stretches([0.0, 0.6, 0.95, 0.6, 0.0, 0.99], Conditions.plain(6, run=350479), high=0.9, low=0.5)
    assert [str(one) for one in found] == ["run 350479 lumisections 2-4", "run 350479 lumisections 6"]
    assert [len(one) for one in found] == [3, 1]


def test_a_run_that_ends_bad_and_one_that_begins_bad_are_two_stretches() -> None:
    conditions = Conditions(run=np.array([1, 1, 2, 2]), lumisection=np.array([1, 2, 1, 2]))
    assert len(stretches([0.0, 1.0, 1.0, 0.0], conditions, high=0.9, low=0.5, bridge=5)) == 2


def test_limits_and_lengths_that_make_no_sense_are_refused() -> None:
    conditions = Conditions.plain(3)
    for limits in (
        {"high": 0.1, "low": 0.5},
        {"high": 1, "low": 0, "shortest": 0},
        {"high": 1, "low": 0, "bridge": -1},
    ):
        with pytest.raises(MlcoreError, match="low <= high"):
            stretches([0, 0, 0], conditions, **limits)
    with pytest.raises(ShapeError):
        stretches([0, 0], conditions, high=1, low=0)
    with pytest.raises(ShapeError):
        segments([0, 0], conditions)
