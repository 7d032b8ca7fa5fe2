"""Every wrong fact of a run is a 400 that names the field, and nothing is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from certifier.accounts.models import User
from certifier.runs.models import Change, Run

pytestmark = pytest.mark.django_db
Api = Callable[[User | None], APIClient]

BAD: list[tuple[str, Any, str]] = [
    ("lumisections", True, "Send the number of lumisections, 0 to 100000, or ranges such as 1-728."),
    ("lumisections", -1, "Send the number of lumisections, 0 to 100000, or ranges such as 1-728."),
    ("lumisections", 10**9, "Send the number of lumisections, 0 to 100000, or ranges such as 1-728."),
    ("lumisections", 1.5, "Send the number of lumisections, 0 to 100000, or ranges such as 1-728."),
    ("lumisections", [1], "Send the number of lumisections, 0 to 100000, or ranges such as 1-728."),
    ("lumisections", "9-1", "reversed"),
    ("lumisections", "0-5", "numbered from 1"),
    ("lumisections", "-5", "negative"),
    ("lumisections", "1-1000000000", "above 100000"),
    ("lumisections", "one", "not a lumisection"),
    ("lumisections", "1-End", "'End' needs the length"),
    ("project", 5, "Send text."),
    ("project", "x" * 61, "The text has 61 characters; 60 are the most."),
    ("project", "a\nb", "cannot be printed"),
    ("period", "x" * 21, "20 are the most"),
    ("beam", ["pp"], "Send text."),
    ("fill", "7314", "Send a whole number from 0 to 2147483647."),
    ("fill", False, "Send a whole number, not false."),
    ("fill", -1, "The number must be from 0 to 2147483647."),
    ("fill", 2**31, "The number must be from 0 to 2147483647."),
    ("started_at", "yesterday", "Send an ISO 8601 time such as 2018-08-02T10:15:00Z."),
    ("started_at", 1533204900, "Send an ISO 8601 time such as 2018-08-02T10:15:00Z."),
    ("started_at", "0001-01-01T00:00:00+14:00", "outside the years 1 to 9999"),
    ("ended_at", "2018-13-02", "ISO 8601"),
    ("energy_gev", "6500", "Send a number."),
    ("energy_gev", True, "Send a number."),
    ("energy_gev", -1, "must be finite and from 0"),
    ("energy_gev", 1e16, "must be finite and from 0"),
    ("attributes", [], "Send a JSON object"),
    ("attributes", "{}", "Send a JSON object"),
    ("attributes", {"a": "x" * 100_000}, "100,000 are the most"),
    ("run", 6, "The address says run 5, the body says 6."),
    ("run", "5", "Send a whole number from 1 to 2147483647."),
    ("lumisection", 5, "There is no such field. Fields are lumisections, project, period"),
    ("last_lumisection", 5, "There is no such field."),
]


@pytest.mark.parametrize(("field", "value", "message"), BAD)
def test_it_names_the_field(api: Api, chi: User, field: str, value: Any, message: str) -> None:
    answer = api(chi).put("/api/v1/runs/5/", {"period": "A", field: value}, format="json")
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["field"] == field
    assert message in error["message"]
    assert not Run.objects.exists()
    assert not Change.objects.exists()


def test_it_names_every_field_at_once(api: Api, chi: User) -> None:
    answer = api(chi).put("/api/v1/runs/5/", {"fill": "x", "beam": 1, "colour": "red"}, format="json")
    assert [error["field"] for error in answer.json()["errors"]] == ["fill", "beam", "colour"]


def test_it_refuses_a_run_that_ends_before_it_starts(api: Api, chi: User) -> None:
    client = api(chi)
    body = {"started_at": "2018-08-27T13:00:00Z", "ended_at": "2018-08-27T12:00:00Z"}
    answer = client.put("/api/v1/runs/5/", body, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"] == [{"field": "ended_at", "message": "Run 5 would end before it starts."}]
    client.put("/api/v1/runs/5/", {"started_at": "2018-08-27T13:00:00Z"}, format="json")
    assert client.put("/api/v1/runs/5/", {"ended_at": "2018-08-27T12:59:59Z"}, format="json").status_code == 400


@pytest.mark.parametrize("number", ["0", "2147483648", "99999999999999999999"])
def test_it_refuses_a_run_number_out_of_range(api: Api, chi: User, number: str) -> None:
    answer = api(chi).put(f"/api/v1/runs/{number}/", {}, format="json")
    assert answer.status_code == 400
    assert "from 1 to 2147483647" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"period": "A", "period": "B"}', "stands twice"),
        (b'{"energy_gev": NaN}', "NaN is not JSON"),
        (b'{"energy_gev": Infinity}', "Infinity is not JSON"),
        (b'{"energy_gev": 1e999}', "too large"),
        (b'{"fill": ' + b"9" * 5000 + b"}", "too large"),
        (b'{"period": "A"', "not JSON"),
        (b'{"period": "A"} {}', "not JSON"),
        (b'{"period": "\xff"}', "not UTF-8"),
        (b'{"attributes": {"a": "\\u0000"}}', "NUL"),
        (b'{"attributes": {"a": "\\ud800"}}', "surrogate"),
        (b"[]", "must be a JSON object"),
        (b'{"attributes": ' + b'{"a":' * 1000 + b"1" + b"}" * 1001, "nested"),
    ],
)
def test_it_refuses_what_is_not_plain_json(api: Api, chi: User, body: bytes, message: str) -> None:
    answer = api(chi).put("/api/v1/runs/5/", body, content_type="application/json")
    assert answer.status_code == 400
    assert message in answer.json()["errors"][0]["message"]
    assert not Run.objects.exists()


def test_it_does_not_shorten_a_run_below_its_lumisections(api: Api, chi: User) -> None:
    client = api(chi)
    client.put("/api/v1/runs/5/", {"lumisections": 100}, format="json")
    client.put("/api/v1/runs/5/lumisections/", {"pileup": [1.0] * 40}, format="json")
    assert client.put("/api/v1/runs/5/", {"lumisections": 50}, format="json").status_code == 200
    answer = client.put("/api/v1/runs/5/", {"lumisections": 39}, format="json")
    assert answer.status_code == 400
    message = "Run 5 has data up to lumisection 40 and cannot end at 39. Send 40 or more."
    assert answer.json()["errors"] == [{"field": "lumisections", "message": message}]
    client.put("/api/v1/runs/5/lumisections/", {"flags": {"stable_beams": "3-45"}}, format="json")
    answer = client.put("/api/v1/runs/5/", {"lumisections": 44}, format="json")
    assert "up to lumisection 45" in answer.json()["errors"][0]["message"]
    assert Run.objects.get().last_lumisection == 50


@pytest.mark.parametrize(
    "query", ["run__gte=x", "run__gte=1.5", "run__lte=99999999999", "fill=-1", "updated_since=now"]
)
def test_it_refuses_filters_that_make_no_sense(api: Api, chi: User, query: str) -> None:
    answer = api(chi).get(f"/api/v1/runs/?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize("query", ["after=x", "after=-1", f"after={2**63}", "limit=0", "limit=1001", "limit=1e3"])
def test_it_refuses_feed_parameters_that_make_no_sense(api: Api, chi: User, query: str) -> None:
    answer = api(chi).get(f"/api/v1/changes/?{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == query.partition("=")[0]


def test_it_takes_the_largest_numbers_there_are(api: Api, chi: User) -> None:
    body = {"fill": 2**31 - 1, "lumisections": 100_000, "energy_gev": 1e15, "started_at": "9999-12-31T23:59:59.999999Z"}
    answer = api(chi).put(f"/api/v1/runs/{2**31 - 1}/", json.dumps(body), content_type="application/json")
    assert answer.status_code == 201
    assert {key: answer.json()[key] for key in body} == body
