"""Trainings wait for each other; and whatever runs at once, a system has one champion at most."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import connection

from certifier.precert.models import ModelVersion, Promotion
from certifier.precert.selectors import models_of_system
from certifier.training import attempt, gate
from certifier.training.models import Outcome, Training
from certifier.training.turn import turn
from tests import cast
from tests.training import world

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    def one(act: Callable[[], Any]) -> Any:
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(one, acts))


def test_the_second_waits_for_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("certifier.training.turn.LOOK_AGAIN_S", 0.01)
    order: list[str] = []
    inside, waited = Event(), Event()

    def first() -> None:
        with turn():
            inside.set()
            assert waited.wait(30)
            order.append("first")

    def second() -> None:
        assert inside.wait(30)
        with turn(waited.set):
            order.append("second")

    at_once(first, second)
    assert order == ["first", "second"]


def test_of_two_trainings_of_the_same_data_the_second_has_nothing_to_learn() -> None:
    lar = cast.make_system("LAR")
    world.season(lar)
    outcomes = {row.outcome for row in at_once(lambda: world.train(lar), lambda: world.train(lar))}
    assert outcomes == {Outcome.PROMOTED, Outcome.UNCHANGED}
    assert ModelVersion.objects.count() == 1


def test_two_that_did_not_wait_make_one_champion(monkeypatch: pytest.MonkeyPatch) -> None:
    lar = cast.make_system("LAR")
    world.season(lar)
    together, rule = Barrier(2), gate.rule

    def both_before_either_is_written(*given: Any) -> Any:
        ruling = rule(*given)
        together.wait(60)
        return ruling

    monkeypatch.setattr(attempt, "turn", lambda waiting: nullcontext())
    monkeypatch.setattr(attempt, "rule", both_before_either_is_written)
    rows = sorted(at_once(lambda: world.train(lar), lambda: world.train(lar)), key=lambda row: row.number)
    assert [row.outcome for row in rows] == [Outcome.PROMOTED, Outcome.SHADOW]
    assert "Meanwhile LAR model 1 became the champion. It scores in shadow." in rows[1].words
    assert models_of_system(lar).champion == rows[0].challenger
    assert list(Promotion.objects.order_by("id").values_list("state", flat=True)) == ["champion", "shadow"]
    assert Training.objects.count() == 2
