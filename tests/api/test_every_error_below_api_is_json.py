"""Errors that never reach a view: unknown addresses, wrong methods, wrong hosts, broken addresses, missing slashes."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from certifier.accounts.models import System, User

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "address", ["/api/", "/api/nothing/", "/api/v1/nothing/", "/api/v1/", "/api/v2/runs/", "/api/x?y=1"]
)
@pytest.mark.parametrize("debug", [True, False])
def test_it_answers_json_at_an_unknown_address(address: str, debug: bool, settings: Any) -> None:
    settings.DEBUG = debug
    for method in ("get", "post", "delete"):
        answer = getattr(Client(), method)(address)
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")
        assert set(answer.json()) == {"detail"}


def test_it_leaves_pages_their_own_error_page() -> None:
    answer = Client().get("/nothing/")
    assert (answer.status_code, answer["Content-Type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.parametrize("host", ["evil.example", "a b", "x" * 300, "localhost:port", "[::1"])
@pytest.mark.parametrize("debug", [True, False])
def test_it_answers_json_to_a_host_it_does_not_serve(host: str, debug: bool, settings: Any) -> None:
    settings.DEBUG = debug
    answer = Client(headers={"Host": host}).get("/api/v1/systems/")
    assert (answer.status_code, list(answer.json())) == (400, ["errors"])


@pytest.mark.parametrize("address", ["/api/v1/systems/?cursor=a%00b", "/api/v1/%00/", "/api/v1/systems/\x00"])
def test_it_refuses_the_character_nul_in_an_address(chi: User, api: Any, address: str) -> None:
    answer = api(chi).get(address)
    assert (answer.status_code, "NUL" in answer.json()["errors"][0]["message"]) == (400, True)


def test_it_refuses_the_character_nul_in_the_address_of_a_page() -> None:
    assert Client().get("/?q=%00").status_code == 400


def test_it_answers_405_with_what_is_allowed(chi: User, api: Any) -> None:
    answer = api(chi).delete("/api/v1/systems/")
    assert (answer.status_code, list(answer.json())) == (405, ["detail"])
    assert {"GET", "POST"} <= set(answer["Allow"].split(", "))


@pytest.mark.parametrize("debug", [True, False])
def test_it_says_that_addresses_end_with_a_slash(chi: User, api: Any, debug: bool, settings: Any) -> None:
    settings.DEBUG = debug
    answer = api(chi).post("/api/v1/systems", {"code": "LAR"}, format="json")
    assert (answer.status_code, answer.json()["detail"]) == (404, "Addresses end with a slash: POST /api/v1/systems/")
    assert not System.objects.exists()
    read = api(chi).get("/api/v1/systems?page_size=5")
    assert (read.status_code, read["Location"]) == (301, "/api/v1/systems/?page_size=5")


def test_it_refuses_a_body_of_unknown_length(chi: User, api: Any) -> None:
    answer = api(chi).post(
        "/api/v1/systems/", content_type="application/json", headers={"Transfer-Encoding": "chunked"}, CONTENT_LENGTH=""
    )
    assert (answer.status_code, "Content-Length" in answer.json()["detail"]) == (411, True)


def test_it_ties_answer_and_log_by_a_request_id(chi: User, api: Any) -> None:
    answer = api(chi).get("/api/v1/systems/", headers={"X-Request-ID": "mine-1"})
    assert answer["X-Request-ID"] == "mine-1"
