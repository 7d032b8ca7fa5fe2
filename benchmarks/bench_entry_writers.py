"""Many people record defects at once, over REST: no error, and nothing lost. Beside it: one person alone.

    python -m benchmarks.bench_entry_writers [--database-url URL] [--quick] [--json FILE] [--seed N]

A gunicorn is started on a free loopback port with an empty database: a SQLite file with eight writers, then the
PostgreSQL of the wheel (kept to its promises: fsync on) with twenty, or the database given. Every writer keeps one
connection and posts three entries at a time to `defect-entries/`, on runs that all share, each request after the
answer to the one before, for thirty seconds. Then every run's history is read back: each entry that was acknowledged
must be in it as it was sent, none that was not, and the feed must have one change after the other without a gap.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.serving import ROOT, serving
from tests.services import postgresql

WRITERS = {"SQLite": 8, "PostgreSQL": 20}
SECONDS, QUICK_SECONDS = 30.0, 5.0
RUNS, LUMISECTIONS, DEFECTS, PER_REQUEST = 20, 1000, 40, 3
FIRST_RUN = 400_001
# What the benchmark needs of the program itself runs in a process of its own, with its own database.
PREPARE = f"""
import django; django.setup()
from django.utils import timezone
from certifier.accounts import services as accounts
from certifier.accounts.models import Role
from certifier.defects import services as defects
from certifier.runs.models import Run
accounts.create_system(actor=None, code="LAR")
defects.define_defects(actor=None, definitions=[
    defects.NewDefect(name=f"LAR_D{{number}}", system="LAR") for number in range({DEFECTS})])
Run.objects.bulk_create([
    Run(number={FIRST_RUN} + number, last_lumisection={LUMISECTIONS}, updated_at=timezone.now())
    for number in range({RUNS})])
for number in range({max(WRITERS.values())}):
    user = accounts.create_user(actor=None, username=f"writer{{number}}")
    accounts.grant_role(actor=None, user=user, role=Role.SHIFTER)
    print(accounts.create_token(actor=None, user=user, name="benchmark")[1])
