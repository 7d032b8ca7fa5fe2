"""docs/openapi.yaml is what the program says of itself, without a warning, and valid OpenAPI."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command

from tests.needs import REPOSITORY

COMMITTED = REPOSITORY / "docs" / "openapi.yaml"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("schema") / "openapi.yaml"
    call_command("spectacular", file=str(path), validate=True, fail_on_warn=True)
    return path


def test_it_is_what_the_program_generates(generated: Path) -> None:
    difference = "\n".join(
        difflib.unified_diff(
            COMMITTED.read_text().splitlines(),
            generated.read_text().splitlines(),
            "committed",
            "generated",
            n=1,
            lineterm="",
        )
    )
    assert not difference, f"docs/openapi.yaml is out of date; run “make schema” and commit it.\n{difference[:4000]}"


def operations(path: Path) -> list[tuple[str, str, dict[str, Any]]]:
    schema = yaml.safe_load(path.read_text())
    return [
        (address, method, operation)
        for address, methods in schema["paths"].items()
        for method, operation in methods.items()
        if isinstance(operation, dict)
    ]


def test_it_names_what_every_operation_may_refuse(generated: Path) -> None:
    for address, method, operation in operations(generated):
        answers = set(operation["responses"])
        assert {"400", "401", "403"} <= answers, (address, method)
        assert "{" not in address or "404" in answers, (address, method)
        assert method == "get" or {"409", "413", "415"} <= answers, (address, method)
        assert any(status.startswith("2") for status in answers), (address, method)


def test_it_asks_for_a_token_or_a_session_everywhere(generated: Path) -> None:
    for address, method, operation in operations(generated):
        assert {name for scheme in operation["security"] for name in scheme} == {"token", "cookieAuth"}, (
            address,
            method,
        )


def test_it_offers_an_idempotency_key_on_every_post(generated: Path) -> None:
    key = {"$ref": "#/components/parameters/IdempotencyKey"}
    for address, method, operation in operations(generated):
        assert (key in operation.get("parameters", [])) == (method == "post"), (address, method)


def test_it_describes_every_operation(generated: Path) -> None:
    seen = set()
    for address, method, operation in operations(generated):
        assert operation.get("description"), (address, method)
        assert operation["operationId"] not in seen
        seen.add(operation["operationId"])


@pytest.mark.django_db
def test_it_is_served_as_yaml_and_json_and_shown_on_a_page_without_any_other_server(client: Any) -> None:
    assert client.get("/api/v1/schema/").content.startswith(b"openapi: 3")
    assert client.get("/api/v1/schema/?format=json").json()["openapi"].startswith("3")
    page = client.get("/api/docs/")
    assert page.status_code == 200
    assert "/static/drf_spectacular_sidecar/" in page.content.decode()
    assert "cdn" not in page.content.decode().lower()
