"""The band in which a trend stays: what the values before say of the next one.

The centre is the median of the last `window` values before, the width a multiple of their median absolute deviation,
so that a few wild values neither move the band nor widen it; values that left the band are not counted among those
before (up to half of a window: then the level itself has changed, and the band follows).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from .formula import FloatArray

# Of a normal distribution, one standard deviation is so many median absolute deviations.
_PER_MAD: Final = 1.4826
# The deviation of a few values is often far too small by chance. Widened by 1 + 8 / n, a band of four standard
# deviations raises 4 false alarms among 1,000 normal values where it knows 8 of them, and 4 among 10,000 from 30
# (200,000 draws each).
_WIDENED: Final = 8.0


@dataclass(frozen=True)
class Band:
    """Arrays of shape (values,): NaN for the first ones, before enough is known. `outside` is false there."""

    low: FloatArray
    centre: FloatArray
    high: FloatArray
    outside: npt.NDArray[np.bool_]


def band(values: npt.ArrayLike, *, window: int = 30, fewest: int = 8, sigmas: float = 4.0, floor: float = 0.0) -> Band:
    """The band of each value from those before it, in the order given, NaN among them left out.

    `sigmas` standard deviations up and down; `floor` is the least half width, in the unit of the values (a trend that
    stood still for a month would otherwise alarm at its first move). Raises ValueError for windows that make no sense.
    """
    if not 2 <= fewest <= window:
        raise ValueError("fewest must be from 2 to window.")
    if sigmas <= 0 or floor < 0:
        raise ValueError("sigmas must be positive and floor not negative.")
    given = np.asarray(values, dtype=np.float64)
    low, centre, high = (np.full(given.shape, np.nan) for _ in range(3))
    outside = np.zeros(given.shape, np.bool_)
    before: list[float] = []
    left: list[float] = []
    for place, value in enumerate(given):
        if len(before) >= fewest:
            recent = np.asarray(before[-window:])
            middle = float(np.median(recent))
            deviation = _PER_MAD * float(np.median(np.abs(recent - middle)))
            half = max(sigmas * deviation * (1 + _WIDENED / len(recent)), floor)
            low[place], centre[place], high[place] = middle - half, middle, middle + half
            outside[place] = not np.isnan(value) and abs(value - middle) > half
        if np.isnan(value):
            continue
        if outside[place]:
            left.append(float(value))
            if len(left) >= window // 2:
                before, left = left, []
        else:
            before.append(float(value))
            left = []
    return Band(low, centre, high, outside)
