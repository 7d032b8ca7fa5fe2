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

from mlcore.conditions import Conditions, FloatArray
from mlcore.features import FeatureTable, shape_features
from mlcore.histograms import HistogramBlock

from .neighbours import around

Floats = npt.NDArray[np.floating[Any]]

WITHIN, AROUND = "within run ", "around within run "
#: as models of before had them, which are still asked
AS_THEY_ARE = "shape "


def shape_columns(
    blocks: Sequence[HistogramBlock], conditions: Conditions, window: int, wanted: Sequence[str] | None
) -> list[FeatureTable]:
    """Tables of n lumisections for blocks of one axis, aligned with `conditions`, which are in order of run and
    lumisection.

    Of each block its `shape_features` less their median in the run, and the mean of that over the neighbours. `wanted`
    names the columns that a model was trained on: what has none among them is not worked out; None for all.
    """
    found = []
    for block in blocks:
        element = f"{block.element}:"
        named = [name for name in wanted or () if element in name]
        if wanted is not None and not any(name.startswith((WITHIN, AROUND, AS_THEY_ARE)) for name in named):
            continue
        table = shape_features(block)
        if any(name.startswith(AS_THEY_ARE + element) for name in named):
            found.append(_called(AS_THEY_ARE, table, table.values))
        if wanted is None or any(name.startswith((WITHIN + element, AROUND + element)) for name in named):
            off = within_run(table.values, conditions)
            found += [_called(WITHIN, table, off), _called(AROUND, table, around(off, conditions, window))]
    return found


def within_run(values: Floats, conditions: Conditions) -> FloatArray:
    """(n, k) values less the median of the known ones of the same run; NaN stays NaN. Rows in order of run."""
    off = np.full(values.shape, np.nan)
    begins = 1 + np.flatnonzero(np.diff(conditions.run))
    for rows in np.split(np.arange(len(values)), begins):
        for place in range(values.shape[1]):
            here = values[rows, place]
            known = np.isfinite(here)
            if known.any():
                off[rows, place] = here - np.median(here[known])
    return off


def _called(prefix: str, table: FeatureTable, values: FloatArray) -> FeatureTable:
    return FeatureTable(values, tuple(prefix + name for name in table.names), table.groups, table.conditions)
