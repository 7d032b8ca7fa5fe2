"""Luminosity at stake x uncertainty x age, and the reason in words."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from certifier.accounts.models import System
from certifier.review.intake import find_items
from certifier.review.models import Item
from certifier.review.order import in_order, reason
from certifier.review.words import luminosity, span
from certifier.runs import services as runs

from .queue_world import RUN, F, champion, items, queue, score, take


def ordered() -> list[str]:
    return [str(item.lumisections) for item in in_order(Item.objects.all())]


def test_more_luminosity_comes_first(lar: System) -> None:
    queue(lar, F("5-9", "unsure"), F("30-41", "unsure"), F("60-62", "unsure"))
    assert ordered() == ["30-41", "5-9", "60-62"]


def test_what_the_machine_is_less_sure_of_comes_first(lar: System) -> None:
    queue(lar, F("5-9", "bad", score=0.97), F("30-34", "unsure"), F("60-64", "bad", score=0.75))
    assert ordered() == ["30-34", "60-64", "5-9"]


def test_who_waits_longer_comes_first(lar: System) -> None:
    old, _ = queue(lar, F("5-9", "unsure"), F("30-41", "unsure"))
    Item.objects.filter(pk=old.pk).update(since=timezone.now() - timedelta(days=3))
    assert ordered() == ["5-9", "30-41"]


def test_urgency_is_the_product_as_counted_by_hand(lar: System) -> None:
    [item] = queue(lar, F("5-9", "bad", score=0.9))
    now = item.since + timedelta(hours=36)
    [found] = in_order(Item.objects.all(), now)
    assert found.urgency == pytest.approx(500.0 * 4 * 0.9 * 0.1 * 2.5, rel=1e-3)  # type: ignore[attr-defined]


def test_a_clock_that_was_set_back_makes_nothing_negative(lar: System) -> None:
    [item] = queue(lar, F("5-9", "unsure"))
    [found] = in_order(Item.objects.all(), item.since - timedelta(days=5))
    assert found.urgency == pytest.approx(500.0)  # type: ignore[attr-defined]


def test_unknown_luminosity_counts_as_the_mean_of_the_run(lar: System) -> None:
    dataset = take()
    runs.put_lumisections(actor=None, run=RUN, columns={"recorded_inv_nb": [None] * 50 + [100.0] * 50})
    score(champion(lar), dataset, F("5-9", "unsure"), F("49-52", "unsure"))
    find_items()
    first, second = items(lar)
    assert (first.recorded_inv_nb, first.weight) == (None, 500.0)
    assert (second.recorded_inv_nb, second.weight) == (200.0, 400.0)
    assert reason(first).startswith("5 LS, luminosity unknown, unsure")


@pytest.mark.parametrize(
    ("verdict", "score_", "words"),
    [
        ("unsure", 0.5, "12 LS, 1.20 /pb, unsure for 3 days"),
        ("bad", 0.99, "12 LS, 1.20 /pb, bad and sure, for 3 days"),
        ("bad", 0.7, "12 LS, 1.20 /pb, bad, for 3 days"),
    ],
)
def test_the_reason_says_why(lar: System, verdict: str, score_: float, words: str) -> None:
    [item] = queue(lar, F("30-41", verdict, score=score_))
    assert reason(item, item.since + timedelta(days=3, hours=2)) == words


def test_amounts_in_words() -> None:
    assert [luminosity(value) for value in (3_140.0, 58_300.0, 240.0, 0.5, 0.0)] == [
        "3.14 /pb",
        "58.3 /pb",
        "240 /nb",
        "500 /µb",
        "0 /nb",
    ]
    assert [span(seconds) for seconds in (5, 60, 7_300, 90_000, 260_000)] == [
        "less than a minute",
        "1 minute",
        "2 hours",
        "1 day",
        "3 days",
    ]
