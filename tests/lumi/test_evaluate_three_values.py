"""Present, absent, unknown: on every lumisection what Kleene's logic says, for every defect."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.lumi import MAX_LUMISECTION, Expression, Logic, LumiError, LumiSet, UnknownName
from tests.lumi.strategies import LAST, definitions, small_sets, states

PRIMARIES = ["A", "B", "C", "D"]
recorded = st.dictionaries(st.sampled_from(PRIMARIES), small_sets)


def bits(sets: dict[str, LumiSet]) -> dict[str, int]:
    return {name: found.bits for name, found in sets.items()}


def state(present: dict[str, LumiSet], unknown: dict[str, LumiSet], number: int) -> dict[str, bool | None]:
    nothing = LumiSet()
    return {
        name: True if number in present.get(name, nothing) else None if number in unknown.get(name, nothing) else False
        for name in PRIMARIES
    }


@given(definitions(PRIMARIES), recorded, recorded, small_sets)
def test_it_is_right_on_every_lumisection(
    defined: dict[str, Expression], present: dict[str, LumiSet], unknown: dict[str, LumiSet], domain: LumiSet
) -> None:
    evaluation = Logic(defined, PRIMARIES).evaluate(bits(present), domain, unknown=bits(unknown))
    expected = {number: states(defined, state(present, unknown, number)) for number in domain.numbers()}
    for name in [*PRIMARIES, *defined]:
        answers = {True: evaluation.present(name), False: evaluation.absent(name), None: evaluation.unknown(name)}
        for truth, found in answers.items():
            assert set(found.numbers()) == {number for number in expected if expected[number][name] is truth}
        assert evaluation.bits[name] == evaluation.present(name).bits


@given(definitions(PRIMARIES), recorded)
def test_nothing_is_unknown_when_everything_is_known(
    defined: dict[str, Expression], present: dict[str, LumiSet]
) -> None:
    evaluation = Logic(defined, PRIMARIES).evaluate(bits(present), LumiSet.whole(LAST), unknown={"A": 0})
    for name in [*PRIMARIES, *defined]:
        assert not evaluation.unknown(name)
        assert evaluation.absent(name) == evaluation.present(name).complement(LAST)


def test_unknown_spreads_only_as_far_as_it_matters() -> None:
    logic = Logic({"ANY": "A B", "BOTH": "A and B", "NEITHER": "not ANY"}, ["A", "B"])
    evaluation = logic.evaluate({"A": 0b0110}, LumiSet.whole(4), unknown={"B": 0b01100})
    assert str(evaluation.present("ANY")) == "1-2"
    assert str(evaluation.unknown("ANY")) == "3"
    assert str(evaluation.absent("ANY")) == "4"
    assert str(evaluation.unknown("BOTH")) == "2"
    assert str(evaluation.present("NEITHER")) == "4"
    assert evaluation.causes("NEITHER") == [(LumiSet.parse("4"), ("!ANY",))]


def test_the_domain_may_be_bits_or_a_set_and_bounds_everything() -> None:
    logic = Logic({"V": "A !B"}, ["A", "B"])
    for domain in (LumiSet.whole(9), LumiSet.whole(9).bits):
        evaluation = logic.evaluate({"A": LumiSet.whole(50).bits, "B": ~0}, domain)
        assert str(evaluation.present("V")) == str(evaluation.present("B")) == "1-9"
        assert evaluation.domain == LumiSet.whole(9)
    assert logic.evaluate({"A": 2}, 0).present("V") == LumiSet()


@pytest.mark.parametrize("domain", [1, 729, -2, pytest.param(4 << MAX_LUMISECTION, id="too long")])
def test_it_refuses_a_domain_that_is_none(domain: int) -> None:
    with pytest.raises(LumiError):
        Logic({}, ["A"]).evaluate({}, domain)


def test_it_refuses_entries_on_what_is_not_primary() -> None:
    logic = Logic({"V": "A"}, ["A"])
    with pytest.raises(LumiError, match='"v" is virtual'):
        logic.evaluate({"v": 2}, 6)
    with pytest.raises(LumiError, match='"V" is virtual'):
        logic.evaluate({}, 6, unknown={"V": 2})
    for wrong in ({"present": {"B": 2}}, {"present": {}, "unknown": {"B": 2}}, {"present": {}, "only": ["B"]}):
        with pytest.raises(UnknownName, match='no defect "B"'):
            logic.evaluate(domain=6, **wrong)
    with pytest.raises(UnknownName, match='no defect "B"'):
        logic.evaluate({}, 6, ignore=["B"])
    with pytest.raises(UnknownName, match='no defect "B"'):
        logic.evaluate({}, 6).present("B")


def test_two_spellings_of_a_defect_are_one() -> None:
    evaluation = Logic({"V": "a"}, ["A"]).evaluate({"A": 0b0010, "a": 0b0100}, LumiSet.whole(3))
    assert str(evaluation.present("v")) == "1-2"


def test_raw_bits_are_a_mapping_of_all_that_was_evaluated() -> None:
    logic = Logic({"V": "A", "W": "V"}, ["A", "B"])
    assert dict(logic.evaluate({"A": 6}, 14).bits) == {"A": 6, "B": 0, "V": 6, "W": 6}
    assert dict(logic.evaluate({"A": 6}, 14, only=["V"]).bits) == {"A": 6, "B": 0, "V": 6}
    assert len(logic.evaluate({}, 14, only=[]).bits) == 2
