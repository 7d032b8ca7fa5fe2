"""Half-open intervals over keys `run << 32 | lumisection`: where every off-by-one lives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.lumi import LumiError, LumiSet, RunLumiMap
from tests.lumi.strategies import LAST, lumi_map, lumi_sets, maps_of_numbers

OPEN = 2**32 - 1
FOREVER = 2**63 - 1


def key(run: int, lumisection: int) -> int:
    return run << 32 | lumisection


def test_it_ends_before_its_end() -> None:
    assert LumiSet.parse("5-10 20").to_iovs(7) == [(key(7, 5), key(7, 11)), (key(7, 20), key(7, 21))]
    found = LumiSet.from_iovs([(key(7, 5), key(7, 11)), (key(7, 20), key(7, 21))], run=7)
    assert [number in found for number in (0, 5, 10, 11, 20)] == [False, True, True, False, True]


@given(lumi_sets, st.integers(1, 2**31 - 1))
def test_it_comes_back_the_same(found: LumiSet, run: int) -> None:
    assert LumiSet.from_iovs(found.to_iovs(run), run) == found


@given(maps_of_numbers)
def test_a_map_comes_back_the_same(numbers: dict[int, frozenset[int]]) -> None:
    runs = lumi_map(numbers)
    assert RunLumiMap.from_iovs(runs.to_iovs()) == runs
    assert runs.to_iovs() == sorted(runs.to_iovs())


@pytest.mark.parametrize(
    "until", [(7, OPEN), (8, 0), (7, 729)], ids=["open lumisection", "start of the next run", "one past the last"]
)
def test_it_knows_every_way_to_write_a_whole_run(until: tuple[int, int]) -> None:
    assert LumiSet.from_iovs([(key(7, 0), key(*until))], run=7, last=728) == LumiSet.whole(728)
    assert RunLumiMap.from_iovs([(key(7, 0), key(*until))], {7: 728}) == RunLumiMap({7: LumiSet.whole(728)})


def test_it_drops_lumisection_0_and_what_lies_beyond_the_run() -> None:
    assert str(LumiSet.from_iovs([(key(7, 0), key(7, 1)), (key(7, 700), key(7, 900))], 7, last=728)) == "700-728"
    assert LumiSet.from_iovs([(key(7, 0), key(7, 1)), (key(7, 9), key(7, 9))], 7) == LumiSet()


def test_it_needs_the_length_for_an_open_end() -> None:
    with pytest.raises(LumiError, match=r"\[7:5, 7:MAX\) has an open end in run 7; give the length of that run"):
        LumiSet.from_iovs([(key(7, 5), key(7, OPEN))], run=7)
    with pytest.raises(LumiError, match="open end in run 7"):
        RunLumiMap.from_iovs([(key(7, 5), key(8, 3))])


def test_it_splits_an_interval_over_the_runs_that_exist() -> None:
    lengths = {7: 100, 9: 50, 12: 30, 13: 10}
    runs = RunLumiMap.from_iovs([(key(7, 90), key(12, 6))], lengths)
    assert {run: str(found) for run, found in runs.items()} == {7: "90-100", 9: "1-50", 12: "1-5"}


def test_it_splits_an_interval_that_never_ends() -> None:
    runs = RunLumiMap.from_iovs([(key(9, 41), FOREVER)], {7: 100, 9: 50, 12: 30})
    assert {run: str(found) for run, found in runs.items()} == {9: "41-50", 12: "1-30"}
    assert RunLumiMap.from_iovs([(0, FOREVER)], {7: 2}) == RunLumiMap({7: LumiSet.whole(2)})


def test_it_takes_the_protection_between_two_runs_for_the_runs_between() -> None:
    between = [(key(359918, OPEN), key(360026, 0))]
    assert RunLumiMap.from_iovs(between, {359918: 728, 360026: 100}) == RunLumiMap()
    assert str(RunLumiMap.from_iovs(between, {359918: 728, 359924: 9})[359924]) == "1-9"


def test_it_refuses_several_runs_of_unknown_length() -> None:
    with pytest.raises(LumiError, match="reaches over several runs; give the lengths"):
        RunLumiMap.from_iovs([(key(7, 5), key(12, 3))])
    with pytest.raises(LumiError, match="open end in run 7"):
        RunLumiMap.from_iovs([(key(7, 5), key(12, 3))], {9: 50})
    with pytest.raises(LumiError, match="not of run 7 alone"):
        LumiSet.from_iovs([(key(7, 5), key(8, 3))], run=7, last=100)
    with pytest.raises(LumiError, match="not of run 7 alone"):
        LumiSet.from_iovs([(key(8, 5), key(8, 9))], run=7)


@pytest.mark.parametrize(
    ("since", "until", "reason"),
    [
        (key(7, 9), key(7, 5), "reversed"),
        (-1, key(7, 5), "interval start"),
        (key(7, 1), 2**63, "interval end"),
        (key(7, 1), None, "interval end"),
        (True, key(7, 5), "interval start"),
        (key(7, 1), key(7, 4_000_000_000), "typing error"),
    ],
)
def test_it_refuses_what_is_no_interval(since: object, until: object, reason: str) -> None:
    with pytest.raises(LumiError, match=reason):
        LumiSet.from_iovs([(since, until)], run=7)  # type: ignore[list-item]
    with pytest.raises(LumiError, match=reason):
        RunLumiMap.from_iovs([(since, until)])  # type: ignore[list-item]


@given(
    st.lists(st.tuples(*[st.tuples(st.integers(1, 6), st.sampled_from([0, 1, 2, 5, 6, LAST, OPEN]))] * 2), max_size=5),
    st.dictionaries(st.integers(1, 6), st.integers(0, LAST), min_size=1),
)
def test_it_splits_as_if_every_lumisection_were_asked(
    points: list[tuple[tuple[int, int], tuple[int, int]]], lengths: dict[int, int]
) -> None:
    every = {run: lengths.get(run, 3) for run in range(1, 7)}
    intervals = [tuple(sorted((key(*left), key(*right)))) for left, right in points]
    expected = {
        run: frozenset(
            number
            for number in range(1, last + 1)
            if any(since <= key(run, number) < until for since, until in intervals)
        )
        for run, last in every.items()
    }
    assert RunLumiMap.from_iovs(intervals, every) == lumi_map(expected)  # type: ignore[arg-type]
