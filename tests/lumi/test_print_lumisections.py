"""The canonical text: ascending, merged, inclusive."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given

from certifier.lumi import LumiSet
from tests.lumi.strategies import lumi_sets, number_sets


def test_it_writes_single_lumisections_and_ranges() -> None:
    assert str(LumiSet.from_numbers([9, 1, 2, 3, 4, 20, 21])) == "1-4 9 20-21"
    assert str(LumiSet()) == ""
    assert repr(LumiSet.parse("1-4 9")) == "LumiSet.parse('1-4 9')"


def test_it_writes_sets_of_many_and_of_distant_blocks() -> None:
    comb = LumiSet.from_numbers(range(1, 100_001, 2))
    assert str(comb).split() == [str(number) for number in range(1, 100_001, 2)]
    assert str(LumiSet.from_numbers([1, 100_000])) == "1 100000"


@given(number_sets)
def test_it_gives_the_same_lumisections_as_ranges_numbers_and_length(numbers: frozenset[int]) -> None:
    found = LumiSet.from_numbers(numbers)
    assert list(found.numbers()) == sorted(numbers)
    assert [number for first, last in found for number in range(first, last + 1)] == sorted(numbers)
    assert found.ranges() == list(found)
    assert len(found) == len(numbers)
    assert bool(found) == bool(numbers)
    assert found.first == min(numbers, default=None)
    assert found.last == max(numbers, default=None)


@given(lumi_sets)
def test_it_gives_ranges_that_ascend_and_do_not_touch(found: LumiSet) -> None:
    assert all(first <= last for first, last in found)
    assert all(left[1] + 1 < right[0] for left, right in pairwise(found))
