"""The run page: how long the server takes, of a run with 1,500 lumisections and 600 defect entries.

    python -m benchmarks.bench_run_page [--database-url URL] [--quick] [--json FILE] [--seed N]

A gunicorn with one worker is started on a free loopback port with a database of 20 systems, 600 primary and 300 virtual
defects, tags, sign-offs and 61 runs: a SQLite file, then the PostgreSQL of the wheel (kept to its promises: fsync on),
or the database given, which must be empty. One signed-in client asks for the pages again and again over one connection;
what is timed is the whole answer as the client gets it, the first ones left out. The target is a 95th percentile of 150
ms.

Beside it, in the same run: the same facts as JSON over REST, and the page written the plain way, which is a model
object for each entry and each lumisection, states kept per lumisection, and one template; without sign-off, virtual
defects, session and HTTP, so it has less to do.
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
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving import ROOT, Server, serving, settle
from tests.services import postgresql

RUN, LUMISECTIONS, ENTRIES = 400_030, 1500, 600
OTHER_RUNS, OTHER_ENTRIES = 60, 100
SYSTEMS, PRIMARIES, LEVEL, TERMS, IN_USE = 20, 600, 100, 10, 60
REQUIRED = "PHYS_ALL_GOOD"
REQUESTS, QUICK_REQUESTS, WARM_UP = 400, 60, 15
TARGET_MS = 150.0


@dataclass(frozen=True)
class Line:
    database: str
    task: str
    size: int
    median_ms: float
    p95_ms: float
    worst_ms: float
    cpu_ms: float
    target_ms: float | None = None

    @property
    def reached(self) -> bool:
        return self.target_ms is None or self.p95_ms < self.target_ms

    def text(self) -> str:
        verdict = "" if self.target_ms is None else f"{self.target_ms:>6.0f}  {'reached' if self.reached else 'MISSED'}"
        times = f"{self.median_ms:>8.1f} {self.p95_ms:>8.1f} {self.worst_ms:>8.1f} {self.cpu_ms:>8.1f}"
        return f"{self.database:<11} {self.task:<52} {self.size / 1000:>7.0f} {times} {verdict}".rstrip()


# -- in processes of their own: the world, and the plain way -------------------------------------------------------


def prepare(seed: int) -> dict[str, str]:
    """Fill the empty database; returns the cookie of a session and a token."""
    from django.test import Client
    from django.utils import timezone

    from certifier.accounts import services as accounts
    from certifier.accounts.models import Role
    from certifier.defects import services as defects
    from certifier.goodruns.models import RunSummary
    from certifier.lumi import LumiSet
    from certifier.ops.heartbeats import beat
    from certifier.review.services import sign_off
    from certifier.runs import services as runs
    from certifier.runs.models import Run

    chance = random.Random(seed)
    user = accounts.create_user(actor=None, username="bench")
    systems = [accounts.create_system(actor=None, code=f"SYS{n:02}", position=n) for n in range(SYSTEMS)]
    accounts.grant_role(actor=None, user=user, role=Role.EXPERT, system=systems[0])
    defects.define_defects(actor=None, definitions=list(_definitions(chance)))
    for number in range(RUN - OTHER_RUNS // 2, RUN + OTHER_RUNS // 2 + 1):
        last = LUMISECTIONS if number == RUN else 300
        facts = {"lumisections": last, "period": "K", "project": "bench", "fill": 7000 + number % 10, "beam": "pp"}
        runs.put_run(actor=None, run=number, facts=facts | {"started_at": "2018-05-14T20:45:00Z"})
        columns = {name: [chance.uniform(10, 300) for _ in range(last)] for name in COLUMNS}
        flags = {"stable_beams": f"12-{last}", "detector_ready": f"20-{last}"}
        runs.put_lumisections(actor=None, run=number, columns=columns, flags=flags)
        said = list(_said(chance, number, last, ENTRIES if number == RUN else OTHER_ENTRIES))
        defects.record_entries(actor=None, entries=said, source="page")
        row = Run.objects.get(number=number)
        for system in systems[: SYSTEMS - number % 3]:
            sign_off(actor=None, run=row, system=system, stage="express")
        RunSummary.objects.create(run=row, good=LumiSet(), required=REQUIRED, refreshed_at=timezone.now())
    runs.put_dataset(actor=None, run=RUN, name="express_express", stage="express")
    runs.import_reference_runs(actor=None, references=[(RUN, RUN - 1)])
    for number in range(20):
        defects.create_tag(actor=None, name=f"tag-{number:02}")
    for queue in ("default", "score", "train"):
        beat(queue)
    settle()
    client = Client()
    client.force_login(user)
    return {"cookie": client.cookies["sessionid"].value, "token": accounts.create_token(actor=None, user=user)[1]}


COLUMNS = ("duration_s", "delivered_inv_nb", "recorded_inv_nb", "pileup")


def _definitions(chance: random.Random) -> Iterator[Any]:
    """600 primaries in 20 systems, 300 virtual ones of 10 terms, three deep, and one over the last level."""
    from certifier.defects.services import NewDefect

    names = [f"SYS{n % SYSTEMS:02}_DEFECT{n:03}" for n in range(PRIMARIES)]
    for number, name in enumerate(names):
        yield NewDefect(name=name, system=name[:5], description=f"Defect {number}.", intolerable=number % 3 == 0)
    below: list[str] = []
    for level in (1, 2, 3):
        here = [f"V{level}_{number:02}" for number in range(LEVEL)]
        for name in here:
            nested = chance.sample(below, TERMS // 2) if below else []
            terms = nested + chance.sample(names, TERMS - len(nested))
            yield NewDefect(name=name, system=f"SYS{chance.randrange(SYSTEMS):02}", expression=" ".join(terms))
        below = here
    yield NewDefect(name=REQUIRED, system="SYS00", expression=" ".join(below))


def _said(chance: random.Random, run: int, last: int, count: int) -> Iterator[Any]:
    """Entries over 60 defects by 12 people: most of a few lumisections, some of many single ones, a tenth absent."""
    from certifier.defects.services import NewEntry

    for number in range(count):
        defect = chance.randrange(IN_USE)
        ranges = []
        for _ in range(chance.choice((1, 1, 1, 1, 2, 6))):
            first = chance.randint(1, last)
            ranges.append(f"{first}-{min(first + int(chance.paretovariate(0.9)) - 1, last)}")
        yield NewEntry(
            run=run,
            defect=f"SYS{defect % SYSTEMS:02}_DEFECT{defect:03}",
            lumisections=" ".join(ranges),
            present=chance.random() > 0.1,
            recoverable=chance.random() < 0.2,
            comment=f"What was seen, number {number % 90}: sector {chance.randrange(64)} tripped and was recovered.",
            user=f"person{chance.randrange(12):02}",
        )


PLAIN = """
<h1>Run {{ run.number }}</h1>
<svg>{% for one in lumisections %}
  <rect x="{{ one.number }}" width="1" height="{{ one.recorded_inv_nb }}"/>
{% endfor %}</svg>
{% for row in rows %}
  <svg>{% for first, last in row.ranges %}<rect x="{{ first }}" width="{{ last }}"/>{% endfor %}</svg>
{% endfor %}
<table>{% for row in rows %}
  <tr><td>{% if row.defect.intolerable %}<b>{{ row.defect.name }}</b>{% else %}{{ row.defect.name }}{% endif %}</td>
  <td>{% for first, last in row.ranges %}{{ first }}-{{ last }} {% endfor %}</td>
  <td>{{ row.entry.comment }}</td><td>{{ row.entry.recoverable }}</td><td>{{ row.entry.user }}</td>
  <td>{{ row.entry.entered_at|date:"m-d H:i" }}</td></tr>
{% endfor %}</table>
"""


def plain(times: int) -> dict[str, Any]:
    """Milliseconds of each rendering of the plain page, and its size."""
    from django.template import engines

    template = engines["django"].from_string(PLAIN)
    taken, page, used = [], "", 0.0
    for number in range(times + 3):
        used = time.process_time() if number == 3 else used
        began = time.perf_counter()
        page = template.render(_plain_context())
        if number >= 3:
            taken.append((time.perf_counter() - began) * 1e3)
    return {"taken": taken, "cpu_ms": (time.process_time() - used) * 1e3 / times, "size": len(page)}


def _plain_context() -> dict[str, Any]:
    from certifier.defects.models import Entry
    from certifier.runs.models import Run

    run = Run.objects.get(number=RUN)
    state: dict[int, dict[int, Any]] = {}
    for entry in Entry.objects.filter(run=run).select_related("defect__system").order_by("id"):
        of_defect = state.setdefault(entry.defect_id, {})
        for number in entry.lumisections.numbers():
            of_defect[number] = entry
    rows = []
    for of_defect in state.values():
        by_entry: dict[Any, list[list[int]]] = {}
        for number in sorted(of_defect):
            entry = of_defect[number]
            if not entry.present:
                continue
            ranges = by_entry.setdefault((entry.recoverable, entry.user, entry.comment), [])
            if ranges and ranges[-1][1] == number - 1:
                ranges[-1][1] = number
            else:
                ranges.append([number, number])
        last = {(entry.recoverable, entry.user, entry.comment): entry for entry in of_defect.values()}
        rows += [{"defect": last[key].defect, "entry": last[key], "ranges": ranges} for key, ranges in by_entry.items()]
    return {"run": run, "lumisections": list(run.lumisections.all()), "rows": rows}


# -- what measures -------------------------------------------------------------------------------------------------


def in_a_process(environment: dict[str, str], *arguments: str) -> Any:
    command = [sys.executable, "-m", "benchmarks.bench_run_page", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    return json.loads(done.stdout.decode().strip().splitlines()[-1])


@dataclass(frozen=True)
class Timed:
    """Milliseconds of each answer, the processor's part of one on average, and the bytes of the last."""

    taken: list[float]
    cpu_ms: float
    size: int


