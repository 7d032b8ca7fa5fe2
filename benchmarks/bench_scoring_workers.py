"""Ten workers score a hundred runs that wait, while they are killed at random and Redis forgets everything.

    python -m benchmarks.bench_scoring_workers [--database-url URL] [--quick] [--json FILE] [--seed N]

The installation is that of docker/compose.yaml: PostgreSQL (of the wheel, kept to its promises: fsync on; or the one
given, which must be empty), a Redis that keeps nothing on disk, `celery beat` with the product's own schedule, and
workers of the queues default and score. A hundred runs with histograms wait when the workers start. Every second or two
one of them is killed (SIGKILL, its children too) and replaced; when a third of the runs is scored, Redis is killed and
stays away for five seconds. Then everybody is left alone until nothing waits.

What must hold at the end: every run scored exactly once by the champion, its verdicts a partition of its lumisections,
its findings on exactly what is bad or unsure, one line in the change feed each; every job done, those that were
interrupted saying that they took another attempt. Beside it, in the same run: the same with nobody killed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.serving import ROOT
from tests.services import Redis, postgresql, restartable_redis

RUNS, QUICK_RUNS, LAST = 100, 20, 24
WORKERS, QUICK_WORKERS, KILLED, QUICK_KILLED = 10, 4, 20, 5
AWAY_S, WITHIN_S, FIRST_RUN = 5.0, 1800.0, 400_001


@dataclass(frozen=True)
class Line:
    task: str
    runs: int
    workers: int
    seconds: float
    killed: int
    interrupted: int
    sent_again: int
    scorings: int
    wrong: list[str] = field(default_factory=list)

    @property
    def reached(self) -> bool:
        return not self.wrong and self.scorings == self.runs

    def text(self) -> str:
        figures = f"{self.runs:>5} {self.workers:>8} {self.seconds:>8.0f} {self.killed:>7} {self.interrupted:>12}"
        verdict = "none lost, none doubled" if self.reached else f"MISSED: {'; '.join(self.wrong[:3])}"
        return f"{self.task:<44} {figures} {self.sent_again:>11} {self.scorings:>8}  {verdict}"


# -- in processes of their own ----------------------------------------------------------------------------------


def prepare(runs: int) -> dict[str, Any]:
    """Runs with histograms, a champion, and a job for each of them in the queue."""
    from certifier.precert.tasks import find_unscored
    from tests import cast
    from tests.precert import world

    lar = cast.make_system("LAR")
    world.champion(lar)
    for number in range(FIRST_RUN, FIRST_RUN + runs):
        world.take(number, LAST, system=lar, noise="3-5", corrupt="15-18")
    return find_unscored()


def state() -> dict[str, Any]:
    """How far it is."""
    from certifier.ops.models import LIVE, Job
    from certifier.precert.models import Scoring

    return {"scorings": Scoring.objects.count(), "live": Job.objects.filter(state__in=LIVE).count()}


def outcome() -> dict[str, Any]:
    from certifier.ops.models import Job
    from certifier.precert.models import Scoring
    from certifier.precert.unscored import KIND
    from tests.precert.crew import what_is_wrong

    jobs = Job.objects.filter(kind=KIND)
    return {
        "wrong": what_is_wrong(),
        "scorings": Scoring.objects.count(),
        "interrupted": jobs.filter(attempt__gt=1).count(),
    }


def in_a_process(environment: Mapping[str, str], *arguments: str) -> Any:
    command = [sys.executable, "-m", "benchmarks.bench_scoring_workers", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    return json.loads(done.stdout.decode().strip().splitlines()[-1])


def answers(environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """A process that says how far it is, once per line it is sent: starting one each second would be the load."""
    command = [sys.executable, "-m", "benchmarks.bench_scoring_workers", "--step", "answer"]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )


class Watch:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def look(self) -> dict[str, int]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        found: dict[str, int] = json.loads(self.process.stdout.readline())
        return found


# -- what measures ----------------------------------------------------------------------------------------------


def measure(folder: Path, url: str, server: Redis, options: argparse.Namespace, *, shaken: bool) -> Line:
    from tests.ops.worker_process import kill, start_celery
    from tests.precert.crew import crew

    runs, size = (QUICK_RUNS, QUICK_WORKERS) if options.quick else (RUNS, WORKERS)
    to_kill = (QUICK_KILLED if options.quick else KILLED) if shaken else 0
    environment = {
        **os.environ, "DATABASE_URL": url, "REDIS_URL": server.url, "CERTIFIER_VAR": str(folder),
        "SECRET_KEY": "benchmark", "DJANGO_SETTINGS_MODULE": "certifier.settings", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=ROOT, env=environment, check=True, stdin=subprocess.DEVNULL)
    started = in_a_process(environment, "--step", "prepare", "--runs", str(runs))
    assert started["started"] == runs, started
    chance = random.Random(options.seed)
    watch = Watch(answers(environment))
    schedule = start_celery("beat", "--pidfile=", log=folder / "beat.log", environment=environment)
    began = time.monotonic()
    try:
        with crew(size, folder, environment, options.seed) as workers:
            is_restarted, next_kill = not shaken, 0.0
            while (now := watch.look())["live"]:
                if time.monotonic() - began > WITHIN_S:
                    raise RuntimeError(f"{now} after {WITHIN_S:.0f} s.\n{workers.last_words()}")
                # The first when all are at work: who is still starting loses nothing.
                if workers.killed < to_kill and now["scorings"] and time.monotonic() > next_kill:
                    workers.kill_one()
                    next_kill = time.monotonic() + chance.uniform(1.0, 2.5)
                if not is_restarted and now["scorings"] >= runs // 3:
                    is_restarted = True
                    server.stop(signal.SIGKILL)
                    time.sleep(AWAY_S)
                    server.start()
                time.sleep(0.2)
            seconds, killed = time.monotonic() - began, workers.killed
    finally:
        kill(schedule)
        watch.process.kill()
        watch.process.wait()
    found = in_a_process(environment, "--step", "outcome")
    again = sum(path.read_text().count("is sent again") for path in folder.glob("worker*.log"))
    task = "killed at random, Redis away for a while" if shaken else "beside: nobody is killed"
    return Line(task, runs, size, seconds, killed, found["interrupted"], again, found["scorings"], found["wrong"])


def step(options: argparse.Namespace) -> None:
    import django

    django.setup()
    if options.step == "prepare":
        print(json.dumps(prepare(options.runs)))
    elif options.step == "answer":
        for _ in sys.stdin:
            print(json.dumps(state()), flush=True)
    else:
        print(json.dumps(outcome()))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database-url")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--step", choices=["prepare", "answer", "outcome"], help=argparse.SUPPRESS)
    parser.add_argument("--runs", type=int, default=RUNS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        step(options)
        return 0
    head = f"{'runs':>5} {'workers':>8} {'seconds':>8} {'killed':>7} {'interrupted':>12} {'sent again':>11}"
    print(f"{'task':<44} {head} {'scored':>8}")
    lines = []
    for shaken in (True, False) if not options.database_url else (True,):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="certifier-bench-")))
            url = options.database_url or stack.enter_context(postgresql(careless=False))
            server = stack.enter_context(restartable_redis())
            lines.append(measure(folder, url, server, options, shaken=shaken))
            print(lines[-1].text(), flush=True)
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in lines], indent=2) + "\n")
    return 0 if all(each.reached for each in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
