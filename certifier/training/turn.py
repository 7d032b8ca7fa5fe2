"""One training at a time, of whatever system, on however many machines: the next waits for its turn.

PostgreSQL holds an advisory lock for the connection, else a locked file holds it for the process: either ends with the
process, however that ends, so nobody waits for the dead.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from django.conf import settings
from django.db import connection

# Any number, as long as nothing else here takes an advisory lock of it.
LOCK: Final = 7_421_190_305
LOOK_AGAIN_S: Final = 0.5


@contextmanager
def turn(waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Until the block ends, no other training runs. `waiting` is called while another one does."""
    with _advisory_lock(waiting) if connection.vendor == "postgresql" else _locked_file(waiting):
        yield


@contextmanager
def _advisory_lock(waiting: Callable[[], None]) -> Iterator[None]:
    while not _ask("pg_try_advisory_lock"):
        waiting()
        time.sleep(LOOK_AGAIN_S)
    try:
        yield
    finally:
        _ask("pg_advisory_unlock")


def _ask(function: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [LOCK])
        (answer,) = cursor.fetchone()
    return bool(answer)


@contextmanager
def _locked_file(waiting: Callable[[], None]) -> Iterator[None]:
    place = Path(settings.CERTIFIER_VAR)
    place.mkdir(parents=True, exist_ok=True)
    with (place / "training.lock").open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waiting()
                time.sleep(LOOK_AGAIN_S)
        yield
