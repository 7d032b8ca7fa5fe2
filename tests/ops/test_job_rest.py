"""GET jobs/ and jobs/{id}/."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from certifier.accounts.models import User
from certifier.ops.models import Job, JobState

pytestmark = pytest.mark.django_db

Api = Callable[[User | None], APIClient]


@pytest.fixture
def three(chi: User) -> list[Job]:
    return [
        Job.objects.create(kind="goodruns.build", key="a", requested_by=chi, arguments={"selection": "358031"}),
        Job.objects.create(kind="goodruns.build", key="b", state=JobState.DONE, result={"lists": 1}, progress=1),
        Job.objects.create(kind="training.fit", key="c", state=JobState.FAILED, error="Traceback", message="no"),
    ]


def test_it_lists_jobs_in_pages_the_newest_first(three: list[Job], ben: User, api: Api) -> None:
    client = api(ben)
    first = client.get("/api/v1/jobs/?page_size=2").json()
    assert [job["id"] for job in first["results"]] == [three[2].pk, three[1].pk]
    second = client.get(first["next"]).json()
    assert [job["id"] for job in second["results"]] == [three[0].pk]
    assert second["next"] is None


def test_it_filters_by_state_and_kind(three: list[Job], ben: User, api: Api) -> None:
    client = api(ben)
    assert [job["key"] for job in client.get("/api/v1/jobs/?state=failed").json()["results"]] == ["c"]
    assert [job["key"] for job in client.get("/api/v1/jobs/?kind=goodruns.build").json()["results"]] == ["b", "a"]
    wrong = client.get("/api/v1/jobs/?state=asleep")
    assert wrong.status_code == 400
    assert wrong.json()["errors"][0]["field"] == "state"


def test_it_tells_all_of_one_job(three: list[Job], ben: User, api: Api) -> None:
    answer = api(ben).get(f"/api/v1/jobs/{three[0].pk}/")
    assert answer.status_code == 200
    body = answer.json()
    assert body.pop("queued_at").endswith("Z")
    assert body == {
        "id": three[0].pk,
        "kind": "goodruns.build",
        "key": "a",
        "queue": "default",
        "state": "queued",
        "trigger": "person",
        "requested_by": "chi",
        "arguments": {"selection": "358031"},
        "attempt": 0,
        "progress": 0.0,
        "message": "",
        "result": None,
        "error": "",
        "started_at": None,
        "finished_at": None,
        "acknowledged_at": None,
    }


def test_a_job_of_the_schedule_has_nobody_who_asked(three: list[Job], ben: User, api: Api) -> None:
    assert api(ben).get(f"/api/v1/jobs/{three[1].pk}/").json()["requested_by"] is None


def test_it_refuses_the_outsider_and_strangers(three: list[Job], dee: User, api: Api) -> None:
    for address in ("/api/v1/jobs/", f"/api/v1/jobs/{three[0].pk}/"):
        assert api(dee).get(address).status_code == 403
        assert api(None).get(address).status_code == 401


def test_a_job_that_does_not_exist_is_404(ben: User, api: Api) -> None:
    assert api(ben).get("/api/v1/jobs/999999/").status_code == 404
