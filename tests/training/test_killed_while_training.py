"""A worker that is killed in the middle of a training leaves nothing half, and another one begins anew."""

from __future__ import annotations

import json
import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.core.files.storage import default_storage

from certifier.celery import app
from certifier.ops import jobs
from certifier.ops.models import Job, JobState
from certifier.precert import files
from certifier.precert.models import ModelVersion, Promotion
from certifier.training import services
from certifier.training.models import Outcome, Training
from tests import cast
from tests.ops.worker_process import until, worker
from tests.training import world

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.once]
RECIPE = {"TRAINING_RECIPE": json.dumps(world.RECIPE)}


@pytest.fixture(autouse=True)
def nothing_in_the_queues(db: None) -> None:
    with app.connection_for_write() as link:
        for queue in settings.QUEUES:
            link.default_channel.queue_declare(queue=queue)
            link.default_channel.queue_purge(queue=queue)


def test_nothing_is_half_and_it_is_done_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "worker.log"
    lar = cast.make_system("LAR")
    world.season(lar)
    default_storage.delete("models/LAR/1/manifest.json")
    job = services.ask(actor=None, system=lar)
    with worker("train", log=log, **RECIPE) as first:
        until(lambda: refreshed(job).progress >= 0.05, log)
        os.killpg(first.pid, signal.SIGKILL)
    assert refreshed(job).state == JobState.RUNNING, "nobody was left to write anything else"
    assert not ModelVersion.objects.exists()
    assert not Training.objects.exists()
    assert not default_storage.exists("models/LAR/1/manifest.json")

    monkeypatch.setattr(jobs, "SILENT_AFTER", timedelta(0))
    assert jobs.sweep() == {"sent again": 1, "given up": 0}
    with worker("train", log=log, **RECIPE):
        until(lambda: refreshed(job).state == JobState.DONE, log)
    training = Training.objects.get()
    assert (job.attempt, training.job, training.outcome) == (2, job, Outcome.PROMOTED)
    assert (job.result or {})["model"] == 1
    assert Promotion.objects.get().version == training.challenger
    assert training.challenger is not None
    assert files.load(training.challenger).config.system == "LAR"


def refreshed(job: Job) -> Job:
    job.refresh_from_db()
    return job
