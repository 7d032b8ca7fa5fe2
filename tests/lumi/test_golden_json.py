"""Golden JSON as decoded objects: `{"355381": [[1, 10], [20, 728]]}`."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.lumi import LumiError, LumiSet, RunLumiMap
from tests.lumi.strategies import lumi_map, maps_of_numbers


def test_it_is_written_canonically() -> None:
    runs = RunLumiMap({355382: LumiSet.whole(3), 355381: LumiSet.parse("20-728 1-9 10")})
    assert json.dumps(runs.to_golden()) == '{"355381": [[1, 10], [20, 728]], "355382": [[1, 3]]}'
    assert RunLumiMap().to_golden() == {}


@given(maps_of_numbers)
def test_it_comes_back_the_same(numbers: dict[int, frozenset[int]]) -> None:
    runs = lumi_map(numbers)
    assert RunLumiMap.from_golden(json.loads(json.dumps(runs.to_golden()))) == runs


def test_it_is_read_however_sloppy_it_is() -> None:
    sloppy = {"20": [[5, 9], [1, 4], [3, 3], [20, 30], [25, 40]], 3: [(1, 1)], "4": []}
    runs = RunLumiMap.from_golden(sloppy)
    assert {run: str(found) for run, found in runs.items()} == {3: "1", 20: "1-9 20-40"}


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(0, 9)), max_size=8))
def test_it_is_the_union_of_its_ranges(starts: list[tuple[int, int]]) -> None:
    ranges = [[first, first + more] for first, more in starts]
    expected = {number for first, last in ranges for number in range(first, last + 1)}
    assert set(RunLumiMap.from_golden({"7": ranges}).get(7, LumiSet()).numbers()) == expected


@pytest.mark.parametrize(
    ("golden", "message"),
    [
        ({"355381": [[10, 5]]}, r"^run 355381: range \[10, 5\]: the range 10-5 is reversed; write 5-10\.$"),
        ({"355381": [[1, 2], [0, 5]]}, r"run 355381: range \[0, 5\]: .* there is no lumisection 0"),
        ({"355381": [[-3, 5]]}, r"run 355381: range \[-3, 5\]"),
        ({"355381": [[1.0, 5]]}, r"run 355381: range \[1\.0, 5\]: 1\.0 is not a lumisection number"),
        ({"355381": [["1", 5]]}, r'run 355381: range \["1", 5\]'),
        ({"355381": [[True, 5]]}, r"run 355381: range \[True, 5\]: True is not"),
        ({"355381": [[None, 5]]}, "run 355381"),
        ({"355381": [[1, 10**9]]}, r"run 355381: range \[1, 1000000000\]: .* typing error"),
        ({"355381": [[1, 10**5000]]}, "run 355381: range .*bits.* above 100000"),
        ({"355381": [[1, 2, 3]]}, r"run 355381: \[1, 2, 3\] is not a range; write \[first, last\]"),
        ({"355381": [5]}, "run 355381: 5 is not a range"),
        ({"355381": ["12"]}, 'run 355381: "12" is not a range'),
        ({"355381": "1-5"}, 'run 355381: "1-5" is not a list of ranges'),
        ({"355381": None}, "run 355381: None is not a list"),
        ({"355381": {"1": 5}}, "run 355381"),
        ({" 355381": []}, 'run key " 355381" is not a run number'),
        ({"355381.0": []}, 'run key "355381.0"'),
        ({"0355381": []}, 'run key "0355381"'),
        ({"٣": []}, "run key"),
        ({"": []}, 'run key ""'),
        ({"-5": []}, 'run key "-5"'),
        ({"0": []}, 'run key "0"'),
        ({0: []}, "there is no run 0"),
        ({True: []}, "run key True"),
        ({5.0: []}, "run key 5.0"),
        ({"99999999999": []}, "typing error"),
        ({"5": [[1, 2]], 5: [[3, 4]]}, "run 5 is given twice"),
        ([[1, 5]], "not list"),
        (None, "not NoneType"),
    ],
    ids=lambda value: "" if isinstance(value, str) else None,
)
def test_it_refuses_what_is_none_and_names_run_and_range(golden: object, message: str) -> None:
    with pytest.raises(LumiError, match=message):
        RunLumiMap.from_golden(golden)
