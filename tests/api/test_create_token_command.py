"""`manage.py create_token USER`."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from certifier.accounts.models import ApiToken, User
from certifier.audit.models import AuditEvent

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("create_token", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_it_prints_a_key_that_works_and_nothing_else(chi: User) -> None:
    out, err = run("chi", "--name", "mirror")
    key = out.strip()
    assert out == f"{key}\n"
    assert "cannot be shown again" in err
    assert APIClient().get("/api/v1/systems/", headers={"Authorization": f"Token {key}"}).status_code == 200
    assert AuditEvent.objects.get(code="accounts.create_token").subject == "user chi"


def test_it_stores_only_a_digest(chi: User) -> None:
    key = run("chi")[0].strip()
    row = ApiToken.objects.values().get()
    assert key not in str(row)
    assert row["prefix"] == key[:8]


def test_it_finds_the_account_ignoring_case_and_says_what_is_missing(dee: User) -> None:
    assert "has no role" in run("DEE")[1]


def test_it_gives_the_token_an_end(chi: User) -> None:
    run("chi", "--days", "30")
    assert ApiToken.objects.get().expires_at is not None


@pytest.mark.parametrize("days", ["0", "-1", "99999999999"])
def test_it_refuses_an_end_that_is_none(chi: User, days: str) -> None:
    with pytest.raises(CommandError, match="--days"):
        run("chi", "--days", days)


def test_it_says_how_to_create_an_account_that_is_not_there(db: None) -> None:
    with pytest.raises(CommandError, match="add_user nobody"):
        run("nobody")


def test_it_refuses_an_account_that_is_switched_off(chi: User) -> None:
    User.objects.update(is_active=False)
    with pytest.raises(CommandError, match="switched off"):
        run("chi")
    assert not ApiToken.objects.exists()


def test_it_takes_a_superuser_from_an_empty_database(db: None) -> None:
    options: dict[str, Any] = {"username": "root", "email": "", "interactive": False}
    call_command("createsuperuser", **options)
    key = run("root")[0].strip()
    client = APIClient(headers={"Authorization": f"Token {key}"})
    assert client.post("/api/v1/systems/", {"code": "LAR"}, format="json").status_code == 201
