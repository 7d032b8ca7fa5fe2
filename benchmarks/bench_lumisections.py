"""Lumisections by REST: one client, one connection, a million and a half rows; beside the plain way of the ORM.

    python -m benchmarks.bench_lumisections [--database-url URL] [--quick] [--json FILE] [--seed N]

A gunicorn is started on a free loopback port with an empty database: a SQLite file, then the PostgreSQL of the wheel
(kept to its promises: fsync on), or the database given, which must be empty. The client makes the runs with `POST
runs/bulk/` and sends one `PUT runs/{run}/lumisections/` per run with four columns and a flag, over one kept
connection, each after the answer to the one before. Afterwards all sums are compared with what was sent. The peer
makes a model object per row and hands them to `bulk_create` in the same database, without any HTTP, so it has less
to do.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving import ROOT, serving
from tests.services import postgresql

RUNS, LUMISECTIONS = 1500, 1000
PEER_RUNS = 100
TARGET = 50_000
FIRST_RUN = 400_001
# What the benchmark needs of the program itself runs in processes of their own, with their own database.
PREPARE = """
import django; django.setup()
from certifier.accounts import services
from certifier.accounts.models import Role
user = services.create_user(actor=None, username="bench")
services.grant_role(actor=None, user=user, role=Role.COORDINATOR)
print(services.create_token(actor=None, user=user, name="benchmark")[1])
"""
PEER = """
import sys, time, random, django; django.setup()
from django.db import transaction
from django.utils import timezone
from certifier.runs.models import Lumisection, Run
runs, count, conflicts = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
first, now = int(sys.argv[4]), timezone.now()
rows = [Run.objects.create(number=first + n, last_lumisection=count, updated_at=now) for n in range(runs)]
how = {"ignore_conflicts": True} if conflicts == "ignore" else {
    "update_conflicts": True, "unique_fields": ["run", "number"],
    "update_fields": ["duration_s", "delivered_inv_nb", "recorded_inv_nb", "pileup"]}
chance = random.Random(1)
values = [[chance.random() * 300 for _ in range(4)] for _ in range(count)]
began = time.perf_counter()
for run in rows:
    with transaction.atomic():
        Lumisection.objects.bulk_create([
            Lumisection(run=run, number=number, duration_s=a, delivered_inv_nb=b, recorded_inv_nb=c, pileup=d)
            for number, (a, b, c, d) in enumerate(values, start=1)], **how)
