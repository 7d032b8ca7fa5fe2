"""Real worker processes for tests: `celery worker` on the test database and a broker of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection

from certifier.celery import app
from certifier.ops.supervisor import die_with_parent
from tests.needs import REPOSITORY

WITHIN_S = 150.0


def database_url() -> str:
    """The address of the test database, for another process."""
    values = connection.settings_dict
    name = str(values["NAME"])
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    login = f"{quote(str(values['USER']))}:{quote(str(values['PASSWORD']))}"
    return f"postgres://{login}@{values['HOST']}:{values['PORT']}/{name}"


def environment() -> dict[str, str]:
    """What a process of this installation is started with, the installation being the test's."""
    values = {
        "CERTIFIER_VAR": str(settings.CERTIFIER_VAR),
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": "certifier.settings",
        "REDIS_URL": settings.REDIS_URL,
        # The kinds of job that only these tests have.
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONWARNINGS": "default",
    }
    return {**os.environ, **values}


@contextmanager
def worker(*queues: str, log: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of these queues, with one process; ended when the block ends. `variables` go to its environment."""
    process = start_worker(*queues, name=log.stem, log=log, environment={**environment(), **variables})
    try:
        yield process
    finally:
        # A polite end takes seconds; nothing here depends on it (`serve` has its own test).
        kill(process)
        wait_for_last_words()


def start_worker(*queues: str, name: str, log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    options = [
        "-Q", ",".join(queues), "-I", "tests.ops.jobs_for_tests", "-c", "1", "-n", f"{name}@%h",
        "--without-gossip", "--without-mingle", "--without-heartbeat",
    ]  # fmt: skip
    return start_celery("worker", *options, log=log, environment=environment)


def start_celery(command: str, *options: str, log: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "celery", "--quiet", "-A", "certifier", command, *options, "--loglevel", "INFO"],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            # A test run that is killed must not leave workers behind.
            preexec_fn=die_with_parent,  # noqa: PLW1509  # one call of the C library, no lock of ours
        )


def kill(process: subprocess.Popen[bytes]) -> None:
    """The worker and its children, without a chance to say anything."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def broker_at(url: str) -> Iterator[None]:
    """What this process sends meanwhile goes to the broker at `url`."""
    with pytest.MonkeyPatch.context() as changed:
        changed.setenv("CELERY_BROKER_WRITE_URL", url)
        changed.setattr(app.amqp, "_producer_pool", None)
        yield


def wait_for_last_words(within_s: float = 20.0) -> None:
    """PostgreSQL finishes the statement of a client that was killed: let it, or its row lands in the next test."""
    if connection.vendor != "postgresql":
        return
    deadline = time.monotonic() + within_s
    busy = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND state <> 'idle'"
    )
    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(busy)
            if not cursor.fetchone()[0]:
                return
        time.sleep(0.05)


def until(true: Callable[[], bool], log: Path, within_s: float = WITHIN_S) -> None:
    """Wait for something another process does; the worker's log is the message when it does not happen."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if true():
            return
        time.sleep(0.05)
    raise AssertionError(f"It did not happen within {within_s:.0f} s. The worker says:\n{log.read_text()[-5000:]}")
