"""Where the runs of a system lie beside each other, by the shapes of all its histograms. Only workers come here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from certifier.accounts.selectors import system_named
from certifier.monitoring.models import Element
from certifier.monitoring.selectors import histograms_of_runs
from mlcore.conditions import Conditions, FloatArray
from mlcore.histograms import HistogramBlock
from mlcore.run_map import FEWEST, RunMap, RunShapes, run_shapes

from .computing import NothingToCompare
from .gathering import RUNS, Say
from .selectors import newest_part, runs_with, shaped

# Neighbours that are told of each run, and elements that are named for a direction.
NEAREST, NAMED = 3, 3
# Runs whose lumisections are held at a time; of each only the sum stays.
AT_ONCE: Final = 10


def map_of_runs(code: str, say: Say) -> dict[str, Any]:
    """The latest runs of a system as points, with the nearest ones of each. Raises NoSuchSystem, NothingToCompare,
    HistogramsLost."""
    system = system_named(code)
    elements = shaped(system)
    # Asked first: what comes while this works is not in it, and the page says so.
    seen = newest_part(elements)
    runs = runs_with(elements)[-RUNS:]
    if len(runs) < FEWEST:
        raise NothingToCompare(too_few(system.code, len(runs)))
    blocks = []
    for done, element in enumerate(elements):
        say(0.9 * done / len(elements), f"reading {element.path}")
        block = _summed(element, runs)
        if block is not None:
            blocks.append(block)
    say(0.9, f"laying out {len(runs)} runs")
    shapes, empty = _with_entries(run_shapes(blocks))
    if len(shapes.run) < FEWEST:
        raise NothingToCompare(too_few(system.code, len(shapes.run)))
    made = RunMap().fit(shapes)
    return {
        "runs": len(shapes.run), "first_run": int(shapes.run[0]), "last_run": int(shapes.run[-1]), "empty": empty,
        "elements": len(blocks), "newest_part": seen, "explained": made.explained_.tolist(),
        "moved_by": [_moved_by(axis, shapes.elements) for axis in made.axes_],
        "points": _points(made, shapes),
    }  # fmt: skip


def too_few(code: str, count: int) -> str:
    runs = "1 run has" if count == 1 else f"{count} runs have"
    return f"{runs} histograms of {code} with entries; a map needs at least {FEWEST}. Draw it when more have come."


def _summed(element: Element, runs: Sequence[int]) -> HistogramBlock | None:
    """One row per run that has the element: all its lumisections together."""
    sums: list[FloatArray] = []
    numbers: list[int] = []
    axes = None
    for first in range(0, len(runs), AT_ONCE):
        for block in histograms_of_runs(element, runs[first : first + AT_ONCE]):
            if len(block):
                sums.append(np.nansum(block.counts, axis=0, dtype=np.float64))
                numbers.append(int(block.conditions.run[0]))
                axes = block.axes
    if axes is None:
        return None
    ones = np.ones(len(numbers), dtype=np.int64)
    return HistogramBlock(element.path, axes, np.stack(sums), Conditions(run=np.array(numbers), lumisection=ones))


def _with_entries(shapes: RunShapes) -> tuple[RunShapes, int]:
    """Without the runs in which nothing was filled, which have no place; and how many these are."""
    filled = np.isfinite(shapes.values).any(axis=1)
    return RunShapes(shapes.run[filled], shapes.values[filled], shapes.elements), int((~filled).sum())


def _moved_by(axis: FloatArray, elements: Sequence[str]) -> list[list[Any]]:
    """The elements that differ most along this direction, each with its share of it."""
    share: dict[str, float] = {}
    for name, size in zip(elements, (axis**2).tolist(), strict=True):
        share[name] = share.get(name, 0.0) + size
    return [[name, part] for name, part in sorted(share.items(), key=lambda each: -each[1])[:NAMED]]


def _points(made: RunMap, shapes: RunShapes) -> list[dict[str, Any]]:
    places, strange = made.transform(shapes), made.strange(shapes)
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    nearest = np.argsort(apart, axis=1, kind="stable")[:, : min(NEAREST, len(places) - 1)]
    return [
        {"run": int(run), "x": float(x), "y": float(y), "strange": float(off), "near": shapes.run[near].tolist()}
        for run, (x, y), off, near in zip(shapes.run, places, strange, nearest, strict=True)
    ]
