"""The neighbours of a lumisection in its run, which are context."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mlcore.conditions import Conditions, FloatArray

Floats = npt.NDArray[np.floating[Any]]


def around(values: Floats, conditions: Conditions, window: int) -> FloatArray:
    """(n, k) mean over the `window` neighbours on each side in the same run, the row itself left out.

    Rows must be in order of run and lumisection. NaN are left out; NaN where there is no neighbour.
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
    return np.asarray(np.where(number > 0, sums / np.maximum(number, 1), np.nan))
