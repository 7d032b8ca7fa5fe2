"""One row of a table: a task, what was published, what must be reached, what was measured beside which peers."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np


@dataclass
class Peer:
    """Another method on the same draws: mean and standard deviation over the seeds, CPU seconds of all of them."""

    value: float
    spread: float
    seconds: float
    note: str = ""


@dataclass
class Row:
    """`value` is the mean over `seeds`, `spread` their standard deviation, `seconds` CPU time of our method alone."""

    name: str
    task: str
    published: str
    target: float
    value: float
    spread: float
    seeds: list[int]
    seconds: float
    peak_memory_mb: float
    peers: dict[str, Peer] = field(default_factory=dict)
    better: Literal["higher", "lower"] = "higher"
    bayes: float | None = None
    note: str = ""

    @property
    def reached(self) -> bool:
        if not np.isfinite(self.value):
            return False
        return self.value >= self.target if self.better == "higher" else self.value <= self.target

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "reached": self.reached}


class Stopwatch:
    """CPU seconds of this process and its finished children while it is open."""

    def __init__(self) -> None:
        self.seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        start = time.process_time()
        try:
            yield
        finally:
            self.seconds += time.process_time() - start


def peak_memory_mb() -> float:
    """Largest resident size of this process so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def over_seeds(
    seeds: Sequence[int], methods: Mapping[str, Callable[[Any], float]], draw: Callable[[int], Any]
) -> dict[str, Peer]:
    """Every method on the same draw of every seed: mean, standard deviation and CPU seconds by method."""
    values: dict[str, list[float]] = {name: [] for name in methods}
    watches = {name: Stopwatch() for name in methods}
    for seed in seeds:
        sample = draw(seed)
        for name, method in methods.items():
            with watches[name].running():
                values[name].append(method(sample))
    return {
        name: Peer(float(np.mean(values[name])), float(np.std(values[name])), watches[name].seconds) for name in methods
    }
