"""Jobs in real worker processes: done, failed, killed in the middle and found again.

The suite runs with the folder broker on SQLite, and with Redis on PostgreSQL: both ways an installation is built.
"""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from pytest_django.fixtures import SettingsWrapper

from certifier.celery import app
from certifier.ops import heartbeats, jobs
from certifier.ops.models import Job, JobState
from tests.ops import jobs_for_tests  # noqa: F401  # registers the kinds here too
from tests.ops.worker_process import until, worker

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def nothing_in_the_queues(db: None) -> None:
    with app.connection_for_write() as link:
        for queue in settings.QUEUES:
            link.default_channel.queue_declare(queue=queue)
            link.default_channel.queue_purge(queue=queue)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "worker.log"


def fresh(job: Job) -> Job:
    job.refresh_from_db()
    return job


def test_it_does_a_job_and_keeps_progress_and_result(log: Path) -> None:
    with worker("default", log=log):
        job = jobs.start("tests.count", key="count", arguments={"upto": 5})
        until(lambda: fresh(job).state == JobState.DONE, log)
    assert job.result == {"counted": 5}
    assert (job.attempt, job.progress, job.error) == (1, 1.0, "")
    assert job.started_at is not None
    assert job.finished_at is not None


def test_it_records_a_failure_with_its_words(log: Path) -> None:
    with worker("default", log=log):
        job = jobs.start("tests.fail", key="fail", arguments={"words": "run 350479 has no lumisections"})
        until(lambda: fresh(job).state == JobState.FAILED, log)
    assert job.message == "run 350479 has no lumisections"
    assert "ValueError: run 350479 has no lumisections" in job.error
    assert job.progress == 0.5


def test_it_finds_a_killed_workers_job_and_a_second_worker_ends_it(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "lines"
    arguments = {"path": str(target), "first_stops_at": 3, "lines": 6}
    with worker("default", log=log) as first:
        job = jobs.start("tests.write_lines", key="lines", arguments=arguments)
        until(lambda: fresh(job).message == "waiting to be killed", log)
        os.killpg(first.pid, signal.SIGKILL)
    assert fresh(job).state == JobState.RUNNING, "nobody was left to write anything else"
    assert jobs.sweep() == {"sent again": 0, "given up": 0}, "it may be alive still"

    monkeypatch.setattr(jobs, "SILENT_AFTER", timedelta(0))
    assert jobs.sweep() == {"sent again": 1, "given up": 0}
    assert fresh(job).state == JobState.QUEUED
    with worker("default", log=log):
        until(lambda: fresh(job).state == JobState.DONE, log)
    assert target.read_text().split() == ["0", "1", "2", "3", "4", "5"]
    assert job.result == {"attempt": 2}


def test_a_process_that_the_kernel_ends_for_its_memory_costs_an_attempt_and_not_the_worker(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = {"path": str(tmp_path / "lines"), "first_stops_at": 1, "lines": 2}
    with worker("default", log=log) as parent:
        job = jobs.start("tests.write_lines", key="lines", arguments=arguments)
        until(lambda: fresh(job).message == "waiting to be killed", log)
        (child,) = Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGKILL)
        # Celery delivers the message again; the row is not queued, so nobody does the work beside the sweep.
        until(lambda: "is not queued any more" in log.read_text(), log)
        assert fresh(job).state == JobState.RUNNING
        monkeypatch.setattr(jobs, "SILENT_AFTER", timedelta(0))
        assert jobs.sweep() == {"sent again": 1, "given up": 0}
        until(lambda: fresh(job).state == JobState.DONE, log)
        assert parent.poll() is None
    assert (job.attempt, (tmp_path / "lines").read_text().split()) == (2, ["0", "1"])


def test_its_heartbeats_name_the_queues_it_serves_and_no_others(log: Path) -> None:
    with worker("score", log=log):
        until(lambda: "score" in heartbeats.newest_heartbeats(), log)
        started = heartbeats.newest_heartbeats()["score"]
        for queue in settings.QUEUES:
            app.send_task("ops.heartbeat", queue=queue)
        until(lambda: heartbeats.newest_heartbeats()["score"] > started, log)
    assert set(heartbeats.newest_heartbeats()) == {"score"}
    assert heartbeats.worker_missing() == ["default", "train"]


def test_a_message_goes_to_one_queue_only(log: Path) -> None:
    job = jobs.start("tests.sleep", key="sleep", arguments={"seconds": 0})
    with worker("default", "score", log=log):
        until(lambda: {"default", "score"} <= set(heartbeats.newest_heartbeats()), log)
        other = jobs.start("tests.count", key="count", arguments={"upto": 1})
        until(lambda: fresh(other).state == JobState.DONE, log)
        assert fresh(job).state == JobState.QUEUED
    with worker("train", log=log):
        until(lambda: fresh(job).state == JobState.DONE, log)


def test_a_job_that_takes_too_long_is_stopped_and_says_so(log: Path, settings: SettingsWrapper) -> None:
    jobs.start("tests.sleep", key="sent before", arguments={"seconds": 0})
    # A message carries the limit of whoever sent it; on a busy machine the job needs a second or two to begin at all.
    settings.CELERY_TASK_SOFT_TIME_LIMIT = 6
    with worker("train", log=log, JOB_TIME_LIMIT_S="6"):
        job = jobs.start("tests.sleep", key="sleep", arguments={"seconds": 600})
        until(lambda: fresh(job).state == JobState.FAILED, log)
        assert job.message.startswith("It was stopped after 0:00:06, the most a job may take.")
        # The worker is none the worse for it.
        other = jobs.start("tests.sleep", key="short", arguments={"seconds": 0})
        until(lambda: fresh(other).state == JobState.DONE, log)


def test_a_long_silent_job_says_that_it_lives(log: Path) -> None:
    with worker("train", log=log):
        until(lambda: "train" in heartbeats.newest_heartbeats(), log)
        job = jobs.start("tests.sleep", key="sleep", arguments={"seconds": jobs.SIGN_OF_LIFE_EVERY_S + 3})
        until(lambda: fresh(job).state == JobState.RUNNING, log)
        assert job.started_at is not None
        began = job.started_at
        until(lambda: (fresh(job).beat_at or began) > began, log)
        until(lambda: heartbeats.newest_heartbeats()["train"] > began, log)
        until(lambda: fresh(job).state == JobState.DONE, log)
    assert timezone.now() - began > timedelta(seconds=jobs.SIGN_OF_LIFE_EVERY_S)


@pytest.mark.redis
def test_it_is_redis_that_carries_the_messages_on_postgresql() -> None:
    with app.connection_for_write() as link:
        assert link.transport.driver_type == "redis"
        assert link.default_channel.client.ping()
