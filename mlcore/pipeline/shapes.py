"""Shapes of histograms as a classifier sees them: how far from what is usual in the same run.

A detector ages from week to week, and its mean, width and quantiles with it: trees that split on them as they are find
in later weeks that good data look like what was bad once. Beside the other lumisections of its run a shape has no age,
and the mean over neighbours brings out what is too weak for one lumisection. What is wrong with more than half of a run
cannot be seen so; the scores of the detectors, which know a reference, do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from mlcore.conditions import BoolArray, Conditions, FloatArray, IntArray
from mlcore.features import FeatureTable, shape_features
from mlcore.histograms import HistogramBlock
from mlcore.reference import medians

from .neighbours import around, far_around

Floats = npt.NDArray[np.floating[Any]]

WITHIN, AROUND, FAR = "within run ", "around within run ", "far around within run "
#: as models of before had them, which are still asked
AS_THEY_ARE = "shape "
#: lumisections of a run that make a line; rounds of fitting one; in median deviations, what lies so far off is left out
FEWEST, STEPS, BIWEIGHT = 8, 4, 5.0
#: of a run between which slopes are looked at
PLACES = 40


def shape_columns(
    blocks: Sequence[HistogramBlock], conditions: Conditions, windows: Sequence[int], wanted: Sequence[str] | None
) -> list[FeatureTable]:
    """Tables of n lumisections for blocks of one axis, aligned with `conditions`, which are in order of run and
    lumisection.

    Of each block its `shape_features` less what is usual in the run (`within_run`), and the mean of that over the
    neighbours, one for each of at most two `windows`. `wanted` names the columns that a model was trained on: what has
    none among them is not worked out; None for all.
    """
    found: list[FeatureTable] = []
    lined: list[tuple[FeatureTable, set[str]]] = []
    for block in blocks:
        element = f"{block.element}:"
        named = [name for name in wanted or () if element in name]
        if wanted is not None and not any(name.startswith((WITHIN, AROUND, FAR, AS_THEY_ARE)) for name in named):
            continue
        table = shape_features(block)
        if any(name.startswith(AS_THEY_ARE + element) for name in named):
            found.append(_called(AS_THEY_ARE, table, table.values))
        kinds = {prefix for prefix in (WITHIN, AROUND, FAR) if any(name.startswith(prefix + element) for name in named)}
        if wanted is None or kinds:
            lined.append((table, kinds))
    if not lined:
        return found
    # All blocks at once: a line for each run takes as long for hundreds of columns as for a few.
    together = within_run(np.hstack([table.values for table, _ in lined]), conditions)
    ends = np.cumsum([table.values.shape[1] for table, _ in lined])
    for (table, kinds), off in zip(lined, np.split(together, ends[:-1], axis=1), strict=True):
        found.append(_called(WITHIN, table, off))
        for prefix, mean, window in zip((AROUND, FAR), (around, far_around), windows, strict=False):
            if wanted is None or prefix in kinds:
                found.append(_called(prefix, table, mean(off, conditions, window)))
    return found


def within_run(values: Floats, conditions: Conditions) -> FloatArray:
    """(n, k) values less what is usual in the same run: a robust line along its lumisections, because luminosity and
    pile-up fall. Where fewer than `FEWEST` are known, less their median. NaN stays NaN. Rows in order of run.

    Means over neighbours average noise away and leave any trend as it is; beside a trend a weak fault is not seen,
    however long it lasts.
    """
    off = np.full(values.shape, np.nan)
    begins = 1 + np.flatnonzero(np.diff(conditions.run))
    for rows in np.split(np.arange(len(values)), begins):
        off[rows] = _off_the_line(np.asarray(values[rows], dtype=np.float64), conditions.lumisection[rows])
    return off


def _off_the_line(values: FloatArray, lumisection: IntArray) -> FloatArray:
    """(m, k) residuals of a line per column: its slope first by repeated medians, which faults of less than half of the
    run do not tilt; then what lies far off is left out (Tukey's biweight)."""
    known = np.isfinite(values)
    many = known.sum(axis=0) >= FEWEST
    off = np.full(values.shape, np.nan)
    for place in np.flatnonzero(known.any(axis=0) & ~many):
        off[:, place] = values[:, place] - np.median(values[known[:, place], place])
    if not many.any():
        return off
    there, seen = np.where(known[:, many], values[:, many], 0.0), known[:, many]
    along = np.column_stack([np.ones(len(values)), lumisection - lumisection.mean()])
    left = there - along[:, 1:] * _slopes(there, seen, along[:, 1])
    left -= _medians(left, seen)
    for _ in range(STEPS):
        size = _medians(np.abs(left), seen)
        # What is nearly constant has no scale: there it stays at the median.
        weight = np.maximum(1.0 - (left / (BIWEIGHT * np.where(size > 0, size, 1.0))) ** 2, 0.0) ** 2
        weight = np.where(seen & (size > 0), weight, 0.0)
        normal = np.einsum("nk,na,nb->kab", weight, along, along)
        normal[:, [0, 1], [0, 1]] += 1e-9
        line = np.linalg.solve(normal, np.einsum("nk,na,nk->ka", weight, along, there)[:, :, None])[:, :, 0]
        left = np.where(size > 0, there - along @ line.T, left)
    off[:, many] = np.where(seen, left, np.nan)
    return off


def _slopes(values: FloatArray, seen: BoolArray, along: FloatArray) -> FloatArray:
    """(k,) the median of the median slopes from each place to all others (Siegel 1982). Of a long run it is one of
    `PLACES` stretches, each by its median."""
    cut = np.linspace(0, len(values), min(len(values), PLACES) + 1).astype(int)[:-1]
    if len(cut) < len(values):
        parts = [slice(a, b) for a, b in zip(cut, [*cut[1:], len(values)], strict=True)]
        middle = np.stack([_medians(values[part], seen[part]) for part in parts])
        along = np.array([along[part].mean() for part in parts])
    else:
        middle = np.where(seen, values, np.nan)
    known, n = np.isfinite(middle), len(middle)
    with np.errstate(invalid="ignore", divide="ignore"):
        slopes = (middle[:, None] - middle[None]) / (along[:, None] - along[None])[:, :, None]
    pairs = (known[:, None] & known[None] & ~np.eye(n, dtype=bool)[:, :, None]).swapaxes(0, 1).reshape(n, -1)
    by_place = _medians(slopes.swapaxes(0, 1).reshape(n, -1), pairs).reshape(n, -1)
    return np.asarray(np.nan_to_num(_medians(by_place, np.isfinite(by_place))))


def _medians(values: FloatArray, seen: BoolArray) -> FloatArray:
    """(k,) of the known values of each column; NaN where none is known."""
    if seen.all():
        return np.asarray(np.median(values, axis=0))
    return np.asarray(medians(np.where(seen, values, np.nan).T, seen.sum(axis=0)))


def _called(prefix: str, table: FeatureTable, values: FloatArray) -> FeatureTable:
    return FeatureTable(values, tuple(prefix + name for name in table.names), table.groups, table.conditions)
