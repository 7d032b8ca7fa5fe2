"""Definitions together: names in any case, dependency order, and refusals when they are defined, not when read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.lumi import CyclicDefinition, Expression, ExpressionError, Logic, LumiError, UnknownName, parse
from tests.lumi.strategies import definitions


def test_it_knows_what_depends_on_what() -> None:
    logic = Logic({"PHYS": "emb or Lar and not PIX", "LAR": "EMB emec", "Empty": "!A"}, ["EMB", "EMEC", "PIX", "A"])
    assert logic.virtuals == ("PHYS", "LAR", "Empty")
    assert logic.order == ("LAR", "PHYS", "Empty")
    assert logic.dependencies("phys") == ("EMB", "LAR", "PIX")
    assert logic.dependencies("EMB") == ()
    assert logic.primaries_of("PHYS") == ("EMB", "EMEC", "PIX")
    assert logic.primaries_of("emb") == ("EMB",)
    assert logic.spelled("EMPTY") == "Empty"


def test_it_takes_expressions_as_text_or_parsed() -> None:
    assert Logic({"V": parse("A or B")}, ["A", "B"]).primaries_of("V") == Logic({"V": "A B"}, ["A", "B"]).primaries_of(
        "V"
    )
    assert Logic({}, []).order == ()


@given(definitions(["A", "B", "C"], most=8), st.randoms(use_true_random=False))
def test_it_puts_each_after_those_it_depends_on(defined: dict[str, Expression], chance: object) -> None:
    shuffled = list(defined.items())
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    logic = Logic(dict(shuffled), ["A", "B", "C"])
    assert logic.virtuals == tuple(name for name, _ in shuffled)
    assert sorted(logic.order) == sorted(defined)
    for place, name in enumerate(logic.order):
        virtual = [each for each in logic.dependencies(name) if each in defined]
        assert set(virtual) <= set(logic.order[:place])
        assert set(logic.dependencies(name)) == set(defined[name].names)


@given(definitions(["A", "B", "C"], most=6))
def test_it_finds_primary_defects_however_deep(defined: dict[str, Expression]) -> None:
    def deep(name: str) -> set[str]:
        return set().union(*map(deep, defined[name].names)) if name in defined else {name}

    logic = Logic(defined, ["A", "B", "C"])
    assert all(logic.primaries_of(name) == tuple(sorted(deep(name))) for name in defined)


@pytest.mark.parametrize(
    ("defined", "cycle"),
    [
        ({"V": "V"}, ("V", "V")),
        ({"V": "A !v"}, ("V", "V")),
        ({"W": "V", "V": "W A"}, ("W", "V", "W")),
        ({"U": "A", "X": "U Y", "Y": "Z and A", "Z": "not (A or x)"}, ("X", "Y", "Z", "X")),
    ],
)
def test_it_refuses_circles_when_they_are_defined(defined: dict[str, str], cycle: tuple[str, ...]) -> None:
    with pytest.raises(CyclicDefinition, match=f"{cycle[0]} depends on itself: {' -> '.join(cycle)}") as refusal:
        Logic(defined, ["A"])
    assert refusal.value.cycle == cycle


def test_it_follows_long_chains_and_finds_long_circles() -> None:
    names = [f"V{number}" for number in range(5_000)]
    chain = dict(zip(names, [*names[1:], "A"], strict=True))
    logic = Logic(chain, ["A"])
    assert logic.order == tuple(reversed(names))
    assert logic.primaries_of("V0") == ("A",)
    assert logic.evaluate({"A": 2}, 6).bits["V0"] == 2
    with pytest.raises(CyclicDefinition) as refusal:
        Logic(chain | {"V4999": "V0"}, ["A"])
    assert len(refusal.value.cycle) == 5_001
    assert len(str(refusal.value)) < 300


def test_it_refuses_unknown_names_and_says_where_they_are() -> None:
    with pytest.raises(UnknownName, match=r'not defined: "LAR_Y" \(in V\), "Q" \(in W\)') as refusal:
        Logic({"V": "LAR_X !LAR_Y", "W": "V and Q"}, ["lar_x"])
    assert refusal.value.names == ("LAR_Y", "Q")
    with pytest.raises(UnknownName, match="and 995 more") as refusal:
        Logic({"V": " ".join(f"X{number}" for number in range(1000))}, [])
    assert len(refusal.value.names) == 1000
    for ask in (Logic({}, ["A"]).spelled, Logic({}, ["A"]).dependencies, Logic({}, ["A"]).primaries_of):
        with pytest.raises(UnknownName, match='there is no defect "B"'):
            ask("B")


@pytest.mark.parametrize(
    ("defined", "primaries"),
    [({"v": "A", "V": "A"}, ["A"]), ({"a": "B"}, ["A", "B"]), ({}, ["A", "a"])],
    ids=["two virtual", "virtual and primary", "two primary"],
)
def test_it_refuses_names_that_differ_in_case_only(defined: dict[str, str], primaries: list[str]) -> None:
    with pytest.raises(LumiError, match="are the same name: names ignore case"):
        Logic(defined, primaries)


@pytest.mark.parametrize("name", ["or", "Ä", "A B", ""])
def test_it_refuses_names_that_no_expression_could_use(name: str) -> None:
    with pytest.raises(LumiError, match="cannot name a defect"):
        Logic({name: "A"}, ["A"])
    with pytest.raises(LumiError, match="cannot name a defect"):
        Logic({}, [name])


def test_it_says_in_which_definition_an_expression_is_wrong() -> None:
    with pytest.raises(ExpressionError, match=r"^PHYS: at the end: a defect is missing") as refusal:
        Logic({"V": "A", "PHYS": "A and"}, ["A"])
    assert refusal.value.position == 5
