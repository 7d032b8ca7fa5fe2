"""A good-run list of a year, from the database: 1,500 runs, 750,000 defect entries, luminosity totals included.

    python -m benchmarks.bench_good_run_list [--database-url URL] [--quick] [--json FILE] [--seed N]

The world: 1,500 runs of 1,000 lumisections with luminosity, 600 primary and 300 virtual defects (10 terms each, three
deep; the last one joins the third level and is what the list requires), 500 entries per run, 20 systems, nearly all
signed off. It is written to a SQLite file, then to the PostgreSQL of the wheel (kept to its promises: fsync on), or to
the database given, which must be empty.

What is timed runs in a fresh process each: `build_list` from the call to the written list, and the loss table. Peak
memory is that of the whole process. The peer answers the same question the plain way, model objects and one set of
present defects per lumisection, on the first runs only; its time is scaled to all runs, and its answer is compared.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving import ROOT
from tests.services import postgresql

FIRST_RUN = 400_001
LUMISECTIONS, ENTRIES = 1000, 500
RUNS, QUICK_RUNS, PEER_RUNS = 1500, 150, 5
PRIMARIES, LEVEL, TERMS, SYSTEMS = 600, 100, 10, 20
REQUIRED = "PHYS_ALL_GOOD"
TARGET_S, TARGET_MB = 10.0, 1024.0


@dataclass(frozen=True)
class Line:
    database: str
    task: str
    seconds: float
    note: str = ""
    cpu_s: float | None = None
    peak_mb: float | None = None
    target_s: float | None = None

    @property
    def reached(self) -> bool:
        return self.target_s is None or (
            self.seconds <= self.target_s and (self.peak_mb is None or self.peak_mb < TARGET_MB)
        )

    def text(self) -> str:
        peak = f"{self.peak_mb:,.0f} MB" if self.peak_mb is not None else ""
        cpu = f"({self.cpu_s:.2f} s CPU)" if self.cpu_s is not None else ""
        target = ""
        if self.target_s is not None:
            target = f"<= {self.target_s:g} s, < {TARGET_MB:,.0f} MB: {'reached' if self.reached else 'MISSED'}"
        figures = f"{self.seconds:>9.2f} s {cpu:>14} {peak:>9}"
        return f"{self.database:<11} {self.task:<34} {figures}  {target} {self.note}".rstrip()


# -- in processes of their own ---------------------------------------------------------------------


def peak_mb() -> float:
    """The most memory this process ever held, without its children."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def prepare(runs: int, seed: int) -> dict[str, Any]:
    """Write the world: definitions and lumisections through services, entries and signatures in bulk."""
    from django.db import transaction

    chance = random.Random(seed)
    with transaction.atomic():
        names = _define(chance)
        keys = _make_runs(runs, chance)
        _sign(keys, chance)
        _enter(keys, names, chance)
    return {}


def _define(chance: random.Random) -> list[int]:
    from certifier.accounts.services import create_system
    from certifier.defects.services import NewDefect, define_defects

    systems = [create_system(actor=None, code=f"SYS{n:02}", position=n).code for n in range(SYSTEMS)]
    primaries = [f"{systems[n % SYSTEMS]}_D{n:03}" for n in range(PRIMARIES)]
    definitions = [NewDefect(name=name, system=name.split("_")[0], intolerable=True) for name in primaries]
    below: list[str] = []
    for depth in (1, 2, 3):
        count = LEVEL - 1 if depth == 3 else LEVEL
        made = [f"V{depth}_{n:03}" for n in range(count)]
        for n, name in enumerate(made):
            terms = chance.sample(primaries, TERMS - len(below[:3]))
            terms += [below[(n + k) % len(below)] for k in range(3)] if below else []
            text = " ".join(terms) if n % 10 else f"{' or '.join(terms[2:])} or {terms[0]} and not {terms[1]}"
            definitions.append(NewDefect(name=name, system=chance.choice(systems), expression=text))
        below = made
    definitions.append(NewDefect(name=REQUIRED, system=systems[0], expression=" ".join(below)))
    return [row.pk for row in define_defects(actor=None, definitions=definitions)[:PRIMARIES]]


def _make_runs(count: int, chance: random.Random) -> list[int]:
    import numpy as np

    from certifier.runs import services
    from certifier.runs.models import Run

    numbers = [FIRST_RUN + n for n in range(count)]
    services.put_runs(actor=None, runs=[{"run": number, "lumisections": LUMISECTIONS} for number in numbers])
    for number in numbers:
        values = np.random.default_rng(chance.randrange(2**32)).uniform(50.0, 300.0, LUMISECTIONS)
        columns = {"delivered_inv_nb": values * 1.05, "recorded_inv_nb": values, "pileup": values / 6}
        services.put_lumisections(actor=None, run=number, columns=columns)
    return list(Run.objects.order_by("number").values_list("pk", flat=True))


