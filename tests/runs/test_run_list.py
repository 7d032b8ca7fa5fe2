"""GET runs/: filters and pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from rest_framework.test import APIClient

from certifier.accounts.models import User
from certifier.runs import services
from certifier.runs.models import Run

pytestmark = pytest.mark.django_db
Api = Callable[[User | None], APIClient]


@pytest.fixture
def client(api: Api, ben: User) -> APIClient:
    services.put_runs(
        actor=None,
        runs=[
            {"run": 10, "project": "data18", "period": "A", "fill": 1, "beam": "pp"},
            {"run": 20, "project": "data18", "period": "B", "fill": 1, "beam": "HI"},
            {"run": 30, "project": "data22", "period": "A", "fill": 2, "beam": "pp"},
        ],
    )
    return api(ben)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", [10, 20, 30]),
        ("run__gte=20", [20, 30]),
        ("run__lte=20", [10, 20]),
        ("run__gte=11&run__lte=29", [20]),
        ("period=A", [10, 30]),
        ("project=data18", [10, 20]),
        ("fill=1", [10, 20]),
        ("beam=HI", [20]),
        ("beam=hi", []),
        ("period=A&project=data22", [30]),
        ("period=", [10, 20, 30]),
        ("period=%00", None),
    ],
)
def test_it_filters(client: APIClient, query: str, expected: list[int] | None) -> None:
    answer = client.get(f"/api/v1/runs/?{query}")
    if expected is None:
        assert answer.status_code == 400
    else:
        assert [run["run"] for run in answer.json()["results"]] == expected


def test_it_finds_what_was_updated_since(client: APIClient) -> None:
    moment = Run.objects.get(number=30).updated_at
    services.put_lumisections(actor=None, run=20, columns={"pileup": [1]})
    since = (moment + timedelta(microseconds=1)).isoformat().replace("+00:00", "Z")
    assert [run["run"] for run in client.get("/api/v1/runs/", {"updated_since": since}).json()["results"]] == [20]


def test_it_answers_in_pages_that_new_runs_do_not_shift(client: APIClient) -> None:
    first = client.get("/api/v1/runs/?page_size=2").json()
    assert [run["run"] for run in first["results"]] == [10, 20]
    assert first["previous"] is None
    services.put_runs(actor=None, runs=[{"run": 5}, {"run": 25}])
    second = client.get(first["next"]).json()
    assert [run["run"] for run in second["results"]] == [25, 30]
    assert second["next"] is None


def test_it_gives_whole_runs(client: APIClient) -> None:
    (run,) = client.get("/api/v1/runs/?run__gte=30").json()["results"]
    assert run == client.get("/api/v1/runs/30/").json()
