"""The strip of a run in a browser: 2,000 lumisections, 100 defects in some 1,800 stretches, every system unfolded.

    python -m benchmarks.bench_run_strip [--quick] [--json FILE] [--seed N]

A gunicorn with one worker serves a SQLite world to Chromium on the same machine. Measured with performance.now in the
page: from the answer's last byte to the first drawing (Plotly from the browser's cache, as for everybody who has seen a
page of it before), the drawing alone, a step of zoom or pan, reading out what lies below the pointer, and the bytes
that a browser without a cache gets. The best of several is given beside the median: other work on the machine only adds
to it.

Beside it, in the same browser, the same stretches drawn by Plotly the plain way: a bar for each stretch, a trace for
each lane, its own tooltips.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving import ROOT, Server, serving
from tests.needs import chromium

RUN, LUMISECTIONS, DEFECTS, SYSTEMS = 400_030, 2000, 100, 10
LOADS, QUICK_LOADS, STEPS = 12, 5, 40
FIRST_DRAWING_MS, PAGE_KB = 500.0, 600.0

LISTEN = "document.addEventListener('strip:drawn', () => { window.drawnAt ??= performance.now(); });"
LOADED = """() => {
  const answer = performance.getEntriesByType('navigation')[0];
  return [drawnAt - answer.responseEnd, performance.getEntriesByName('strip-draw')[0].duration];
}"""
UNFOLD = """async () => {
  document.querySelectorAll('#strip [data-fold]').forEach((fold) => { fold.open = true; });
  await new Promise((done) => setTimeout(done, 1500));
  return window.strip.now.rows.length;
}"""
ZOOM = """async (steps) => {
  const strip = window.strip.now, taken = [];
  for (let step = 0; step < steps; step++) {
    const began = performance.now();
    strip.view = [10 + step * 20, 500 + step * 20];
    await strip.paint();
    taken.push(performance.now() - began);
  }
  return taken;
}"""
HOVER = """(steps) => {
  const strip = window.strip.now, taken = [];
  for (let step = 0; step < steps; step++) {
    const began = performance.now();
    strip.read_out(strip.rows[step % strip.rows.length], 10 + step * 7, 400 + step, 300 + step);
    taken.push(performance.now() - began);
  }
  return taken;
}"""
PLAIN = """async (steps) => {
  const lanes = Object.values(window.strip.now.data.lanes).filter((lane) => lane.parts);
  const data = lanes.map((lane) => {
    const ranges = lane.parts.flatMap((part) => part.ranges);
    return { type: 'bar', orientation: 'h', y: ranges.map(() => lane.name), base: ranges.map(([first]) => first - 0.5),
      x: ranges.map(([first, last]) => last - first + 1), text: ranges.map(([first, last]) => `${first}-${last}`) };
  });
  const place = document.createElement('div');
  document.body.append(place);
  const began = performance.now();
  await Plotly.newPlot(place, data, { height: 2000, width: 900, barmode: 'overlay', showlegend: false });
  const drawn = performance.now() - began, taken = [];
  for (let step = 0; step < steps; step++) {
    const started = performance.now();
    await Plotly.relayout(place, { 'xaxis.range': [10 + step * 20, 500 + step * 20] });
    taken.push(performance.now() - started);
  }
  return { drawn, taken };
}"""


@dataclass(frozen=True)
class Line:
    task: str
    unit: str
    median: float
    best: float
    worst: float
    target: float | None = None

    @property
    def reached(self) -> bool:
        return self.target is None or self.median < self.target

    def text(self) -> str:
        verdict = "" if self.target is None else f"{self.target:>6.0f}  {'reached' if self.reached else 'MISSED'}"
        numbers = f"{self.median:>8.1f} {self.best:>8.1f} {self.worst:>8.1f}"
        return f"{self.task:<58} {self.unit:<3} {numbers} {verdict}".rstrip()


def line(task: str, taken: list[float], target: float | None = None, unit: str = "ms") -> Line:
    return Line(task, unit, statistics.median(taken), min(taken), max(taken), target)


def prepare(seed: int) -> str:
    """Fill the empty database; returns the cookie of a session."""
    from django.test import Client

    from certifier.accounts import services as accounts
    from certifier.accounts.models import Role
    from certifier.defects import services as defects
    from certifier.defects.services import NewDefect, NewEntry
    from certifier.runs import services as runs

    chance = random.Random(seed)
    user = accounts.create_user(actor=None, username="bench")
    accounts.grant_role(actor=None, user=user, role=Role.COORDINATOR)
    for number in range(SYSTEMS):
        accounts.create_system(actor=None, code=f"SYS{number:02}", position=number)
    names = [f"SYS{number % SYSTEMS:02}_DEFECT{number:02}" for number in range(DEFECTS)]
    new = [NewDefect(name=name, system=name[:5], intolerable=chance.random() < 0.3) for name in names]
    defects.define_defects(actor=None, definitions=new)
    facts = {"lumisections": LUMISECTIONS, "period": "K", "started_at": "2018-05-14T20:45:00Z"}
    runs.put_run(actor=None, run=RUN, facts=facts)
    falling = [200 * 0.999**number * chance.uniform(0.98, 1.02) for number in range(LUMISECTIONS)]
    columns = {"duration_s": [60.0] * LUMISECTIONS, "recorded_inv_nb": falling, "pileup": [one / 4 for one in falling]}
    runs.put_lumisections(actor=None, run=RUN, columns=columns, flags={"stable_beams": f"12-{LUMISECTIONS}"})
    entries = []
    for name in names:
        for number in range(6):
            ranges = []
            for _ in range(chance.choice((1, 1, 2, 12))):
                first = chance.randint(1, LUMISECTIONS)
                ranges.append(f"{first}-{min(first + int(chance.paretovariate(0.9)) - 1, LUMISECTIONS)}")
            comment = f"What was seen, number {number}: sector {chance.randrange(64)} tripped and was recovered."
            present = chance.random() > 0.1
            said = NewEntry(run=RUN, defect=name, lumisections=" ".join(ranges), present=present, comment=comment)
            entries.append(said)
    defects.record_entries(actor=None, entries=entries, source="page")
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


def measure(server: Server, cookie: str, loads: int) -> list[Line]:
    from playwright.sync_api import sync_playwright

    address = f"http://127.0.0.1:{server.port}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        context = browser.new_context(base_url=address, viewport={"width": 1440, "height": 900})
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": address}])
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.add_init_script(LISTEN)
        drawn, drawing = [], []
        for number in range(loads + 1):
            page.goto(f"/runs/{RUN}/")
            page.wait_for_function("window.drawnAt")
            if number:  # the first fills the cache
                first, alone = page.evaluate(LOADED)
                drawn.append(first)
                drawing.append(alone)
        body = page.request.get(f"/runs/{RUN}/").body()
        lanes = page.evaluate(UNFOLD)
        zoom, hover, plain = page.evaluate(ZOOM, STEPS), page.evaluate(HOVER, STEPS), page.evaluate(PLAIN, STEPS)
        browser.close()
    plotly = (ROOT / "static" / "vendor" / "plotly" / "plotly-cartesian.min.js").read_bytes()
    weight = (len(gzip.compress(body, 6)) + len(gzip.compress(plotly, 9))) / 1e3
    return [
        line("from the answer to the first drawing", drawn, FIRST_DRAWING_MS),
        line("the drawing alone", drawing),
        line(f"a step of zoom or pan, {lanes} lanes unfolded", zoom),
        line("reading out what lies below the pointer", hover),
        line("page and Plotly, compressed", [weight], PAGE_KB, "kB"),
        line("peer: a bar for each stretch, first drawing", [plain["drawn"]]),
        line("peer: a step of zoom or pan", plain["taken"]),
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The strip of a run in a browser.")
    parser.add_argument("--quick", action="store_true", help="fewer loads")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.prepare:
        import django

        django.setup()
        print(json.dumps(prepare(options.seed)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "DJANGO_SETTINGS_MODULE": "certifier.settings", **os.environ,
            "CERTIFIER_VAR": folder, "SECRET_KEY": "benchmark", "DATABASE_URL": f"sqlite:///{folder}/bench.sqlite3",
        }  # fmt: skip
        given: dict[str, Any] = {"cwd": ROOT, "env": environment, "stdin": subprocess.DEVNULL}
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], check=True, **given)
        command = [sys.executable, "-m", "benchmarks.bench_run_strip", "--prepare", "--seed", str(options.seed)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, **given)
        cookie = json.loads(done.stdout.decode().strip().splitlines()[-1])
        with serving(environment) as server:
            lines = measure(server, cookie, QUICK_LOADS if options.quick else LOADS)
    print(f"{'':<58} {'':<3} {'median':>8} {'best':>8} {'worst':>8} {'target':>6}")
    for one in lines:
        print(one.text())
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in lines], indent=1))
    return 0 if all(one.reached for one in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
