"""`manage.py serve`: web, workers and beat on this machine, until Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from certifier.accounts.demo_accounts import FILE as DEMO_ACCOUNTS
from certifier.ops.supervisor import Child, Supervisor

START_WITHIN_S = 90
PORTS_TRIED = 50


class Command(BaseCommand):
    help = "Serve Certifier: web, workers and the periodic schedule. Ctrl-C ends all of them."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=os.environ.get("HOST", "127.0.0.1"), help="address to listen on")
        parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8000")), help="or PORT")
        parser.add_argument("--web-processes", type=int, default=2)

    def handle(self, *_: Any, host: str, port: int, web_processes: int, **__: Any) -> None:
        with only_one(settings.CERTIFIER_VAR / "serve.lock") as lock:
            free = free_port(host, port)
            if free != port:
                self.stdout.write(f"Port {port} is taken by another program; using {free}.")
            address = f"http://{host}:{free}/"
            lock.write(f"{address} (process {os.getpid()})")
            lock.flush()
            supervisor = Supervisor(children(host, free, web_processes), self.say)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, lambda *_: supervisor.stopping.set())
            self.serve(supervisor, address)

    def serve(self, supervisor: Supervisor, address: str) -> None:
        supervisor.start()
        try:
            web = supervisor.children[0]
            if not wait_for(web, address, supervisor):
                if supervisor.stopping.is_set():
                    return
                raise CommandError(f"The web server did not start at {address}; its reason is above.")
            self.welcome(address)
            supervisor.watch()
            self.say("Stopping …")
        finally:
            supervisor.stop()
        self.say("Everything has stopped; the data are kept.")

    def welcome(self, address: str) -> None:
        self.stdout.write(f"\nCertifier serves at {address}")
        accounts = settings.CERTIFIER_VAR / DEMO_ACCOUNTS
        if accounts.exists():
            self.stdout.write(accounts.read_text().rstrip())
        self.stdout.write("Ctrl-C ends it.\n")
        self.stdout.flush()

    def say(self, text: str) -> None:
        self.stderr.write(text)
        self.stderr.flush()


def children(host: str, port: int, web_processes: int) -> list[Child]:
    """Web, a worker for the quick queues, one process for training, and the schedule."""
    metrics = settings.CERTIFIER_VAR / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(parents=True)
    web = [
        sys.executable, "-m", "gunicorn", "certifier.wsgi", "--bind", f"{host}:{port}", "--no-control-socket",
        "--workers", str(web_processes), "--threads", "4", "--timeout", "120", "--log-level", "warning",
    ]  # fmt: skip
    celery = [sys.executable, "-m", "celery", "--quiet", "-A", "certifier"]
    quiet = ["--loglevel", "WARNING"]
    alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    work = [*celery, "worker", "-n", "work@%h", "-Q", "default,score", "-c", "2", *alone, *quiet]
    # Training has a process of its own, new for each job: it gives its memory back and never keeps others waiting.
    train = [
        *celery,
        "worker",
        "-n",
        "train@%h",
        "-Q",
        "train",
        "-c",
        "1",
        *alone,
        *quiet,
        "--max-tasks-per-child",
        "1",
    ]
    beat = [*celery, "beat", "--pidfile=", *quiet]
    # In a container everything is root; Celery's ten lines about it would hide what matters.
    as_root = {"PYTHONWARNINGS": "ignore:You're running the worker with superuser"}
    # Three processes may learn or score at once. A thread per core in each of them slows boosting and nets down by
    # far more than it helps.
    learning = as_root | {name: os.environ.get(name, "1") for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    return [
        Child("web", web, {"PROMETHEUS_MULTIPROC_DIR": str(metrics)}),
        Child("worker (default, score)", work, learning),
        Child("worker (train)", train, learning),
        Child("beat", beat),
    ]


class only_one:  # noqa: N801  # reads as a with statement
    """Two schedules over one folder would disturb each other: the second is refused, told where the first serves."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> IO[str]:
        self.file = self.path.open("a+")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.file.seek(0)
            where = self.file.read().strip() or "another address"
            self.file.close()
            raise CommandError(
                f"Certifier is already served from {settings.CERTIFIER_VAR}: {where}. Stop that one first, or choose "
                "another folder by CERTIFIER_VAR."
            ) from None
        self.file.truncate(0)
        return self.file

    def __exit__(self, *_: object) -> None:
        self.file.truncate(0)
        self.file.close()


def free_port(host: str, wanted: int) -> int:
    for port in range(wanted, min(wanted + PORTS_TRIED, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise CommandError(f"No free port from {wanted} on at {host}. Choose one by PORT.")


def wait_for(web: Child, address: str, supervisor: Supervisor) -> bool:
    """True as soon as the web server answers; False when it ended, or took too long."""
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline and web.is_alive and not supervisor.stopping.wait(0.1):
        try:
            with urllib.request.urlopen(f"{address}healthz", timeout=5):  # noqa: S310  # our own address
                return True
        except urllib.error.HTTPError:
            return True  # it answers; /readyz tells what is amiss
        except OSError:
            continue
    return False
