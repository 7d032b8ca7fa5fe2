"""Kinds of job that only tests have; a worker started with `-I tests.ops.jobs_for_tests` knows them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from certifier.ops import jobs
from certifier.ops.jobs import JobHandle, background

# Tests wait for signs of life; people need not wait for tests.
jobs.SIGN_OF_LIFE_EVERY_S = 1.0


@background("tests.count")
def count(job: JobHandle, *, upto: int) -> dict[str, Any]:
    for number in range(1, upto + 1):
        job.progress(number / upto, f"number {number}")
    return {"counted": upto}


@background("tests.fail")
def fail(job: JobHandle, *, words: str) -> None:
    job.progress(0.5, "half of it")
    raise ValueError(words)


@background("tests.unpresentable")
def unpresentable(job: JobHandle) -> object:
    return {"nothing a row can hold": object()}


@background("tests.sleep", queue="train")
def sleep(job: JobHandle, *, seconds: float) -> None:
    time.sleep(seconds)


@background("tests.write_lines")
def write_lines(job: JobHandle, *, path: str, first_stops_at: int, lines: int) -> dict[str, Any]:
    """Lines 0, 1, 2 … each once, also when the worker dies in the middle: what is there is not written again.

    The first attempt stands still at `first_stops_at`, so that a test can kill it there.
    """
    target = Path(path)
    done = target.read_text().splitlines() if target.exists() else []
    for number in range(len(done), lines):
        if job.job.attempt == 1 and number == first_stops_at:
            job.progress(number / lines, "waiting to be killed")
            time.sleep(600)
        with target.open("a") as file:
            file.write(f"{number}\n")
    return {"attempt": job.job.attempt}
