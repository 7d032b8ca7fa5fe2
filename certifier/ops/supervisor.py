"""Runs the processes of one installation as children of one: web, workers, beat.

1. Each child is the leader of its own session, so Ctrl-C in a terminal reaches the supervisor alone and it decides the
   order in which things end; on Linux a child also gets SIGTERM when the supervisor itself is killed.
2. A child that ends by itself is started again, after a pause that doubles while it keeps dying.
3. The end: SIGTERM to all (they finish what they hold), SIGQUIT to who is still there, SIGKILL to its group at last.
   A job that is killed so is found by the sweep of the next start.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

PR_SET_PDEATHSIG = 1
LONGEST_PAUSE_S = 30.0
# A child that lived this long has started well: the next pause is the shortest again.
SETTLED_AFTER_S = 30.0
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """Between fork and exec: the child gets SIGTERM when its parent ends, however it ends (Linux)."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


@dataclass
class Child:
    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause_s: float = 1.0
    start_again_at: float = 0.0

    def start(self) -> None:
        self.started = time.monotonic()
        self.process = subprocess.Popen(  # noqa: S603  # our own commands
            self.command,
            env={**os.environ, **self.environment},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509  # no thread of ours is running yet
        )

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.is_alive:
            self.process.send_signal(number)

    def kill_group(self) -> None:
        if self.process is not None and self.is_alive:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Supervisor:
    def __init__(self, children: list[Child], say: Callable[[str], None]) -> None:
        self.children = children
        self.say = say
        self.stopping = threading.Event()

    def start(self) -> None:
        for child in self.children:
            child.start()

    def watch(self) -> None:
        """Until `stopping` is set: start again what has died."""
        while not self.stopping.wait(0.2):
            for child in self.children:
                self._look_after(child)

    def _look_after(self, child: Child) -> None:
        if child.is_alive or child.process is None:
            return
        now = time.monotonic()
        if not child.start_again_at:
            if now - child.started > SETTLED_AFTER_S:
                child.pause_s = 1.0
            child.start_again_at = now + child.pause_s
            self.say(
                f"{child.name} ended ({_reason(child.process.returncode)}); starting it again in {child.pause_s:.0f} s."
            )
            child.pause_s = min(child.pause_s * 2, LONGEST_PAUSE_S)
        elif now >= child.start_again_at:
            child.start_again_at = 0.0
            child.start()

    def stop(self, patience_s: float = 10.0) -> None:
        """End all children, the last started first; nobody is left when this returns."""
        for number, patience in ((signal.SIGTERM, patience_s), (signal.SIGQUIT, 5.0)):
            for child in reversed(self.children):
                child.signal(number)
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline and any(child.is_alive for child in self.children):
                time.sleep(0.05)
        for child in self.children:
            child.kill_group()


def _reason(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
