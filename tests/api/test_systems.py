"""GET and POST of systems."""

from __future__ import annotations

from typing import Any

import pytest

from certifier.accounts.models import System, User
from certifier.audit.models import AuditEvent

pytestmark = pytest.mark.django_db
SYSTEMS = "/api/v1/systems/"


def test_it_creates_a_system(chi: User, api: Any) -> None:
    answer = api(chi).post(SYSTEMS, {"code": "LAR", "name": "Liquid-argon calorimeter"}, format="json")
    assert answer.status_code == 201
    assert answer.json() == {"code": "LAR", "name": "Liquid-argon calorimeter"}
    assert AuditEvent.objects.get(code="accounts.create_system").actor_name == "chi"


def test_it_names_a_system_by_its_code_when_nothing_is_said(chi: User, api: Any) -> None:
    assert api(chi).post(SYSTEMS, {"code": "LAR"}, format="json").json() == {"code": "LAR", "name": "LAR"}


def test_it_lists_systems_in_their_order(chi: User, systems: dict[str, System], api: Any) -> None:
    System.objects.filter(code="TILE").update(position=1)
    answer = api(chi).get(SYSTEMS).json()
    assert set(answer) == {"next", "previous", "results"}
    assert [system["code"] for system in answer["results"]][:2] == ["TILE", "GLOBAL"]


@pytest.mark.parametrize("code", ["LAR", "lar", "Lar"])
def test_it_refuses_a_code_that_exists_ignoring_case(chi: User, lar: System, api: Any, code: str) -> None:
    answer = api(chi).post(SYSTEMS, {"code": code}, format="json")
    assert answer.status_code == 409
    assert "exists already" in answer.json()["detail"]
    assert System.objects.filter(code__iexact="LAR").count() == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "code"),
        ({"code": ""}, "code"),
        ({"code": "L A R"}, "code"),
        ({"code": "ÉLAR"}, "code"),
        ({"code": "X" * 41}, "code"),
        ({"code": 7}, "code"),
        ({"code": True}, "code"),
        ({"code": None}, "code"),
        ({"code": ["LAR"]}, "code"),
        ({"code": "LAR", "name": 1}, "name"),
        ({"code": "LAR", "name": "x" * 121}, "name"),
        ({"code": "LAR", "nome": "x"}, "nome"),
    ],
)
def test_it_names_the_field_that_is_wrong(chi: User, api: Any, body: dict[str, Any], field: str) -> None:
    answer = api(chi).post(SYSTEMS, body, format="json")
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not System.objects.exists()


def test_it_lets_only_coordinators_create_a_system(ben: User, ada: User, api: Any) -> None:
    for user in (ben, ada):
        answer = api(user).post(SYSTEMS, {"code": "NEW"}, format="json")
        assert answer.status_code == 403
        assert "coordinator" in answer.json()["detail"]
