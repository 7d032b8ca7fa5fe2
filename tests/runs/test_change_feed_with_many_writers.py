"""A reader that polls while many write misses nothing, sees nothing twice and never meets a gap."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from django.db import connection, connections

from certifier.audit.unit import unit_of_work
from certifier.runs import selectors, services
from certifier.runs.changes import announce
from certifier.runs.models import Change, Lumisection, Run

SECONDS = 4.0
LEAST_TURNS = 10
SHARED_RUNS = range(1, 31)
Key = tuple[str, int | None, str]


class Interrupted(Exception):
    pass


@dataclass
class Reader:
    """Polls as a mirror does: from the last sequence it saw, a page at a time."""

    stop: threading.Event = field(default_factory=threading.Event)
    seen: list[tuple[int, Key]] = field(default_factory=list)
    polls: int = 0

    def __call__(self) -> None:
        try:
            after = 0
            while True:
                ending = self.stop.is_set()
                page = list(selectors.changes_after(after, 50))
                self.polls += 1
                self.seen += [(change.sequence, key_of(change)) for change in page]
                if page:
                    after = page[-1].sequence
                elif ending:
                    return
        finally:
            connections.close_all()


def key_of(change: Change) -> Key:
    return change.kind, change.run, str(change.data.get("version", change.data.get("token", "")))


def write(seed: int, until: float) -> list[Key]:
    """One writer: random changes of shared runs, new runs, several in a unit, roll-backs. Returns what was told."""
    chance = random.Random(seed)
    told: list[Key] = []
    try:
        turn = 0
        while time.monotonic() < until or turn < LEAST_TURNS:
            turn += 1
            told += one_write(chance, seed, turn)
    finally:
        connections.close_all()
    return told


def one_write(chance: random.Random, seed: int, turn: int) -> list[Key]:
    kind = chance.choice(["run", "lumisections", "lumisections", "many", "roll-back", "inner roll-back"])
    run = chance.choice(SHARED_RUNS)
    token = f"{seed}.{turn}"
    if kind == "run":
        put = services.put_run(actor=None, run=run, facts={"attributes": {"token": token}})
        return [("runs.run", run, str(put.run.version))]
    if kind == "lumisections":
        columns = {"pileup": [chance.random() for _ in range(20)]}
        written = services.put_lumisections(actor=None, run=run, first=chance.randint(1, 50), columns=columns)
        return [("runs.lumisections", run, str(written.run.version))]
    if kind == "many":
        first = 1000 + (seed * 10_000 + turn) * 3
        services.put_runs(actor=None, runs=[{"run": first + n} for n in range(3)])
        return [("runs.run", first + n, "1") for n in range(3)]
    with unit_of_work(None) as unit:
        announce(unit, "test.outer", data={"token": token})
        try:
            with unit_of_work(None) as inner:
                announce(inner, "test.inner", data={"token": token})
                services.put_run(actor=None, run=run, facts={"attributes": {"token": token}})
                raise Interrupted
        except Interrupted:
            if kind == "inner roll-back":
                return [("test.outer", None, token)]
        try:
            with unit_of_work(None):
                raise Interrupted
        except Interrupted:
            return [("test.outer", None, token)]


def lost_write(seed: int, until: float) -> list[Key]:
    """A writer all of whose units fail at their very end, after the feed was numbered or before."""
    chance = random.Random(seed)
    try:
        while time.monotonic() < until:
            try:
                with unit_of_work(None) as unit:
                    services.put_run(
                        actor=None, run=chance.choice(SHARED_RUNS), facts={"fill": chance.randint(0, 10**9)}
                    )
                    announce(unit, "test.lost")
                    if chance.random() < 0.5:
                        unit.before_commit("test.fail", fail, None)
                    else:
                        raise Interrupted
            except Interrupted:
                continue
    finally:
        connections.close_all()
    return []


def fail(items: list[None]) -> None:
    raise Interrupted


def check_many_writers(writers: int) -> None:
    services.put_runs(actor=None, runs=[{"run": number} for number in SHARED_RUNS])
    reader = Reader()
    until = time.monotonic() + SECONDS
    with ThreadPoolExecutor(writers + 1) as pool:
        reading = pool.submit(reader)
        writing = [pool.submit(lost_write if n % 5 == 4 else write, n, until) for n in range(writers)]
        try:
            told = [key for future in writing for key in future.result()]
        finally:
            reader.stop.set()
        reading.result()
    told += [("runs.run", number, "1") for number in SHARED_RUNS]
    sequences = [sequence for sequence, _ in reader.seen]
    assert sequences == list(range(1, len(sequences) + 1))
    assert Counter(key for _, key in reader.seen) == Counter(told)
    assert reader.polls > 10
    assert len(told) > LEAST_TURNS * writers / 2
    check_versions(reader)


def check_versions(reader: Reader) -> None:
    """The feed tells the versions of each run in their order, up to the one the run has."""
    versions: dict[int, list[int]] = {}
    for _, (kind, run, version) in reader.seen:
        if kind.startswith("runs.") and run is not None:
            versions.setdefault(run, []).append(int(version))
    for row in Run.objects.all():
        assert versions[row.number] == list(range(1, row.version + 1))
        numbers = Lumisection.objects.filter(run=row).order_by("number").values_list("number", flat=True)
        assert list(numbers) == list(range(1, row.last_lumisection + 1))


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_it_is_gapless_with_twenty_writers() -> None:
    check_many_writers(20)


@pytest.mark.django_db(transaction=True)
def test_it_is_gapless_with_eight_writers() -> None:
    check_many_writers(8)


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_it_creates_a_run_once_when_twenty_put_it_at_once() -> None:
    barrier = threading.Barrier(20)

    def put(n: int) -> str:
        try:
            barrier.wait()
            return services.put_run(actor=None, run=5, facts={"fill": n}).outcome
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        outcomes = Counter(pool.map(put, range(20)))
    assert outcomes == {"created": 1, "updated": 19}
    assert Run.objects.get().version == 20
    assert list(Change.objects.values_list("sequence", flat=True)) == list(range(1, 21))
