"""Workers on Redis and PostgreSQL, killed while they score, with Redis forgetting everything in between.

`benchmarks/bench_scoring_workers.py` is the same with ten workers, a hundred runs and the schedule of the product.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from certifier.celery import app
from certifier.ops import jobs
from certifier.ops.models import Job, JobState
from certifier.precert.models import Scoring
from certifier.precert.tasks import find_unscored
from certifier.schedule import QUEUES
from tests import cast
from tests.ops.worker_process import broker_at, environment
from tests.precert import world
from tests.precert.crew import Crew, crew, what_is_wrong
from tests.services import Redis, restartable_redis

WORKERS, RUNS, WITHIN_S = 3, 12, 240.0

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def nothing_waits_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers of tests say that they live every second."""
    monkeypatch.setattr(jobs, "SILENT_AFTER", timedelta(seconds=4))
    monkeypatch.setattr(jobs, "UNDELIVERED_AFTER", timedelta(seconds=2))
    monkeypatch.setattr(jobs, "HEARTBEAT_EXPIRES_S", 1)
    # On a busy machine so short a silence is no death, and three of them none either.
    monkeypatch.setattr(jobs, "MAX_ATTEMPTS", 100)


def beat() -> None:
    """What the schedule sends, and what it would have a worker do."""
    for queue in QUEUES:
        app.send_task("ops.heartbeat", queue=queue)
    jobs.sweep()
    find_unscored()


def until(true: Callable[[], bool], workers: Crew) -> None:
    deadline, next_beat = time.monotonic() + WITHIN_S, 0.0
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what_is_wrong()}\n{workers.last_words()}")
        if time.monotonic() > next_beat:
            next_beat = time.monotonic() + 1.0
            beat()
        time.sleep(0.05)


def restart(server: Redis) -> None:
    server.stop(signal.SIGKILL)
    server.start()


def test_none_is_lost_and_none_is_scored_twice(tmp_path: Path) -> None:
    lar = cast.make_system("LAR")
    with (
        restartable_redis() as server,
        broker_at(server.url),
        crew(WORKERS, tmp_path, {**environment(), "REDIS_URL": server.url}, seed=1) as workers,
    ):
        # They start while the world is made.
        world.champion(lar)
        for number in range(world.RUN, world.RUN + RUNS):
            world.take(number, 12, system=lar, noise="3-5", corrupt="9-10")
        assert find_unscored() == {"waiting": RUNS, "started": RUNS}
        until(lambda: Job.objects.filter(state=JobState.RUNNING).count() == WORKERS, workers)
        workers.kill_one()
        until(lambda: Scoring.objects.exists(), workers)
        restart(server)
        workers.kill_one()
        until(lambda: not Job.objects.exclude(state=JobState.DONE).exists(), workers)
    assert what_is_wrong() == []
    assert Scoring.objects.count() == RUNS
    # Who was killed at work is known to have been: its job says that it took another attempt.
    assert Job.objects.filter(attempt__gt=1).exists()
