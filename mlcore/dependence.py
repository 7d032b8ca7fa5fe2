"""How far two columns of numbers depend on each other, in whatever way. Numpy only: who asks need not load a network.

Source: distance correlation, Ann. Stat. 35 (2007) 2769.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .conditions import FloatArray
from .errors import ShapeError, TooFewData

#: more rows than this say the same, at quadratic cost
_MOST = 2_000


def distance_correlation(x: npt.ArrayLike, y: npt.ArrayLike, *, random_state: int = 0) -> float:
    """How far two columns of n numbers depend on each other, in whatever way: 0 for independent, 1 for a line.

    The unbiased estimate (U-centred), whose root is taken with its sign, so that independent columns scatter around 0.
    Rows where one is NaN are left out; of more than 2,000, so many are drawn. Raises ShapeError, TooFewData.
    """
    one, two = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if one.ndim != 1 or one.shape != two.shape:
        raise ShapeError(f"two columns of the same length are compared, not {one.shape} and {two.shape}.")
    known = np.isfinite(one) & np.isfinite(two)
    one, two = one[known], two[known]
    if len(one) < 10:
        raise TooFewData(f"{len(one)} rows are too few for a distance correlation.")
    if len(one) > _MOST:
        rows = np.random.default_rng(random_state).permutation(len(one))[:_MOST]
        one, two = one[rows], two[rows]
    first, second = _centred(one), _centred(two)
    both = float((first * second).sum())
    size = float(np.sqrt((first**2).sum() * (second**2).sum()))
    ratio = both / size if size > 0 else 0.0
    return float(np.sign(ratio) * np.sqrt(abs(ratio)))


def _centred(x: FloatArray) -> FloatArray:
    n = len(x)
    distance = np.abs(x[:, None] - x[None, :])
    rows = distance.sum(axis=1) / (n - 2)
    centred = distance - rows[:, None] - rows[None, :] + distance.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(centred, 0.0)
    return np.asarray(centred)
