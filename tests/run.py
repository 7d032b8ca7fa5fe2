"""`make test`: the one suite, twice, on the two ways an installation is built, with servers started and ended here:

1. SQLite and the folder broker, 2. PostgreSQL and Redis.

    python -m tests.run                 # everything
    python -m tests.run tests/runs -x   # what follows goes to pytest

TEST_DATABASE_URL and TEST_REDIS_URL name servers to use instead. What needs no database runs once, and so does what is
marked `once`. The last line says what was run, what was skipped and whether it passed; the exit status is 0 only when
everything did.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NoReturn

from tests.needs import REPOSITORY, on_ci
from tests.services import CannotStart, end, postgresql, redis

MOST_PROCESSES = 4
#: The tests already use every core. Where each of them lets its libraries start a thread per core as well, boosting and
#: nets take thirty times as long.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
SERVERS = {"TEST_DATABASE_URL": postgresql, "TEST_REDIS_URL": redis}


def processes() -> int:
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(available, MOST_PROCESSES)


def run_pass(name: str, arguments: list[str], environment: dict[str, str], folder: Path) -> dict[str, Any]:
    """One pytest; its report as {"outcomes", "skipped", "status"}."""
    report = folder / f"{name}.json"
    # Shown with the command, so that an order that fails can be repeated.
    seed = f"--randomly-seed={int(time.time())}"
    command = [sys.executable, "-m", "pytest", "-n", str(processes()), "--dist", "worksteal", "-q", seed, *arguments]
    print(f"\n=== {name}: {' '.join(command[1:])}", flush=True)
    process = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env={**environment, "CERTIFIER_TEST_PASS": name, "CERTIFIER_TEST_REPORT": str(report)},
        stdin=subprocess.DEVNULL,
    )
    try:
        status = process.wait()
    finally:
        end(process, signal.SIGINT)
    counts: dict[str, Any] = json.loads(report.read_text()) if report.exists() else {"outcomes": {}, "skipped": []}
    # 5: nothing collected, which is right when one room without database tests was asked for.
    return {**counts, "status": 0 if status == 5 else status}


def servers(stack: ExitStack, environment: dict[str, str]) -> list[str]:
    """Start what is not given; returns why something is missing."""
    missing = []
    for variable, start in SERVERS.items():
        if environment.get(variable):
            continue
        try:
            environment[variable] = stack.enter_context(start())
        except (CannotStart, OSError) as error:
            missing.append(f"{variable} is not set and no server could be started: {error}")
    return missing


def main(arguments: list[str]) -> int:
    began = time.monotonic()
    signal.signal(signal.SIGTERM, _stop)
    environment = {**ONE_THREAD, **os.environ}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="certifier-run-")))
        missing = servers(stack, environment)
        embedded = {key: value for key, value in environment.items() if key not in SERVERS}
        if environment.get("TEST_DATABASE_URL"):
            embedded["CERTIFIER_TEST_AGAIN"] = "yes"
        passes = {"sqlite": run_pass("sqlite", arguments, embedded, folder)}
        if environment.get("TEST_DATABASE_URL"):
            passes["postgresql"] = run_pass("postgresql", arguments, environment, folder)
    return conclude(passes, missing, time.monotonic() - began)


def conclude(passes: dict[str, dict[str, Any]], missing: list[str], seconds: float) -> int:
    skipped = sorted({line for result in passes.values() for line in result["skipped"]})
    for line in [*missing, *skipped]:
        print(f"not run: {line}")
    words = [
        f"{result['outcomes'].get('passed', 0)} passed on {'PostgreSQL' if name == 'postgresql' else 'SQLite'}"
        for name, result in passes.items()
    ]
    if "postgresql" not in passes:
        words.append("NOTHING on PostgreSQL")
    failed = sum(result["outcomes"].get(kind, 0) for result in passes.values() for kind in ("failed", "error"))
    good = all(result["status"] == 0 for result in passes.values()) and not failed and not (missing and on_ci())
    left_out = sum(result["outcomes"].get("skipped", 0) for result in passes.values())
    words += [f"{failed} failed", f"{left_out} skipped" + (" (named above)" if left_out else "")]
    verdict = "PASSED" if good else "FAILED"
    print(f"make test: {verdict} — {', '.join(words)}, in {seconds // 60:.0f} min {seconds % 60:.0f} s.")
    return 0 if good else 1


def _stop(*_: object) -> NoReturn:
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
