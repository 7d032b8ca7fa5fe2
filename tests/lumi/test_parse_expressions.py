"""`A or B and not C`, and the list form `A B !C`: one tree for both, one canonical text."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.lumi import Expression, parse
from certifier.lumi.expressions import And, Name, Not, Or
from tests.lumi.strategies import expressions

NAMES = ["A", "LAR_1", "b", "Notready", "ORDER", "9"]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("A", "A"),
        ("!A", "not A"),
        ("A B !C", "A or B or not C"),
        ("  A\n\tB ", "A or B"),
        ("A or B and not C", "A or B and not C"),
        ("A OR B And NoT C", "A or B and not C"),
        ("(A or B) and !C", "(A or B) and not C"),
        ("((A)) or (B)", "A or B"),
        ("A or (B or (C or D))", "A or B or C or D"),
        ("(A and B) and (C and D)", "A and B and C and D"),
        ("A or (B and C)", "A or B and C"),
        ("not (A)", "not A"),
        ("not not A", "not not A"),
        ("not !A", "not not A"),
        ("not (A and B) or C", "not (A and B) or C"),
        ("not(A or not(B))and(C)", "not (A or not B) and C"),
        ("A A !A", "A or A or not A"),
        ("android or notes", "android or notes"),
    ],
)
def test_it_is_printed_with_as_few_parentheses_as_possible(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical
    assert parse(canonical) == parse(text)


def test_it_binds_not_before_and_before_or() -> None:
    a, b, c = Name("A"), Name("B"), Name("C")
    assert parse("not A and B or C") == Or((And((Not(a), b)), c))
    assert parse("not (A and (B or C))") == Not(And((a, Or((b, c)))))


def test_it_means_the_same_as_a_list_and_with_or() -> None:
    assert parse("A B !C") == parse("A or B or not C")
    assert hash(parse("A B !C")) == hash(parse("A or B or not C"))
    assert parse("A B") != parse("B A")


@given(expressions(NAMES, leaves=20))
def test_it_is_read_back_from_its_own_text(expression: Expression) -> None:
    assert parse(str(expression)) == expression
    assert str(parse(str(expression))) == str(expression)


@given(expressions(NAMES), st.randoms(use_true_random=False))
def test_it_is_the_same_however_it_is_written(expression: Expression, chance: random.Random) -> None:
    assert parse(_written(expression, chance)) == expression


def _written(expression: Expression, chance: random.Random) -> str:
    """With needless parentheses and blanks, and keywords in any case."""
    blank = chance.choice([" ", "  ", "\n"])
    match expression:
        case Name(name):
            text = name
        case Not(Name(name)) if chance.random() < 0.5:
            text = f"!{name}"
        case Not(operand):
            text = f"{chance.choice(['not', 'NOT'])}{blank}({_written(operand, chance)})"
        case And(operands):
            text = f"{blank}{chance.choice(['and', 'And'])} ".join(f"({_written(each, chance)})" for each in operands)
        case Or(operands):
            text = f" {chance.choice(['or', 'OR'])}{blank}".join(f"({_written(each, chance)})" for each in operands)
    return f"({text})" if chance.random() < 0.3 else text


def test_it_tells_its_names_once_each_in_order() -> None:
    assert parse("B or a and (C or not A) or b").names == ("B", "a", "C")


@given(expressions(NAMES))
def test_it_has_the_names_that_stand_in_its_text(expression: Expression) -> None:
    words = [word.strip("()") for word in str(expression).split()]
    assert set(expression.names) == set(words) - {"and", "or", "not"}
