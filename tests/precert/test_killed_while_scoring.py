"""A worker that is killed in the middle of scoring leaves nothing half written, and another one ends its work."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings

from certifier.celery import app
from certifier.ops import jobs
from certifier.ops.models import Job, JobState
from certifier.precert.models import Finding, Scoring
from certifier.precert.tasks import find_unscored
from certifier.runs.models import Change
from tests import cast
from tests.ops.worker_process import until, worker
from tests.precert import world

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def nothing_in_the_queues(db: None) -> None:
    with app.connection_for_write() as link:
        for queue in settings.QUEUES:
            link.default_channel.queue_declare(queue=queue)
            link.default_channel.queue_purge(queue=queue)


def test_what_is_scored_is_whole_and_scored_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "worker.log"
    lar = cast.make_system("LAR")
    version = world.champion(lar)
    world.take(system=lar, lumisections=400, noise="5-9", corrupt="100-140")
    assert find_unscored() == {"waiting": 1, "started": 1}
    job = Job.objects.get()

    def fresh() -> Job:
        job.refresh_from_db()
        return job

    with worker("score", log=log) as first:
        # It has read the histograms, or is loading what a model needs: seconds, the first time.
        until(lambda: fresh().message != "", log)
        os.killpg(first.pid, signal.SIGKILL)
    assert fresh().state == JobState.RUNNING, "nobody was left to write anything else"
    assert (Scoring.objects.count(), Finding.objects.count()) == (0, 0)
    assert find_unscored() == {"waiting": 1, "started": 0}, "its job may be alive still"

    monkeypatch.setattr(jobs, "SILENT_AFTER", timedelta(0))
    assert jobs.sweep() == {"sent again": 1, "given up": 0}
    with worker("score", log=log):
        until(lambda: fresh().state == JobState.DONE, log)
    scoring = Scoring.objects.get()
    assert (job.attempt, scoring.version, scoring.last) == (2, version, 400)
    assert sum(map(len, (scoring.good, scoring.bad, scoring.unsure, scoring.unscored))) == 400
    assert sum(len(finding.lumisections) for finding in scoring.findings.all()) == len(scoring.bad | scoring.unsure)
    assert Change.objects.filter(kind="precert.scoring").count() == 1
    assert find_unscored() == {"waiting": 0, "started": 0}
