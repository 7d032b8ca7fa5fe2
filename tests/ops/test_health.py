"""The health endpoints tell the truth: of the process, of everything it needs, of a missing worker."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from kombu.connection import Connection

from certifier.celery import app
from certifier.ops.heartbeats import beat, worker_missing
from certifier.ops.models import Heartbeat
from certifier.settings import QUEUES
from tests.services import free_port

pytestmark = pytest.mark.django_db


@pytest.fixture
def all_workers() -> None:
    for queue in QUEUES:
        beat(queue)


def words(client: Client, status: int) -> dict[str, Any]:
    response = client.get("/readyz")
    assert response.status_code == status, response.json()
    checks: dict[str, Any] = response.json()["checks"]
    return checks


def test_healthz_answers_without_login_and_without_workers(client: Client) -> None:
    response = client.get("/healthz")
    assert response.status_code == 200
    assert response.json()["status"] == "good"
    assert "no-store" in response["Cache-Control"]


def test_healthz_is_503_when_the_database_does_not_answer(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(connection, "cursor", gone)
    response = client.get("/healthz")
    assert response.status_code == 503
    assert response.json()["checks"]["database"] == "The database does not answer. The log says why."


@pytest.mark.usefixtures("all_workers")
def test_readyz_names_every_check_in_words(client: Client) -> None:
    checks = words(client, 200)
    assert list(checks) == [
        "database",
        "migrations",
        "storage",
        "broker",
        "worker:default",
        "worker:score",
        "worker:train",
    ]
    assert all(check["status"] == "good" and check["words"].endswith(".") for check in checks.values())


@pytest.mark.usefixtures("all_workers")
def test_readyz_is_503_when_one_queue_has_lost_its_worker(client: Client) -> None:
    Heartbeat.objects.filter(name="worker:train").update(at=timezone.now() - timedelta(minutes=3))
    checks = words(client, 503)
    assert checks["worker:train"]["status"] == "bad"
    heard = "Nothing has been heard from a worker of the queue “train” for 0:03:"
    assert checks["worker:train"]["words"].startswith(heard)
    assert checks["worker:default"]["status"] == "good"


def test_readyz_is_503_when_there_has_never_been_a_worker(client: Client) -> None:
    checks = words(client, 503)
    assert checks["worker:score"]["words"] == "No worker has ever served the queue “score”."


@pytest.mark.usefixtures("all_workers")
def test_readyz_is_503_when_files_cannot_be_stored(client: Client, settings: Any, tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    settings.MEDIA_ROOT = in_the_way
    assert words(client, 503)["storage"]["words"] == "Files cannot be stored. The log says why."


@pytest.mark.usefixtures("all_workers")
def test_readyz_is_503_when_the_broker_does_not_answer(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = f"redis://127.0.0.1:{free_port()}/0"
    monkeypatch.setattr(app, "connection_for_write", lambda **options: Connection(nobody, **options))
    assert words(client, 503)["broker"]["words"].endswith("does not answer. The log says why.")


@pytest.mark.usefixtures("all_workers")
def test_readyz_is_503_when_a_migration_is_not_applied(client: Client) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'ops'")
    assert "not applied: run manage.py migrate" in words(client, 503)["migrations"]["words"]


@pytest.mark.usefixtures("all_workers")
def test_the_banner_knows_which_queues_are_not_served() -> None:
    assert worker_missing() == []
    Heartbeat.objects.filter(name="worker:default").delete()
    assert worker_missing() == ["default"]