def _sign(keys: list[int], chance: random.Random) -> None:
    from django.utils import timezone

    from certifier.accounts.models import System
    from certifier.review.models import SignOff

    now = timezone.now()
    systems = list(System.objects.values_list("pk", flat=True))
    rows = [
        SignOff(run_id=run, system_id=system, stage="express", action="sign", by_name="bench", at=now)
        for run in keys
        if chance.random() > 0.02
        for system in systems
    ]
    SignOff.objects.bulk_create(rows, batch_size=5_000)


def _enter(keys: list[int], names: list[int], chance: random.Random) -> None:
    from django.db import connection
    from django.utils import timezone

    from certifier.defects.models import Entry

    columns = "run_id, defect_id, lumisections, present, recoverable, comment, source, entered_at"
    columns += ', "user"'
    statement = f"INSERT INTO {Entry._meta.db_table} ({columns}) VALUES %s"
    row = "(%s, %s, %s, %s, %s, '', 'import', %s, 'sys:bench')"
    now = timezone.now()

    def entries() -> Iterator[tuple[Any, ...]]:
        for run in keys:
            for _ in range(ENTRIES):
                first = chance.randint(1, LUMISECTIONS - 5)
                last = first + chance.choice((0, 0, 0, 1, 3))
                text = f"{first}-{last}" if last > first else str(first)
                present = chance.random() > 0.1
                yield run, chance.choice(names), text, present, present and chance.random() < 0.2, now

    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            from psycopg2.extras import execute_values

            execute_values(cursor.cursor, statement, entries(), template=row, page_size=5_000)
        else:
            cursor.cursor.executemany(statement % row.replace("%s", "?"), entries())
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def build(runs: int, seed: int) -> dict[str, Any]:
    from certifier.goodruns.services import build_list

    began, worked = time.perf_counter(), time.process_time()
    list_ = build_list(actor=None, name="bench", require=[REQUIRED])
    return {
        "seconds": time.perf_counter() - began,
        "cpu_s": time.process_time() - worked,
        "peak_mb": peak_mb(),
        "runs": list_.run_count,
        "lumisections": list_.lumisection_count,
        "recorded_inv_nb": list_.recorded_inv_nb,
    }


def loss(runs: int, seed: int) -> dict[str, Any]:
    from certifier.goodruns.accounting import loss_of
    from certifier.goodruns.models import GoodRunList

    list_ = GoodRunList.objects.get()
    began, worked = time.perf_counter(), time.process_time()
    table = loss_of(list_)
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - worked
    assert table.good.lumisections == list_.lumisection_count
    assert table.selected.lumisections == table.good.lumisections + table.lost.lumisections
    return {"seconds": seconds, "cpu_s": cpu_s, "peak_mb": peak_mb(), "charges": len(table.charges)}


def holds(expression: Any, here: set[str], meaning: dict[str, Any], known: dict[str, bool]) -> bool:
    """Whether an expression is true on a lumisection, by recursion over its definitions."""
    from certifier.lumi.expressions import And, Name, Not, Or

    match expression:
        case Name(name):
            if name not in known:
                meant = meaning.get(name)
                known[name] = name in here if meant is None else holds(meant, here, meaning, known)
            return known[name]
        case Not(operand):
            return not holds(operand, here, meaning, known)
        case And(operands):
            return all(holds(operand, here, meaning, known) for operand in operands)
        case Or(operands):
            return any(holds(operand, here, meaning, known) for operand in operands)
    raise TypeError(expression)