"""


@dataclass
class Work:
    """What one writer did: entries by id as they were sent, seconds per request, and what went wrong."""

    sent: dict[int, tuple[int, str, str, str]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Line:
    database: str
    writers: int
    seconds: float
    requests: int
    entries: int
    errors: int
    lost: int
    median_ms: float
    p95_ms: float
    slowest_ms: float

    @property
    def reached(self) -> bool:
        return not self.errors and not self.lost

    def text(self) -> str:
        verdict = "reached" if self.reached else "MISSED"
        return (
            f"{self.database:<11} {self.writers:>7} {self.seconds:>8.1f} {self.requests:>9,} {self.entries:>8,} "
            f"{self.entries / self.seconds:>10,.0f} {self.median_ms:>9.1f} {self.p95_ms:>7.1f} {self.slowest_ms:>8.1f} "
            f"{self.errors:>7} {self.lost:>5}  {verdict}"
        )


class Client:
    """One kept connection of one person."""

    def __init__(self, port: int, key: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.headers = {"Authorization": f"Token {key}", "Content-Type": "application/json"}

    def send(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        text = json.dumps(body).encode() if body is not None else None
        self.connection.request(method, f"/api/v1/{path}", text, self.headers)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())


def warm_up(port: int, keys: list[str]) -> None:
    """A process that has answered nothing yet loads the program first; that is not what is measured."""
    threads = [threading.Thread(target=Client(port, key).send, args=("GET", "tags/")) for key in keys * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def write(client: Client, name: str, chance: random.Random, until: float, work: Work) -> None:
    """One writer. Every entry has a comment of its own, so that it can be told from all others."""
    while time.perf_counter() < until:
        entries: list[dict[str, Any]] = []
        for _ in range(PER_REQUEST):
            first = chance.randint(1, LUMISECTIONS - 60)
            entries.append(
                {
                    "run": FIRST_RUN + chance.randrange(RUNS),
                    "defect": f"LAR_D{chance.randrange(DEFECTS)}",
                    "lumisections": f"{first}-{first + chance.randint(1, 60)}",
                    "comment": f"{name} {len(work.seconds)} {len(entries)}",
                }
            )
        began = time.perf_counter()
        try:
            status, body = client.send("POST", "defect-entries/", {"entries": entries})
        except (OSError, http.client.HTTPException, ValueError) as error:
            work.errors.append(repr(error))
            continue
        work.seconds.append(time.perf_counter() - began)
        if status != 201:
            work.errors.append(f"{status} {body}")
            continue
        for sent, made in zip(entries, body["entries"], strict=True):
            work.sent[made["id"]] = (sent["run"], sent["defect"], sent["lumisections"], sent["comment"])


def lost(client: Client, works: list[Work]) -> int:
    """How many entries are not there as they were acknowledged, or are there and nobody was told."""
    stored = {}
    for run in range(FIRST_RUN, FIRST_RUN + RUNS):
        _, body = client.send("GET", f"runs/{run}/defects/history/")
        for entry in body["results"]:
            stored[entry["id"]] = (run, entry["defect"], entry["lumisections"], entry["comment"])
    sent = {pk: entry for work in works for pk, entry in work.sent.items()}
    return len({pk for pk in stored.keys() | sent.keys() if stored.get(pk) != sent.get(pk)})


def gaps(client: Client) -> int:
    """How often the feed does not go on with the next number."""
    after, found = 0, 0
    while True:
        _, body = client.send("GET", f"changes/?after={after}&limit=1000")
        if not body["changes"]:
            return found
        for change in body["changes"]:
            found += change["sequence"] != after + 1
            after = change["sequence"]


def measure(database: str, url: str, writers: int, seconds: float, seed: int) -> Line:
    """A fresh database, so many writers, and what came of it."""
    with tempfile.TemporaryDirectory(prefix="certifier-bench-") as folder:
        environment = {
            **{name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")},
            "CERTIFIER_VAR": folder,
            "DJANGO_SETTINGS_MODULE": "certifier.settings",
            "LOG_LEVEL": "ERROR",
            "DATABASE_URL": url or f"sqlite:///{folder}/bench.sqlite3",
        }
        manage = [sys.executable, "manage.py"]
        for command in (["migrate", "--verbosity", "0"], ["flush", "--no-input", "--verbosity", "0"]):
            subprocess.run([*manage, *command], cwd=ROOT, env=environment, check=True, stdin=subprocess.DEVNULL)
        prepared = subprocess.run(
            [sys.executable, "-c", PREPARE], cwd=ROOT, env=environment, check=True, capture_output=True, text=True
        )
        keys = prepared.stdout.split()
        with serving(environment, workers=2, threads=12) as server:
            warm_up(server.port, keys)
            works = [Work() for _ in range(writers)]
            began = time.perf_counter()
            until = began + seconds
            threads = [
                threading.Thread(
                    target=write,
                    args=(
                        Client(server.port, keys[place]),
                        f"writer{place}",
                        random.Random(f"{seed} {place}"),
                        until,
                        work,
                    ),
                )
                for place, work in enumerate(works)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            took = time.perf_counter() - began
            reader = Client(server.port, keys[0])
            missing = lost(reader, works) + gaps(reader)
    latencies = sorted(second for work in works for second in work.seconds) or [0.0]
    errors = [error for work in works for error in work.errors]
    for error in errors[:5]:
        print(f"  {database}: {error[:300]}")
    return Line(
        database=database,
        writers=writers,
        seconds=took,
        requests=len(latencies),
        entries=sum(len(work.sent) for work in works),
        errors=len(errors),
        lost=missing,
        median_ms=1000 * statistics.median(latencies),
        p95_ms=1000 * latencies[int(0.95 * (len(latencies) - 1))],
        slowest_ms=1000 * latencies[-1],
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Many writers of defect entries at once, beside one alone.")
    parser.add_argument("--database-url", default="", help="use this PostgreSQL database; everything in it is deleted")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_SECONDS:.0f} s instead of {SECONDS:.0f}")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    seconds = QUICK_SECONDS if options.quick else SECONDS
    print(
        f"{PER_REQUEST} entries a request for {seconds:.0f} s, on {RUNS} runs that all share; target: no error, "
        "nothing lost, no gap in the feed\n"
    )
    print(
        "database    writers  seconds  requests  entries  entries/s median ms  p95 ms  slowest  errors  lost",
        flush=True,
    )
    lines: list[Line] = []

    def both(database: str, url: str) -> None:
        for writers in (1, WRITERS[database]):
            lines.append(measure(database, url, writers, seconds, options.seed))
            print(lines[-1].text(), flush=True)

    if options.database_url:
        both("PostgreSQL", options.database_url)
    else:
        both("SQLite", "")
        with postgresql(careless=False) as url:
            both("PostgreSQL", url)
    if options.json:
        options.json.write_text(json.dumps([asdict(line) for line in lines], indent=2) + "\n")
    return 0 if all(line.reached for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
