"""A message broker that is a folder: nothing to install, any number of processes of one machine.

Layout, below the broker folder: `queues/<queue>/<nanoseconds>-<random>` holds one message, `exchanges/<name>` the
bindings of one exchange, `incoming/` files that are not finished.

1. A message is written in `incoming/` and renamed into its queue: a reader never sees half of one.
2. A reader takes a message by renaming it away: of two readers one gets it, the other sees that it is gone.
3. Names ascend with time, so a queue is first in, first out, also over a restart of the machine.
4. What a killed reader had taken is lost here; the Job row is what knows of it (see `ops.jobs`).

kombu's "filesystem" transport is like this one, but opens the file in the queue and then writes: with a fast reader
one message in a thousand is read empty, which loses it and ends the worker.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any
from urllib.parse import quote

from kombu.transport import virtual
from kombu.utils.json import dumps, loads

Binding = tuple[str, str, str]


def safe(name: str) -> str:
    """A file name for any queue or exchange: no separators, never "." or ".."."""
    return quote(name, safe="").replace(".", "%2E") or "%"


class Channel(virtual.Channel):
    supports_fanout = True

    @property
    def folder(self) -> Path:
        return Path(self.connection.client.transport_options["folder"])

    def _place(self, *parts: str) -> Path:
        path = self.folder.joinpath(*parts)
        path.mkdir(parents=True, exist_ok=True)
        return path

    # -- messages

    def _put(self, queue: str, message: dict[str, Any], **_: Any) -> None:
        name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:12]}"
        self._write(self._place("queues", safe(queue)) / name, dumps(message))

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        for name in self._names(queue):
            taken = self._place("incoming") / name
            try:
                (self.folder / "queues" / safe(queue) / name).rename(taken)
            except FileNotFoundError:  # another reader was quicker
                continue
            text = taken.read_text()
            taken.unlink()
            message: dict[str, Any] = loads(text)
            return message
        raise Empty

    def _names(self, queue: str) -> list[str]:
        try:
            return sorted(os.listdir(self.folder / "queues" / safe(queue)))
        except FileNotFoundError:
            return []

    def _size(self, queue: str) -> int:
        return len(self._names(queue))

    def _purge(self, queue: str) -> int:
        count = 0
        for name in self._names(queue):
            try:
                (self.folder / "queues" / safe(queue) / name).unlink()
                count += 1
            except FileNotFoundError:
                continue
        return count

    def _new_queue(self, queue: str, **_: Any) -> None:
        self._place("queues", safe(queue))

    def _has_queue(self, queue: str, **_: Any) -> bool:
        return (self.folder / "queues" / safe(queue)).is_dir()

    def _delete(self, queue: str, exchange: str, routing_key: str, pattern: str, *_: Any, **__: Any) -> None:
        self._purge(queue)
        with self._bindings_locked():
            left = [binding for binding in self.get_table(exchange) if binding[2] != queue]
            self._write_table(exchange, left)

    # -- which queue gets what: shared by all processes, hence on disk too

    def get_table(self, exchange: str) -> list[Binding]:
        try:
            text = (self.folder / "exchanges" / safe(exchange)).read_text()
        except FileNotFoundError:
            return []
        return [(str(key), str(pattern), str(queue)) for key, pattern, queue in loads(text)]

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        binding = (routing_key or "", pattern or "", queue or "")
        with self._bindings_locked():
            table = self.get_table(exchange)
            if binding not in table:
                self._write_table(exchange, [*table, binding])

    def _put_fanout(self, exchange: str, message: dict[str, Any], routing_key: str, **options: Any) -> None:
        for _, _, queue in self.get_table(exchange):
            self._put(queue, message, **options)

    def _write_table(self, exchange: str, table: list[Binding]) -> None:
        self._write(self._place("exchanges") / safe(exchange), dumps(table))

    @contextmanager
    def _bindings_locked(self) -> Iterator[None]:
        with (self._place("incoming").parent / "bindings.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, path: Path, text: str) -> None:
        unfinished = self._place("incoming") / uuid.uuid4().hex
        unfinished.write_text(text)
        unfinished.rename(path)


class Transport(virtual.Transport):
    Channel = Channel

    driver_type = "folder"
    driver_name = "folder"
    # Between processes nobody rings: a reader looks again after this long (seconds; transport option of the same name).
    polling_interval = 0.02

    implements = virtual.Transport.implements.extend(
        asynchronous=False, exchange_type=frozenset(["direct", "topic", "fanout"])
    )

    def driver_version(self) -> str:
        return "1"