def peer(runs: int, seed: int) -> dict[str, Any]:
    """The same question for the first runs: model objects, and one set of present defects per lumisection."""
    from certifier.accounts.models import System
    from certifier.defects.models import Defect, Entry
    from certifier.goodruns.contents import content_of
    from certifier.goodruns.models import GoodRunList
    from certifier.lumi.expressions import parse
    from certifier.review.models import SignOff
    from certifier.runs.models import Lumisection, Run

    began = time.perf_counter()
    meaning = {row.name: parse(row.expression or "") for row in Defect.objects.exclude(expression=None)}
    good: dict[int, set[int]] = {}
    recorded = 0.0
    for run in Run.objects.order_by("number")[:PEER_RUNS]:
        signed = {row.system_id for row in SignOff.objects.filter(run=run)}
        here: dict[int, set[str]] = {number: set() for number in range(1, run.last_lumisection + 1)}
        for entry in Entry.objects.filter(run=run).select_related("defect").order_by("id"):
            for number in entry.lumisections.numbers():
                (here[number].add if entry.present else here[number].discard)(entry.defect.name)
        if len(signed) == System.objects.count():
            good[run.number] = {number for number in here if not holds(meaning[REQUIRED], here[number], meaning, {})}
        for row in Lumisection.objects.filter(run=run):
            if row.number in good.get(run.number, ()):
                recorded += row.recorded_inv_nb or 0.0
    seconds = time.perf_counter() - began
    content = content_of(GoodRunList.objects.get())
    for number, expected in good.items():
        assert (set(content[number].numbers()) if number in content else set()) == expected, number
    return {"seconds": seconds, "runs": PEER_RUNS, "recorded_inv_nb": recorded}


STEPS = {"prepare": prepare, "build": build, "loss": loss, "peer": peer}


def step(name: str, runs: int, seed: int) -> None:
    import django

    django.setup()
    print(json.dumps(STEPS[name](runs, seed)))


# -- around them -----------------------------------------------------------------------------------


def in_a_fresh_process(name: str, url: str, folder: Path, runs: int, seed: int) -> dict[str, Any]:
    environment = {**os.environ, "DATABASE_URL": url, "CERTIFIER_VAR": str(folder), "LOG_LEVEL": "WARNING"}
    environment["DJANGO_SETTINGS_MODULE"] = "certifier.settings"
    command = [sys.executable, "-m", "benchmarks.bench_good_run_list", "--step", name]
    command += ["--runs", str(runs), "--seed", str(seed)]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def migrate(url: str, folder: Path) -> None:
    environment = {**os.environ, "DATABASE_URL": url, "CERTIFIER_VAR": str(folder)}
    command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


@contextmanager
def databases(given: str | None, folder: Path) -> Iterator[Iterator[tuple[str, str]]]:
    def each() -> Iterator[tuple[str, str]]:
        if given:
            yield given.partition(":")[0], given
            return
        yield "SQLite", f"sqlite:///{folder / 'bench.sqlite3'}"
        with postgresql(careless=False) as url:
            yield "PostgreSQL", url

    yield each()


def measure(database: str, url: str, folder: Path, runs: int, seed: int) -> Iterator[Line]:
    migrate(url, folder)
    began = time.perf_counter()
    in_a_fresh_process("prepare", url, folder, runs, seed)
    print(f"({database}: world written in {time.perf_counter() - began:.0f} s)", file=sys.stderr)
    built = in_a_fresh_process("build", url, folder, runs, seed)
    note = f"{built['runs']:,} runs, {built['lumisections']:,} lumisections, {built['recorded_inv_nb']:,.0f} /nb"
    target = TARGET_S if runs == RUNS else None
    built_line = (built["cpu_s"], built["peak_mb"], target)
    yield Line(database, f"list over {runs:,} runs", built["seconds"], note, *built_line)
    lost = in_a_fresh_process("loss", url, folder, runs, seed)
    yield Line(
        database, "its loss table", lost["seconds"], f"{lost['charges']} charges", lost["cpu_s"], lost["peak_mb"]
    )
    plain = in_a_fresh_process("peer", url, folder, runs, seed)
    scaled = plain["seconds"] * runs / plain["runs"]
    ratio = f"{scaled / built['seconds']:,.0f}x ours; {plain['runs']} runs took {plain['seconds']:.1f} s, scaled"
    yield Line(database, "plain ORM, set per lumisection", scaled, ratio)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="A good-run list of a year, from the database.")
    parser.add_argument("--database-url", help="an empty database to use instead of both")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_RUNS} runs, no target")
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--runs", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    runs = options.runs or (QUICK_RUNS if options.quick else RUNS)
    if options.step:
        step(options.step, runs, options.seed)
        return 0
    lines = []
    with tempfile.TemporaryDirectory(prefix="certifier-bench-") as name:
        folder = Path(name)
        with databases(options.database_url, folder) as chosen:
            for database, url in chosen:
                for line in measure(database, url, folder, runs, options.seed):
                    print(line.text(), flush=True)
                    lines.append(line)
    if options.json:
        options.json.write_text(json.dumps([asdict(line) | {"reached": line.reached} for line in lines], indent=1))
    return 0 if all(line.reached for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
