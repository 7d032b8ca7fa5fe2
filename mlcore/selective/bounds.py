"""Upper confidence bounds on a rate, when the errors come in lumps.

Lumisections of one run are alike: a run whose scores are shifted makes many errors, the others none. Two things are
measured against that, and the larger bound counts:

- n is divided by the design effect D (Kish 1965), and the exact binomial bound of Clopper and Pearson is asked how much
  *no error at all* among n / D proves. This is the 598 of "0.5% at 95%", and it holds when errors come in lumps of D.
- with k errors seen, k is compared with a negative binomial of mean n x rate and variance D times that of independent
  lumisections (a Poisson number of errors per run whose mean differs from run to run). At D = 1 it is the binomial.

The exact binomial on (k / D, n / D), as often used, moves in steps of D errors and so wastes up to one step.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, btdtria

from mlcore.conditions import FloatArray
from mlcore.errors import MlcoreError


def clean_needed(limit: float, confidence: float = 0.95) -> int:
    """Fewest effective lumisections, none of them wrong, that prove a rate below `limit`: 598 for 0.5% at 95%."""
    if not 0 < limit < 1 or not 0 < confidence < 1:
        raise MlcoreError(f"a limit and a confidence lie between 0 and 1, not {limit} and {confidence}.")
    return math.ceil(math.log1p(-confidence) / math.log1p(-limit) - 1e-9)


def upper_bound(
    errors: npt.ArrayLike, n: npt.ArrayLike, design_effect: npt.ArrayLike = 1.0, *, confidence: float = 0.95
) -> FloatArray:
    """Upper confidence bound on an error rate, elementwise; 1 where n is 0.

    Parameters
    ----------
    errors : number of wrong lumisections, not necessarily whole (weights).
    n : number of lumisections among which they were counted (Kish's effective number when weighted).
    design_effect : at least 1; how many lumisections count as one.
    confidence : probability with which the true rate lies below.
    """
    k, total, lump = (np.asarray(a, dtype=np.float64) for a in np.broadcast_arrays(errors, n, design_effect))
    k, total, lump = np.maximum(k, 0.0), np.maximum(total, 0.0), np.maximum(lump, 1.0)
    fail = 1 - confidence
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        none = -np.expm1(math.log(fail) * lump / total)
        binomial = betaincinv(k + 1, np.maximum(total - k, 0.0), confidence)
        lumpy = btdtria(fail, k + 1, 1 / lump) * (lump - 1) / total
        bound = np.where(lump > 1 + 1e-6, np.maximum(none, lumpy), np.maximum(none, binomial))
    bound = np.where((total <= 0) | (k >= total), 1.0, bound)
    return np.asarray(np.minimum(np.nan_to_num(bound, nan=1.0, posinf=1.0), 1.0))


def kish(weights: npt.NDArray[Any]) -> float:
    """Kish's effective number: (sum of w) squared over the sum of w squared; 0 for nothing."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def design_effect(errors: FloatArray, sizes: FloatArray, n: FloatArray) -> FloatArray:
    """Variance of a rate between runs over that of n independent lumisections, for g thresholds at once.

    Parameters
    ----------
    errors, sizes : (runs, g) weight of wrong lumisections and of all that count, by run.
    n : (g,) effective number of lumisections that count.

    Ratio estimator linearised over runs. NaN where there is no error or nothing else.
    """
    runs = len(errors)
    total = sizes.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = errors.sum(axis=0) / total
        spread = ((errors - rate * sizes) ** 2).sum(axis=0) * (runs / (runs - 1)) / total**2
        effect = spread / (rate * (1 - rate) / n)
    return np.asarray(np.where((rate > 0) & (rate < 1) & (n > 1), effect, np.nan))
