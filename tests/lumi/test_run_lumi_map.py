"""A map from run to lumisections, with the algebra of sets of (run, lumisection)."""

from __future__ import annotations

import copy
import operator
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.lumi import LARGEST_RUN, LumiError, LumiSet, RunLumiMap, RunSelection
from tests.lumi.strategies import lumi_map, maps_of_numbers

Numbers = dict[int, frozenset[int]]
Points = frozenset[tuple[int, int]]
pairs = st.tuples(maps_of_numbers, maps_of_numbers) | maps_of_numbers.map(lambda found: (found, found))


def points(numbers: Numbers) -> Points:
    return frozenset((run, number) for run, found in numbers.items() for number in found)


def points_of(runs: RunLumiMap) -> Points:
    return frozenset((run, number) for run, found in runs.items() for number in found.numbers())


@pytest.mark.parametrize("operation", [operator.or_, operator.and_, operator.sub, operator.xor])
@given(pair=pairs)
def test_it_combines_as_sets_of_lumisections_do(
    operation: Callable[..., Points], pair: tuple[Numbers, Numbers]
) -> None:
    left, right = map(lumi_map, pair)
    found = operation(left, right)
    assert points_of(found) == operation(points(pair[0]), points(pair[1]))  # type: ignore[arg-type]
    assert list(found) == sorted(found)
    assert all(found.values())  # type: ignore[attr-defined]


@pytest.mark.parametrize("relation", [operator.le, operator.lt, operator.ge, operator.gt, operator.eq, operator.ne])
@given(pair=pairs)
def test_it_compares_by_inclusion(relation: Callable[..., bool], pair: tuple[Numbers, Numbers]) -> None:
    left, right = map(lumi_map, pair)
    both = left | right
    for here, there in ((left, right), (left, both), (both, right)):
        assert relation(here, there) == relation(points_of(here), points_of(there))
    assert left.isdisjoint(right) == points(pair[0]).isdisjoint(points(pair[1]))


@given(maps_of_numbers)
def test_it_is_a_mapping_without_empty_runs(numbers: Numbers) -> None:
    runs = lumi_map(numbers)
    filled = {run: found for run, found in numbers.items() if found}
    assert list(runs) == list(runs.runs) == sorted(filled)
    assert len(runs) == len(filled)
    assert bool(runs) == bool(filled)
    assert runs.count == sum(map(len, filled.values()))
    assert {run: frozenset(found.numbers()) for run, found in runs.items()} == filled
    assert all((run in runs) == (run in filled) for run in range(400_000, 400_008))
    assert runs.get(400_000, LumiSet()) == LumiSet()


@given(maps_of_numbers)
def test_it_hashes_and_copies_like_its_content(numbers: Numbers) -> None:
    runs = lumi_map(numbers)
    again = lumi_map(dict(reversed(numbers.items())))
    assert {runs} == {again, copy.deepcopy(runs), pickle.loads(pickle.dumps(runs))}


def test_it_keeps_the_selected_runs() -> None:
    runs = RunLumiMap({358031: LumiSet.whole(3), 358500: LumiSet.whole(4), 364300: LumiSet.whole(5)})
    assert runs.restrict(RunSelection.parse("358031-358200 364300")).runs == (358031, 364300)
    assert runs.restrict(RunSelection.parse("")) == runs
    assert not runs.restrict(RunSelection.parse("1-9"))


def test_it_does_not_change() -> None:
    runs = RunLumiMap({1: LumiSet.whole(3)})
    with pytest.raises(TypeError):
        runs[1] = LumiSet()  # type: ignore[index]
    with pytest.raises(AttributeError):
        runs.comment = "x"  # type: ignore[attr-defined]


@pytest.mark.parametrize("run", [0, -1, LARGEST_RUN + 1, True, "358031", 3.0, None])
def test_it_refuses_runs_that_are_none(run: object) -> None:
    with pytest.raises(LumiError, match="run"):
        RunLumiMap({run: LumiSet.whole(3)})  # type: ignore[arg-type]


def test_it_refuses_a_run_twice_and_values_that_are_no_sets() -> None:
    with pytest.raises(LumiError, match="run 7 is given twice"):
        RunLumiMap([(7, LumiSet.whole(3)), (7, LumiSet.whole(4))])
    with pytest.raises(TypeError, match="run 7: a LumiSet is needed, not str"):
        RunLumiMap({7: "1-4"})  # type: ignore[arg-type]


@pytest.mark.parametrize("other", [5, {1: 2}, None])
def test_it_does_not_combine_with_anything_else(other: Any) -> None:
    for operation in (operator.or_, operator.and_, operator.sub, operator.xor, operator.le, operator.gt):
        with pytest.raises(TypeError):
            operation(RunLumiMap(), other)
