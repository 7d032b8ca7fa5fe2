"""The program as it is served: gunicorn on a free loopback port, over a database of its own that is empty."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from tests.needs import REPOSITORY
from tests.services import end, free_port

START_WITHIN_S = 60


@dataclass(frozen=True)
class Server:
    address: str
    environment: dict[str, str]

    def manage(self, *arguments: str) -> str:
        """What a management command of this installation prints. Raises CalledProcessError when it fails."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=REPOSITORY, env=self.environment, check=True, stdout=subprocess.PIPE, text=True
        )
        return done.stdout


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Serve from `folder`, on PostgreSQL when the tests are (TEST_DATABASE_URL), else on a new SQLite file."""
    with empty_database(folder) as database_url:
        port = free_port()
        environment = os.environ | {
            "CERTIFIER_VAR": str(folder),
            "DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": "certifier.settings",
            "PYTHONPATH": str(REPOSITORY),
            "LOG_LEVEL": "WARNING",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        server = Server(f"http://127.0.0.1:{port}", environment)
        server.manage("migrate", "--verbosity", "0")
        with (folder / "gunicorn.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "gunicorn",
                    "certifier.wsgi",
                    "--bind",
                    f"127.0.0.1:{port}",
                    "--threads",
                    "8",
                    "--no-control-socket",
                ],
                cwd=REPOSITORY,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            _wait(process, port, folder / "gunicorn.log")
            yield server
        finally:
            end(process)


@contextmanager
def empty_database(folder: Path) -> Iterator[str]:
    cluster = os.environ.get("TEST_DATABASE_URL", "")
    if not cluster.startswith(("postgres", "psql")):
        yield f"sqlite:///{folder / 'certifier.sqlite3'}"
        return
    name = f"certifier_{secrets.token_hex(4)}"
    _administer(cluster, f'CREATE DATABASE "{name}"')
    try:
        yield f"{cluster.rpartition('/')[0]}/{name}"
    finally:
        _administer(cluster, f'DROP DATABASE "{name}" WITH (FORCE)')


def _administer(cluster: str, statement: str) -> None:
    connection = psycopg2.connect(cluster)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"gunicorn did not come up: {log.read_text(errors='replace')[-2000:]}")
