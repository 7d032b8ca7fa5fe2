"""Ignored defects count as absent; and the answer never depends on what else is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.lumi import Expression, Logic, LumiError, LumiSet
from certifier.lumi.expressions import Name, Not, all_of
from tests.lumi.strategies import LAST, definitions, small_sets

PRIMARIES = ["A", "B", "C"]
recorded = st.dictionaries(st.sampled_from(PRIMARIES), small_sets)
NEVER: Expression = all_of([Name("A"), Not(Name("A")), Name("NEVER")])


def bits(sets: dict[str, LumiSet]) -> dict[str, int]:
    return {name: found.bits for name, found in sets.items()}


@given(definitions(PRIMARIES), recorded, recorded, st.data())
def test_ignored_defects_count_as_never_set(
    defined: dict[str, Expression], present: dict[str, LumiSet], unknown: dict[str, LumiSet], data: st.DataObject
) -> None:
    ignored = data.draw(st.frozensets(st.sampled_from([*PRIMARIES, *defined])))
    evaluation = Logic(defined, PRIMARIES).evaluate(
        bits(present), LumiSet.whole(LAST), unknown=bits(unknown), ignore=ignored
    )
    # The same world with those defects really absent everywhere.
    kept = {name: found for name, found in present.items() if name not in ignored}
    doubts = {name: found for name, found in unknown.items() if name not in ignored}
    without = Logic({name: NEVER if name in ignored else each for name, each in defined.items()}, [*PRIMARIES, "NEVER"])
    expected = without.evaluate(bits(kept), LumiSet.whole(LAST), unknown=bits(doubts))
    for name in [*PRIMARIES, *defined]:
        if name in ignored:
            assert evaluation.absent(name) == LumiSet.whole(LAST)
            assert evaluation.causes(name) == []
            assert not evaluation.recoverable(name, bits(present))
        else:
            assert evaluation.present(name) == expected.present(name)
            assert evaluation.unknown(name) == expected.unknown(name)
            assert evaluation.causes(name) == expected.causes(name)


def test_the_negation_of_an_ignored_virtual_defect_is_true() -> None:
    logic = Logic({"V": "A", "W": "!V"}, ["A"])
    evaluation = logic.evaluate({"A": 6}, LumiSet.whole(3), ignore=["v"])
    assert evaluation.causes("W") == [(LumiSet.whole(3), ("!V",))]
    assert logic.evaluate({"A": 6}, LumiSet.whole(3)).causes("W") == [(LumiSet.parse("3"), ("!V",))]


@given(definitions(PRIMARIES), recorded, recorded, st.data())
def test_the_answer_does_not_depend_on_what_else_is_asked(
    defined: dict[str, Expression], present: dict[str, LumiSet], unknown: dict[str, LumiSet], data: st.DataObject
) -> None:
    logic = Logic(defined, PRIMARIES)
    domain, more = data.draw(small_sets), data.draw(small_sets)
    asked = data.draw(st.frozensets(st.sampled_from(list(defined)), min_size=1))
    alone = logic.evaluate(bits(present), domain, unknown=bits(unknown), only=asked)
    everything = logic.evaluate(bits(present), domain | more, unknown=bits(unknown))
    for name in asked:
        assert alone.present(name) == everything.present(name) & domain
        assert alone.unknown(name) == everything.unknown(name) & domain
        assert alone.absent(name) == everything.absent(name) & domain
        one_by_one = {n: causes for stretch, causes in alone.causes(name) for n in stretch.numbers()}
        together = {n: causes for stretch, causes in everything.causes(name) for n in stretch.numbers()}
        assert one_by_one == {number: causes for number, causes in together.items() if number in domain}


def test_it_evaluates_only_what_is_asked_and_what_that_needs() -> None:
    logic = Logic({"V": "A", "W": "V B", "X": "B"}, ["A", "B"])
    evaluation = logic.evaluate({"A": 6}, LumiSet.whole(3), only=["w", "A"])
    assert str(evaluation.present("W")) == str(evaluation.present("V")) == "1-2"
    assert str(evaluation.present("A")) == "1-2"
    assert str(evaluation.absent("B")) == "1-3"
    for ask in (
        evaluation.present,
        evaluation.absent,
        evaluation.unknown,
        evaluation.causes,
        evaluation.bits.__getitem__,
    ):
        with pytest.raises(LumiError, match='"X" was not evaluated; add it to `only`'):
            ask("X")


def test_it_keeps_apart_many_different_questions() -> None:
    names = [f"D{number}" for number in range(200)]
    logic = Logic({f"V{number}": name for number, name in enumerate(names)}, names)
    for _ in range(2):
        for number, name in enumerate(names):
            assert logic.evaluate({name: 2}, 6, only=[f"V{number}"]).bits[f"V{number}"] == 2
            assert logic.evaluate({name: 2}, 6, only=[f"V{number}"], ignore=[name]).bits[f"V{number}"] == 0
