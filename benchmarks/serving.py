"""A gunicorn of ours on a free loopback port, for as long as a benchmark asks it something."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.services import end, free_port

ROOT = Path(__file__).resolve().parent.parent
START_WITHIN_S = 30


@dataclass(frozen=True)
class Server:
    """`pid` is gunicorn's own; its workers are its children."""

    port: int
    pid: int

    def cpu_s(self) -> float:
        """Processor time of its workers so far, which other work on the machine stretches less than the clock."""
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            if int(fields[1]) == self.pid:
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


def settle() -> None:
    """Let PostgreSQL learn what was just loaded, as it does by itself within a minute, and not in the midst of an
    answer that is being timed. In a process with Django; SQLite needs nothing."""
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


@contextmanager
def serving(environment: Mapping[str, str], *, workers: int = 1, threads: int = 2) -> Iterator[Server]:
    """Started with the settings of `environment`, ended when the block is left. Raises RuntimeError."""
    port = free_port()
    command = [
        sys.executable, "-m", "gunicorn", "certifier.wsgi", "--bind", f"127.0.0.1:{port}", "--workers", str(workers),
        "--threads", str(threads), "--keep-alive", "30", "--log-level", "warning",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, env=dict(environment), stdin=subprocess.DEVNULL)
    try:
        _wait_for(process, port)
        yield Server(port, process.pid)
    finally:
        end(process)


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + START_WITHIN_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError("gunicorn ended at once; its reason is above")
        try:
            http.client.HTTPConnection("127.0.0.1", port, timeout=1).connect()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"gunicorn did not listen within {START_WITHIN_S} s")
