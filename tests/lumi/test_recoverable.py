"""A virtual defect is recoverable where all its causes are, down to the primary defects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.lumi import Expression, Logic, LumiError, LumiSet, UnknownName
from certifier.lumi.roots import recoverable_part
from tests.lumi.strategies import LAST, Truth, definitions, reasons, small_sets, states

PRIMARIES = ["A", "B", "C"]
recorded = st.dictionaries(st.sampled_from(PRIMARIES), small_sets)


def bits(sets: dict[str, LumiSet]) -> dict[str, int]:
    return {name: found.bits for name, found in sets.items()}


def recoverable_here(
    defined: dict[str, Expression], state: dict[str, Truth], primary: dict[str, bool]
) -> dict[str, bool]:
    found = dict(primary)
    for name, expression in defined.items():
        true = state[name] is True
        found[name] = true and all(found.get(cause, False) for cause in reasons(expression, state))
    return found


@given(definitions(PRIMARIES), recorded, recorded, recorded)
def test_it_is_right_on_every_lumisection(
    defined: dict[str, Expression],
    present: dict[str, LumiSet],
    unknown: dict[str, LumiSet],
    recoverable: dict[str, LumiSet],
) -> None:
    logic = Logic(defined, PRIMARIES)
    evaluation = logic.evaluate(bits(present), LumiSet.whole(LAST), unknown=bits(unknown))
    nothing = LumiSet()
    expected: dict[str, set[int]] = {name: set() for name in [*PRIMARIES, *defined]}
    for number in range(1, LAST + 1):
        known: dict[str, Truth] = {
            name: True
            if number in present.get(name, nothing)
            else None
            if number in unknown.get(name, nothing)
            else False
            for name in PRIMARIES
        }
        primary = {name: known[name] is True and number in recoverable.get(name, nothing) for name in PRIMARIES}
        for name, answer in recoverable_here(defined, states(defined, known), primary).items():
            if answer:
                expected[name].add(number)
    for name, numbers in expected.items():
        assert set(evaluation.recoverable(name, bits(recoverable)).numbers()) == numbers
        if name in defined:
            alone = recoverable_part(evaluation, name, bits(recoverable))
            assert set(LumiSet.from_bits(alone).numbers()) == numbers
    together = evaluation.recoverable_bits(bits(recoverable))
    assert {name: set(LumiSet.from_bits(found).numbers()) for name, found in together.items()} == {
        name: expected[name] for name in defined
    }


def test_a_negated_cause_is_not_recoverable() -> None:
    evaluation = Logic({"V": "A !B"}, ["A", "B"]).evaluate({"A": 6, "B": 2}, LumiSet.whole(2))
    assert str(evaluation.recoverable("V", {"A": 6, "B": 6})) == "1"


def test_a_virtual_cause_uses_its_own() -> None:
    logic = Logic({"INNER": "A B", "OUTER": "INNER C"}, ["A", "B", "C"])
    evaluation = logic.evaluate({"A": 0b1110, "B": 0b0100, "C": 0b1000}, LumiSet.whole(3))
    assert str(evaluation.recoverable("OUTER", {"A": 0b1110})) == "1"
    assert str(evaluation.recoverable("outer", {"a": 0b1110, "C": 0b1110})) == "1 3"


def test_it_refuses_names_as_evaluation_does() -> None:
    evaluation = Logic({"V": "A"}, ["A"]).evaluate({"A": 2}, LumiSet.whole(2))
    with pytest.raises(UnknownName, match='no defect "B"'):
        evaluation.recoverable("V", {"B": 2})
    with pytest.raises(LumiError, match='"V" is virtual'):
        evaluation.recoverable("V", {"V": 2})
    with pytest.raises(UnknownName, match='no defect "B"'):
        evaluation.recoverable("B", {})
