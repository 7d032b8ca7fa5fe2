"""Every wrong column or flag is a 400 that names column and index, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from certifier.accounts.models import User
from certifier.runs.models import Change, ConditionFlag, Lumisection, Run

pytestmark = pytest.mark.django_db
Api = Callable[[User | None], APIClient]
NUMBERS = "Send a finite number from 0 to 1e+15, or null where it is not known."

BAD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"pileup": [1, True]}, {"index": 1, "field": "pileup", "message": NUMBERS}),
    ({"pileup": [1, "2"]}, {"index": 1, "field": "pileup", "message": NUMBERS}),
    ({"pileup": [[1]]}, {"index": 0, "field": "pileup", "message": NUMBERS}),
    ({"duration_s": [1, 2, -0.5]}, {"index": 2, "field": "duration_s", "message": NUMBERS}),
    ({"duration_s": [None, -1]}, {"index": 1, "field": "duration_s", "message": NUMBERS}),
    ({"recorded_inv_nb": [1e16]}, {"index": 0, "field": "recorded_inv_nb", "message": NUMBERS}),
    ({"recorded_inv_nb": [10**18]}, {"index": 0, "field": "recorded_inv_nb", "message": NUMBERS}),
    ({"pileup": 5}, {"field": "pileup", "message": "Send a list of numbers, null where one is not known."}),
    ({"pileup": None}, {"field": "pileup", "message": "Send a list of numbers, null where one is not known."}),
    (
        {"pileup": [1], "duration_s": [1, 2]},
        {
            "field": "duration_s",
            "message": "duration_s has 2 values and pileup has 1. All columns must have the same length.",
        },
    ),
    ({"first": 0, "pileup": [1]}, {"field": "first", "message": "Send the number of a lumisection, 1 to 100000."}),
    ({"first": -3, "pileup": [1]}, {"field": "first", "message": "Send the number of a lumisection, 1 to 100000."}),
    ({"first": True, "pileup": [1]}, {"field": "first", "message": "Send the number of a lumisection, 1 to 100000."}),
    ({"first": "1", "pileup": [1]}, {"field": "first", "message": "Send the number of a lumisection, 1 to 100000."}),
    ({"first": 10**9, "pileup": [1]}, {"field": "first", "message": "Send the number of a lumisection, 1 to 100000."}),
    (
        {"first": 100_000, "pileup": [1, 2]},
        {"field": "pileup", "message": "The columns would reach lumisection 100001; 100000 is the largest."},
    ),
    ({"pile_up": [1]}, {"field": "pile_up", "message": "There is no such column."}),
    ({"started_at": ["noon"]}, {"index": 0, "field": "started_at", "message": "ISO 8601"}),
    ({"started_at": "noon"}, {"field": "started_at", "message": "Send a list of times"}),
    ({"flags": []}, {"field": "flags", "message": "Send an object of flags"}),
    ({"flags": None}, {"field": "flags", "message": "Send an object of flags"}),
    ({"flags": {"a": "1-11"}}, {"field": "flags.a", "message": "beyond the end; the last lumisection is 10"}),
    ({"flags": {"a": "5-2"}}, {"field": "flags.a", "message": "reversed"}),
    ({"flags": {"a": "0"}}, {"field": "flags.a", "message": "numbered from 1"}),
    ({"flags": {"a": [1, 2]}}, {"field": "flags.a", "message": "Send ranges of lumisections as text"}),
    ({"flags": {"a": True}}, {"field": "flags.a", "message": "Send ranges of lumisections as text"}),
    ({"flags": {"": "1"}}, {"field": "flags.", "message": "A flag needs a name."}),
    ({"flags": {"x" * 61: "1"}}, {"field": "flags." + "x" * 61, "message": "60 are the most"}),
    ({}, {"message": "Nothing to write"}),
    ({"first": 1}, {"message": "Nothing to write"}),
]


@pytest.mark.parametrize(("body", "expected"), BAD)
def test_it_names_column_and_index(api: Api, chi: User, body: dict[str, Any], expected: dict[str, Any]) -> None:
    client = api(chi)
    client.put("/api/v1/runs/5/", {"lumisections": 10}, format="json")
    answer = client.put("/api/v1/runs/5/lumisections/", body, format="json")
    assert answer.status_code == 400
    error = answer.json()["errors"][0]
    message = expected.pop("message")
    assert message in error.pop("message")
    assert error == expected
    assert not Lumisection.objects.exists()
    assert not ConditionFlag.objects.exists()
    assert Run.objects.get().version == 1
    assert Change.objects.count() == 1


def test_it_names_all_wrong_values_of_a_column(api: Api, chi: User) -> None:
    client = api(chi)
    client.put("/api/v1/runs/5/", {}, format="json")
    answer = client.put("/api/v1/runs/5/lumisections/", {"pileup": [1, -1, None, -2]}, format="json")
    assert [error["index"] for error in answer.json()["errors"]] == [1, 3]
    answer = client.put("/api/v1/runs/5/lumisections/", {"pileup": ["x"] * 1000}, format="json")
    assert len(answer.json()["errors"]) == 100


def test_it_writes_no_column_when_a_flag_is_wrong(api: Api, chi: User) -> None:
    client = api(chi)
    client.put("/api/v1/runs/5/", {}, format="json")
    answer = client.put("/api/v1/runs/5/lumisections/", {"pileup": [1], "flags": {"a": "7"}}, format="json")
    assert answer.status_code == 400
    assert not Lumisection.objects.exists()


def test_it_refuses_a_body_that_is_too_large(api: Api, chi: User) -> None:
    client = api(chi)
    client.put("/api/v1/runs/5/", {}, format="json")
    body = b'{"pileup": [' + b" " * 50_000_000 + b"1]}"
    answer = client.put("/api/v1/runs/5/lumisections/", body, content_type="application/json")
    assert answer.status_code == 413
    assert "Split it" in answer.json()["detail"]
