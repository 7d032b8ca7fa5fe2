"""Many equal POSTs at once: one effect, and everybody gets its answer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection, connections

from certifier.accounts.models import System, User
from certifier.api.models import IdempotencyRecord
from certifier.audit.models import AuditEvent

pytestmark = pytest.mark.django_db(transaction=True)
SYSTEMS = "/api/v1/systems/"


def at_once(count: int, act: Any) -> list[Any]:
    """What `act(number)` answered in `count` threads that start together, each with its own connection."""
    together = Barrier(count)

    def one(number: int) -> Any:
        together.wait(10)
        try:
            return act(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


@pytest.fixture
def crowd() -> int:
    return 20 if connection.vendor == "postgresql" else 8


def test_it_has_one_effect_with_one_key(chi: User, api: Any, crowd: int) -> None:
    client = api(chi)
    for attempt in range(3):
        body = {"code": f"SYSTEM_{attempt}", "name": "x"}
        key = {"Idempotency-Key": f"key-{attempt}"}
        answers = at_once(crowd, lambda _: client.post(SYSTEMS, body, format="json", headers=key))  # noqa: B023
        assert [answer.status_code for answer in answers] == [201] * crowd
        assert len({answer.content for answer in answers}) == 1
        assert sum("Idempotent-Replayed" in answer for answer in answers) == crowd - 1
    assert System.objects.count() == IdempotencyRecord.objects.count() == 3
    assert AuditEvent.objects.filter(code="accounts.create_system").count() == 3


def test_it_lets_one_of_them_through_without_a_key(chi: User, api: Any, crowd: int) -> None:
    client = api(chi)
    answers = at_once(
        crowd, lambda number: client.post(SYSTEMS, {"code": "Lar" if number % 2 else "LAR"}, format="json")
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * (crowd - 1)
    assert System.objects.count() == 1


def test_it_refuses_all_other_bodies_of_one_key(chi: User, api: Any, crowd: int) -> None:
    client = api(chi)
    key = {"Idempotency-Key": "one"}
    answers = at_once(
        crowd, lambda number: client.post(SYSTEMS, {"code": f"SYSTEM_{number}"}, format="json", headers=key)
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * (crowd - 1)
    assert System.objects.count() == 1
