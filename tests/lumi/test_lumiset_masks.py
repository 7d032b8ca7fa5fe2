"""Numpy masks: entry i is lumisection `first + i`."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.lumi import MAX_LUMISECTION, LumiError, LumiSet
from tests.lumi.strategies import LAST, lumi_sets


def test_it_says_for_each_lumisection_whether_it_belongs() -> None:
    mask = LumiSet.parse("2-3 5").to_mask(6)
    assert mask.dtype == np.bool_
    assert mask.tolist() == [False, True, True, False, True, False]
    assert LumiSet.parse("2-3 5").to_mask(5, first=3).tolist() == [True, False, True]


@given(lumi_sets, st.integers(1, LAST), st.integers(0, 90))
def test_it_is_a_window_on_the_set(found: LumiSet, first: int, count: int) -> None:
    mask = found.to_mask(first + count - 1, first)
    assert mask.tolist() == [number in found for number in range(first, first + count)]


@given(st.lists(st.booleans()), st.integers(1, 200))
def test_it_becomes_the_set_again(mask: list[bool], first: int) -> None:
    found = LumiSet.from_mask(np.array(mask, dtype=bool), first)
    assert list(found.numbers()) == [first + place for place, inside in enumerate(mask) if inside]
    assert found.to_mask(first + len(mask) - 1, first).tolist() == mask


def test_it_takes_a_column_of_a_table_of_masks() -> None:
    table = np.array([[True, False], [False, True], [True, True]])
    assert str(LumiSet.from_mask(table[:, 1])) == "2-3"
    assert LumiSet.from_mask([]) == LumiSet()


@pytest.mark.parametrize("mask", [[0, 1], [1.0], [[True]], True, ["yes"]])
def test_it_refuses_what_is_no_mask(mask: object) -> None:
    with pytest.raises(LumiError, match="one-dimensional array of booleans"):
        LumiSet.from_mask(mask)  # type: ignore[arg-type]


def test_it_refuses_windows_that_are_none() -> None:
    with pytest.raises(LumiError, match="cannot end at 3"):
        LumiSet.whole(9).to_mask(3, first=5)
    with pytest.raises(LumiError, match="numbered from 1"):
        LumiSet.whole(9).to_mask(3, first=0)
    with pytest.raises(LumiError, match="the largest that is accepted"):
        LumiSet.from_mask(np.array([False, True]), first=MAX_LUMISECTION)
