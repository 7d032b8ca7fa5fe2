"""The review queue: from a key press to the next item, and twenty experts on it at once.

    python -m benchmarks.bench_review_queue [--database-url URL] [--quick] [--json FILE] [--seed N]

A gunicorn is started on a free loopback port with 40 runs of five systems, 5,000 findings that wait: a SQLite file,
then the PostgreSQL of the wheel (kept to its promises: fsync on), or the database given, which must be empty.

- The server: an expert decides one item after the other as the page does it by htmx; the answer holds the next item.
- The browser, where a Chromium is found: from the key press to the next item's heading on the screen. What is promised
  is a 95th percentile of 150 ms.
- Twenty experts at once over REST, each asks for the next item and decides it, again and again. No item may be given to
  two while it is held, and each decision must be in the database once. Beside it: one expert alone.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving import ROOT, Server, serving, settle
from tests.services import postgresql

SYSTEMS, RUNS, LAST, FINDINGS = 5, 40, 1000, 25
EXPERTS, SECONDS, QUICK_SECONDS = 20, 20.0, 5.0
DECISIONS, QUICK_DECISIONS, WARM_UP = 150, 40, 8
TARGET_MS = 150.0


@dataclass(frozen=True)
class Line:
    database: str
    task: str
    median_ms: float
    p95_ms: float
    worst_ms: float
    per_s: float
    cpu_ms: float
    doubled: int = 0
    target_ms: float | None = None

    @property
    def reached(self) -> bool:
        return self.doubled == 0 and (self.target_ms is None or self.p95_ms < self.target_ms)

    def text(self) -> str:
        verdict = "" if self.target_ms is None else f"{self.target_ms:>6.0f}  {'reached' if self.reached else 'MISSED'}"
        times = (
            f"{self.median_ms:>8.1f} {self.p95_ms:>8.1f} {self.worst_ms:>8.1f} {self.per_s:>8.1f} {self.cpu_ms:>8.1f}"
        )
        return f"{self.database:<11} {self.task:<46} {times} {self.doubled:>5} {verdict}".rstrip()


@dataclass(frozen=True)
class Timed:
    """Milliseconds of each, the seconds that all took, and the processor time of the server meanwhile."""

    taken: list[float]
    seconds: float
    cpu_s: float


def line(database: str, task: str, timed: Timed, **more: Any) -> Line:
    taken = timed.taken
    cuts = statistics.quantiles(taken, n=20, method="inclusive")
    cpu_ms = 1e3 * timed.cpu_s / len(taken)
    return Line(
        database, task, statistics.median(taken), cuts[18], max(taken), len(taken) / timed.seconds, cpu_ms, **more
    )


# -- in a process of its own: the world ---------------------------------------------------------------------------


def prepare(seed: int) -> dict[str, Any]:
    """Fill the empty database; returns a session of one expert and tokens of twenty."""
    from django.test import Client

    from certifier.accounts import services as accounts
    from certifier.accounts.models import Role
    from certifier.ops.heartbeats import beat
    from certifier.review.intake import find_items
    from certifier.review.models import Item
    from tests.review import queue_world as world

    chance = random.Random(seed)
    systems = [accounts.create_system(actor=None, code=f"SYS{n}", name=f"System {n}") for n in range(SYSTEMS)]
    people = [accounts.create_user(actor=None, username=f"expert{n}") for n in range(EXPERTS)]
    for person in people:
        for system in systems:
            accounts.grant_role(actor=None, user=person, role=Role.EXPERT, system=system)
    versions = [world.champion(system) for system in systems]
    for number in range(400_001, 400_001 + RUNS):
        dataset = world.take(number, LAST)
        for version in versions:
            firsts = chance.sample(range(1, LAST - 10, 12), FINDINGS)
            found = [world.F(f"{first}-{first + chance.randrange(9)}", "unsure", "") for first in firsts]
            world.score(version, dataset, *found)
    find_items()
    for queue in ("default", "score", "train"):
        beat(queue)
    settle()
    client = Client()
    client.force_login(people[0])
    tokens = [accounts.create_token(actor=None, user=person, name="benchmark")[1] for person in people]
    return {"cookie": client.cookies["sessionid"].value, "tokens": tokens, "items": Item.objects.count()}


def decided_twice() -> dict[str, int]:
    """How many items have more than one decision, and how many decisions there are."""
    from django.db.models import Count

    from certifier.review.models import Decision, Item

    return {
        "twice": Item.objects.annotate(count=Count("decisions")).filter(count__gt=1).count(),
        "decisions": Decision.objects.count(),
    }


# -- what measures -------------------------------------------------------------------------------------------------


def in_a_process(environment: dict[str, str], *arguments: str) -> Any:
    command = [sys.executable, "-m", "benchmarks.bench_review_queue", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    return json.loads(done.stdout.decode().strip().splitlines()[-1])


def deciding(server: Server, cookie: str, times: int) -> Timed:
    """One item after the other, as the page does it; milliseconds of each answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request("GET", "/review/?system=SYS0", headers={"Cookie": f"sessionid={cookie}"})
    answer = connection.getresponse()
    page = answer.read().decode()
    csrf = re.search(r"csrftoken=(\w+)", answer.headers["Set-Cookie"])
    item = re.search(r'action="/review/(\d+)/decide/"', page)
    assert csrf is not None
    assert item is not None, page[:500]
    headers = {
        "Cookie": f"sessionid={cookie}; csrftoken={csrf[1]}", "X-CSRFToken": csrf[1], "HX-Request": "true",
        "HX-Target": "review", "Content-Type": "application/x-www-form-urlencoded",
    }  # fmt: skip
    taken, used = [], 0.0
    number = item[1]
    for place in range(times + WARM_UP):
        used = server.cpu_s() if place == WARM_UP else used
        began = time.perf_counter()
        connection.request("POST", f"/review/{number}/decide/", "act=good&system=SYS0", headers)
        answer = connection.getresponse()
        page = answer.read().decode()
        if place >= WARM_UP:
            taken.append((time.perf_counter() - began) * 1e3)
        following = re.search(r"/review/(\d+)/", answer.headers["HX-Push-Url"])
        assert answer.status == 200, page[:500]
        assert following is not None
        number = following[1]
    return Timed(taken, sum(taken) / 1e3, server.cpu_s() - used)


