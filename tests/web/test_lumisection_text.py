"""Ranges as text: cut only between ranges, the whole always within reach."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from certifier.lumi import LumiSet
from certifier.web.templatetags.lumisections import ls, ls_count, ls_short
from tests.web.rendering import rendered

sets = st.sets(st.integers(1, 2000), max_size=60).map(LumiSet.from_numbers)


def test_it_shows_short_text_as_it_is() -> None:
    html = rendered("{% ls value %}", value=LumiSet.parse("1-4 9"))
    assert html == '<span class="ls num"><span class="nowrap">1-4</span> 9</span>'


def test_it_shows_a_dash_for_nothing() -> None:
    assert ">–<" in rendered("{% ls value %}{% ls missing %}", value=LumiSet())


def test_it_keeps_the_whole_behind_a_click() -> None:
    value = LumiSet.from_numbers(range(1, 400, 2))
    html = ls(value, 30)
    assert html.startswith("<details")
    assert f">{value}</div>" in html
    assert "all 200 ranges" in html


@given(sets, st.integers(1, 80))
def test_it_cuts_only_between_ranges(value: LumiSet, limit: int) -> None:
    short = ls_short(value, limit)
    shown = short.removesuffix(" …")
    kept = LumiSet.parse(shown).ranges()
    assert kept == value.ranges()[: len(kept)]
    assert (short == str(value)) == (len(str(value)) <= limit or len(kept) == len(value.ranges()))
    assert len(shown) <= max(limit, len(shown.split(" ", maxsplit=1)[0]))


def test_it_counts_lumisections() -> None:
    assert ls_count(LumiSet.parse("118-132")) == "15 LS"
    assert ls_count("1-4 9") == "5 LS"
    assert ls_count(22859) == "22,859 LS"
    assert ls_count(None) == "0 LS"
