"""`manage.py serve`: everything comes up, what dies comes back, everything ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import CommandError

from certifier.ops.management.commands.serve import Command, free_port
from certifier.ops.supervisor import Child, Supervisor
from tests.needs import REPOSITORY
from tests.services import end
from tests.services import free_port as any_free_port

PYTHON = sys.executable


def processes_of_group(leader: int) -> list[int]:
    """The living processes of a session, zombies not counted (Linux)."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == leader and fields[0] != "Z":
                found.append(int(entry.name))
    return found


def until(true: Any, within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if true():
            return
        time.sleep(0.1)
    raise AssertionError(f"It did not happen within {within_s:.0f} s.")


# --- the supervisor


def test_a_child_that_dies_is_started_again_after_a_pause_that_grows() -> None:
    said: list[str] = []
    child = Child("short", [PYTHON, "-c", "raise SystemExit(3)"], pause_s=0.1)
    supervisor = Supervisor([child], said.append)
    supervisor.start()
    first = child.process
    assert first is not None
    watching = threading.Thread(target=supervisor.watch)
    watching.start()
    until(lambda: len(said) == 2)
    supervisor.stopping.set()
    watching.join()
    supervisor.stop()
    assert child.process is not first
    assert said[0].startswith("short ended (exit status 3); starting it again")
    assert child.pause_s == pytest.approx(0.4)


def test_a_child_that_ignores_every_request_is_killed_with_its_own_children(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    stubborn = (
        "import os, pathlib, signal, time\n"
        "for number in (signal.SIGTERM, signal.SIGQUIT): signal.signal(number, signal.SIG_IGN)\n"
        "os.fork()\n"
        f"pathlib.Path({str(ready)!r}).touch()\n"
        "time.sleep(600)\n"
    )
    child = Child("stubborn", [PYTHON, "-c", stubborn])
    supervisor = Supervisor([child], print)
    supervisor.start()
    until(ready.exists)
    assert child.process is not None
    group = child.process.pid
    supervisor.stop(patience_s=0.3)
    until(lambda: not processes_of_group(group))


def test_it_fails_when_the_web_server_does_not_start() -> None:
    web = Child("web", [PYTHON, "-c", "raise SystemExit(1)"])
    other = Child("worker", [PYTHON, "-c", "import time; time.sleep(600)"])
    with pytest.raises(CommandError, match="The web server did not start"):
        Command().serve(Supervisor([web, other], print), f"http://127.0.0.1:{any_free_port()}/")
    assert not other.is_alive


def test_it_takes_the_next_free_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port < free_port("127.0.0.1", port) <= port + 50


# --- the whole


@contextmanager
def serving(var: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    environment = {**os.environ, "CERTIFIER_VAR": str(var), "DJANGO_SETTINGS_MODULE": "certifier.settings"}
    for name in ("DATABASE_URL", "REDIS_URL"):
        environment.pop(name, None)
    manage = [PYTHON, "manage.py"]
    migrated = subprocess.run(
        [*manage, "migrate", "--verbosity", "0"], cwd=REPOSITORY, env=environment, capture_output=True, check=False
    )
    assert migrated.returncode == 0, migrated.stderr.decode()
    log = var / "serve.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*manage, "serve", "--port", str(port)],
            cwd=REPOSITORY,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            text=True,
        )
    try:
        yield process, log
    finally:
        end(process, patience_s=40)  # type: ignore[arg-type]


def ready(port: int) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
            checks: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            checks = json.load(error)
    except OSError:
        return {"status": "nothing there"}
    return checks


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_it_serves_keeps_its_workers_alive_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", any_free_port()))
        taken.listen()
        wanted = taken.getsockname()[1]
        with serving(tmp_path, wanted) as (process, log):
            until(lambda: "Certifier serves at" in log.read_text())
            port = int(log.read_text().split("Certifier serves at http://127.0.0.1:")[1].split("/")[0])
            assert port != wanted
            assert f"Port {wanted} is taken by another program; using {port}." in log.read_text()
            until(lambda: ready(port)["status"] == "good")

            # A second one over the same data is refused and told where the first serves.
            second = subprocess.run(
                [PYTHON, "manage.py", "serve"],
                cwd=REPOSITORY,
                env={**os.environ, "CERTIFIER_VAR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "certifier.settings"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert second.returncode != 0
            assert f"http://127.0.0.1:{port}/" in second.stderr

            # A worker that is killed comes back.
            children = children_of(process.pid)
            killed = next(pid for pid in children if "default,score" in command_line(pid))
            os.killpg(killed, signal.SIGKILL)
            until(lambda: "worker (default, score) ended (killed by SIGKILL)" in log.read_text())
            until(lambda: any("default,score" in command_line(pid) for pid in children_of(process.pid)))

            groups = [*children, *children_of(process.pid)]
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0, log.read_text()
            assert "Everything has stopped; the data are kept." in log.read_text()
            until(lambda: not [pid for group in groups for pid in processes_of_group(group)], 10)


def children_of(parent: int) -> list[int]:
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in found]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""
