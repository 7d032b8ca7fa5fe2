"""Requests that no client sends by intention. None of them is a fault, and each refusal says what is wrong."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from certifier.accounts.models import System, User

pytestmark = pytest.mark.django_db
V1 = "/api/v1"
BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>
<LumiRangeCollection><NamedLumiRange><Name>&c;</Name></NamedLumiRange></LumiRangeCollection>"""


@pytest.fixture
def client(chi: User, systems: dict[str, System], api: Callable[[User], APIClient]) -> APIClient:
    client = api(chi)
    run = {"run": 358031, "lumisections": 20, "started_at": "2018-08-10T20:00:00Z", "ended_at": "2018-08-10T22:00:00Z"}
    client.post(f"{V1}/runs/bulk/", {"runs": [run]}, format="json")
    client.post(f"{V1}/defects/", {"name": "LAR_HV", "system": "LAR"}, format="json")
    client.post(f"{V1}/tags/", {"name": "first"}, format="json")
    return client


def refused(answer: Any, *statuses: int) -> Any:
    assert answer.status_code in (statuses or {400}), (answer.status_code, answer.content[:500])
    assert answer["Content-Type"] == "application/json"
    return answer.json()


@pytest.mark.parametrize(
    "query",
    [
        "run__gte=1e999999",
        "run__gte=" + "9" * 5000,
        "run__lte=-1",
        "run__gte=NaN",
        "fill=2147483648",
        "fill=0x10",
        "updated_since=10000-01-01T00:00:00Z",
        "updated_since=yesterday",
        "updated_since=2018-13-45T99:99:99Z",
        "project=" + "x" * 3000,
        "page_size=10&page_size=",
        "cursor=bm9uc2Vuc2U",
    ],
)
def test_it_refuses_filters_that_mean_nothing(client: APIClient, query: str) -> None:
    said = refused(client.get(f"{V1}/runs/?{query}"))
    assert said["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-23:59"])
def test_it_survives_times_at_the_end_of_the_calendar(client: APIClient, time: str) -> None:
    answer = client.get(f"{V1}/runs/?updated_since={time}")
    assert answer.status_code in {200, 400}  # databases differ in how far their calendar reaches


