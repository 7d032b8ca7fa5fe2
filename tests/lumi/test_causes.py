"""Why a virtual defect is present: causes per stretch that alone suffice to make it so."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from certifier.lumi import Expression, Logic, LumiSet
from tests.lumi.strategies import LAST, Truth, definitions, reasons, small_sets, states, truth

PRIMARIES = ["A", "B", "C", "D"]
# Few lumisections each, too: defects that do not overlap are the usual case.
sparse = st.frozensets(st.integers(1, LAST), max_size=3).map(LumiSet.from_numbers)
recorded = st.dictionaries(st.sampled_from(PRIMARIES), small_sets | sparse)


def bits(sets: dict[str, LumiSet]) -> dict[str, int]:
    return {name: found.bits for name, found in sets.items()}


def known(
    defined: dict[str, Expression], present: dict[str, LumiSet], unknown: dict[str, LumiSet]
) -> dict[int, dict[str, Truth]]:
    nothing = LumiSet()
    return {
        number: states(
            defined,
            {
                name: True
                if number in present.get(name, nothing)
                else None
                if number in unknown.get(name, nothing)
                else False
                for name in PRIMARIES
            },
        )
        for number in range(1, LAST + 1)
    }


@given(definitions(PRIMARIES), recorded, recorded)
def test_they_are_what_the_rule_says_on_every_lumisection(
    defined: dict[str, Expression], present: dict[str, LumiSet], unknown: dict[str, LumiSet]
) -> None:
    evaluation = Logic(defined, PRIMARIES).evaluate(bits(present), LumiSet.whole(LAST), unknown=bits(unknown))
    state = known(defined, present, unknown)
    for name, expression in defined.items():
        told = {number: causes for stretch, causes in evaluation.causes(name) for number in stretch.numbers()}
        expected = {
            number: tuple(sorted(reasons(expression, state[number]))) for number in state if state[number][name] is True
        }
        assert told == expected


@given(definitions(PRIMARIES, most=3), recorded, recorded)
def test_they_alone_suffice(
    defined: dict[str, Expression], present: dict[str, LumiSet], unknown: dict[str, LumiSet]
) -> None:
    evaluation = Logic(defined, PRIMARIES).evaluate(bits(present), LumiSet.whole(LAST), unknown=bits(unknown))
    for name, expression in defined.items():
        for _, causes in evaluation.causes(name):
            nothing_else: dict[str, Truth] = dict.fromkeys([*PRIMARIES, *defined])
            nothing_else |= {cause.lstrip("!"): not cause.startswith("!") for cause in causes}
            assert truth(expression, nothing_else) is True


@given(definitions(PRIMARIES), recorded)
def test_stretches_ascend_cover_the_presence_and_differ_from_their_neighbours(
    defined: dict[str, Expression], present: dict[str, LumiSet]
) -> None:
    evaluation = Logic(defined, PRIMARIES).evaluate(bits(present), LumiSet.whole(LAST))
    for name in defined:
        told = evaluation.causes(name)
        assert all(len(stretch.ranges()) == 1 for stretch, _ in told)
        assert all(list(causes) == sorted(set(causes)) and causes for _, causes in told)
        union = LumiSet()
        for stretch, _ in told:
            assert union.isdisjoint(stretch)
            union |= stretch
        assert union == evaluation.present(name)
        for (left, left_causes), (right, right_causes) in pairwise(told):
            assert left.last is not None
            assert right.first is not None
            assert left.last < right.first
            assert left.last + 1 < right.first or left_causes != right_causes


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(PRIMARIES)), min_size=1), recorded)
def test_for_a_list_they_are_all_true_terms(terms: list[tuple[bool, str]], present: dict[str, LumiSet]) -> None:
    text = " ".join("!" * negated + name for negated, name in terms)
    evaluation = Logic({"V": text}, PRIMARIES).evaluate(bits(present), LumiSet.whole(LAST))
    told = {number: causes for stretch, causes in evaluation.causes("V") for number in stretch.numbers()}
    for number in range(1, LAST + 1):
        true = {"!" * n + name for n, name in terms if (number in present.get(name, LumiSet())) is not n}
        assert set(told.get(number, ())) == true


def test_the_reasons_of_a_negation_are_told_negated() -> None:
    logic = Logic({"V": "not (A and (B or not C))"}, ["A", "B", "C"])
    evaluation = logic.evaluate({"A": 0b11100, "C": 0b01010}, LumiSet.whole(4))
    assert [(str(stretch), causes) for stretch, causes in evaluation.causes("V")] == [
        ("1", ("!A", "!B", "C")),
        ("3", ("!B", "C")),
    ]


def test_all_members_of_an_and_are_causes_and_only_true_ones_of_an_or() -> None:
    logic = Logic({"V": "A and (B or C) or D"}, ["A", "B", "C", "D"])
    evaluation = logic.evaluate({"A": 0b0110, "B": 0b0110, "D": 0b1100}, LumiSet.whole(3))
    assert [(str(stretch), causes) for stretch, causes in evaluation.causes("V")] == [
        ("1", ("A", "B")),
        ("2", ("A", "B", "D")),
        ("3", ("D",)),
    ]


def test_stretches_ascend_whatever_the_order_of_the_names() -> None:
    logic = Logic({"V": "A B !C"}, ["A", "B", "C"])
    recorded = {"A": "5-6 20", "B": "1-2 8-9", "C": "1-24"}
    evaluation = logic.evaluate({name: LumiSet.parse(text).bits for name, text in recorded.items()}, LumiSet.whole(25))
    told = [("1-2", ("B",)), ("5-6", ("A",)), ("8-9", ("B",)), ("20", ("A",)), ("25", ("!C",))]
    assert [(str(stretch), causes) for stretch, causes in evaluation.causes("V")] == told


def test_a_primary_defect_is_its_own_cause() -> None:
    evaluation = Logic({}, ["A"]).evaluate({"a": LumiSet.parse("1-2 5").bits}, LumiSet.whole(9))
    assert evaluation.causes("a") == [(LumiSet.parse("1-2"), ("A",)), (LumiSet.parse("5"), ("A",))]


def test_a_thousand_terms_are_told_apart() -> None:
    names = [f"D{number:03}" for number in range(1000)]
    logic = Logic({"V": " ".join(names)}, names)
    evaluation = logic.evaluate({name: 6 << place for place, name in enumerate(names)}, LumiSet.whole(1001))
    told = evaluation.causes("V")
    assert len(told) == 1001
    assert told[500] == (LumiSet.parse("501"), ("D499", "D500"))
