"""Without a message broker nobody is refused: the row is there, and is sent when the broker is back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from certifier.celery import app
from certifier.ops import jobs
from certifier.ops.heartbeats import beat
from certifier.ops.models import Job, JobState
from tests.ops import jobs_for_tests  # noqa: F401  # registers the kinds here too
from tests.ops.worker_process import broker_at
from tests.services import free_port

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def nothing_in_the_queues(db: None) -> None:
    with app.connection_for_write() as link:
        for queue in settings.QUEUES:
            link.default_channel.queue_declare(queue=queue)
            link.default_channel.queue_purge(queue=queue)


def messages() -> int:
    """How many wait in the queue that tests use."""
    with app.connection_for_write() as link:
        count: int = link.default_channel.queue_declare(queue="default").message_count
        return count


def test_what_was_asked_for_meanwhile_is_kept_and_sent_later() -> None:
    with broker_at(f"redis://127.0.0.1:{free_port()}/0"):
        asked = [jobs.start("tests.count", key=f"count {n}", arguments={"upto": n}) for n in (1, 2)]
    assert [job.state for job in Job.objects.order_by("id")] == [JobState.QUEUED] * 2
    assert messages() == 0

    Job.objects.update(queued_at=timezone.now() - jobs.UNDELIVERED_AFTER - timedelta(minutes=1))
    beat("default", arrived=True)
    assert jobs.sweep() == {"sent again": 2, "given up": 0}
    assert messages() == 2
    for job in asked:
        jobs.perform(job.pk)
    assert set(Job.objects.values_list("state", flat=True)) == {JobState.DONE}
