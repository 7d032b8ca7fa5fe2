"""Classes of quality: what people write, what a model says, and what follows when both have spoken.

As the ALICE TPC did (K. Deja, ALICE workshop on machine learning and quality control, December 2018): a model that
knows three classes is compared with people who know four, and only where both agree is nothing left to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from .conditions import BoolArray, FloatArray, IntArray
from .errors import BadLabels, ShapeError


class Human(IntEnum):
    """What people write. The first three have the numbers of the class that a model should say."""

    NOMINAL = 0  # the detector was on and running according to nominal specifications
    LIMITED = 1  # good data, but not the full acceptance
    UNUSABLE = 2  # the detector was on, but its output cannot be trusted
    NOT_SET = 3


class Quality(IntEnum):
    """What a model says."""

    UNDECIDED = -1
    DEFINITELY_GOOD = 0
    GOOD = 1
    DEFINITELY_BAD = 2


class Outcome(IntEnum):
    OK = 0
    TO_CHECK = 1
    BAD = 2


#: (human, quality): everything else is to be checked
AGREED = {
    (Human.NOMINAL, Quality.DEFINITELY_GOOD): Outcome.OK,
    (Human.NOMINAL, Quality.GOOD): Outcome.OK,
    (Human.LIMITED, Quality.GOOD): Outcome.OK,
    (Human.UNUSABLE, Quality.DEFINITELY_BAD): Outcome.BAD,
}


def outcomes(human: npt.ArrayLike, quality: npt.ArrayLike) -> IntArray:
    """(n,) an `Outcome` each, from (n,) `Human` and (n,) `Quality`. Raises BadLabels for other numbers."""
    theirs, models = _classes(human, Human, "what people wrote"), _classes(quality, Quality, "what a model says")
    if theirs.shape != models.shape:
        raise ShapeError(f"{theirs.size} classes of people and {models.size} of a model; give one each per row.")
    found = np.full(theirs.shape, int(Outcome.TO_CHECK), dtype=np.int64)
    for (wrote, said), outcome in AGREED.items():
        found[(theirs == wrote) & (models == said)] = outcome
    return found


@dataclass(frozen=True, eq=False)
class ConfusionTable:
    """Counts of what people wrote (rows, in the order of `Human`) against what a model says (columns: definitely good,
    good, definitely bad, undecided), shape (4, 4)."""

    counts: IntArray

    @classmethod
    def of(cls, human: npt.ArrayLike, quality: npt.ArrayLike) -> ConfusionTable:
        """Raises BadLabels for numbers that are no class, ShapeError for different lengths."""
        outcomes(human, quality)
        counts = np.zeros((len(Human), len(Quality)), dtype=np.int64)
        # An undecided one is -1, which is the last column.
        np.add.at(counts, (np.asarray(human, dtype=np.int64), np.asarray(quality, dtype=np.int64)), 1)
        return cls(counts)

    @property
    def decided(self) -> float:
        """Share of the rows with a class of people in which the model says something; NaN without such rows."""
        told = self.counts[: Human.NOT_SET]
        return float(told[:, :-1].sum() / told.sum()) if told.sum() else float("nan")

    @property
    def accuracy(self) -> float:
        """Share of these in which it says what people wrote; NaN when it never says anything."""
        said = self.counts[: Human.NOT_SET, :-1]
        return float(np.trace(said) / said.sum()) if said.sum() else float("nan")

    def as_json(self) -> dict[str, Any]:
        """Names of rows and columns, counts, what follows in each cell, decided and accuracy: what a page shows."""
        columns = [*(one for one in Quality if one >= 0), Quality.UNDECIDED]
        return {
            "rows": [one.name.lower() for one in Human],
            "columns": [one.name.lower() for one in columns],
            "counts": self.counts.tolist(),
            "outcomes": [
                [AGREED.get((wrote, said), Outcome.TO_CHECK).name.lower() for said in columns] for wrote in Human
            ],
            "decided": self.decided,
            "accuracy": self.accuracy,
        }


def share_decided(probabilities: FloatArray, truth: IntArray, accuracy: float = 0.95) -> tuple[float, float]:
    """The largest share of rows, the surest first, in which at least that share of the classes is right; and how sure
    the last of them is. (0, inf) when not even the surest are right often enough.

    probabilities : (n, classes). truth : (n,) classes.
    """
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    order = np.argsort(-sure, kind="stable")
    rate = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    # Rows that are equally sure are decided together.
    last = np.append(np.diff(sure[order]) < 0, True)
    enough: BoolArray = (rate >= accuracy) & last
    if not enough.any():
        return 0.0, float("inf")
    place = int(np.flatnonzero(enough)[-1])
    return (place + 1) / len(order), float(sure[order[place]])


def _classes(values: npt.ArrayLike, kind: type[IntEnum], words: str) -> IntArray:
    given = np.asarray(values)
    if not np.isin(given, [int(one) for one in kind]).all():
        known = ", ".join(f"{int(one)} {one.name.lower()}" for one in kind)
        raise BadLabels(f"{words} is a class: {known}.")
    return np.asarray(given, dtype=np.int64)
