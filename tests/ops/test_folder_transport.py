"""The folder broker: nothing is lost, doubled or torn between processes, and queues are first in, first out."""

from __future__ import annotations

import multiprocessing
import queue as queues
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu.connection import Connection
from kombu.entity import Exchange, Queue

import certifier.celery  # noqa: F401  # registers the transport
from certifier.ops.folder_transport import safe

EXCHANGE = Exchange("certifier", type="direct")
QUEUE = Queue("default", EXCHANGE, routing_key="default")
OTHER = Queue("train", EXCHANGE, routing_key="train")


def connect(folder: Path) -> Connection:
    return Connection("folder://localhost//", transport_options={"folder": str(folder), "polling_interval": 0.001})


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with connect(tmp_path / "broker") as connection:
        yield connection


def publish(connection: Connection, body: Any, queue: Queue = QUEUE) -> None:
    connection.Producer().publish(body, exchange=EXCHANGE, routing_key=queue.routing_key, declare=[QUEUE, OTHER])


def take(connection: Connection, queue: Queue = QUEUE) -> Any:
    message = queue(connection.default_channel).get(no_ack=True)
    return message and message.payload


def test_it_gives_messages_in_the_order_they_came(connection: Connection) -> None:
    for number in range(20):
        publish(connection, {"number": number})
    assert [take(connection)["number"] for _ in range(20)] == list(range(20))
    assert take(connection) is None


def test_it_keeps_queues_apart(connection: Connection) -> None:
    publish(connection, "for training", OTHER)
    assert take(connection) is None
    assert take(connection, OTHER) == "for training"


def test_it_keeps_messages_over_a_restart(tmp_path: Path) -> None:
    with connect(tmp_path) as first:
        publish(first, {"run": 350479})
    with connect(tmp_path) as second:
        assert take(second) == {"run": 350479}


def test_it_purges_a_queue(connection: Connection) -> None:
    for _ in range(3):
        publish(connection, "x")
    assert connection.default_channel.queue_purge(queue="default") == 3
    assert take(connection) is None


def test_it_gives_back_what_was_taken_and_not_acknowledged(tmp_path: Path) -> None:
    with connect(tmp_path) as first:
        publish(first, "unfinished")
        assert QUEUE(first.default_channel).get() is not None
    with connect(tmp_path) as second:
        assert take(second) == "unfinished"


@pytest.mark.parametrize("name", ["../../outside", ".", "..", "a/b", "", "x" * 200, "quère"])
def test_a_name_never_leads_out_of_its_folder(tmp_path: Path, name: str) -> None:
    path = (tmp_path / safe(name)).resolve()
    assert path.parent == tmp_path.resolve()


def send(folder: Path, first: int, count: int) -> None:
    with connect(folder) as connection:
        for number in range(first, first + count):
            publish(connection, {"number": number, "padding": "x" * 5000})


def receive(folder: Path, taken: Any, wanted: int) -> None:
    with connect(folder) as connection:
        misses = 0
        while misses < 2000:
            payload = take(connection)
            if payload is None:
                misses += 1
                continue
            misses = 0
            taken.put(payload["number"])
            if taken.qsize() >= wanted:
                return


def test_many_writers_and_readers_lose_tear_and_double_nothing(tmp_path: Path) -> None:
    writers, readers, each = 3, 2, 400
    context = multiprocessing.get_context("fork")
    taken = context.Queue()
    processes = [context.Process(target=receive, args=(tmp_path, taken, writers * each)) for _ in range(readers)]
    processes += [context.Process(target=send, args=(tmp_path, n * each, each)) for n in range(writers)]
    for process in processes:
        process.start()
    numbers: list[int] = []
    try:
        while len(numbers) < writers * each:
            numbers.append(taken.get(timeout=30))
    except queues.Empty:
        pass
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    assert sorted(numbers) == list(range(writers * each))
