"""Many workers that score, killed at random and replaced; and what must be true whatever became of them."""

from __future__ import annotations

import random
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from certifier.lumi import LumiSet
from tests.ops.worker_process import kill, start_worker


class Crew:
    """So many workers of the queues that the compose file gives to quick work."""

    def __init__(self, size: int, folder: Path, environment: Mapping[str, str], seed: int) -> None:
        self.folder = folder
        self.environment = dict(environment)
        self.chance = random.Random(seed)
        self.killed = 0
        self._started = 0
        self._workers = [self._start() for _ in range(size)]

    def _start(self) -> subprocess.Popen[bytes]:
        self._started += 1
        name = f"worker{self._started}"
        return start_worker(
            "default", "score", name=name, log=self.folder / f"{name}.log", environment=self.environment
        )

    def kill_one(self) -> None:
        """Any of them, in the middle of whatever it does; another one takes its place."""
        place = self.chance.randrange(len(self._workers))
        kill(self._workers[place])
        self.killed += 1
        self._workers[place] = self._start()

    def last_words(self) -> str:
        logs = sorted(self.folder.glob("worker*.log"), key=lambda path: path.stat().st_mtime)
        return "\n".join(f"{path.name}: {path.read_text()[-1500:]}" for path in logs[-3:])

    def stop(self) -> None:
        for worker in self._workers:
            kill(worker)


@contextmanager
def crew(size: int, folder: Path, environment: Mapping[str, str], seed: int) -> Iterator[Crew]:
    workers = Crew(size, folder, environment, seed)
    try:
        yield workers
    finally:
        workers.stop()


def what_is_wrong() -> list[str]:
    """Of all runs with histograms, in words: what was lost, what is there twice, what is no partition, which job lies.

    Asked when nothing is left to do; nothing is said where all is well.
    """
    from certifier.ops.models import Job, JobState
    from certifier.precert.models import Finding, Scoring, Verdict
    from certifier.precert.unscored import unscored
    from certifier.runs.models import Change, Run

    wrong = [f"not scored: {each}" for each in unscored()]
    told = Counter(Change.objects.filter(kind="precert.scoring").values_list("run", "data__system", "data__model"))
    for scoring in Scoring.objects.select_related("version__system", "dataset__run").prefetch_related("findings"):
        run, name = scoring.dataset.run, f"run {scoring.dataset.run.number} by {scoring.version}"
        sets = [scoring.of(verdict) for verdict in Verdict]
        together = LumiSet()
        for each in sets:
            together |= each
        if together != LumiSet.whole(run.last_lumisection) or sum(map(len, sets)) != len(together):
            wrong.append(f"{name}: its verdicts are no partition: {[str(each) for each in sets]}")
        found: list[Finding] = list(scoring.findings.all())
        looked_at = LumiSet()
        for finding in found:
            looked_at |= finding.lumisections
        asked = scoring.of(Verdict.BAD) | scoring.of(Verdict.UNSURE)
        if looked_at != asked or sum(len(finding.lumisections) for finding in found) != len(asked):
            wrong.append(f"{name}: findings on {looked_at}, asked {asked}")
        if (times := told[run.number, scoring.version.system.code, scoring.version.number]) != 1:
            wrong.append(f"{name}: told {times} times")
    by_key = Counter(Scoring.objects.values_list("version", "dataset"))
    wrong += [f"scored {count} times: {key}" for key, count in by_key.items() if count != 1]
    numbers = set(Scoring.objects.values_list("dataset__run__number", flat=True))
    wrong += [f"run {run.number} has no scoring" for run in Run.objects.exclude(number__in=numbers)]
    for job in Job.objects.exclude(state=JobState.DONE):
        wrong.append(f"{job} (attempt {job.attempt}): {job.message}")
    return wrong
