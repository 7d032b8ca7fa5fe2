"""POST runs/bulk/: many runs, all or none."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from certifier.accounts.models import User
from certifier.audit.models import AuditEvent
from certifier.runs import services
from certifier.runs.models import Change, Run

pytestmark = pytest.mark.django_db
Api = Callable[[User | None], APIClient]


def post(client: APIClient, runs: Any, **other: Any) -> Any:
    return client.post("/api/v1/runs/bulk/", {"runs": runs, **other}, format="json")


def test_it_counts_created_updated_and_unchanged(api: Api, chi: User) -> None:
    client = api(chi)
    answer = post(client, [{"run": 3, "fill": 1}, {"run": 1}, {"run": 2, "period": "A"}])
    assert (answer.status_code, answer.json()) == (200, {"created": 3, "updated": 0, "unchanged": 0})
    answer = post(client, [{"run": 1}, {"run": 2, "period": "B"}, {"run": 4}, {"run": 3, "fill": 1}])
    assert answer.json() == {"created": 1, "updated": 1, "unchanged": 2}
    assert dict(Run.objects.values_list("number", "version")) == {1: 1, 2: 2, 3: 1, 4: 1}
    assert list(Run.objects.order_by("number").values_list("period", flat=True)) == ["", "B", "", ""]


def test_it_keeps_what_a_run_had_when_others_change(api: Api, chi: User) -> None:
    """One statement writes all rows, each with its own values."""
    client = api(chi)
    runs: list[dict[str, Any]] = [
        {"run": number, "fill": 7000 + number, "lumisections": number, "attributes": {"n": number}}
        for number in range(1, 200)
    ]
    post(client, runs)
    for run in runs:
        run["project"] = f"project {run['run']}"
    assert post(client, runs).json() == {"created": 0, "updated": 199, "unchanged": 0}
    for row in Run.objects.all():
        assert (row.fill, row.last_lumisection, row.attributes) == (7000 + row.number, row.number, {"n": row.number})
        assert (row.project, row.version) == (f"project {row.number}", 2)


def test_it_announces_each_changed_run_and_audits_once(api: Api, chi: User) -> None:
    client = api(chi)
    post(client, [{"run": 1}, {"run": 2}])
    post(client, [{"run": 1}, {"run": 2, "fill": 5}, {"run": 3}])
    changes = Change.objects.order_by("sequence").values_list("sequence", "kind", "run", "data__outcome")
    assert list(changes) == [
        (1, "runs.run", 1, "created"),
        (2, "runs.run", 2, "created"),
        (3, "runs.run", 2, "updated"),
        (4, "runs.run", 3, "created"),
    ]
    events = AuditEvent.objects.filter(code="runs.put_runs").order_by("id")
    assert [event.data for event in events] == [{"created": "1-2", "updated": ""}, {"created": "3", "updated": "2"}]


def test_it_writes_nothing_when_one_run_is_wrong(api: Api, chi: User) -> None:
    client = api(chi)
    post(client, [{"run": 1, "fill": 1}])
    answer = post(client, [{"run": 1, "fill": 2}, {"run": 2, "fill": "x"}, {"fill": 3}, 7, {"run": 2}])
    assert answer.status_code == 400
    errors = answer.json()["errors"]
    assert [(error["index"], error.get("field")) for error in errors] == [(1, "fill"), (2, "run"), (3, None)]
    assert Run.objects.get().fill == 1


def test_it_refuses_a_run_that_stands_there_twice(api: Api, chi: User) -> None:
    answer = post(api(chi), [{"run": 1}, {"run": 2}, {"run": 1}])
    assert answer.status_code == 400
    message = "Run 1 stands at index 0 already. Send each run once."
    assert answer.json()["errors"] == [{"index": 2, "field": "run", "message": message}]
    assert not Run.objects.exists()


def test_it_names_the_place_of_what_only_the_database_knows(api: Api, chi: User) -> None:
    client = api(chi)
    post(client, [{"run": 1, "lumisections": 9}, {"run": 2, "lumisections": 9}])
    client.put("/api/v1/runs/2/lumisections/", {"pileup": [1, 2, 3]}, format="json")
    late = {"run": 3, "started_at": "2020-01-02T00:00:00Z", "ended_at": "2020-01-01T00:00:00Z"}
    errors = post(client, [{"run": 1, "lumisections": 2}, {"run": 2, "lumisections": 2}, late]).json()["errors"]
    assert sorted((error["index"], error["field"]) for error in errors) == [(1, "lumisections"), (2, "ended_at")]
    assert Run.objects.get(number=1).last_lumisection == 9


@pytest.mark.parametrize(
    ("body", "field"), [({}, "runs"), ({"runs": {}}, "runs"), ({"runs": None}, "runs"), ({"runs": [], "dry": 1}, "dry")]
)
def test_it_refuses_a_body_that_is_no_list_of_runs(api: Api, chi: User, body: dict[str, Any], field: str) -> None:
    answer = api(chi).post("/api/v1/runs/bulk/", body, format="json")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == field


def test_it_takes_an_empty_list(api: Api, chi: User) -> None:
    assert post(api(chi), []).json() == {"created": 0, "updated": 0, "unchanged": 0}
    assert not AuditEvent.objects.filter(code__startswith="runs.").exists()


def test_it_refuses_more_runs_than_one_request_may_carry(api: Api, chi: User) -> None:
    answer = post(api(chi), [{"run": 1}] * (services.MOST_RUNS + 1))
    assert answer.status_code == 413
    assert "Send 10,000 at a time." in answer.json()["detail"]


def test_it_answers_many_errors_with_the_first_hundred(api: Api, chi: User) -> None:
    answer = post(api(chi), [{"run": -1}] * 500)
    assert len(answer.json()["errors"]) == 100


def test_it_puts_fifteen_hundred_runs_within_two_seconds(api: Api, chi: User) -> None:
    client = api(chi)
    runs: list[dict[str, Any]] = [
        {
            "run": 400_000 + number,
            "lumisections": 1000,
            "project": "data26",
            "fill": 7000 + number // 5,
            "started_at": "2026-05-01T10:00:00Z",
            "attributes": {"hlt_key": "/cdaq/physics/Run2026/2e34/v1.1.1/HLT/V2", "l1_triggers": number * 1000},
        }
        for number in range(1500)
    ]
    for changing in ({}, {"period": "B"}, {}):
        for run in runs:
            run |= changing  # noqa: PLW2901
        began = time.process_time()
        answer = post(client, runs)
        # Processor time: what else runs on the machine is not the program's doing.
        assert time.process_time() - began < 2
        assert sum(answer.json().values()) == 1500
