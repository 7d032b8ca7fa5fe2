"""Histograms into the storage through the service; beside the plain way, one row per histogram in the database.

    python -m benchmarks.bench_histograms [--database-url URL] [--quick] [--json FILE] [--seed N]

Runs of 1,000 lumisections with 20 elements of 100 bins each, in a SQLite file, then in the PostgreSQL of the wheel
(kept to its promises: fsync on), or in the database given, which must be empty. Making the counts is not what is timed.
`ingest` does everything that REST and the command do with them: checks, Parquet, rows, audit event, feed. Afterwards
every count of one run is compared with what was sent, and one element of it is read alone. REST is a gunicorn with one
client that sends the same as Parquet bodies. The peer writes a row per histogram, the counts as packed floats, with
`bulk_create` in batches of 1,000 and nothing else, and reads an element back by its index.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.bench_lumisections import PREPARE, python
from benchmarks.serving import serving
from tests.services import postgresql

FIRST_RUN = 400_001
LUMISECTIONS, ELEMENTS, BINS = 1000, 20, 100
RUNS, QUICK_RUNS, PEER_RUNS = 10, 2, 1
TARGET = 5_000
MAKE = """
import sys, time, json, numpy as np, django; django.setup()
from certifier.monitoring import files, selectors, services
from certifier.runs import services as runs_of
from certifier.runs.models import Run
from mlcore.conditions import Conditions
from mlcore.histograms import Axis, HistogramBlock
first, count, seed, lumisections, elements, bins = map(int, sys.argv[1:7])
rng = np.random.default_rng(seed)
axis = Axis.regular("x", bins, 0.0, 1.0)
counts = [rng.poisson(60, (lumisections, bins)).astype(np.float32) for _ in range(elements)]
def blocks(run):
    known = Conditions(run=np.full(lumisections, run), lumisection=np.arange(1, lumisections + 1))
    return [HistogramBlock(f"System/element{n}", (axis,), counts[(n + run) % elements], known) for n in range(elements)]
numbers = range(first, first + count)
runs_of.put_runs(actor=None, runs=[{"run": run, "lumisections": lumisections} for run in numbers])
"""
SERVICE = (
    MAKE
    + """
given = {run: blocks(run) for run in numbers}
found = {}
for again in ("first", "again"):
    began = time.perf_counter()
    for run in numbers:
        done = services.ingest(actor=None, run=run, dataset="express", blocks=given[run])
        assert (done.histograms if again == "first" else done.unchanged) == lumisections * elements
    found[again] = time.perf_counter() - began
row = Run.objects.get(number=first)
(coverage,) = selectors.coverage_of_run(row).values()
stored = selectors.histograms(row, coverage)
assert all(np.array_equal(stored[block.element].counts, block.counts) for block in given[first])
began = time.perf_counter()
for run in numbers:
    row = Run.objects.get(number=run)
    (coverage,) = selectors.coverage_of_run(row, paths=["System/element3"]).values()
    assert len(selectors.histograms(row, coverage)["System/element3"]) == lumisections
found["read"] = (time.perf_counter() - began) / len(numbers)
print(json.dumps(found))
"""
)
BODIES = (
    MAKE
    + """
from pathlib import Path
for run in numbers:
    Path(sys.argv[7], f"{run}.parquet").write_bytes(files.encode(run, blocks(run)))
"""
)
PEER = (
    MAKE
    + """
from django.db import connection, models, transaction
class Histogram(models.Model):
    run = models.IntegerField()
    element = models.CharField(max_length=200)
    lumisection = models.IntegerField()
    counts = models.BinaryField()
    class Meta:
        app_label = "monitoring"
        db_table = "bench_histogram"
        constraints = [models.UniqueConstraint(fields=["run", "element", "lumisection"], name="bench_once")]
with connection.schema_editor() as editor:
    editor.create_model(Histogram)
given = {run: blocks(run) for run in numbers}
began = time.perf_counter()
for run in numbers:
    with transaction.atomic():
        Histogram.objects.bulk_create((
            Histogram(run=run, element=block.element, lumisection=row + 1, counts=block.counts[row].tobytes())
            for block in given[run] for row in range(lumisections)), batch_size=1000)