def asked(server: Server, path: str, headers: dict[str, str], times: int) -> Timed:
    """Over one kept connection, one after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    taken, size, used = [], 0, 0.0
    for number in range(times + WARM_UP):
        if number == WARM_UP:
            used = server.cpu_s()
        began = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:300]!r}")
        if number >= WARM_UP:
            taken.append((time.perf_counter() - began) * 1e3)
        size = len(body)
    return Timed(taken, (server.cpu_s() - used) * 1e3 / times, size)


def line(database: str, task: str, timed: Timed, target: float | None = None) -> Line:
    cuts = statistics.quantiles(timed.taken, n=20, method="inclusive")
    median, worst = statistics.median(timed.taken), max(timed.taken)
    return Line(database, task, timed.size, median, cuts[18], worst, timed.cpu_ms, target)


def measure(database: str, url: str, folder: Path, times: int, seed: int) -> Iterator[Line]:
    environment = {
        "DJANGO_SETTINGS_MODULE": "certifier.settings", **os.environ,
        "DATABASE_URL": url, "CERTIFIER_VAR": str(folder), "SECRET_KEY": "benchmark",
    }  # fmt: skip
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT, env=environment, check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    who = in_a_process(environment, "--step", "prepare", "--seed", str(seed))
    session = {"Cookie": f"sessionid={who['cookie']}"}
    part = session | {"HX-Request": "true", "HX-Target": "defects"}
    everything = f"/runs/{RUN}/?absent=true&virtual=true"
    token, rest = {"Authorization": f"Token {who['token']}"}, f"/api/v1/runs/{RUN}/defects/"
    pages = [
        ("run page", f"/runs/{RUN}/", session, times, TARGET_MS),
        ("run page at a tag", f"/runs/{RUN}/?tag=tag-03", session, times, TARGET_MS),
        ("its table alone (htmx)", f"/runs/{RUN}/", part, times, TARGET_MS),
        ("run page, absent and all 301 virtual defects", everything, session, times // 8, None),
        ("beside: its defects as JSON, virtual ones included", rest, token, times // 8, None),
    ]
    with serving(environment) as server:
        for task, path, headers, count, target in pages:
            yield line(database, task, asked(server, path, headers, count), target)
    peer = Timed(**in_a_process(environment, "--step", "plain", "--times", str(times // 4)))
    yield line(database, "peer: the plain way, objects, no HTTP", peer)


def step(options: argparse.Namespace) -> None:
    import django

    django.setup()
    print(json.dumps(prepare(options.seed) if options.step == "prepare" else plain(options.times)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database-url", help="an empty database; default: SQLite, then PostgreSQL from the wheel")
    parser.add_argument("--quick", action="store_true", help="fewer requests")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file as well")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--step", choices=["prepare", "plain"], help=argparse.SUPPRESS)
    parser.add_argument("--times", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        step(options)
        return 0
    times = QUICK_REQUESTS if options.quick else REQUESTS
    lines: list[Line] = []
    head = f"{'kB':>7} {'median':>8} {'p95 ms':>8} {'worst':>8} {'cpu ms':>8} {'target':>6}"
    print(f"{'database':<11} {'answer':<52} {head}")
    with tempfile.TemporaryDirectory(prefix="certifier-bench-") as folder:
        databases = _databases(options.database_url, folder)
        for database, url in databases:
            for one in measure(database, url, Path(folder) / database, times, options.seed):
                lines.append(one)
                print(one.text(), flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in lines], indent=1) + "\n")
    return 0 if all(one.reached for one in lines) else 1


def _databases(given: str | None, folder: str) -> Iterator[tuple[str, str]]:
    if given:
        yield "given", given
        return
    yield "SQLite", f"sqlite:///{folder}/bench.sqlite3"
    with postgresql(careless=False) as url:
        yield "PostgreSQL", url


if __name__ == "__main__":
    sys.exit(main())
