"""Columns of lumisections in and out: growth, gaps, what stays, what is taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from certifier.accounts.models import User
from certifier.audit.models import AuditEvent
from certifier.runs.models import Change, Lumisection, Run

pytestmark = pytest.mark.django_db
Api = Callable[[User | None], APIClient]
NOTHING: dict[str, Any] = {
    "first": 1,
    "duration_s": [],
    "delivered_inv_nb": [],
    "recorded_inv_nb": [],
    "pileup": [],
    "flags": {},
}


@pytest.fixture
def client(api: Api, chi: User) -> APIClient:
    client = api(chi)
    client.put("/api/v1/runs/5/", {}, format="json")
    return client


def put(client: APIClient, body: dict[str, Any], run: int = 5, if_match: str = "*") -> Any:
    path = f"/api/v1/runs/{run}/lumisections/"
    return client.put(path, body, format="json", headers={"If-Match": if_match})


def get(client: APIClient, run: int = 5) -> Any:
    return client.get(f"/api/v1/runs/{run}/lumisections/").json()


def test_it_gives_back_what_was_sent(client: APIClient) -> None:
    body = {
        "first": 1,
        "duration_s": [23.31, 23.31, 11.5],
        "delivered_inv_nb": [0.1, 1e-300, 12345.678901234567],
        "recorded_inv_nb": [0, None, 12000],
        "pileup": [None, None, None],
        "flags": {"stable_beams": "2-3", "detector_ready": ""},
    }
    answer = put(client, body)
    assert answer.status_code == 200
    assert answer.json() == {
        "run": 5,
        "lumisections": 3,
        "version": 2,
        "changed": "1-3",
        "changed_flags": ["detector_ready", "stable_beams"],
    }
    assert answer["ETag"] == '"2"'
    assert get(client) == body
    rows = Lumisection.objects.order_by("number").values_list("number", "delivered_inv_nb", "recorded_inv_nb", "pileup")
    assert list(rows) == [(1, 0.1, 0, None), (2, 1e-300, None, None), (3, 12345.678901234567, 12000, None)]


def test_it_has_empty_columns_before_anything_is_known(client: APIClient) -> None:
    assert get(client) == NOTHING
    assert put(client, NOTHING).json()["version"] == 1


def test_it_leaves_equal_data_without_a_trace(client: APIClient) -> None:
    body = {"duration_s": [23.31, None], "pileup": [1, 2], "flags": {"stable_beams": "1-2"}}
    put(client, body)
    before = (
        Run.objects.get().version,
        Run.objects.get().updated_at,
        Change.objects.count(),
        AuditEvent.objects.count(),
    )
    answer = put(client, {**body, "flags": {"stable_beams": "1 2"}}).json()
    assert (answer["changed"], answer["changed_flags"], answer["version"]) == ("", [], 2)
    after = (
        Run.objects.get().version,
        Run.objects.get().updated_at,
        Change.objects.count(),
        AuditEvent.objects.count(),
    )
    assert after == before


def test_it_keeps_columns_and_flags_that_are_left_out(client: APIClient) -> None:
    put(client, {"duration_s": [1, 2], "pileup": [5, 6], "flags": {"a": "1", "b": "2"}})
    put(client, {"pileup": [7, 8], "flags": {"b": "1-2"}})
    assert get(client) == {
        **NOTHING,
        "duration_s": [1, 2],
        "delivered_inv_nb": [None, None],
        "recorded_inv_nb": [None, None],
        "pileup": [7, 8],
        "flags": {"a": "1", "b": "1-2"},
    }


def test_it_takes_back_a_value_by_null_and_a_flag_by_null(client: APIClient) -> None:
    put(client, {"pileup": [5, 6], "flags": {"a": "1", "b": "2"}})
    answer = put(client, {"pileup": [5, None], "flags": {"a": None, "c": None}}).json()
    assert (answer["changed"], answer["changed_flags"]) == ("2", ["a"])
    assert (get(client)["pileup"], get(client)["flags"]) == ([5, None], {"b": "2"})


def test_it_says_which_lumisections_changed(client: APIClient) -> None:
    put(client, {"pileup": [1, 2, 3, 4, 5], "duration_s": [1, 1, 1, 1, 1]})
    answer = put(client, {"first": 2, "pileup": [2, 9, 4, 5, 6, 7], "duration_s": [1, 1, 2, 1, 1, 1]}).json()
    assert answer["changed"] == "3-4 6-7"
    change = Change.objects.order_by("-sequence")[0]
    assert (change.kind, change.run) == ("runs.lumisections", 5)
    assert change.data == {"lumisections": "3-4 6-7", "columns": ["pileup", "duration_s"], "flags": [], "version": 3}


def test_it_lets_the_run_grow(client: APIClient) -> None:
    put(client, {"pileup": [1, 2]})
    assert put(client, {"first": 3, "pileup": [3]}).json()["lumisections"] == 3
    assert client.get("/api/v1/runs/5/").json()["lumisections"] == 3
    assert get(client)["pileup"] == [1, 2, 3]


def test_it_fills_a_gap_with_lumisections_of_which_nothing_is_known(client: APIClient) -> None:
    put(client, {"pileup": [1]})
    answer = put(client, {"first": 4, "pileup": [4, 5]}).json()
    assert (answer["changed"], answer["lumisections"]) == ("2-5", 5)
    assert get(client)["pileup"] == [1, None, None, 4, 5]
    assert list(Lumisection.objects.order_by("number").values_list("number", flat=True)) == [1, 2, 3, 4, 5]


def test_it_does_not_shorten_a_run_that_is_longer(client: APIClient) -> None:
    client.put("/api/v1/runs/5/", {"lumisections": 728}, format="json")
    assert put(client, {"pileup": [1, 2], "flags": {"stable_beams": "1-End"}}).json()["lumisections"] == 728
    assert get(client)["flags"] == {"stable_beams": "1-728"}
    assert len(get(client)["pileup"]) == 2


def test_it_stores_when_lumisections_began(client: APIClient) -> None:
    put(client, {"pileup": [1, 2]})
    times = ["2018-08-27T10:00:00Z", None, "2018-08-27T12:00:46.620000+02:00"]
    assert put(client, {"started_at": times}).json()["changed"] == "1 3"
    assert get(client)["started_at"] == ["2018-08-27T10:00:00Z", None, "2018-08-27T10:00:46.620000Z"]
    assert put(client, get(client)).json()["changed"] == ""
    assert put(client, {"first": 3, "started_at": [None, "2018-08-27T10:01:10Z"]}).json()["changed"] == "3-4"
    assert get(client)["started_at"] == ["2018-08-27T10:00:00Z", None, None, "2018-08-27T10:01:10Z"]
    assert get(client)["pileup"] == [1, 2, None, None]


def test_it_answers_404_for_a_run_that_does_not_exist(client: APIClient) -> None:
    for run in (6, 0, 2**31, 10**25):
        answer = put(client, {"pileup": [1]}, run=run)
        assert answer.status_code == 404
        assert f"There is no run {run}." in answer.json()["detail"]
        assert client.get(f"/api/v1/runs/{run}/lumisections/").status_code == 404


def test_it_refuses_a_stale_version(client: APIClient) -> None:
    put(client, {"pileup": [1]})
    assert put(client, {"pileup": [2]}, if_match='"1"').status_code == 412
    assert get(client)["pileup"] == [1]
    assert put(client, {"pileup": [2]}, if_match='"2"').status_code == 200


def test_it_takes_the_longest_run_there_can_be(client: APIClient) -> None:
    assert put(client, {"first": 100_000, "pileup": [1]}).json()["lumisections"] == 100_000
    assert Lumisection.objects.count() == 100_000
