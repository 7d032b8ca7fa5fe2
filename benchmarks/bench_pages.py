"""Every page of the demo, on a world ten times as large as its last weeks.

    python -m benchmarks.bench_pages [--quick] [--json FILE] [--database-url URL]

The demo is loaded (histograms, models, findings, decisions, months of history), and then 300 runs of 1,000 lumisections
with 100 entries each are added, signed as far as the demo's are. A gunicorn with one worker answers an expert over one
kept connection; each page is asked for many times, and what counts is the 95th percentile of the time to the last byte.
Weight is what a browser that sees the page for the first time fetches: the page and its scripts and styles, compressed,
with Plotly and without. Target: p95 below 200 ms, weight below 600 kB with Plotly, and below 120 kB where a page has no
plot.

Some pages remember what they worked out until the feed tells of something new (`certifier.runs.remembering`). They are
also asked right after somebody has entered a defect and changed a run, which makes all of it old; these lines say how
long whoever is first then waits, and have no target.

Beside it, on the same server: `healthz`, which is what the way through gunicorn and Django costs by itself.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import os
import random
import re
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

RUNS, LUMISECTIONS, ENTRIES, FIRST_RUN = 300, 1000, 100, 360_001
QUICK_RUNS = 30
TARGET_MS, PLOT_KB, PLAIN_KB = 200.0, 600, 120
REQUESTS, QUICK_REQUESTS, WARM_UP = 40, 8, 3
REMEMBERING = (
    "/reports/weekly/", "/defects/seen/?defect=LAR_DATACORRUPT", "/defects/seen/?defect=PHYS_ALL_GOOD",
    "/good-runs/build/?require=PHYS_ALL_GOOD", "/review/agreement/",
)  # fmt: skip
ROUNDS = 8
LOADED = re.compile(r'(?:src|href|data-plotly)="(/static/[^"]+)"')
PAGES = (
    "/", "/runs/", "/runs/?mine=1", f"/runs/{FIRST_RUN + 7}/", "/runs/350479/", "/runs/350479/history/?ls=100-140",
    "/reports/weekly/", "/reports/shift/", "/defects/", "/defects/d/PHYS_ALL_GOOD/",
    "/defects/seen/?defect=LAR_DATACORRUPT", "/defects/seen/?defect=PHYS_ALL_GOOD", "/defects/upload/",
    "/defects/tags/", "/defects/tags/pro22-01/diff/pro22-02/", "/good-runs/", "/good-runs/1/", "/good-runs/1/diff/2/",
    "/good-runs/build/?require=PHYS_ALL_GOOD", "/models/", "/models/1/", "/guarantees/", "/guarantees/LAR/",
    "/training/", "/training/LAR/", "/training/LAR/recipe/", "/histograms/", "/histograms/runs/350479/",
    "/histograms/runs/350479/LAr/EMBA/cellTime/", "/review/", "/review/bulk/", "/review/agreement/",
    f"/sign-offs/{FIRST_RUN + 7}/LAR/bulk/", "/sign-offs/many/", "/sign-offs/checklists/", "/trends/",
    "/trends/draw/", "/associations/defects/LAR_DATACORRUPT/", "/account/", "/account/people/", "/notices/",
    "/notices/settings/", "/sources/", "/ops/jobs/", "/styleguide/",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    database: str
    page: str
    median_ms: float
    p95_ms: float
    page_kb: float
    weight_kb: float
    plot: bool
    target_ms: float | None = TARGET_MS

    @property
    def reached(self) -> bool:
        most = PLOT_KB if self.plot else PLAIN_KB
        return self.target_ms is None or (self.p95_ms <= self.target_ms and self.weight_kb <= most)

    def text(self) -> str:
        verdict = "" if self.target_ms is None else "reached" if self.reached else "MISSED"
        times = f"{self.median_ms:>8.1f} {self.p95_ms:>8.1f}"
        sizes = f"{self.page_kb:>8.1f} {self.weight_kb:>9.1f} {'plot' if self.plot else '':<5}"
        return f"{self.database:<11} {self.page:<52} {times} {sizes} {verdict}".rstrip()


# -- in a process of its own ---------------------------------------------------------------------------------------


def prepare(count: int, seed: int) -> dict[str, Any]:
    """The demo first; then as many runs more, through the services but for entries and signatures."""
    from django.core.management import call_command
    from django.test import Client

    from certifier.accounts.models import User
    from certifier.accounts.services import create_token
    from certifier.goodruns.summaries import refresh_summaries

    call_command("load_demo", verbosity=0, stdout=sys.stderr)
    chance = random.Random(seed)
    keys = _runs(count, chance)
    _entries(keys, chance)
    _signatures(keys, chance)
    refresh_summaries()
    settle()
    client = Client()
    client.force_login(User.objects.get(username="ada"))
    _, key = create_token(actor=None, user=User.objects.get(username="ova"), name="bench")
    return {"cookie": client.cookies["sessionid"].value, "token": key}


def _runs(count: int, chance: random.Random) -> list[int]:
    import numpy as np

    from certifier.runs import services
    from certifier.runs.models import Run

    numbers = [FIRST_RUN + place for place in range(count)]
    start = time.time() - count * 12 * 3600
    services.put_runs(
        actor=None,
        runs=[
            {
                "run": number,
                "lumisections": LUMISECTIONS,
                "started_at": _iso(start + place * 12 * 3600),
                "fill": 9000 + place,
            }
            for place, number in enumerate(numbers)
        ],
    )
    for number in numbers:
        values = np.random.default_rng(chance.randrange(2**32)).uniform(50.0, 300.0, LUMISECTIONS)
        columns = {"delivered_inv_nb": values * 1.05, "recorded_inv_nb": values, "pileup": values / 6}
        services.put_lumisections(actor=None, run=number, columns=columns)
    return list(Run.objects.filter(number__in=numbers).order_by("number").values_list("pk", flat=True))


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _entries(keys: list[int], chance: random.Random) -> None:
    from django.utils import timezone

    from certifier.defects.models import Defect, Entry

    now = timezone.now()
    defects = list(Defect.objects.filter(expression=None).values_list("pk", flat=True))
    rows = []
    for run in keys:
        for _ in range(ENTRIES):
            first = chance.randint(1, LUMISECTIONS - 5)
            last = first + chance.choice((0, 0, 0, 1, 3))
            text = f"{first}-{last}" if last > first else str(first)
            rows.append(Entry(run_id=run, defect_id=chance.choice(defects), lumisections=text, present=True,
                              recoverable=chance.random() < 0.2, comment="seen", source="import", user="sys:bench",
                              entered_at=now))  # fmt: skip
    Entry.objects.bulk_create(rows, batch_size=2_000)


def _signatures(keys: list[int], chance: random.Random) -> None:
    from django.utils import timezone

    from certifier.accounts.models import System
    from certifier.review.models import SignOff

    now = timezone.now()
    systems = list(System.objects.values_list("pk", flat=True))
    rows = [
        SignOff(run_id=run, system_id=system, stage="express", action="sign", by_name="bench", at=now)
        for run in keys
        if chance.random() > 0.1
        for system in systems
    ]
    SignOff.objects.bulk_create(rows, batch_size=2_000)


# -- what measures -------------------------------------------------------------------------------------------------


class Browser:
    """One kept connection that takes gzip; scripts and styles are fetched once. The token is that of a script."""

    def __init__(self, server: Server, cookie: str, token: str) -> None:
        self.token = token
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
        self.headers = {"Cookie": f"sessionid={cookie}", "Accept-Encoding": "gzip"}
        self.fetched: dict[str, int] = {}

    def get(self, path: str) -> tuple[float, bytes, bool]:
        """Milliseconds to the last byte, the bytes as sent, and whether they are compressed. Raises RuntimeError."""
        began = time.perf_counter()
        self.connection.request("GET", path, headers=self.headers)
        answer = self.connection.getresponse()
        body = answer.read()
        took = (time.perf_counter() - began) * 1e3
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status} {body[:200]!r}")
        return took, body, answer.headers.get("Content-Encoding") == "gzip"

    def change(self, number: int) -> None:
        """Enter a defect and change a run, as a script does. Raises RuntimeError."""
        entry = {"defect": "LAR_DATACORRUPT", "run": FIRST_RUN, "lumisections": str(number + 1), "comment": "seen"}
        self._send("POST", "/api/v1/defect-entries/", {"entries": [entry]})
        self._send("PUT", f"/api/v1/runs/{FIRST_RUN}/", {"attributes": {"round": number}})

    def _send(self, method: str, path: str, sent: Any) -> None:
        headers = {"Authorization": f"Token {self.token}", "Content-Type": "application/json"}
        self.connection.request(method, path, body=json.dumps(sent), headers=headers)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {answer.status} {body[:200]!r}")

    def weight(self, body: bytes, *, packed: bool) -> tuple[int, bool]:
        """Bytes of the page with all that it loads, and whether it draws a plot: Plotly comes only with one."""
        text = (gzip.decompress(body) if packed else body).decode()
        plot = 'class="plot' in text or "data-plot=" in text
        total = len(body)
        for part in set(LOADED.findall(text)):
            if "plotly" in part and not plot:
                continue
            if part not in self.fetched:
                self.fetched[part] = len(self.get(part)[1])
            total += self.fetched[part]
        return total, plot


def measured(database: str, browser: Browser, path: str, times: int, target: float | None = TARGET_MS) -> Line:
    taken: list[float] = []
    for number in range(times + WARM_UP):
        took, body, packed = browser.get(path)
        if number >= WARM_UP:
            taken.append(took)
    weight, plot = browser.weight(body, packed=packed)
    p95 = statistics.quantiles(taken, n=20, method="inclusive")[18]
    return Line(database, path, statistics.median(taken), p95, len(body) / 1024, weight / 1024, plot, target)


def after_changes(database: str, browser: Browser, times: int) -> Iterator[Line]:
    """Pages that remember, each asked for once after every change."""
    taken: dict[str, list[float]] = {path: [] for path in REMEMBERING}
    for number in range(times):
        browser.change(number)
        for path, found in taken.items():
            found.append(browser.get(path)[0])
    for path, found in taken.items():
        p95 = statistics.quantiles(found, n=20, method="inclusive")[18]
        yield Line(
            database, f"{path} after a change", statistics.median(found), p95, 0.0, 0.0, plot=False, target_ms=None
        )


def measure(database: str, url: str, folder: Path, *, runs: int, times: int, seed: int) -> Iterator[Line]:
    environment = {
        "DJANGO_SETTINGS_MODULE": "certifier.settings", "OMP_NUM_THREADS": "1", **os.environ,
        "DATABASE_URL": url, "CERTIFIER_VAR": str(folder), "SECRET_KEY": "benchmark",
    }  # fmt: skip
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=ROOT, env=environment, check=True, stdin=subprocess.DEVNULL)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bench_pages", "--prepare", str(runs), "--seed", str(seed)],
        cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    keys = json.loads(done.stdout.decode().strip().splitlines()[-1])
    with serving(environment) as server:
        browser = Browser(server, keys["cookie"], keys["token"])
        yield measured(database, browser, "/healthz", times, None)
        for path in PAGES:
            yield measured(database, browser, path, times)
        yield from after_changes(database, browser, ROUNDS)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database-url", help="an empty database; default: SQLite, then PostgreSQL from the wheel")
    parser.add_argument("--quick", action="store_true", help="fewer runs and requests, SQLite only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file as well")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--prepare", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prepare is not None:
        import django

        django.setup()
        print(json.dumps(prepare(options.prepare, options.seed)))
        return 0
    runs, times = (QUICK_RUNS, QUICK_REQUESTS) if options.quick else (RUNS, REQUESTS)
    lines: list[Line] = []
    print(f"{'database':<11} {'page':<52} {'median':>8} {'p95 ms':>8} {'page kB':>8} {'weight kB':>9}")
    with tempfile.TemporaryDirectory(prefix="certifier-bench-") as folder:
        for database, url in _databases(options.database_url, folder, quick=options.quick):
            for one in measure(database, url, Path(folder) / database, runs=runs, times=times, seed=options.seed):
                lines.append(one)
                print(one.text(), flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in lines], indent=1) + "\n")
    return 0 if all(one.reached for one in lines) else 1


def _databases(given: str | None, folder: str, *, quick: bool) -> Iterator[tuple[str, str]]:
    if given:
        yield "given", given
        return
    yield "SQLite", f"sqlite:///{folder}/bench.sqlite3"
    if not quick:
        with postgresql(careless=False) as url:
            yield "PostgreSQL", url


if __name__ == "__main__":
    sys.exit(main())
