"""The change feed while many processes write: what a mirror that polls it misses, and how long it waits.

    python -m benchmarks.bench_change_feed [--database-url URL] [--quick] [--json FILE] [--seed N]

Twenty writer processes on PostgreSQL and eight on SQLite write runs and lumisections through the services, one unit
of work after the other, while a reader polls for what comes after the last sequence it saw. In the end everything
that was committed is compared with everything that was seen. The delay runs from the writer's word, inside its
transaction, to the reader.

The peer is the usual way: an outbox table whose key counts up, written in the same transactions. A transaction that
took its number first may commit last, and a reader that has passed that number never sees it.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.serving import ROOT
from tests.services import postgresql

RUNS = 50
WRITERS = {"PostgreSQL": 20, "SQLite": 8, "given": 20}
OUTBOX = "bench_outbox"


@dataclass(frozen=True)
class Line:
    database: str
    feed: str
    writers: int
    seconds: float
    committed: int
    missed: int
    repeated: int
    gaps: int
    polls: int
    delay_ms_p50: float
    delay_ms_p95: float
    must_be_whole: bool

    @property
    def reached(self) -> bool:
        return not (self.missed or self.repeated or self.gaps)

    def text(self) -> str:
        verdict = "" if not self.must_be_whole else "reached" if self.reached else "MISSED"
        counts = f"{self.writers:>7} {self.committed:>9,} {self.committed / self.seconds:>8,.0f}"
        wrong = f"{self.missed:>7,} {self.repeated:>8} {self.gaps:>6,}"
        delays = f"{self.delay_ms_p50:>8.1f} {self.delay_ms_p95:>8.1f}"
        return f"{self.database:<11} {self.feed:<22} {counts} {wrong} {delays}  {verdict}"


# --- what the processes do ----------------------------------------------------------------------------------


def writer(feed: str, seed: int, seconds: float) -> list[str]:
    """Commit units until the time is over; the tokens of those that were committed."""
    chance = random.Random(seed)
    tokens: list[str] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        prefix = f"{seed}.{len(tokens)}"
        written = write_ours(chance, prefix) if feed == "ours" else write_outbox(chance, prefix)
        tokens += [written] if written else []
    return tokens


def write_ours(chance: random.Random, prefix: str) -> str | None:
    from certifier.audit.unit import unit_of_work
    from certifier.runs import services
    from certifier.runs.changes import announce

    run = chance.randint(1, RUNS)
    try:
        with unit_of_work(None) as unit:
            token = f"{prefix}.{time.time():.6f}"
            announce(unit, "bench.unit", run=run, data={"token": token})
            columns = {"pileup": [chance.random() for _ in range(50)]}
            services.put_lumisections(actor=None, run=run, columns=columns)
            if chance.random() < 0.1:
                raise Interrupted
    except Interrupted:
        return None
    return token


def write_outbox(chance: random.Random, prefix: str) -> str | None:
    from django.db import connection, transaction

    from certifier.runs.models import Lumisection, Run

    run = Run.objects.get(number=chance.randint(1, RUNS))
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            token = f"{prefix}.{time.time():.6f}"
            cursor.execute(f"INSERT INTO {OUTBOX} (token) VALUES (%s)", [token])
            Lumisection.objects.filter(run=run).update(pileup=chance.random())
            if chance.random() < 0.1:
                raise Interrupted
    except Interrupted:
        return None
    return token


class Interrupted(Exception):
    """A unit that fails after it was announced."""


def reader(feed: str, seconds: float) -> dict[str, Any]:
    """Poll until the time is over and nothing new has come for two seconds."""
    until = time.monotonic() + seconds
    last, quiet_since, polls = 0, time.monotonic(), 0
    sequences: list[int] = []
    tokens: list[str] = []
    delays: list[float] = []
    while time.monotonic() < until or time.monotonic() < quiet_since + 2:
        polls += 1
        page = read_page(feed, last)
        now = time.time()
        for sequence, token in page:
            sequences.append(sequence)
            if token:
                tokens.append(token)
                delays.append(now - float(token.split(".", 2)[2]))
        if page:
            last, quiet_since = page[-1][0], time.monotonic()
        else:
            time.sleep(0.005)
    return {"sequences": sequences, "tokens": tokens, "delays": delays, "polls": polls}


def read_page(feed: str, last: int) -> list[tuple[int, str]]:
    from django.db import connection

    from certifier.runs.selectors import changes_after

    if feed == "ours":
        return [(change.sequence, change.data.get("token", "")) for change in changes_after(last, 500)]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, token FROM {OUTBOX} WHERE id > %s ORDER BY id LIMIT 500", [last])
        return [(int(key), str(token)) for key, token in cursor.fetchall()]


def prepare() -> None:
    from django.core.management import call_command
    from django.db import connection

    from certifier.runs import services

    call_command("migrate", verbosity=0)
    services.put_runs(actor=None, runs=[{"run": number} for number in range(1, RUNS + 1)])
    key = "bigserial PRIMARY KEY" if connection.vendor == "postgresql" else "integer PRIMARY KEY AUTOINCREMENT"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {OUTBOX} (id {key}, token varchar(80) NOT NULL)")


# --- the benchmark ------------------------------------------------------------------------------------------


def part(environment: dict[str, str], *arguments: str) -> Any:
    """What a part of this benchmark prints, run in a process of its own with its own database."""
    command = [sys.executable, "-m", "benchmarks.bench_change_feed", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True
    )
    return json.loads(done.stdout) if done.stdout.strip() else None


def one_round(feed: str, writers: int, seconds: float, seed: int) -> dict[str, Any]:
    """Fork the reader and the writers and let them begin together."""
    fork = multiprocessing.get_context("fork")
    barrier = fork.Barrier(writers + 1)

    def child(pipe: Any, work: Callable[[], Any]) -> None:
        read_page(feed, 0)  # connects, and loads what a query needs
        barrier.wait()
        pipe.send(work())
        pipe.close()

    works: list[Callable[[], Any]] = [partial(reader, feed, seconds)]
    works += [partial(writer, feed, seed * 100 + number, seconds) for number in range(writers)]
    pipes = []
    for work in works:
        receiving, sending = fork.Pipe(duplex=False)
        fork.Process(target=child, args=(sending, work), daemon=True).start()
        sending.close()
        pipes.append(receiving)
    answers = [pipe.recv() for pipe in pipes]
    return {"seen": answers[0], "committed": [token for tokens in answers[1:] for token in tokens]}


def measure(database: str, url: str, folder: Path, seconds: float, seed: int) -> Iterator[Line]:
    environment = {
        **os.environ,
        "DATABASE_URL": url,
        "CERTIFIER_VAR": str(folder),
        "SECRET_KEY": "benchmark",
        "DJANGO_SETTINGS_MODULE": "certifier.settings",
    }
    part(environment, "--part", "prepare")
    writers = WRITERS[database]
    for feed in ("ours", "outbox"):
        figures = ["--writers", str(writers), "--seconds", str(seconds), "--seed", str(seed)]
        found = part(environment, "--part", "round", "--feed", feed, *figures)
        committed, seen = Counter(found["committed"]), found["seen"]
        tokens = Counter(seen["tokens"])
        sequences = seen["sequences"]
        gaps = sum(after - before - 1 for before, after in zip([0, *sequences], sequences, strict=False))
        delays = statistics.quantiles(seen["delays"], n=20) if len(seen["delays"]) > 1 else [0.0] * 19
        yield Line(
            database=database,
            feed="changes/" if feed == "ours" else "peer: outbox by key",
            writers=writers,
            seconds=seconds,
            committed=committed.total(),
            missed=(committed - tokens).total(),
            repeated=(tokens - committed).total(),
            gaps=gaps,
            polls=seen["polls"],
            delay_ms_p50=1000 * delays[9],
            delay_ms_p95=1000 * delays[18],
            must_be_whole=feed == "ours",
        )


def run_part(options: argparse.Namespace) -> None:
    import django

    django.setup()
    if options.part == "prepare":
        prepare()
    else:
        print(json.dumps(one_round(options.feed, options.writers, options.seconds, options.seed)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database-url", help="an empty database; default: SQLite, then PostgreSQL from the wheel")
    parser.add_argument("--quick", action="store_true", help="a few seconds")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=15, help=argparse.SUPPRESS)
    parser.add_argument("--part", choices=["prepare", "round"], help=argparse.SUPPRESS)
    parser.add_argument("--writers", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--feed", choices=["ours", "outbox"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        run_part(options)
        return 0
    seconds = 5 if options.quick else options.seconds
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="certifier-bench-") as folder:
        if options.database_url:
            lines += measure("given", options.database_url, Path(folder), seconds, options.seed)
        else:
            lines += measure("SQLite", f"sqlite:///{folder}/bench.sqlite3", Path(folder), seconds, options.seed)
            with postgresql(careless=False) as url:
                lines += measure("PostgreSQL", url, Path(folder), seconds, options.seed)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"load of the machine at the end: {load} on {os.cpu_count()} processors")
    names = f"{'database':<11} {'feed':<22} {'writers':>7} {'committed':>9} {'per s':>8}"
    print(f"{names} {'missed':>7} {'repeated':>8} {'gaps':>6} {'p50 ms':>8} {'p95 ms':>8}")
    for line in lines:
        print(line.text())
    if options.json:
        options.json.write_text(json.dumps([{**asdict(line), "reached": line.reached} for line in lines], indent=1))
    return 0 if all(line.reached for line in lines if line.must_be_whole) else 1


if __name__ == "__main__":
    sys.exit(main())