PRESS = """
() => new Promise((resolve, reject) => {
  const before = document.querySelector("#item-title").textContent;
  const began = performance.now();
  const seen = new MutationObserver(() => {
    const now = document.querySelector("#item-title");
    if (!now || now.textContent === before) return;
    seen.disconnect();
    requestAnimationFrame(() => resolve(performance.now() - began));
  });
  seen.observe(document.body, { subtree: true, childList: true });
  setTimeout(() => reject(new Error("no next item")), 20000);
  document.dispatchEvent(new KeyboardEvent("keydown", { key: "x", bubbles: true }));
})
"""


def pressing(server: Server, cookie: str, times: int) -> Timed | None:
    """From the key to the frame that shows the next item; None without a browser."""
    import pytest

    from tests.needs import chromium

    try:
        binary = chromium()
    except (pytest.skip.Exception, pytest.fail.Exception) as missing:
        print(f"no browser: {missing}")
        return None
    from playwright.sync_api import sync_playwright

    taken, used = [], 0.0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        context = browser.new_context(base_url=f"http://127.0.0.1:{server.port}")
        context.add_cookies([{"name": "sessionid", "value": cookie, "url": f"http://127.0.0.1:{server.port}"}])
        page = context.new_page()
        page.goto("/review/?system=SYS1")
        for place in range(times + WARM_UP):
            page.locator("#evidence:not([aria-busy])").wait_for()
            page.locator("#held", has_text="held by you").wait_for()
            used = server.cpu_s() if place == WARM_UP else used
            took = page.evaluate(PRESS)
            if place >= WARM_UP:
                taken.append(float(took))
        browser.close()
    return Timed(taken, sum(taken) / 1e3, server.cpu_s() - used)


