"""Text becomes a set of lumisections, or a refusal that names the token and says what to do."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.lumi import MAX_LUMISECTION, LumiError, LumiSet
from tests.lumi.strategies import lumi_sets


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1-4 9 20-728", "1-4 9 20-728"),
        ("", ""),
        ("   ", ""),
        ("9", "9"),
        ("5-5", "5"),
        ("20-28 9 1-4", "1-4 9 20-28"),
        ("1-3 4", "1-4"),
        ("1-5 3-9", "1-9"),
        ("1-4, 9,20-28", "1-4 9 20-28"),
        ("1-4,\n9\t20-28 ", "1-4 9 20-28"),
        ("007-011", "7-11"),
        ("2047-2050 4096 99999-100000", "2047-2050 4096 99999-100000"),
    ],
)
def test_it_reads_ranges_in_any_order(text: str, canonical: str) -> None:
    assert str(LumiSet.parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("20-End", "20-728"), ("end", "728"), ("1-4,20-END", "1-4 20-728"), ("all", "1-728"), (" All ", "1-728")],
)
def test_it_knows_the_end_of_a_run_whose_length_is_given(text: str, canonical: str) -> None:
    assert str(LumiSet.parse(text, last=728)) == canonical


@pytest.mark.parametrize("text", ["20-End", "end", "all"])
def test_it_refuses_the_end_of_a_run_whose_length_is_not_given(text: str) -> None:
    with pytest.raises(LumiError, match="length of the run, which is not known here"):
        LumiSet.parse(text)


@pytest.mark.parametrize("text", ["1-End", "all"])
def test_it_refuses_the_end_of_a_run_that_has_no_lumisections_yet(text: str) -> None:
    with pytest.raises(LumiError, match="no lumisections yet"):
        LumiSet.parse(text, last=0)


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("10-4", "10-4"),
        ("10-9", "10-9"),
        ("1-4 9-8", "9-8"),
        ("1-4 3000-2999", "3000-2999"),
        ("0", "0"),
        ("0-5", "0-5"),
        ("000", "000"),
        ("-5", "-5"),
        ("5-", "5-"),
        ("-", "-"),
        ("1 - 4", "-"),
        ("1--4", "1--4"),
        ("1-2-3", "1-2-3"),
        ("1-4 LAR", "LAR"),
        ("1.5", "1.5"),
        ("1e3", "1e3"),
        ("+5", "+5"),
        ("1_000", "1_000"),
        ("10^9", "10^9"),
        ("٣", "٣"),
        ("1-³", "1-³"),
        ("1–4", "1–4"),
        ("1;2", "1;2"),
        ("1-all", "1-all"),
        ("End-4", "End-4"),
        ("1000000000", "1000000000"),
        ("1-1000000000", "1-1000000000"),
        (f"{MAX_LUMISECTION + 1}", f"{MAX_LUMISECTION + 1}"),
    ],
)
def test_it_refuses_what_is_no_lumisection_and_names_the_token(text: str, token: str) -> None:
    with pytest.raises(LumiError) as refusal:
        LumiSet.parse(text, last=None if "End" not in text else 10)
    assert f'"{token}"' in str(refusal.value)
    assert str(refusal.value).endswith(".")


def test_it_says_how_to_mend_the_commonest_mistakes() -> None:
    with pytest.raises(LumiError, match=r'^"10-4": the range is reversed; write 4-10\.$'):
        LumiSet.parse("10-4")
    with pytest.raises(LumiError, match="numbered from 1; there is no lumisection 0"):
        LumiSet.parse("0-5")
    with pytest.raises(LumiError, match=r"above 100000, the largest .* typing error"):
        LumiSet.parse("1-1000000000")
    with pytest.raises(LumiError, match="'all' is the whole run and stands alone"):
        LumiSet.parse("all 5", last=728)
    with pytest.raises(LumiError, match="no number between the commas"):
        LumiSet.parse(" , ")


@pytest.mark.parametrize("text", ["729", "1-729", "1-4 700-100000"])
def test_it_refuses_what_lies_beyond_the_run(text: str) -> None:
    with pytest.raises(LumiError, match="the last lumisection is 728"):
        LumiSet.parse(text, last=728)
    assert LumiSet.parse("1-728", last=728) == LumiSet.whole(728)


@pytest.mark.parametrize("last", [-1, 2.5, "728"])
def test_it_refuses_a_length_that_is_none(last: object) -> None:
    with pytest.raises(LumiError):
        LumiSet.parse("1-4", last=last)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [None, 5, b"1-4", ["1-4"], 1.5])
def test_it_refuses_what_is_no_text(text: object) -> None:
    with pytest.raises(LumiError, match="is not text"):
        LumiSet.parse(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    ["x" * 1_000_000, "9" * 1_000_000, "1-" * 500_000, "1 " * 300_000 + "x"],
    ids=["one word", "one number", "one token of dashes", "a mistake at the end"],
)
def test_it_refuses_a_megabyte_of_junk_quickly_and_in_few_words(text: str) -> None:
    start = time.process_time()
    with pytest.raises(LumiError) as refusal:
        LumiSet.parse(text)
    assert time.process_time() - start < 5
    assert len(str(refusal.value)) < 300


@given(lumi_sets, st.randoms())
def test_it_reads_its_own_text_however_it_is_shuffled(found: LumiSet, chance: object) -> None:
    tokens = str(found).split()
    chance.shuffle(tokens)  # type: ignore[attr-defined]
    assert LumiSet.parse(str(found)) == LumiSet.parse(", ".join(tokens)) == found


@given(st.text(max_size=20) | st.text(alphabet="0123456789-, Ee", max_size=20), st.none() | st.integers(0, 50))
def test_it_answers_any_text_with_a_set_or_a_refusal(text: str, last: int | None) -> None:
    try:
        found = LumiSet.parse(text, last)
    except LumiError:
        return
    assert 0 not in found
    assert last is None or found <= LumiSet.whole(last)
