"""One id ties together what one request did: in the answer, in the audit events, in the log."""

from __future__ import annotations

import logging

import pytest
from django.test import Client

from certifier.audit.request_id import RequestIdFilter, current_request_id, request_id_scope


@pytest.mark.django_db
def test_a_clients_id_comes_back(client: Client) -> None:
    assert client.get("/healthz", headers={"x-request-id": "sync-2026.11"})["X-Request-ID"] == "sync-2026.11"


@pytest.mark.django_db
@pytest.mark.parametrize("given", ["", "x" * 65, "two words", "<script>", "a;b"])
def test_what_is_no_id_is_replaced(client: Client, given: str) -> None:
    answered = client.get("/healthz", headers={"x-request-id": given})["X-Request-ID"]
    assert answered != given
    assert len(answered) == 32


def test_a_scope_ends_with_its_block() -> None:
    with request_id_scope("outer"):
        with request_id_scope() as inner:
            assert current_request_id() == inner != "outer"
        assert current_request_id() == "outer"


def test_a_line_of_the_log_carries_it() -> None:
    record = logging.LogRecord("certifier", logging.INFO, __file__, 1, "hello", None, None)
    with request_id_scope("click-1"):
        RequestIdFilter().filter(record)
    assert record.request_id == "click-1"  # type: ignore[attr-defined]
