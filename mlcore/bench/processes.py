"""Each table in a process of its own, so that its peak memory is its own. Several at once; what times things, alone."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: measured after the others, one by one
ALONE = ("throughput",)
#: roughly longest first, so that no long one begins when the others are done
LONGEST_FIRST = ("greyzone-shuffled", "offline-ae", "greyzone-blocked", "ecal-maps", "guarantee", "real-histograms")


@dataclass
class Measured:
    rows: list[dict[str, Any]] = field(default_factory=list)
    #: what was printed by tables that did not end, by name
    failed: dict[str, str] = field(default_factory=dict)


def measure(names: Sequence[str], seeds: str, *, quick: bool, jobs: int, say: Callable[[str], None]) -> Measured:
    """The rows of all tables, in the order of `names`; `say` is told of each that ended."""
    order = sorted(names, key=lambda name: LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST))
    found: dict[str, list[dict[str, Any]] | str] = {}
    with tempfile.TemporaryDirectory(prefix="mlcore-bench-") as folder:

        def one(name: str) -> None:
            began = time.monotonic()
            found[name] = _one(name, seeds, Path(folder) / f"{name}.json", quick=quick)
            words = "FAILED" if isinstance(found[name], str) else f"{len(found[name])} rows"
            say(f"{name}: {words} in {time.monotonic() - began:.0f} s")

        with ThreadPoolExecutor(max_workers=jobs) as pool:
            list(pool.map(one, [name for name in order if name not in ALONE]))
        for name in order:
            if name in ALONE:
                one(name)
    measured = Measured()
    for name in names:
        answer = found[name]
        if isinstance(answer, str):
            measured.failed[name] = answer
        else:
            measured.rows += answer
    return measured


def _one(name: str, seeds: str, target: Path, *, quick: bool) -> list[dict[str, Any]] | str:
    command = [sys.executable, "-m", "mlcore.bench", name, "--json", str(target), "--seeds", seeds]
    command += ["--quick"] if quick else []
    done = subprocess.run(  # noqa: S603  # our own module
        command, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    if done.returncode != 0 or not target.exists():
        return done.stderr[-3000:]
    rows: list[dict[str, Any]] = json.loads(target.read_text())["rows"]
    return rows
