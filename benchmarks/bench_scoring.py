"""A run of 1,000 lumisections: from histograms in the storage to verdicts in the database, as a worker does it.

    python -m benchmarks.bench_scoring [--database-url URL] [--quick] [--json FILE] [--seed N]

One system with 30 histograms of 100 bins and three maps of 34 x 72 towers per lumisection, drawn by mlcore.simulate
with some forty stretches of faults in each run; its model has learned from 60 other runs with what the training room
sets by default. The runs are stored through the service, in a SQLite file and in the PostgreSQL of the wheel (kept to
its promises: fsync on), or in the database given, which must be empty. What is timed is `score_dataset`, which is the
whole of a scoring job: reading Parquet, loading the model, scoring, writing sets, scores, findings, feed and audit
event. The first run is scored by a process that has just started, and loads scikit-learn; the others after it by the
same one.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.bench_histograms import databases
from benchmarks.serving import ROOT

if TYPE_CHECKING:
    import numpy as np

    from mlcore.histograms import HistogramBlock

HISTOGRAMS, MAPS, LAST, QUICK_LAST = 30, 3, 1000, 200
LEARNED_RUNS, LEARNED_LENGTH, QUICK_LEARNED = 60, 20, 24
RUNS, QUICK_RUNS, FIRST_RUN, SYSTEM, DATASET = 4, 2, 400_001, "CALO", "express_express"
FAULTS, FAULT_LENGTH = 40, 3
TARGET_S = 10.0
STEPS = ("reading histograms", "loading the model", "scoring", "writing verdicts")


@dataclass(frozen=True)
class Line:
    database: str
    task: str
    lumisections: int
    seconds: tuple[float, ...]
    cpu_s: float
    findings: int
    target: float | None = TARGET_S

    @property
    def total(self) -> float:
        return sum(self.seconds)

    @property
    def reached(self) -> bool:
        return self.target is None or self.total <= self.target

    def text(self) -> str:
        parts = " ".join(f"{seconds:>8.2f}" for seconds in self.seconds)
        verdict = "reached" if self.reached else "MISSED"
        goal = f"{self.target:>6.0f}  {verdict}" if self.target is not None else ""
        return (
            f"{self.database:<11} {self.task:<34} {parts} {self.total:>8.2f} {self.cpu_s:>8.2f} {self.findings:>8} "
            f"{goal}".rstrip()
        )


# -- in processes of their own: the detector, its model, and the runs -------------------------------------------


def detector(run: int, last: int, bad: np.ndarray[Any, Any], seed: int) -> list[HistogramBlock]:
    """All histograms of a run; where it is bad, a third of them are shifted and a corner of each map is dim."""
    import numpy as np

    from mlcore.conditions import Conditions
    from mlcore.histograms import HistogramBlock
    from mlcore.simulate.maps import OccupancyModel, ecal_barrel
    from mlcore.simulate.shapes import ClusterCharge

    rng = np.random.default_rng([seed, run])
    recorded = np.linspace(120.0, 80.0, last)
    known = {"luminosity": recorded, "pileup": recorded / 2.5}
    conditions = Conditions(run=np.full(last, run), lumisection=np.arange(1, last + 1), **known)
    filled = Conditions(run=conditions.run, lumisection=conditions.lumisection, events=recorded * 20, **known)
    blocks = []
    for place in range(HISTOGRAMS):
        shape = ClusterCharge(element=f"Calo/charge{place:02d}")
        expected = shape.expected(filled)
        if place % 3 == 0:
            expected[bad] = np.roll(expected[bad], 1, axis=1)
        counts = rng.poisson(expected).astype(np.float32)
        blocks.append(HistogramBlock(shape.element, (shape.axis,), counts, conditions, None, f"layer {place % 3}"))
    geometry = ecal_barrel()
    for place in range(MAPS):
        expected = OccupancyModel(geometry, random_state=place).expected(filled).astype(np.float32)
        expected[bad, 5:10, 10 * place : 10 * place + 5] *= 0.7
        counts = rng.poisson(expected).astype(np.float32)
        blocks.append(HistogramBlock(f"Calo/map{place}", geometry.axes, counts, conditions, None, "towers"))
    return blocks


def faults(run: int, last: int, count: int, seed: int) -> np.ndarray[Any, Any]:
    import numpy as np

    rng = np.random.default_rng([seed, run, 1])
    bad = np.zeros(last, dtype=bool)
    for first in rng.choice(max(last - FAULT_LENGTH, 1), min(count, last // 12), replace=False):
        bad[first : first + FAULT_LENGTH] = True
    return bad


def learn(folder: Path, runs: int, seed: int) -> None:
    """A model of the system, by the defaults of the training room, as an artifact."""
    import numpy as np

    from certifier.training.recipe import DEFAULTS
    from mlcore.artifacts import save
    from mlcore.histograms import HistogramBlock
    from mlcore.pipeline import SystemConfig, train

    parts, labels = [], []
    for run in range(1, runs + 1):
        bad = faults(run, LEARNED_LENGTH, 1, seed)
        parts.append(detector(run, LEARNED_LENGTH, bad, seed))
        labels.append(bad)
    bad = np.concatenate(labels)
    families = np.where(bad, "CALO_SHIFTED", "")
    joined = [HistogramBlock.concatenate(list(blocks)) for blocks in zip(*parts, strict=True)]
    save(train(joined, bad.astype(int), SystemConfig(system=SYSTEM, **DEFAULTS), families=families), folder)


def prepare(folder: Path, runs: int, last: int, seed: int) -> None:
    from certifier.accounts import services as accounts
    from certifier.monitoring import services as monitoring
    from certifier.monitoring.models import Element
    from certifier.precert import services as precert
    from certifier.runs import services as of_runs

    system = accounts.create_system(actor=None, code=SYSTEM, name="Calorimeter")
    version = precert.register_version(actor=None, system=system, folder=folder)
    precert.promote(actor=None, version=version, reason="The only one.")
    for run in range(FIRST_RUN, FIRST_RUN + runs):
        blocks = detector(run, last, faults(run, last, FAULTS * last // LAST, seed), seed)
        of_runs.put_run(actor=None, run=run, facts={"lumisections": last, "fill": 6688})
        conditions = blocks[0].conditions
        columns = {"recorded_inv_nb": conditions.luminosity.tolist(), "pileup": conditions.pileup.tolist()}
        of_runs.put_lumisections(actor=None, run=run, columns=columns)
        of_runs.put_dataset(actor=None, run=run, name=DATASET, stage="express")
        monitoring.ingest(actor=None, run=run, dataset=DATASET, blocks=blocks)
        for element in Element.objects.filter(system=None):
            monitoring.change_element(actor=None, element=element, system=SYSTEM)


def score() -> list[dict[str, Any]]:
    """Every run that waits, one after the other: the seconds of each step, and of the processor."""
    from certifier.precert.scoring import score_dataset
    from certifier.precert.unscored import unscored

    found = []
    for each in sorted(unscored(), key=lambda one: one.dataset.run.number):
        marks: list[float] = []
        used = time.process_time()
        scoring = score_dataset(each.version, each.dataset, lambda *_: marks.append(time.perf_counter()))  # noqa: B023
        marks.append(time.perf_counter())
        sets = (scoring.good, scoring.bad, scoring.unsure, scoring.unscored)
        assert sum(map(len, sets)) == each.dataset.run.last_lumisection
        assert len(marks) == len(STEPS) + 1
        found.append({
            "seconds": [after - before for before, after in itertools.pairwise(marks)],
            "cpu": time.process_time() - used,
            "findings": scoring.findings.count(),
        })  # fmt: skip
    return found


# -- what measures ----------------------------------------------------------------------------------------------


def in_a_process(environment: Mapping[str, str], step: str, *arguments: str) -> str:
    command = [sys.executable, "-m", "benchmarks.bench_scoring", "--step", step, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    return done.stdout.decode()


def measure(database: str, url: str, folder: Path, model: Path, options: argparse.Namespace) -> Iterator[Line]:
    environment = settings_of(folder, url)
    runs, last = (QUICK_RUNS, QUICK_LAST) if options.quick else (RUNS, LAST)
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=ROOT, env=environment, check=True, stdin=subprocess.DEVNULL)
    given = ["--model", str(model), "--seed", str(options.seed), *(["--quick"] if options.quick else [])]
    in_a_process(environment, "prepare", *given)
    found = json.loads(in_a_process(environment, "score", *given).splitlines()[-1])
    assert len(found) == runs
    first, *others = found
    yield Line(database, "first, by a fresh process", last, tuple(first["seconds"]), first["cpu"], first["findings"])
    middle = tuple(statistics.median(step) for step in zip(*(each["seconds"] for each in others), strict=True))
    cpu = statistics.median(each["cpu"] for each in others)
    findings = round(statistics.median(each["findings"] for each in others))
    yield Line(database, "the following, median by step", last, middle, cpu, findings)


def settings_of(folder: Path, url: str) -> dict[str, str]:
    return {
        **os.environ, "DATABASE_URL": url, "CERTIFIER_VAR": str(folder), "SECRET_KEY": "benchmark",
        "DJANGO_SETTINGS_MODULE": "certifier.settings", "OMP_NUM_THREADS": "1",
    }  # fmt: skip


def step(options: argparse.Namespace) -> None:
    import django

    django.setup()
    if options.step == "learn":
        learn(options.model, QUICK_LEARNED if options.quick else LEARNED_RUNS, options.seed)
    elif options.step == "prepare":
        runs, last = (QUICK_RUNS, QUICK_LAST) if options.quick else (RUNS, LAST)
        prepare(options.model, runs, last, options.seed)
    else:
        print(json.dumps(score()))


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--database-url")
    parser.add_argument("--quick", action="store_true", help=f"runs of {QUICK_LAST} lumisections")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--step", choices=["learn", "prepare", "score"], help=argparse.SUPPRESS)
    parser.add_argument("--model", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        step(options)
        return 0
    lines = []
    with tempfile.TemporaryDirectory(prefix="certifier-bench-") as name:
        folder = Path(name)
        given = ["--model", str(folder / "model"), "--seed", str(options.seed)]
        in_a_process(
            settings_of(folder / "learning", f"sqlite:///{folder / 'learning.sqlite3'}"),
            "learn",
            *given,
            *(["--quick"] if options.quick else []),
        )
        words = ("reading", "loading", "scoring", "writing", "all, s", "cpu s")
        head = " ".join(f"{word:>8}" for word in words)
        last = QUICK_LAST if options.quick else LAST
        print(f"{'database':<11} {f'{last:,} lumisections, {HISTOGRAMS} + {MAPS} maps':<34} {head} findings target")
        with databases(options.database_url, folder) as wanted:
            for number, (database, url) in enumerate(wanted):
                for line in measure(database, url, folder / str(number), folder / "model", options):
                    print(line.text(), flush=True)
                    lines.append(line)
    if options.json:
        options.json.write_text(json.dumps([{**asdict(each), "total": each.total} for each in lines], indent=2) + "\n")
    return 0 if all(each.reached for each in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