@pytest.mark.parametrize(
    "facts",
    [
        {"started_at": "0001-01-01T00:00:00+14:00"},
        {"started_at": "9999-12-31T23:59:59-23:59"},
        {"started_at": 0},
        {"started_at": ""},
        {"started_at": "2018-08-10"},
        {"started_at": "2018-08-10T20:00:00"},
        {"energy_gev": 1e308},
        {"energy_gev": -1},
        {"energy_gev": True},
        {"fill": 1e3},
        {"fill": 2**31},
        {"fill": "7"},
        {"lumisections": 10**9},
        {"lumisections": "1-1000000000"},
        {"lumisections": "4-1"},
        {"lumisections": "0"},
        {"lumisections": -1},
        {"lumisections": []},
        {"attributes": []},
        {"beam": 1},
        {"beam": "x" * 21},
        {"version": 7, "nonsense": 1},
    ],
    ids=str,
)
def test_it_names_what_is_wrong_with_a_run(client: APIClient, facts: dict[str, Any]) -> None:
    answer = client.put(f"{V1}/runs/358031/", facts, format="json")
    if answer.status_code == 200:  # what a reader of the documentation may expect to work
        assert list(facts) in (["started_at"], ["fill"], ["energy_gev"])
        return
    said = refused(answer)
    assert said["errors"][0]["field"] in facts
    assert client.get(f"{V1}/runs/358031/").json()["version"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"first": 1},
        {"first": 0, "pileup": [1]},
        {"first": 100_000, "pileup": [1, 2]},
        {"first": True, "pileup": [1]},
        {"first": 1.5, "pileup": [1]},
        {"pileup": [1], "duration_s": [1, 2]},
        {"pileup": "1"},
        {"pileup": {"1": 2}},
        {"pileup": [[1]]},
        {"pileup": ["1"]},
        {"pileup": [True]},
        {"pileup": [1e300]},
        {"pileup": [-1]},
        {"pileup": [2**63 - 1]},
        {"flags": []},
        {"flags": {"stable_beams": 1}},
        {"flags": {"stable_beams": "1-1000000000"}},
        {"flags": {"": "1-2"}},
        {"flags": {"x" * 300: "1-2"}},
        {"columns": [1]},
    ],
    ids=lambda body: json.dumps(body)[:60],
)
def test_it_names_what_is_wrong_with_lumisections(client: APIClient, body: dict[str, Any]) -> None:
    said = refused(client.put(f"{V1}/runs/358031/lumisections/", body, format="json"))
    assert said["errors"][0]["message"]
    assert client.get(f"{V1}/runs/358031/").json()["version"] == 1


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 1000 + "LAR_HV" + ")" * 1000,
        "LAR_HV or " * 10_000 + "LAR_HV",
        "not " * 5000 + "LAR_HV",
        "LAR_HV and",
        "ПЛОХО",
        "NEW",
        "(" * 50_000,
    ],
    ids=lambda text: text[:20],
)
def test_it_answers_expressions_that_are_long_deep_or_wrong(client: APIClient, expression: str) -> None:
    answer = client.post(f"{V1}/defects/", {"name": "NEW", "system": "LAR", "expression": expression}, format="json")
    if answer.status_code != 201:
        assert refused(answer)["errors"][0]["field"] == "expression"
    else:
        assert client.get(f"{V1}/runs/358031/defects/?defect=NEW").status_code == 200


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"\xff\xfe\x00", "text/plain", 400),
        (b"@358031\nLAR_HV R\x00", "text/plain", 400),
        (b"@358031\nLAR_HV R 3-1", "text/plain", 400),
        (b"@99999999999999999999\nLAR_HV R", "text/plain", 400),
        (b"LAR_HV R", "text/plain", 400),
        (b"@358031\nLAR_HV G/R", "text/plain; charset=nonsense", 400),
        (b"", "text/plain", 400),
        (b"{}", "application/json", 415),
        (b"@358031\n" * 700_000, "text/plain", 413),
    ],
)
def test_it_refuses_upload_texts_that_are_none(client: APIClient, body: bytes, kind: str, status: int) -> None:
    for query in ("", "?dry_run=true"):
        refused(client.post(f"{V1}/defect-entries/upload/{query}", body, content_type=kind), status)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"", "empty.json"),
        (b"{", "half.json"),
        (b'{"1": [[1, 2]], "1": [[3, 4]]}', "twice.json"),
        (b'{"1": [[2, 1]]}', "reversed.json"),
        (b'{"1": [[0, 1]]}', "zero.json"),
        (b'{"1": [[1, 99999999999999999999]]}', "huge.json"),
        (b'{"99999999999999999999": [[1, 2]]}', "run.json"),
        (b'{"1": NaN}', "nan.json"),
        (b"[" * 100_000, "deep.json"),
        (BOMB, "bomb.xml"),
        (
            b'<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><LumiRangeCollection>&x;</LumiRangeCollection>',
            "external.xml",
        ),
        (b"<html/>", "root.xml"),
        (b"<LumiRangeCollection>", "half.xml"),
        (b"\xff\xfe\x00\x01", "binary.bin"),
        (b"\x00" * 100, "nul.json"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_it_refuses_files_that_are_no_list(client: APIClient, content: bytes, name: str) -> None:
    said = refused(
        client.post(f"{V1}/good-run-lists/import/", {"file": SimpleUploadedFile(name, content), "name": "x"})
    )
    assert said["errors"][0]["message"]
    assert client.get(f"{V1}/good-run-lists/").json()["results"] == []


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "multipart/form-data; boundary=x"),
        (b"nonsense", "multipart/form-data; boundary=x"),
        (b"nonsense", "multipart/form-data"),
        (b"--x\r\nContent-Disposition: form-data; name=file\r\n\r\n{}\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (
            b'--x\r\nContent-Disposition: form-data; name="name"\r\n\r\n\x00\r\n--x--\r\n',
            "multipart/form-data; boundary=x",
        ),
        (b"--x\r\n" * 5000, "multipart/form-data; boundary=x"),
        (b"x", "multipart/form-data; boundary=" + "x" * 500),
    ],
)
def test_it_refuses_forms_that_are_none(client: APIClient, body: bytes, kind: str) -> None:
    refused(client.post(f"{V1}/good-run-lists/import/", body, content_type=kind), 400, 415)


@cache
def addresses() -> list[str]:
    # Whatever else stands in an address is the number of a row.
    names = defaultdict(
        lambda: "1", run="358031", name="LAR_HV", a="first", b="HEAD", path="LAr/occupancy", system="LAR"
    )
    schema = SchemaGenerator().get_schema(request=None, public=True)
    return [address.format_map(names) for address in schema["paths"]]


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "DELETE", "TRACE", "PATCH", "FOO", "get"])
def test_it_answers_every_method_at_every_address(client: APIClient, method: str) -> None:
    for address in addresses():
        answer = client.generic(method, address, "", content_type="application/json")
        assert answer.status_code < 500, (method, address)


@pytest.mark.parametrize(
    "headers",
    [
        {"Cookie": "sessionid=nonsense; csrftoken=x"},
        {"Cookie": "\x01\x02=;;;==="},
        {"Authorization": "Basic Y2hpOmNoaQ=="},
        {"Authorization": "Token \u00e9"},
        {"Accept": "application/json; q=nonsense"},
        {"Accept-Language": "x" * 5000},
        {"X-Request-ID": "a b\tc"},
        {"X-HTTP-Method-Override": "DELETE"},
        {"If-Match": '"' * 500},
        {"Range": "bytes=0-"},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_it_survives_odd_headers(client: APIClient, headers: dict[str, str]) -> None:
    for address in addresses():
        answer = client.get(address, headers=headers)
        assert answer.status_code < 500, (headers, address)
    answer = client.put(f"{V1}/runs/358031/", {}, format="json", headers=headers)
    assert answer.status_code < 500
