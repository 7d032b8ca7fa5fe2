"""Formulas of trends: read by their own grammar, computed as Python computes them value by value."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.trending import FormulaError, parse
from mlcore.trending.formula import DEEPEST, LONGEST

Meaning = Callable[[dict[str, float]], float]
VALUES = st.just(math.nan) | st.floats(-1e3, 1e3) | st.integers(-3, 3).map(float)


def known(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else math.nan


def arithmetic(how: Callable[[float, float], Any]) -> Callable[[float, float], float]:
    def compute(left: float, right: float) -> float:
        if math.isnan(left) or math.isnan(right):
            # Of a power, what does not depend on the unknown is known: 1 ** y and x ** 0.
            if how is POWER and (left == 1 or right == 0):
                return 1.0
            return math.nan
        try:
            return known(how(left, right))
        except (ZeroDivisionError, OverflowError, ValueError):
            return math.nan

    return compute


POWER = math.pow
BINARY: dict[str, Callable[[float, float], float]] = {
    "+": arithmetic(lambda a, b: a + b),
    "-": arithmetic(lambda a, b: a - b),
    "*": arithmetic(lambda a, b: a * b),
    "/": arithmetic(lambda a, b: a / b),
    "%": arithmetic(math.fmod),
    "**": arithmetic(POWER),
    "<": lambda a, b: float(a < b),
    ">=": lambda a, b: float(a >= b),
    "==": lambda a, b: float(a == b),
    "!=": lambda a, b: float(a != b and not math.isnan(a) and not math.isnan(b)),
    "&&": lambda a, b: float(a != 0 and b != 0 and not math.isnan(a) and not math.isnan(b)),
    "||": lambda a, b: float((a != 0 and not math.isnan(a)) or (b != 0 and not math.isnan(b))),
}


def joined(parts: tuple[tuple[str, Meaning], str, tuple[str, Meaning]]) -> tuple[str, Meaning]:
    (left, of_left), sign, (right, of_right) = parts
    return f"({left} {sign} {right})", lambda row: BINARY[sign](of_left(row), of_right(row))


def denied(inner: tuple[str, Meaning]) -> tuple[str, Meaning]:
    return f"!({inner[0]})", lambda row: float(inner[1](row) == 0)


def negative(inner: tuple[str, Meaning]) -> tuple[str, Meaning]:
    return f"-({inner[0]})", lambda row: -inner[1](row)


LEAVES: st.SearchStrategy[tuple[str, Meaning]] = st.sampled_from(["a", "b", "rate.mean"]).map(
    lambda name: (name, lambda row: row[name])
) | st.integers(0, 20).map(lambda value: (f"{value / 4}", lambda row: value / 4))
FORMULAS = st.recursive(
    LEAVES,
    lambda inner: (
        st.tuples(inner, st.sampled_from(sorted(BINARY)), inner).map(joined) | inner.map(denied) | inner.map(negative)
    ),
    max_leaves=8,
)


@given(FORMULAS, st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=1, max_size=5))
def test_every_row_is_what_python_computes(formula: tuple[str, Meaning], rows: list[tuple[float, ...]]) -> None:
    text, meaning = formula
    table = [dict(zip(("a", "b", "rate.mean"), row, strict=True)) for row in rows]
    columns = {name: np.array([row[name] for row in table]) for name in table[0]}
    found = np.broadcast_to(parse(text).evaluate(columns), (len(rows),))
    np.testing.assert_allclose(found, [meaning(row) for row in table], rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 + 3 * 4", 14),
        ("2 * 3 ** 2", 18),
        ("2 ** 3 ** 2", 512),
        ("-2 ** 2", -4),
        ("2 ^ -1", 0.5),
        ("10 - 4 - 3", 3),
        ("16 / 4 / 2", 2),
        ("1 + !0", 2),
        ("!1 + 1", 0),  # not (1 + 1)
        ("!!3", 1),
        ("1 < 2 && 2 < 3 || 0", 1),
        ("not 1 == 2 and 3", 1),
        ("max(1, min(5, 3)) + abs(-2)", 5),
        ("known(log(-1)) + known(1)", 1),
        ("pow(2, 10) + sqrt(16) + atan2(0, 1)", 1028),
        ("1.5e1 + .5 + 2.", 17.5),
    ],
)
def test_operators_bind_as_in_c(text: str, value: float) -> None:
    assert float(parse(text).evaluate({})) == value


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("", 0, "a value is missing at the end"),
        ("a +", 3, "a value is missing at the end"),
        ("a + * b", 4, "a value is missing before “*”"),
        ("(a + b", 6, "a “)” is missing"),
        ("a b", 2, "“b” was not expected here"),
        ("a < b < c", 6, "compare two values at a time"),
        ("sum(a)", 0, "there is no function “sum”"),
        ("min(a)", 0, "min takes 2 values, not 1"),
        ("a $ b", 2, "“$” has no meaning here"),
        ("__import__(1)", 0, "there is no function “__import__”"),
        ("a['b']", 1, "“[” has no meaning here"),
        ("a.b.()", 3, "has no meaning"),
        ("1e999", 0, "is too large"),
        ("é", 0, "has no meaning"),
        ("a" * (LONGEST + 1), LONGEST, "at most"),
        ("(" * (DEEPEST + 2) + "1" + ")" * (DEEPEST + 2), DEEPEST + 1, "nested at most"),
        ("2" + " ** 2" * 100, 5 * (DEEPEST + 2), "nested at most"),
        ("1 + " + "!" * 100 + "1", DEEPEST + 6, "nested at most"),
    ],
)
def test_what_is_no_formula_is_refused_with_its_place(text: str, position: int, words: str) -> None:
    with pytest.raises(FormulaError) as refused:
        parse(text)
    assert words in str(refused.value)
    assert abs(refused.value.position - position) <= (2 if "nested" in words else 0)


def test_a_long_sum_is_not_a_deep_one() -> None:
    text = "+".join(["a"] * (LONGEST // 2))
    assert parse(text).evaluate({"a": np.array([1.0, 2.0])}).tolist() == [500.0, 1000.0]


def test_columns_that_are_missing_or_of_other_lengths_are_told() -> None:
    formula = parse("b + a")
    assert formula.names == ("b", "a")
    with pytest.raises(KeyError):
        formula.evaluate({"a": np.ones(2)})
    with pytest.raises(ValueError, match="different shapes"):
        formula.evaluate({"a": np.ones(2), "b": np.ones(3)})
