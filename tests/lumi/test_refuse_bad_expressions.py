"""What is no expression is refused at the place where it goes wrong, with what to write instead."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.lumi import ExpressionError, LumiError, check_name, parse

REFUSALS = [
    ("", 0, "the expression is empty"),
    (" \n", 0, "the expression is empty"),
    ("!!A", 0, "`!` stands once and right before a name"),
    ("! A", 0, "`!` stands once and right before a name"),
    ("A !", 2, "`!` stands once and right before a name"),
    ("!(A or B)", 0, r"write `!NAME` or `not \(\.\.\.\)`"),
    ("!and", 0, "right before a name"),
    ("A B or C", 4, "a list of terms holds names and `!` only; write `or` between the terms"),
    ("A B (C)", 4, "a list of terms holds names and `!` only; write `or` between the terms"),
    ("A B not C", 4, "write `or` between the terms"),
    ("A or B C", 7, r"an operator is missing before this; write `or` \(or `and`\) between two terms"),
    ("A or !B !C", 8, "an operator is missing"),
    ("A (B)", 2, "an operator is missing"),
    ("(A B)", 3, "an operator is missing"),
    ("(A) B", 4, "an operator is missing"),
    ("A not B", 2, "an operator is missing"),
    ("A and", 5, "at the end: a defect is missing"),
    ("and", 0, "a defect is missing"),
    ("or A", 0, "a defect is missing"),
    ("A or or B", 5, "a defect is missing"),
    ("A and not", 9, "at the end: a defect is missing"),
    ("()", 1, "a defect is missing"),
    ("(A", 0, "this parenthesis is never closed"),
    ("A or ((B) and C", 5, "this parenthesis is never closed"),
    ("A)", 1, "no parenthesis is open here"),
    ("-A", 0, "write `not NAME` or `!NAME`"),
    ("A -B", 2, "write `not NAME` or `!NAME`"),
    ("A & B", 2, "write `and`"),
    ("A || B", 2, "write `or`"),
    ("A, B", 1, "put blanks between the terms"),
    ("~A", 0, "write `not`"),
    ("A or Ä", 5, r"\(U\+00C4\) means nothing here; names have the letters"),
    ("A\u00a0B", 1, r"U\+00A0"),
    ("A or B.C", 6, 'character 7, "."'),
    ("A\x00", 1, r"U\+0000"),
    ("٣", 0, r"U\+0663"),
]


@pytest.mark.parametrize(("text", "position", "message"), REFUSALS, ids=[repr(text) for text, _, _ in REFUSALS])
def test_it_names_the_place_and_the_remedy(text: str, position: int, message: str) -> None:
    with pytest.raises(ExpressionError, match=message) as refusal:
        parse(text)
    assert refusal.value.position == position
    assert isinstance(refusal.value, LumiError)


@pytest.mark.parametrize("text", [None, 5, b"A", ["A"]])
def test_it_refuses_what_is_no_text(text: object) -> None:
    with pytest.raises(ExpressionError, match="is not text"):
        parse(text)  # type: ignore[arg-type]


def test_it_takes_a_thousand_terms_and_fifty_levels() -> None:
    assert len(parse(" ".join(f"A{number}" for number in range(1000))).names) == 1000
    assert len(parse(" and ".join(f"A{number}" for number in range(1000))).names) == 1000
    assert str(parse("(" * 50 + "A" + ")" * 50)) == "A"
    deep = "A"
    for _ in range(25):
        deep = f"not (A and {deep})"
    assert str(parse(deep)) == deep
    assert str(parse("(" * 49 + "!A" + ")" * 49)) == "not A"


TOO_MUCH = {
    "1,001 terms in a list": (" ".join(["A"] * 1001), "more than 1,000 terms"),
    "10,000 terms in a list": (" ".join(["A"] * 10_000), "more than 1,000 terms"),
    "10,000 terms": (" or ".join(["A"] * 10_000), "more than 1,000 terms"),
    "51 parentheses": ("(" * 51 + "A" + ")" * 51, "more than 50 levels"),
    "1,000 parentheses": ("(" * 1000 + "A" + ")" * 1000, "more than 50 levels"),
    "1,000 nots": ("not " * 1000 + "A", "more than 50 levels"),
    "50 parentheses around a negation": ("(" * 50 + "!A" + ")" * 50, "more than 50 levels"),
    "a megabyte of parentheses": ("(" * 1_000_000, "more than 50 levels"),
    "a megabyte of names": ("A " * 500_000, "more than 1,000 terms"),
    "a megabyte of junk": ("?" * 1_000_000, "character 1"),
    "junk after a megabyte": ("A" * 1_000_000 + "?", "character 1000001"),
    "junk after a megabyte of blanks": (" " * 1_000_000 + "?", "character 1000001"),
    "a megabyte of exclamation marks": ("!" * 1_000_000, "stands once"),
    "two names of a megabyte": ("or " + "A" * 1_000_000, "a defect is missing"),
}


@pytest.mark.parametrize(("text", "message"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_it_refuses_too_much_quickly_and_in_few_words(text: str, message: str) -> None:
    start = time.process_time()
    with pytest.raises(ExpressionError, match=message) as refusal:
        parse(text)
    assert time.process_time() - start < 2
    assert len(str(refusal.value)) < 300


@given(st.text(max_size=30) | st.text(alphabet="ABor and!()\n", max_size=30))
def test_it_answers_any_text_with_an_expression_or_a_refusal(text: str) -> None:
    try:
        found = parse(text)
    except ExpressionError as refusal:
        position = refusal.position
    else:
        position = 0
        assert parse(str(found)) == found
    assert 0 <= position <= len(text)


@pytest.mark.parametrize("name", ["", "LAR X", "LAR-X", "Ä", "or", "AND", "Not", "A\n", "!A", "٣"])
def test_it_refuses_names_that_no_expression_could_use(name: str) -> None:
    with pytest.raises(LumiError, match="cannot name a defect"):
        check_name(name)


@pytest.mark.parametrize("name", ["A", "lar_1", "_", "0", "ORDER", "android"])
def test_it_takes_names_that_expressions_can_use(name: str) -> None:
    assert check_name(name) == name
    assert parse(name).names == (name,)
