"""The neighbours of a lumisection in its run, which are context."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mlcore.conditions import Conditions, FloatArray

Floats = npt.NDArray[np.floating[Any]]


def around(values: Floats, conditions: Conditions, window: int, *, shortest: int = 1) -> FloatArray:
    """(n, k) mean over the `window` neighbours on each side in the same run, the row itself left out.

    Rows must be in order of run and lumisection. NaN are left out; NaN where there is no neighbour, and in runs of
    fewer than `shortest` rows.
    """
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    n = len(values)
    row = np.arange(n)
    run = conditions.run
    first = np.maximum(np.searchsorted(run, run, side="left"), row - window)
    last = np.minimum(np.searchsorted(run, run, side="right"), row + window + 1)
    total = np.vstack([np.zeros((1, values.shape[1])), np.cumsum(filled, axis=0)])
    count = np.vstack([np.zeros((1, values.shape[1])), np.cumsum(known, axis=0)])
    sums = total[last] - total[first] - filled
    number = count[last] - count[first] - known
    length = np.searchsorted(run, run, side="right") - np.searchsorted(run, run, side="left")
    there = (number > 0) & (length >= shortest)[:, None]
    return np.asarray(np.where(there, sums / np.maximum(number, 1), np.nan))


def far_around(values: Floats, conditions: Conditions, window: int) -> FloatArray:
    """The same where a run has as many rows as are looked at: in a shorter one the mean is that of all of it, which
    tells of everything that is wrong there and of no place."""
    return around(values, conditions, window, shortest=2 * window + 1)
