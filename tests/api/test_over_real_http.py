"""What only shows over a socket: bodies that are too large or of unknown length, hosts, connections that stay open."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.api.server import Server, serving

pytestmark = pytest.mark.django_db  # not for the test database: so that it runs on PostgreSQL too
SYSTEMS = "/api/v1/systems/"
MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("server")
    with serving(folder) as running:
        yield running


@pytest.fixture(scope="module")
def headers(server: Server) -> dict[str, str]:
    server.manage("add_user", "chi", "--role", "coordinator")
    return {"Authorization": f"Token {server.manage('create_token', 'chi').strip()}"}


@pytest.fixture
def connection(server: Server) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection(server.address.removeprefix("http://"), timeout=60)
    yield connection
    connection.close()


def answer(connection: http.client.HTTPConnection, method: str, path: str, **more: Any) -> tuple[int, Any]:
    connection.request(method, path, **more)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("defect-entries/upload/", "text/plain"),
        ("runs/bulk/", "application/json"),
        ("good-run-lists/import/", "multipart/form-data; boundary=x"),
    ],
)
def test_it_answers_413_to_a_body_of_50_megabytes(
    connection: http.client.HTTPConnection, headers: dict[str, str], path: str, kind: str
) -> None:
    body = b"@358031\n" * (50 * MEGABYTE // 8)
    status, said = answer(connection, "POST", f"/api/v1/{path}", body=body, headers={**headers, "Content-Type": kind})
    assert status == 413
    assert "Split it" in said["detail"]
    # The connection was not torn: the next request on it is answered.
    assert answer(connection, "GET", SYSTEMS, headers=headers)[0] == 200


def test_it_refuses_a_chunked_body_rather_than_taking_it_for_none(
    connection: http.client.HTTPConnection, headers: dict[str, str]
) -> None:
    status, said = answer(
        connection,
        "POST",
        SYSTEMS,
        body=iter([b'{"code": "LAR"}']),
        headers={**headers, "Content-Type": "application/json"},
    )
    assert (status, "Content-Length" in said["detail"]) == (411, True)


def test_it_answers_json_to_a_host_it_does_not_serve(
    connection: http.client.HTTPConnection, headers: dict[str, str]
) -> None:
    status, said = answer(connection, "GET", SYSTEMS, headers={**headers, "Host": "evil.example"})
    assert (status, list(said)) == (400, ["errors"])


def test_it_keeps_a_connection_open_over_many_requests(
    connection: http.client.HTTPConnection, headers: dict[str, str]
) -> None:
    answer(connection, "GET", SYSTEMS, headers=headers)
    socket = connection.sock
    for _ in range(20):
        assert answer(connection, "GET", SYSTEMS, headers=headers)[0] == 200
    assert connection.sock is socket