print(time.perf_counter() - began)
"""


@dataclass(frozen=True)
class Line:
    database: str
    task: str
    lumisections: int
    seconds: float
    target: int | None = None

    @property
    def rate(self) -> float:
        return self.lumisections / self.seconds

    def text(self) -> str:
        figures = f"{self.lumisections:>10,} {self.seconds:>8.2f} {self.rate:>10,.0f}"
        if self.target is None:
            return f"{self.database:<11} {self.task:<44} {figures}"
        verdict = "reached" if self.rate >= self.target else "MISSED"
        return f"{self.database:<11} {self.task:<44} {figures} {self.target:>9,}  {verdict}"


class Client:
    """One kept connection."""

    def __init__(self, port: int, key: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {"Authorization": f"Token {key}", "Content-Type": "application/json"}

    def send(self, method: str, path: str, body: bytes | None = None) -> Any:
        self.connection.request(method, f"/api/v1/{path}", body, self.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {answer.status} {text[:500]!r}")
        return json.loads(text)


def python(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout.decode().strip()


def bodies(chance: random.Random, count: int) -> Iterator[tuple[bytes, float]]:
    """A body per run, and its recorded luminosity. Numbers of six decimals, as the luminosity tools write them."""
    while True:
        delivered = [round(chance.uniform(100, 400), 6) for _ in range(count)]
        recorded = [round(value * chance.uniform(0.9, 1), 6) for value in delivered]
        body = {
            "first": 1,
            "duration_s": [23.31] * count,
            "delivered_inv_nb": delivered,
            "recorded_inv_nb": recorded,
            "pileup": [round(value / 6.5, 3) for value in delivered],
            "flags": {"stable_beams": f"12-{count}"},
        }
        yield json.dumps(body).encode(), sum(recorded)


def measure(name: str, url: str, folder: Path, runs: int, seed: int) -> list[Line]:
    count = LUMISECTIONS
    environment = {
        **os.environ, "DATABASE_URL": url, "CERTIFIER_VAR": str(folder), "SECRET_KEY": "benchmark",
        "DJANGO_SETTINGS_MODULE": "certifier.settings",
    }  # fmt: skip
    python(environment, "manage.py", "migrate", "--verbosity", "0")
    key = python(environment, "-c", PREPARE)
    made = bodies(random.Random(seed), count)
    prepared = [
        next(made) for _ in range(50)
    ]  # sent again and again to different runs: making them is not what is timed
    lines = []
    with serving(environment) as server:
        client = Client(server.port, key)
        client.send("GET", "runs/")  # the first request loads the program
        many = {"runs": [{"run": FIRST_RUN + n, "fill": 7000 + n // 5, "period": "K"} for n in range(runs)]}
        began = time.perf_counter()
        client.send("POST", "runs/bulk/", json.dumps(many).encode())
        bulk = time.perf_counter() - began
        lines.append(
            Line(name, f"PUT lumisections, {runs:,} runs", runs * count, put_all(client, runs, prepared), TARGET)
        )
        lines.append(
            Line(name, "the same again, nothing changes", runs * count // 10, put_all(client, runs // 10, prepared))
        )
        shifted = prepared[1:] + prepared[:1]
        lines.append(
            Line(
                name, "other values for the same lumisections", runs * count // 10, put_all(client, runs // 10, shifted)
            )
        )
        check(client, runs, runs // 10, prepared, shifted)
    for conflicts, first in (("ignore", 800_001), ("update", 900_001)):
        seconds = float(python(environment, "-c", PEER, str(PEER_RUNS), str(count), conflicts, str(first)))
        lines.append(Line(name, f"peer: bulk_create({conflicts}_conflicts), no HTTP", PEER_RUNS * count, seconds))
    size = len(prepared[0][0])
    print(f"{name}: POST runs/bulk/ of {runs:,} runs took {bulk:.2f} s; a body of lumisections has {size:,} bytes")
    return lines


def put_all(client: Client, runs: int, prepared: list[tuple[bytes, float]]) -> float:
    began = time.perf_counter()
    for number in range(runs):
        client.send("PUT", f"runs/{FIRST_RUN + number}/lumisections/", prepared[number % len(prepared)][0])
    return time.perf_counter() - began


def check(
    client: Client, runs: int, changed: int, first: list[tuple[bytes, float]], second: list[tuple[bytes, float]]
) -> None:
    """What comes back is what was sent last, for every thirtieth run."""
    for number in range(0, runs, 30):
        sent = (second if number < changed else first)[number % len(first)]
        back = client.send("GET", f"runs/{FIRST_RUN + number}/lumisections/")
        if back != json.loads(sent[0]):
            raise RuntimeError(f"run {FIRST_RUN + number} came back different")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database-url", help="an empty database; default: SQLite, then PostgreSQL from the wheel")
    parser.add_argument("--quick", action="store_true", help="a tenth of the runs")
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    runs = RUNS // 10 if options.quick else RUNS
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="certifier-bench-") as folder:
        if options.database_url:
            lines += measure("given", options.database_url, Path(folder), runs, options.seed)
        else:
            url = f"sqlite:///{folder}/bench.sqlite3"
            lines += measure("SQLite", url, Path(folder), runs, options.seed)
            with postgresql(careless=False) as url:
                lines += measure("PostgreSQL", url, Path(folder), runs, options.seed)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"load of the machine at the end: {load} on {os.cpu_count()} processors")
    print(f"\n{'database':<11} {'task':<44} {'LS':>10} {'seconds':>8} {'LS/s':>10} {'target':>9}")
    for line in lines:
        print(line.text())
    if options.json:
        options.json.write_text(json.dumps([{**asdict(line), "rate": line.rate} for line in lines], indent=1))
    return 0 if all(line.target is None or line.rate >= line.target for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
