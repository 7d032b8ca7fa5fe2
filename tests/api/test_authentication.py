"""Who speaks to REST: tokens that hold and tokens that do not, sessions, nobody."""

from __future__ import annotations

import time
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import pytest
from django.db import connections, transaction
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from certifier.accounts import services
from certifier.accounts.models import ApiToken, System, User

pytestmark = pytest.mark.django_db
SYSTEMS = "/api/v1/systems/"


def get(authorization: str) -> Any:
    return APIClient().get(SYSTEMS, headers={"Authorization": authorization})


@pytest.fixture
def token(chi: User) -> tuple[ApiToken, str]:
    return services.create_token(actor=None, user=chi, name="tests")


def test_it_takes_a_live_token(token: tuple[ApiToken, str]) -> None:
    assert get(f"Token {token[1]}").status_code == 200


def test_it_takes_the_scheme_in_any_case(token: tuple[ApiToken, str]) -> None:
    assert get(f"token {token[1]}").status_code == 200


def test_it_reads_the_token_and_its_owner_with_roles_in_two_queries(
    token: tuple[ApiToken, str], django_assert_num_queries: Any
) -> None:
    get(f"Token {token[1]}")  # notes its use, which is due once a minute
    with django_assert_num_queries(3):  # the token, its owner with all roles, the page of systems
        get(f"Token {token[1]}")


@pytest.mark.parametrize(
    "authorization", ["Token", "Token ", "Token wrong", "Token two words", "Token ключ", "Token " + "x" * 5000]
)
def test_it_answers_401_with_the_scheme_to_a_token_that_is_none(db: None, authorization: str) -> None:
    answer = get(authorization)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"
    assert set(answer.json()) == {"detail"}


def test_it_answers_401_to_nobody(db: None) -> None:
    answer = APIClient().get(SYSTEMS)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"


def test_it_refuses_a_revoked_token(token: tuple[ApiToken, str]) -> None:
    services.revoke_token(actor=None, token=token[0])
    answer = get(f"Token {token[1]}")
    assert (answer.status_code, "was revoked" in answer.json()["detail"]) == (401, True)


def test_it_refuses_an_expired_token(chi: User) -> None:
    _, key = services.create_token(actor=None, user=chi, expires_at=timezone.now() - timedelta(seconds=1))
    answer = get(f"Token {key}")
    assert (answer.status_code, "has expired" in answer.json()["detail"]) == (401, True)


def test_it_takes_a_token_that_expires_later(chi: User) -> None:
    _, key = services.create_token(actor=None, user=chi, expires_at=timezone.now() + timedelta(hours=1))
    assert get(f"Token {key}").status_code == 200


def test_it_refuses_an_account_that_is_switched_off(token: tuple[ApiToken, str], chi: User) -> None:
    chi.is_active = False
    chi.save()
    answer = get(f"Token {token[1]}")
    assert (answer.status_code, "switched off" in answer.json()["detail"]) == (401, True)


def test_it_notes_the_use_of_a_token_once_a_minute(token: tuple[ApiToken, str]) -> None:
    row, key = token
    get(f"Token {key}")
    row.refresh_from_db()
    first = row.last_used_at
    assert first is not None
    get(f"Token {key}")
    row.refresh_from_db()
    assert row.last_used_at == first
    ApiToken.objects.filter(pk=row.pk).update(last_used_at=first - timedelta(seconds=61))
    get(f"Token {key}")
    row.refresh_from_db()
    assert row.last_used_at is not None
    assert row.last_used_at >= first


@pytest.mark.django_db(transaction=True)
def test_it_lets_a_reader_pass_while_somebody_writes_for_long(chi: User, api: Any) -> None:
    writing, done = Event(), Event()

    def write() -> None:
        try:
            with transaction.atomic():
                System.objects.create(code="LAR")
                writing.set()
                done.wait(30)
        finally:
            connections.close_all()

    client, writer = api(chi), Thread(target=write)
    writer.start()
    try:
        assert writing.wait(10)
        began = time.monotonic()
        assert client.get(SYSTEMS).status_code == 200  # its first use is due to be noted, which would have to wait
        assert time.monotonic() - began < 10
    finally:
        done.set()
        writer.join()


def test_it_takes_a_session(chi: User, page: Any) -> None:
    assert page(chi).get(SYSTEMS).status_code == 200


def test_it_refuses_a_write_of_a_session_without_its_csrf_token(chi: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(chi)
    answer = browser.post(SYSTEMS, {"code": "LAR"}, content_type="application/json")
    assert (answer.status_code, "CSRF" in answer.json()["detail"]) == (403, True)


def test_it_tells_somebody_without_a_role_whom_to_ask(dee: User, api: Any) -> None:
    for answer in (api(dee).get(SYSTEMS), api(dee).post(SYSTEMS, {"code": "LAR"}, format="json")):
        assert answer.status_code == 403
        assert "administrator" in answer.json()["detail"]
