"""A defect gets another name: expressions that use it follow, without changing what they mean."""

from __future__ import annotations

import pytest
from hypothesis import given

from certifier.lumi import Expression, LumiError, parse
from tests.lumi.strategies import expressions


def test_it_renames_in_any_case_and_leaves_the_rest() -> None:
    expression = parse("lar_x or (LAR_X and not LAR_XY) or not B")
    assert str(expression.renamed({"LAR_X": "LAR_NEW"})) == "LAR_NEW or LAR_NEW and not LAR_XY or not B"
    assert str(expression) == "lar_x or LAR_X and not LAR_XY or not B"


def test_it_swaps_names() -> None:
    assert str(parse("A and not B").renamed({"A": "B", "B": "A"})) == "B and not A"


@given(expressions(["A", "B", "C"]))
def test_it_is_undone_by_the_reverse(expression: Expression) -> None:
    assert expression.renamed({"A": "X", "b": "Y"}).renamed({"x": "A", "Y": "B"}) == expression
    assert expression.renamed({}) == expression


@pytest.mark.parametrize("name", ["", "or", "A B", "Ä"])
def test_it_refuses_names_that_no_defect_can_have(name: str) -> None:
    with pytest.raises(LumiError, match="cannot name a defect"):
        parse("A").renamed({"A": name})
