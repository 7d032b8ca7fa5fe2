"""A training in a process of its own, which is ended when it holds too much memory or takes too long.

The limit is on what the process holds (RSS): a limit on its address space would end whatever maps much and uses little,
as torch does. The process ends with the worker that started it, however that ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from django.conf import settings

from certifier.ops.models import Job
from certifier.ops.supervisor import die_with_parent

from .errors import NeedsMoreMemory, TakesTooLong, TrainingDied

LOOK_EVERY_S: Final = 0.2
# What the command ends with when its failure is written down already.
RECORDED: Final = 3
SAID: Final = 600


@dataclass(frozen=True)
class Limits:
    memory_mb: int
    seconds: int

    @classmethod
    def of_settings(cls) -> Limits:
        return cls(settings.TRAINING_MEMORY_MB, settings.TRAINING_TIME_LIMIT_S)


def train_in_own_process(system: str, job: Job, limits: Limits) -> bool:
    """Run `manage.py retrain --system SYSTEM --job ID` to its end; False when it failed and wrote that down itself.

    Raises NeedsMoreMemory, TakesTooLong, TrainingDied; then nothing of it is left but what a killed process leaves,
    which is nothing.
    """
    command = [
        sys.executable,
        str(settings.BASE_DIR / "manage.py"),
        "retrain",
        "--system",
        system,
        "--job",
        str(job.pk),
    ]
    with tempfile.TemporaryDirectory(prefix="certifier-training-") as place, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603  # our own command
            command,
            # What it lays down on the way is gone with it, also when it is killed.
            env={**os.environ, "TMPDIR": place},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509  # one call of the C library, no lock of ours
        )
        try:
            _watch(process, limits)
        finally:
            # Whatever ends this worker's wait (its own time limit, above all) ends the process.
            _kill(process)
        if process.returncode not in {0, RECORDED}:
            raise TrainingDied(process.returncode, _last_line(errors))
    return process.returncode == 0


def _watch(process: subprocess.Popen[bytes], limits: Limits) -> None:
    until = time.monotonic() + limits.seconds
    while process.poll() is None:
        held = held_mb(process.pid)
        if held > limits.memory_mb:
            raise NeedsMoreMemory(limits.memory_mb, held)
        if time.monotonic() > until:
            raise TakesTooLong(limits.seconds)
        time.sleep(LOOK_EVERY_S)


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def held_mb(pid: int) -> float:
    """Memory that a process holds now; 0 when it has ended."""
    status = Path(f"/proc/{pid}/status")
    if status.parent.parent.is_dir() and sys.platform == "linux":
        try:
            lines = status.read_text().splitlines()
        except OSError:  # it has ended meanwhile
            return 0.0
        return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")), 0.0)
    asked = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return int(asked.stdout) / 1024 if asked.stdout.strip().isdigit() else 0.0


def _last_line(errors: IO[bytes]) -> str:
    """What it said last, which of a traceback is the error itself."""
    errors.seek(0)
    lines = [line.strip() for line in errors.read().decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:SAID] if lines else ""
