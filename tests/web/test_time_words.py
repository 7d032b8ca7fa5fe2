"""Times are UTC whatever zone they came in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from certifier.web.templatetags.times import age, duration, utc
from tests.web.rendering import rendered

MOMENT = datetime(2018, 5, 15, 9, 41, 3, tzinfo=UTC)


def test_it_shows_the_minute_and_holds_the_whole_time() -> None:
    html = rendered("{{ at|utc }}", at=MOMENT)
    assert ">05-15 09:41</time>" in html
    assert 'datetime="2018-05-15T09:41:03Z" title="2018-05-15T09:41:03Z"' in html


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("short", "05-15 09:41"),
        ("minute", "2018-05-15 09:41"),
        ("full", "2018-05-15 09:41:03"),
        ("date", "2018-05-15"),
        ("clock", "09:41:03"),
    ],
)
def test_it_knows_these_forms(form: str, text: str) -> None:
    assert f">{text}<" in utc(MOMENT, form)


def test_it_turns_other_zones_to_utc_and_takes_a_bare_time_as_utc() -> None:
    geneva = timezone(timedelta(hours=2))
    assert utc(datetime(2018, 5, 15, 11, 41, 3, tzinfo=geneva)) == utc(MOMENT)
    assert utc(MOMENT.replace(tzinfo=None)) == utc(MOMENT)


def test_it_shows_a_dash_for_no_time() -> None:
    assert utc(None) == age(None) == duration(None) == "–"


def test_it_refuses_another_form() -> None:
    with pytest.raises(ValueError, match="no form of time 'long'"):
        utc(MOMENT, "long")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.42, "0.4 s"),
        (12, "12 s"),
        (59.7, "1 min"),
        (200, "3 min 20 s"),
        (43_140, "11 h 59 min"),
        (273_600, "3 d 4 h"),
        (timedelta(minutes=2), "2 min"),
    ],
)
def test_it_says_how_long(seconds: float | timedelta, text: str) -> None:
    assert duration(seconds) == text


def test_it_says_how_long_ago() -> None:
    now = datetime.now(UTC)
    assert ">3 min ago<" in age(now - timedelta(minutes=3, seconds=1))
    assert ">2 d ago<" in age(now - timedelta(days=2, hours=3))
    assert ">just now<" in age(now + timedelta(minutes=1))