class Experts:
    """Each asks for the next item and decides it, until the time is over."""

    def __init__(self, server: Server, seconds: float) -> None:
        self.server = server
        self.seconds = seconds
        self.taken: list[float] = []
        self.given: list[int] = []
        self.failed: list[str] = []
        self._lock = threading.Lock()

    def work(self, token: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=120)
        headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}

        def post(address: str, body: dict[str, Any]) -> Any:
            connection.request("POST", f"/api/v1/{address}", json.dumps(body), headers)
            answer = connection.getresponse()
            said = answer.read()
            if answer.status not in {200, 201}:
                raise RuntimeError(f"{address}: {answer.status} {said[:200]!r}")
            return json.loads(said)

        ends = time.perf_counter() + self.seconds
        try:
            while time.perf_counter() < ends:
                began = time.perf_counter()
                item = post("review-items/next/", {})["item"]
                if item is None:
                    break
                post(f"review-items/{item['id']}/decisions/", {"verdict": "override"})
                with self._lock:
                    self.taken.append((time.perf_counter() - began) * 1e3)
                    self.given.append(item["id"])
        except RuntimeError as error:
            self.failed.append(str(error))

    def run(self, tokens: list[str]) -> Timed:
        threads = [threading.Thread(target=self.work, args=(token,)) for token in tokens]
        began, used = time.perf_counter(), self.server.cpu_s()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.failed:
            raise RuntimeError(f"{len(self.failed)} experts were refused: {self.failed[0]}")
        return Timed(self.taken, time.perf_counter() - began, self.server.cpu_s() - used)


def measure(database: str, url: str, folder: Path, options: argparse.Namespace) -> Iterator[Line]:
    environment = {
        "DJANGO_SETTINGS_MODULE": "certifier.settings", **os.environ,
        "DATABASE_URL": url, "CERTIFIER_VAR": str(folder), "SECRET_KEY": "benchmark",
    }  # fmt: skip
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT, env=environment, check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    who = in_a_process(environment, "--step", "prepare", "--seed", str(options.seed))
    print(f"{database}: {who['items']:,} items wait", flush=True)
    times = QUICK_DECISIONS if options.quick else DECISIONS
    seconds = QUICK_SECONDS if options.quick else SECONDS
    with serving(environment) as server:
        yield line(database, "decide, answer with the next item (server)", deciding(server, who["cookie"], times))
        if (pressed := pressing(server, who["cookie"], times)) is not None:
            yield line(database, "key press to the next item (browser)", pressed, target_ms=TARGET_MS)
        for count, task in ((1, "beside: one expert over REST, next and decide"), (EXPERTS, "twenty experts at once")):
            experts = Experts(server, seconds)
            timed = experts.run(who["tokens"][:count])
            doubled = len(experts.given) - len(set(experts.given))
            doubled += in_a_process(environment, "--step", "check")["twice"]
            yield line(database, task, timed, doubled=doubled)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database-url")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--step", choices=["prepare", "check"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        import django

        django.setup()
        print(json.dumps(prepare(options.seed) if options.step == "prepare" else decided_twice()))
        return 0
    head = " ".join(f"{word:>8}" for word in ("median", "p95", "worst ms", "per s", "cpu ms"))
    print(f"{'database':<11} {'task':<46} {head} twice target")
    lines = []
    with tempfile.TemporaryDirectory(prefix="certifier-bench-") as folder:
        place = Path(folder)
        if options.database_url:
            found = [("given", options.database_url)]
        else:
            found = [("SQLite", f"sqlite:///{place / 'bench.sqlite3'}"), ("PostgreSQL", "")]
        for database, url in found:
            if url:
                results = measure(database, url, place / database, options)
                lines += [shown(each) for each in results]
            else:
                with postgresql(careless=False) as started:
                    lines += [shown(each) for each in measure(database, started, place / database, options)]
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in lines], indent=2) + "\n")
    return 0 if all(each.reached for each in lines) else 1


def shown(each: Line) -> Line:
    print(each.text(), flush=True)
    return each


if __name__ == "__main__":
    sys.exit(main())