found = {"first": time.perf_counter() - began}
began = time.perf_counter()
rows = Histogram.objects.filter(run=first, element="System/element3").order_by("lumisection").values_list("counts")
read = np.array([np.frombuffer(packed, dtype=np.float32) for (packed,) in rows])
found["read"] = time.perf_counter() - began
assert read.shape == (lumisections, bins)
print(json.dumps(found))
"""
)


@dataclass(frozen=True)
class Line:
    database: str
    task: str
    histograms: int
    seconds: float
    target: int | None = None

    @property
    def rate(self) -> float:
        return self.histograms / self.seconds

    def text(self) -> str:
        figures = f"{self.histograms:>9,} {self.seconds:>9.3f} {self.rate:>10,.0f}"
        if self.target is None:
            return f"{self.database:<11} {self.task:<48} {figures}"
        verdict = "reached" if self.rate >= self.target else "MISSED"
        return f"{self.database:<11} {self.task:<48} {figures} {self.target:>7,}  {verdict}"


def measure(name: str, url: str, folder: Path, runs: int, seed: int) -> list[Line]:
    environment = {
        **os.environ, "DATABASE_URL": url, "CERTIFIER_VAR": str(folder), "SECRET_KEY": "benchmark",
        "DJANGO_SETTINGS_MODULE": "certifier.settings",
    }  # fmt: skip
    shape = [str(seed), str(LUMISECTIONS), str(ELEMENTS), str(BINS)]
    count = LUMISECTIONS * ELEMENTS
    python(environment, "manage.py", "migrate", "--verbosity", "0")
    key = python(environment, "-c", PREPARE)
    ours = json.loads(python(environment, "-c", SERVICE, str(FIRST_RUN), str(runs), *shape))
    lines = [
        Line(name, f"ingest, {runs} runs of {count:,}", runs * count, ours["first"], TARGET),
        Line(name, "the same again, nothing changes", runs * count, ours["again"]),
        Line(name, "one element of a run read back", LUMISECTIONS, ours["read"]),
    ]
    seconds = over_rest(environment, key, folder, min(runs, 3), shape)
    lines.insert(1, Line(name, "POST of Parquet, one client", min(runs, 3) * count, seconds, TARGET))
    peer = json.loads(python(environment, "-c", PEER, str(FIRST_RUN + 5_000), str(PEER_RUNS), *shape))
    lines.append(Line(name, "peer: a row per histogram, bulk_create", PEER_RUNS * count, peer["first"]))
    lines.append(Line(name, "peer: one element of a run read back", LUMISECTIONS, peer["read"]))
    stored = sum(file.stat().st_size for file in (folder / "files").rglob("*.parquet"))
    print(f"{name}: {stored / ((runs + min(runs, 3)) * count):,.0f} bytes per histogram in the storage")
    return lines


def over_rest(environment: dict[str, str], key: str, folder: Path, runs: int, shape: list[str]) -> float:
    import http.client
    import time

    bodies = folder / "bodies"
    bodies.mkdir()
    first = FIRST_RUN + 2_000
    python(environment, "-c", BODIES, str(first), str(runs), *shape, str(bodies))
    headers = {"Authorization": f"Token {key}", "Content-Type": "application/vnd.apache.parquet"}
    given = [(run, (bodies / f"{run}.parquet").read_bytes()) for run in range(first, first + runs)]
    with serving(environment) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
        # The first request loads the program and what reads Parquet; it stores nothing.
        for dataset in ("", "express"):
            began = time.perf_counter()
            for run, body in given if dataset else [(1, given[0][1])]:
                connection.request("POST", f"/api/v1/runs/{run}/histograms/?dataset={dataset}", body, headers)
                answer = connection.getresponse()
                text = answer.read()
                if answer.status != (201 if dataset else 404):
                    raise RuntimeError(f"{answer.status} {text[:500]!r}")
            seconds = time.perf_counter() - began
    return seconds


@contextmanager
def databases(url: str | None, folder: Path) -> Iterator[list[tuple[str, str]]]:
    if url:
        yield [(url.partition(":")[0], url)]
        return
    with postgresql(careless=False) as server_url:
        yield [("SQLite", f"sqlite:///{folder / 'bench.sqlite3'}"), ("PostgreSQL", server_url)]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_histograms", description=__doc__)
    parser.add_argument("--database-url", help="an empty database instead of SQLite and the PostgreSQL of the wheel")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_RUNS} runs instead of {RUNS}")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    lines: list[Line] = []
    with tempfile.TemporaryDirectory(prefix="certifier-bench-") as name:
        folder = Path(name)
        with databases(options.database_url, folder) as wanted:
            for number, (database, url) in enumerate(wanted):
                own = folder / str(number)
                own.mkdir()
                lines += measure(database, url, own, QUICK_RUNS if options.quick else RUNS, options.seed)
    print(f"{'database':<11} {'task':<48} {'count':>9} {'seconds':>9} {'per s':>10} {'target':>7}")
    for line in lines:
        print(line.text())
    if options.json:
        options.json.write_text(json.dumps([{**asdict(line), "rate": line.rate} for line in lines], indent=2) + "\n")
    return 0 if all(line.target is None or line.rate >= line.target for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
