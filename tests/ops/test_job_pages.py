"""The pages of background work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from certifier.accounts.models import User
from certifier.ops.heartbeats import beat
from certifier.ops.models import Job, JobState
from tests.ops import jobs_for_tests  # noqa: F401  # registers the kinds

pytestmark = pytest.mark.django_db

Page = Callable[[User | None], Client]


def make_job(state: str = JobState.QUEUED, **fields: Any) -> Job:
    fields = {"kind": "tests.count", "key": f"k{Job.objects.count()}", "arguments": {"upto": 3}, **fields}
    return Job.objects.create(state=state, **fields)


def text(client: Client, address: str, headers: dict[str, str] | None = None) -> str:
    response = client.get(address, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def test_the_list_shows_jobs_and_who_serves_the_queues(ben: User, page: Page) -> None:
    make_job(JobState.DONE, message="31 runs", requested_by=ben)
    beat("default")
    shown = text(page(ben), "/ops/jobs/")
    assert "tests.count" in shown
    assert "31 runs" in shown
    assert shown.count("not served") == 2
    assert "No worker has ever served the queue “train”. Its jobs wait." in shown


@pytest.mark.parametrize(
    ("tab", "states"),
    [
        ("", {"queued", "running", "done", "failed", "lost"}),
        ("live", {"queued", "running"}),
        ("open", {"failed", "lost"}),
        ("done", {"done"}),
        ("failed", {"failed", "lost"}),
        ("nonsense", {"queued", "running", "done", "failed", "lost"}),
    ],
)
def test_a_tab_shows_its_states(ben: User, page: Page, tab: str, states: set[str]) -> None:
    for state in JobState.values:
        make_job(state, message=f"this one is {state}")
    shown = text(page(ben), f"/ops/jobs/?state={tab}")
    assert {state for state in JobState.values if f"this one is {state}" in shown} == states


def test_a_failure_that_was_seen_is_not_open(ben: User, page: Page) -> None:
    make_job(JobState.FAILED, message="old trouble", acknowledged_at=timezone.now())
    assert "Every failure has been seen." in text(page(ben), "/ops/jobs/?state=open")


def test_the_list_refreshes_itself_alone(ben: User, page: Page) -> None:
    make_job()
    client = page(ben)
    assert 'hx-get="/ops/jobs/?state=live"' in text(client, "/ops/jobs/?state=live")
    part = text(client, "/ops/jobs/?state=live", {"HX-Request": "true", "HX-Target": "jobs"})
    assert "<html" not in part
    assert part.strip().startswith("<div")


def test_a_live_job_refreshes_itself_and_an_ended_one_does_not(ben: User, page: Page) -> None:
    job = make_job(JobState.RUNNING, progress=0.4, message="run 350479", started_at=timezone.now(), attempt=1)
    client = page(ben)
    shown = text(client, f"/ops/jobs/{job.pk}/")
    assert "every 2s" in shown
    assert "40%" in shown
    assert "run 350479" in shown
    Job.objects.filter(pk=job.pk).update(state=JobState.DONE, result={"counted": 3}, finished_at=timezone.now())
    shown = text(client, f"/ops/jobs/{job.pk}/", {"HX-Request": "true", "HX-Target": "job"})
    assert "every 2s" not in shown
    assert "&quot;counted&quot;: 3" in shown


def test_a_queued_job_says_that_nobody_serves_its_queue(ben: User, page: Page) -> None:
    job = make_job(queue="train")
    assert "No worker has ever served the queue “train”." in text(page(ben), f"/ops/jobs/{job.pk}/")
    beat("train")
    assert "No worker has ever served the queue" not in text(page(ben), f"/ops/jobs/{job.pk}/")


def test_an_error_is_shown_as_text(ben: User, page: Page) -> None:
    job = make_job(JobState.FAILED, error="<script>alert(1)</script>", message="<b>no</b>")
    shown = text(page(ben), f"/ops/jobs/{job.pk}/")
    assert "<script>alert(1)" not in shown
    assert "&lt;b&gt;no&lt;/b&gt;" in shown


def test_a_coordinator_starts_a_failed_job_again(chi: User, page: Page) -> None:
    job = make_job(JobState.FAILED, error="no")
    client = page(chi)
    assert "Start again" in text(client, f"/ops/jobs/{job.pk}/")
    response = client.post(f"/ops/jobs/{job.pk}/start-again/", follow=True)
    again = Job.objects.latest("pk")
    assert response.redirect_chain == [(f"/ops/jobs/{again.pk}/", 302)]
    assert f"asked for again, as job {again.pk}" in response.content.decode()
    assert f'href="/ops/jobs/{again.pk}/"' in text(client, f"/ops/jobs/{job.pk}/")


def test_a_coordinator_acknowledges_a_failure(chi: User, page: Page) -> None:
    job = make_job(JobState.LOST)
    client = page(chi)
    response = client.post(f"/ops/jobs/{job.pk}/acknowledge/", follow=True)
    assert "is acknowledged" in response.content.decode()
    assert "Acknowledge</button>" not in response.content.decode()


def test_a_shifter_sees_no_button_and_is_refused(ben: User, page: Page) -> None:
    job = make_job(JobState.FAILED)
    client = page(ben)
    assert "Start again" not in text(client, f"/ops/jobs/{job.pk}/")
    for address in ("start-again", "acknowledge"):
        response = client.post(f"/ops/jobs/{job.pk}/{address}/")
        assert response.status_code == 403
        assert "needs the role coordinator" in response.content.decode()


def test_starting_a_live_job_again_is_a_conflict(chi: User, page: Page) -> None:
    job = make_job(JobState.RUNNING)
    assert page(chi).post(f"/ops/jobs/{job.pk}/start-again/").status_code == 409


def test_the_outsider_is_refused_and_a_stranger_is_sent_to_sign_in(dee: User, page: Page) -> None:
    job = make_job()
    for address in ("/ops/jobs/", f"/ops/jobs/{job.pk}/"):
        assert page(dee).get(address).status_code == 403
        assert page(None).get(address).status_code == 302


def test_a_job_that_does_not_exist_is_404(ben: User, page: Page) -> None:
    assert page(ben).get("/ops/jobs/999999/").status_code == 404
    assert page(ben).get(f"/ops/jobs/{2**70}/").status_code == 404
