"""Scores of neighbouring lumisections: defects last longer than one, noise does not."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mlcore.conditions import Conditions, FloatArray
from mlcore.errors import ShapeError


def beside_neighbours(scores: npt.ArrayLike, conditions: Conditions, *, discount: float = 1.0) -> FloatArray:
    """A lumisection next to a bad one of its run is suspect itself: a fault that begins within it is seen only in part.

    Parameters
    ----------
    scores : (n,) on a logarithmic scale (log-odds, or a soft maximum of pulls), higher = worse; NaN = cannot score.
    conditions : the n lumisections, in any order. Neighbours are those numbered one less and one more in the same run.
    discount : how much less the worse neighbour counts than the lumisection itself.

    Returns (n,) log(exp(own) + exp(worse neighbour - discount)). NaN stays NaN; a neighbour that is NaN says nothing.
    """
    own = np.asarray(scores, dtype=np.float64)
    if own.shape != (len(conditions),):
        raise ShapeError(f"scores have shape {own.shape}, expected ({len(conditions)},).")
    order = np.argsort(conditions.key, kind="stable")
    key, score = conditions.key[order], np.where(np.isnan(own[order]), -np.inf, own[order])
    next_to = np.diff(key) == 1
    worse = np.full(len(own), -np.inf)
    worse[1:] = np.where(next_to, score[:-1], -np.inf)
    worse[:-1] = np.maximum(worse[:-1], np.where(next_to, score[1:], -np.inf))
    joined = np.empty(len(own))
    joined[order] = np.logaddexp(score, worse - discount)
    return np.where(np.isnan(own), np.nan, joined)
