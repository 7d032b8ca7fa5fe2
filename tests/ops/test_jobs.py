"""The rules of a job's row: asked for once, taken once, ended by whoever holds it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from certifier.accounts.models import User
from certifier.audit.models import AuditEvent
from certifier.ops import jobs
from certifier.ops.heartbeats import beat
from certifier.ops.jobs import JobHandle, background, perform, start
from certifier.ops.models import Heartbeat, Job, JobState, Trigger
from tests.ops import jobs_for_tests  # noqa: F401  # registers the kinds

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nobody_serves(db: None) -> None:
    """These tests say themselves which queues are served; a worker that another test killed may have left its word."""
    Heartbeat.objects.all().delete()


def make_job(state: str = JobState.QUEUED, **fields: Any) -> Job:
    job = Job.objects.create(
        **{"kind": "tests.count", "key": "count", "arguments": {"upto": 3}, "state": state, **fields}
    )
    if "queued_at" in fields:  # filled in by the model when created
        Job.objects.filter(pk=job.pk).update(queued_at=fields["queued_at"])
    job.refresh_from_db()
    return job


def fresh(job: Job) -> Job:
    job.refresh_from_db()
    return job


def ago(**units: float) -> Any:
    return timezone.now() - timedelta(**units)


# --- asking


def test_asking_twice_gives_the_job_that_is_there(chi: User) -> None:
    first = start("tests.count", key="count", arguments={"upto": 3}, actor=chi)
    assert start("tests.count", key="count", arguments={"upto": 3}, actor=chi).pk == first.pk
    assert Job.objects.count() == 1


def test_asking_again_after_the_end_gives_a_new_job(chi: User) -> None:
    first = start("tests.count", key="count", arguments={"upto": 3}, actor=chi)
    perform(first.pk)
    assert start("tests.count", key="count", arguments={"upto": 3}, actor=chi).pk != first.pk


def test_it_keeps_who_asked_and_an_audit_event(chi: User) -> None:
    job = start("tests.count", key="count", arguments={"upto": 3}, actor=chi, trigger=Trigger.COMMAND)
    assert (job.requested_by, job.trigger, job.queue) == (chi, Trigger.COMMAND, "default")
    assert AuditEvent.objects.get(code="ops.start_job").subject == f"job {job.pk}"


def test_it_refuses_a_kind_nobody_registered() -> None:
    with pytest.raises(jobs.UnknownJobKind, match="There is no background task “tests"):
        start("tests.nothing", key="nothing")


def test_it_refuses_a_queue_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match="There is no queue 'quick'"):
        background("tests.quick", queue="quick")


# --- doing


def test_a_message_delivered_twice_does_the_work_once() -> None:
    job = make_job()
    perform(job.pk)
    ended = fresh(job).finished_at
    perform(job.pk)
    assert (fresh(job).attempt, job.finished_at) == (1, ended)


def test_a_message_of_a_job_that_is_gone_is_harmless() -> None:
    perform(987654)
    assert not Job.objects.exists()


def test_a_result_that_no_row_can_hold_is_a_failure() -> None:
    job = make_job(kind="tests.unpresentable", arguments={})
    perform(job.pk)
    assert fresh(job).state == JobState.FAILED
    assert "JSON" in job.message


def test_a_job_that_takes_too_long_says_so_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_long(job: JobHandle) -> None:
        raise SoftTimeLimitExceeded  # what Celery raises in the work when the time is over

    monkeypatch.setitem(jobs.KINDS, "tests.too_long", jobs.Kind("tests.too_long", "default", too_long))
    job = make_job(kind="tests.too_long", arguments={})
    perform(job.pk)
    assert fresh(job).state == JobState.FAILED
    assert job.message.startswith("It was stopped after 0:55:00, the most a job may take.")


def test_a_worker_that_was_given_up_on_overwrites_nothing() -> None:
    late = make_job(JobState.RUNNING, attempt=1, beat_at=ago(minutes=10))
    jobs.sweep()
    perform(late.pk)  # the second worker
    assert (fresh(Job.objects.get(pk=late.pk)).attempt, late.attempt) == (2, 1)
    JobHandle(late).progress(0.1, "still here")
    jobs._end(late, JobState.FAILED, message="late")
    job = Job.objects.get(pk=late.pk)
    assert (job.state, job.progress, job.message) == (JobState.DONE, 1.0, "")


def test_progress_is_written_at_most_twice_a_second(django_assert_num_queries: Any) -> None:
    handle = JobHandle(make_job(JobState.RUNNING, attempt=1))
    with django_assert_num_queries(1):
        for step in range(50):
            handle.progress(step / 100, f"step {step}")
    with django_assert_num_queries(1):
        handle.progress(1.0, "the end is always written")


# --- finding again


def test_a_running_job_with_a_recent_sign_of_life_is_left_alone() -> None:
    job = make_job(JobState.RUNNING, attempt=1, beat_at=ago(seconds=30))
    assert jobs.sweep() == {"sent again": 0, "given up": 0}
    assert fresh(job).state == JobState.RUNNING


def test_a_clock_that_was_set_back_hides_no_death_and_no_lost_message() -> None:
    """What was written by the old clock lies in the future; waiting for it could take for ever."""
    tomorrow = timezone.now() + timedelta(days=1)
    make_job(JobState.RUNNING, attempt=1, beat_at=tomorrow)
    make_job(key="lost", queued_at=tomorrow)
    beat("default", arrived=True)
    assert jobs.sweep() == {"sent again": 2, "given up": 0}
    assert jobs.sweep() == {"sent again": 0, "given up": 0}


def test_a_job_whose_worker_died_three_times_is_lost_and_says_what_to_do() -> None:
    job = make_job(JobState.RUNNING, attempt=jobs.MAX_ATTEMPTS, beat_at=ago(minutes=10))
    assert jobs.sweep() == {"sent again": 0, "given up": 1}
    assert fresh(job).state == JobState.LOST
    assert job.error == "Its worker died 3 times. Look at the worker's log, then start it again."


def test_a_message_that_waits_behind_others_is_not_sent_again() -> None:
    """Nobody serves the queue, or whoever does is busy: the message is still there."""
    make_job(queued_at=ago(hours=3))
    assert jobs.sweep() == {"sent again": 0, "given up": 0}
    Heartbeat.objects.create(name="arrived:default", at=ago(hours=4))
    assert jobs.sweep() == {"sent again": 0, "given up": 0}


def test_that_a_worker_starts_or_does_a_long_job_says_nothing_about_messages_behind_it() -> None:
    make_job(queued_at=ago(hours=3))
    beat("default")
    assert jobs.sweep() == {"sent again": 0, "given up": 0}


def test_a_message_that_later_heartbeats_overtook_is_lost_and_sent_again_once() -> None:
    job = make_job(queued_at=ago(hours=3))
    beat("default", arrived=True)
    assert jobs.sweep() == {"sent again": 1, "given up": 0}
    assert jobs.sweep() == {"sent again": 0, "given up": 0}
    Job.objects.filter(pk=job.pk).update(beat_at=timezone.now() - jobs.UNDELIVERED_AFTER - timedelta(seconds=1))
    assert jobs.sweep() == {"sent again": 1, "given up": 0}


def test_a_heartbeat_of_another_queue_says_nothing() -> None:
    make_job(queued_at=ago(hours=3))
    beat("train", arrived=True)
    assert jobs.sweep() == {"sent again": 0, "given up": 0}
