"""The primary defects at the root of a virtual one: down through other virtual defects, on the same lumisections."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from certifier.lumi import Logic, LumiSet
from certifier.lumi.roots import roots

LOGIC = Logic(
    {
        "PIX": "A or B",
        "CAL": "C and not D",
        "ALL": "PIX or CAL",
        "NONE": "not PIX",
        "BOTH": "PIX and CAL",
        "DEEP": "ALL or NONE",
    },
    ["A", "B", "C", "D"],
)


def bits(text: str) -> int:
    return LumiSet.parse(text).bits


def found(present: dict[str, str], *names: str, ignore: tuple[str, ...] = ()) -> dict[str, str]:
    given_bits = {name: bits(text) for name, text in present.items()}
    evaluation = LOGIC.evaluate(given_bits, LumiSet.whole(10), ignore=ignore)
    return {name: str(LumiSet.from_bits(each)) for name, each in roots(evaluation, names).items()}


def test_it_goes_down_to_primary_defects() -> None:
    assert found({"A": "1-3", "B": "3-4", "C": "6-8", "D": "8"}, "ALL") == {
        "A": "1-3",
        "B": "3-4",
        "C": "6-7",
        "!D": "6-7",
    }


def test_it_joins_the_roots_of_several() -> None:
    assert found({"A": "1", "C": "2"}, "PIX", "CAL") == {"A": "1", "C": "2", "!D": "2"}


def test_it_goes_only_where_the_way_down_is_open() -> None:
    # PIX is present on 1-3, but a part of BOTH only where CAL is, too.
    assert found({"A": "1-3", "C": "3-4"}, "BOTH") == {"A": "3", "C": "3", "!D": "3"}


def test_it_lets_an_absence_stand_for_itself() -> None:
    assert found({"A": "1-8"}, "NONE") == {"!PIX": "9-10"}
    assert found({"A": "1-8", "C": "9"}, "DEEP") == {"A": "1-8", "C": "9", "!D": "9", "!PIX": "9-10"}


def test_it_is_its_own_root_when_primary() -> None:
    assert found({"A": "1-8"}, "A", "B") == {"A": "1-8"}


def test_it_does_not_follow_what_is_ignored() -> None:
    assert found({"A": "1", "C": "2"}, "ALL", ignore=("PIX",)) == {"C": "2", "!D": "2"}
    assert found({"A": "1", "C": "2"}, "ALL", ignore=("C",)) == {"A": "1"}


@given(st.fixed_dictionaries({name: st.sets(st.integers(1, 10)) for name in "ABCD"}))
def test_roots_together_are_where_the_defect_is(present: dict[str, set[int]]) -> None:
    given_bits = {name: LumiSet.from_numbers(numbers).bits for name, numbers in present.items()}
    evaluation = LOGIC.evaluate(given_bits, LumiSet.whole(10))
    for name in LOGIC.virtuals:
        together = 0
        for each in roots(evaluation, [name]).values():
            together |= each
        assert together == evaluation.present(name).bits
