"""Sums over many sets of lumisections of a run at once: bitsets become rows of a matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from certifier.runs.profile import Profile

# The rows of `quantities`.
ONE, DELIVERED, RECORDED, WITH_DELIVERED, WITH_RECORDED = range(5)
Array = npt.NDArray[np.float64]


def quantities(profile: Profile | None, last: int) -> Array:
    """Five rows over lumisections 1 to `last`: one, what was delivered and recorded in inverse nanobarn (zero where
    unknown), and whether these are known.
    """
    found = np.zeros((5, last))
    found[ONE] = 1.0
    if profile is not None:
        for row, name in ((DELIVERED, "delivered_inv_nb"), (RECORDED, "recorded_inv_nb")):
            values = profile[name][:last]
            found[row, : len(values)] = values
            found[row + 2, : len(values)] = 1.0
            if np.isnan(values.sum()):  # rarely: nearly always all are known
                known = ~np.isnan(values)
                found[row + 2, : len(values)] = known
                found[row, : len(values)] = np.where(known, values, 0.0)
    return found


def masks(sets: Sequence[int], last: int) -> npt.NDArray[np.uint8]:
    """A row per bitset, a column per lumisection 1 to `last`: 1 where it is in the set, else 0."""
    width = (last >> 3) + 1
    within = (2 << last) - 1
    packed = b"".join([(bits & within).to_bytes(width, "little") for bits in sets])
    rows = np.frombuffer(packed, dtype=np.uint8).reshape(len(sets), width)
    return np.unpackbits(rows, axis=1, count=last + 1, bitorder="little")[:, 1:]


def sums(sets: Sequence[int], values: Array) -> Array:
    """Of each bitset (rows), the sum of each quantity (columns) over its lumisections."""
    found: Array = masks(sets, values.shape[1]) @ values.T
    return found
