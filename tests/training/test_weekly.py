"""Once a week every system with histograms is trained, however many schedules beat and whatever the clock does."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from certifier.accounts.models import System
from certifier.ops.models import Job, JobState, Trigger
from certifier.schedule import SCHEDULE
from certifier.training import tasks
from tests.training import world

pytestmark = pytest.mark.django_db
MONDAY = datetime(2026, 5, 18, 2, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def histograms(lar: System) -> None:
    world.send(lar, world.FIRST)


@pytest.fixture(autouse=True)
def monday(monkeypatch: pytest.MonkeyPatch) -> None:
    clock(monkeypatch, MONDAY)


def clock(monkeypatch: pytest.MonkeyPatch, now: datetime) -> None:
    monkeypatch.setattr("certifier.training.tasks.timezone.now", lambda: now)


def end(state: JobState) -> None:
    Job.objects.filter(state__in=["queued", "running"]).update(state=state)


def test_it_starts_a_job_for_each_system_with_histograms(pixel: System) -> None:
    assert tasks.weekly() == {"systems": 1, "started": 1}
    job = Job.objects.get()
    assert (job.queue, job.trigger, job.requested_by) == ("train", Trigger.SCHEDULE, None)
    assert job.arguments == {"system": "LAR", "week": "2026-W21"}


def test_two_beats_train_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks.weekly()
    assert tasks.weekly()["started"] == 0, "it waits"
    end(JobState.DONE)
    assert tasks.weekly()["started"] == 0, "it is done"
    clock(monkeypatch, MONDAY.replace(day=23))
    assert tasks.weekly()["started"] == 0, "the clock was moved within the week"
    clock(monkeypatch, MONDAY.replace(day=25))
    assert tasks.weekly()["started"] == 1
    assert Job.objects.count() == 2


def test_what_failed_is_tried_again() -> None:
    tasks.weekly()
    end(JobState.FAILED)
    assert tasks.weekly()["started"] == 1


def test_what_somebody_asked_for_takes_no_week_away(lar: System) -> None:
    from certifier.training import services

    services.ask(actor=None, system=lar)
    end(JobState.DONE)
    assert tasks.weekly()["started"] == 1


def test_it_is_on_the_schedule_once_a_week() -> None:
    (entry,) = [each for each in SCHEDULE.values() if each["task"] == "training.weekly"]
    assert (entry["schedule"].day_of_week, entry["schedule"].hour, entry["schedule"].minute) == ({1}, {2}, {30})
