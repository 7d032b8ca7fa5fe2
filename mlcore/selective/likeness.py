"""How alike the lumisections of a run are: the design effect at every threshold of a sequence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from mlcore.conditions import FloatArray, IntArray

# Correlation of verdict errors within a run that is assumed in any case; 200 lumisections per run give D = 5.
ASSUMED_CORRELATION = 0.02
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(41)


@dataclass(frozen=True)
class Smoothing:
    """Parameters of `smoothed_design_effect`, as `SelectivePolicy` explains them."""

    floor: float = 5.0
    prior_runs: float = 150.0
    neighbour: float = 5.0


def smoothed_design_effect(
    measured: FloatArray, counted: FloatArray, expected: FloatArray, runs: int, smoothing: Smoothing
) -> FloatArray:
    """Design effect at each of g thresholds, estimated where it can be: (g,).

    At a threshold that just passes there are few errors, and the samples that pass are those in which the errors
    happen to be few *and* evenly spread: the plain estimate is too small exactly where it matters (at 700 runs it
    breaks a nominal 5% in 6-8% of the repeats). So it is taken at a neighbouring threshold further out, with
    `neighbour` times as many errors, where errors are more alike rather than less; drawn, on a logarithmic scale,
    towards what the scores let expect (`expected`, of `expected_design_effect`): half way at `prior_runs` runs, hardly
    at many, nearly all the way at few, where a few runs with many errors make the estimate or are missing from it;
    never below the floor; never falling outwards.

    measured : (g,) `design_effect` at the threshold itself, NaN where there is none; counted : (g,) errors inside.
    """
    if not measured.size:
        return np.empty(0)
    seen = np.maximum(np.nan_to_num(measured, nan=1.0), 1.0)
    place = np.searchsorted(np.maximum.accumulate(counted), smoothing.neighbour * counted + 10.0)
    seen = seen[np.minimum(place, measured.size - 1)]
    share = runs**2 / (runs**2 + smoothing.prior_runs**2)
    prior = np.maximum(expected, smoothing.floor)
    drawn = np.exp(share * np.log(seen) + (1 - share) * np.log(prior))
    return np.asarray(np.maximum(np.maximum.accumulate(drawn), smoothing.floor))


def expected_design_effect(share: FloatArray, per_run: float, likeness: float) -> FloatArray:
    """Design effect of being among the most extreme `share` of lumisections, (g,), from the likeness of their scores.

    Scores of one run are taken to be correlated by `likeness` after their ranks were made normal (a Gaussian copula):
    two lumisections of a run are both extreme more often than two of different runs. `per_run` of them are in a run.
    """
    rate = np.clip(share, 1e-9, 1 - 1e-9)
    inside = np.sqrt(likeness) * _NODES[None, :] + ndtri(rate)[:, None]
    both = ndtr(inside / np.sqrt(max(1 - likeness, 1e-6))) ** 2 @ (_WEIGHTS / _WEIGHTS.sum())
    correlation = np.maximum((both - rate**2) / (rate * (1 - rate)), ASSUMED_CORRELATION)
    return np.asarray(1.0 + max(per_run - 1.0, 0.0) * correlation)


def likeness(scores: FloatArray, run: IntArray, runs: int) -> float:
    """Correlation of the normal scores of two lumisections of one run (intraclass correlation of an analysis of
    variance), 0 when it cannot be known."""
    size = np.bincount(run, minlength=runs).astype(np.float64)
    used = int((size > 0).sum())
    if used < 2 or scores.size <= used:
        return 0.0
    normal = ndtri((rankdata(scores) - 0.5) / scores.size)
    mean = np.bincount(run, normal, minlength=runs) / np.maximum(size, 1)
    between = float((size * (mean - normal.mean()) ** 2).sum()) / (used - 1)
    within = float(((normal - mean[run]) ** 2).sum()) / (scores.size - used)
    typical = (scores.size - float((size**2).sum()) / scores.size) / (used - 1)
    total = between + (typical - 1) * within
    return float(np.clip((between - within) / total, 0.0, 0.99)) if total > 0 else 0.0


def per_run(sizes: FloatArray, n: float) -> float:
    """Effective lumisections in the run in which a lumisection finds itself: weights by run (runs,), n effective."""
    total = float(sizes.sum())
    return n * float((sizes**2).sum()) / total**2 if total > 0 else 1.0
