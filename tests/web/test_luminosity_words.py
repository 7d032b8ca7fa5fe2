"""Luminosities read at a glance: three digits and the unit in which they are at least 1."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.goodruns.luminosity import Luminosity
from certifier.web.templatetags.luminosity import UNITS, lumi, percent
from tests.web.rendering import rendered


@pytest.mark.parametrize(
    ("inverse_nb", "words"),
    [
        (58_300, "58.3 /pb"),
        (1_420_000, "1.42 /fb"),
        (320, "320 /nb"),
        (Decimal("1420"), "1.42 /pb"),
        ("1420", "1.42 /pb"),
        (0, "0 /pb"),
        (0.5, "500 /µb"),
        (999.4, "999 /nb"),
        (999.6, "1.00 /pb"),
        (9_999, "10.0 /pb"),
        (139_000_000, "139 /fb"),
        (1_390_000_000, "1390 /fb"),
        (-420, "−420 /nb"),
        (None, "–"),
        (float("nan"), "–"),
        ("", "–"),
    ],
)
def test_it_says_a_luminosity(inverse_nb: float | None, words: str) -> None:
    assert lumi(inverse_nb) == words


def test_it_shows_a_dash_for_what_a_page_does_not_know() -> None:
    assert rendered("{{ missing|lumi }} {{ none|lumi }}", none=None) == "– –"


@pytest.mark.parametrize(
    ("inverse_nb", "words"),
    [(420, "0.42 /pb"), (1_420, "1.42 /pb"), (61, "0.061 /pb"), (99.9, "0.10 /pb"), (0, "0 /pb")],
)
def test_it_keeps_to_a_unit_for_columns_that_are_compared(inverse_nb: float, words: str) -> None:
    assert lumi(inverse_nb, "/pb") == words


def test_it_refuses_a_unit_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="no unit 'pb'"):
        lumi(1, "pb")


@given(st.floats(1e-3, 1e9))
def test_it_stays_within_half_a_percent_and_never_uses_an_exponent(value: float) -> None:
    number, unit = lumi(value).split(" ")
    assert "e" not in number
    assert float(number) >= 1
    assert float(number) * UNITS[unit] == pytest.approx(value, rel=0.0051)


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.962, "96.2%"),
        (1, "100.0%"),
        (0, "0.0%"),
        (0.99996, ">99.9%"),
        (0.0001, "<0.1%"),
        (None, "–"),
        (-0.034, "−3.4%"),
        (1.2, "120.0%"),
    ],
)
def test_it_never_rounds_almost_all_to_all(share: float | None, words: str) -> None:
    assert percent(share) == words


@pytest.mark.parametrize(
    ("known", "words"),
    [
        (Luminosity(), "–"),
        (Luminosity(1200), "1,200 LS"),
        (Luminosity(3, None, 58_300.0), '<span title="3 LS">58.3 /pb</span>'),
    ],
)
def test_an_amount_says_lumisections_where_no_luminosity_is_known(known: Luminosity, words: str) -> None:
    assert rendered('{% amount known "/pb" %}', known=known) == words
