"""SQLite is configured for many writers: the pragmas hold on every connection, and writers wait instead of failing."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connection

from certifier.audit.models import AuditEvent
from certifier.audit.unit import unit_of_work

pytestmark = pytest.mark.sqlite

WRITERS = 8
SECONDS = 3.0


def pragma(name: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {name}")
        return cursor.fetchone()[0]


@pytest.mark.django_db
def test_every_connection_has_the_pragmas() -> None:
    assert pragma("journal_mode") == "wal"
    assert pragma("synchronous") == 1, "NORMAL"
    assert pragma("foreign_keys") == 1
    assert pragma("busy_timeout") == 60_000
    assert pragma("cache_size") == -65536
    assert connection.transaction_mode == "IMMEDIATE"  # type: ignore[attr-defined]


def write_until(deadline: float, name: str, written: list[str], errors: list[BaseException]) -> None:
    try:
        number = 0
        while time.monotonic() < deadline:
            with unit_of_work(None) as unit:
                # Reading first is what fails without IMMEDIATE: the lock would have to be upgraded.
                AuditEvent.objects.count()
                unit.audit("tests.write", f"{name} {number}")
            written.append(f"{name} {number}")
            number += 1
    except BaseException as error:  # noqa: BLE001  # the test reports it
        errors.append(error)
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_eight_writers_at_once_fail_never_and_lose_nothing() -> None:
    written: list[str] = []
    errors: list[BaseException] = []
    deadline = time.monotonic() + SECONDS
    threads = [
        threading.Thread(target=write_until, args=(deadline, f"writer {n}", written, errors)) for n in range(WRITERS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert AuditEvent.objects.filter(code="tests.write").count() == len(written) > WRITERS
    assert set(AuditEvent.objects.values_list("subject", flat=True)) == set(written)
