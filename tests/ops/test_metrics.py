"""/metrics: who may read it, and that its figures are those of the database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from certifier.ops.heartbeats import beat
from certifier.ops.models import Job, JobState

pytestmark = pytest.mark.django_db


def figures(client: Client, **headers: Any) -> dict[str, float]:
    response = client.get("/metrics", **headers)
    assert response.status_code == 200
    lines = [line for line in response.content.decode().splitlines() if line and not line.startswith("#")]
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines}


def test_it_shows_jobs_queues_and_workers(client: Client) -> None:
    Job.objects.create(kind="k", key="1", state=JobState.FAILED)
    waiting = Job.objects.create(kind="k", key="2", queue="train")
    Job.objects.filter(pk=waiting.pk).update(queued_at=timezone.now() - timedelta(minutes=10))
    beat("default")
    shown = figures(client)
    assert shown['certifier_jobs{state="failed"}'] == 1
    assert shown['certifier_jobs{state="queued"}'] == 1
    assert shown['certifier_jobs{state="done"}'] == 0
    assert 600 <= shown['certifier_queue_age_seconds{queue="train"}'] < 660
    assert shown['certifier_queue_age_seconds{queue="default"}'] == 0
    assert 0 <= shown['certifier_heartbeat_age_seconds{queue="default"}'] < 60
    assert shown['certifier_heartbeat_age_seconds{queue="train"}'] == float("inf")


def test_it_shows_the_size_of_the_world(client: Client, make_run: Callable[..., Any]) -> None:
    make_run(350479, lumisections=728)
    make_run(350480, lumisections=100)
    shown = figures(client)
    assert shown["certifier_runs"] == 2
    assert shown["certifier_lumisections"] == 828
    assert shown["certifier_defect_entries"] == 0


def test_it_counts_requests_by_the_name_of_their_route(client: Client) -> None:
    key = 'certifier_requests_total{method="GET",route="healthz",status="200"}'
    before = figures(client).get(key, 0)
    client.get("/healthz")
    client.get("/no-such-page/350479/")
    shown = figures(client)
    assert shown[key] == before + 1
    assert not any("350479" in name for name in shown)


def test_without_a_key_it_answers_to_this_machine_only(client: Client) -> None:
    assert client.get("/metrics", REMOTE_ADDR="127.0.0.1").status_code == 200
    assert client.get("/metrics", REMOTE_ADDR="192.0.2.7").status_code == 403
    assert client.get("/metrics", REMOTE_ADDR="127.0.0.1", headers={"x-forwarded-for": "192.0.2.7"}).status_code == 403


def test_with_a_key_it_answers_to_the_key_only(client: Client, settings: Any) -> None:
    settings.METRICS_KEY = "open sesame"
    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", headers={"authorization": "Bearer wrong"}).status_code == 403
    answer = client.get("/metrics", REMOTE_ADDR="192.0.2.7", headers={"authorization": "Bearer open sesame"})
    assert answer.status_code == 200
