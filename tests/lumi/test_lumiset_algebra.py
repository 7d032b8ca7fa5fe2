"""Union, intersection and the rest do what they do on sets of numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.lumi import MAX_LUMISECTION, LumiError, LumiSet
from tests.lumi.strategies import LAST, number_sets

Pair = tuple[frozenset[int], frozenset[int]]
# Half of the pairs are nested, which two independent sets hardly ever are.
pairs = st.tuples(number_sets, number_sets) | st.tuples(number_sets, number_sets).map(lambda p: (p[0], p[0] | p[1]))


@pytest.mark.parametrize("operation", [operator.or_, operator.and_, operator.sub, operator.xor])
@given(pair=pairs)
def test_it_combines_as_sets_do(operation: Callable[..., frozenset[int]], pair: Pair) -> None:
    left, right = map(LumiSet.from_numbers, pair)
    assert operation(left, right) == LumiSet.from_numbers(operation(*pair))


@pytest.mark.parametrize("relation", [operator.le, operator.lt, operator.ge, operator.gt, operator.eq, operator.ne])
@given(pair=pairs)
def test_it_compares_by_inclusion_as_sets_do(relation: Callable[..., bool], pair: Pair) -> None:
    left, right = map(LumiSet.from_numbers, pair)
    assert relation(left, right) == relation(*pair)
    assert relation(left, left) == relation(pair[0], pair[0])
    assert left.isdisjoint(right) == pair[0].isdisjoint(pair[1])


@given(number_sets, number_sets, st.integers(0, LAST))
def test_it_complements_and_clips(numbers: frozenset[int], domain: frozenset[int], last: int) -> None:
    found, whole = LumiSet.from_numbers(numbers), frozenset(range(1, last + 1))
    assert found.complement(last) == LumiSet.from_numbers(whole - numbers)
    assert found.complement(LumiSet.from_numbers(domain)) == LumiSet.from_numbers(domain - numbers)
    assert found.clip(last) == LumiSet.from_numbers(numbers & whole)
    assert LumiSet.whole(last) == LumiSet.from_numbers(whole)


@given(number_sets, st.integers(-2, 50))
def test_it_knows_its_members(numbers: frozenset[int], number: int) -> None:
    assert (number in LumiSet.from_numbers(numbers)) == (number in numbers)


@pytest.mark.parametrize("stranger", ["5", None, 5.0, (5, 5), 10**12, -(10**12)])
def test_it_has_no_members_that_are_no_lumisections(stranger: object) -> None:
    assert stranger not in LumiSet.whole(9)


@given(st.lists(st.tuples(st.integers(1, LAST), st.integers(0, 9))))
def test_it_is_made_of_overlapping_ranges_too(starts: list[tuple[int, int]]) -> None:
    ranges = [(first, first + more) for first, more in starts]
    expected = {number for first, last in ranges for number in range(first, last + 1)}
    assert LumiSet.from_ranges(ranges) == LumiSet.from_numbers(expected)


@pytest.mark.parametrize(
    "pair", [(0, 4), (5, 4), (-1, 4), (1, MAX_LUMISECTION + 1), (1, 2.0), (True, 4), (1,), "14", 5]
)
def test_it_refuses_ranges_that_are_none(pair: object) -> None:
    with pytest.raises(LumiError):
        LumiSet.from_ranges([pair])  # type: ignore[list-item]


@pytest.mark.parametrize(
    "number", [0, -1, MAX_LUMISECTION + 1, pytest.param(10**5000, id="huge"), True, 1.5, "5", None]
)
def test_it_refuses_numbers_that_are_none(number: object) -> None:
    with pytest.raises(LumiError):
        LumiSet.from_numbers([number])  # type: ignore[list-item]


@pytest.mark.parametrize("bits", [1, 3, -2, True, 2.0, pytest.param(2 << MAX_LUMISECTION, id="too long")])
def test_it_refuses_bits_that_are_none(bits: object) -> None:
    with pytest.raises(LumiError):
        LumiSet.from_bits(bits)  # type: ignore[arg-type]


def test_it_takes_the_last_lumisection_there_can_be() -> None:
    assert LumiSet.whole(MAX_LUMISECTION).last == MAX_LUMISECTION
    assert LumiSet.from_bits(1 << MAX_LUMISECTION).ranges() == [(MAX_LUMISECTION, MAX_LUMISECTION)]


@pytest.mark.parametrize("other", [5, "1-4", {1, 2}, None])
def test_it_does_not_combine_with_anything_else(other: Any) -> None:
    for operation in (operator.or_, operator.and_, operator.sub, operator.xor, operator.le, operator.gt):
        with pytest.raises(TypeError):
            operation(LumiSet.whole(4), other)
    assert LumiSet.whole(4) != other
