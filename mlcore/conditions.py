"""What was true of each lumisection: the rows that every histogram block, feature table and score is aligned with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import MlcoreError, ShapeError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Conditions:
    """One row per lumisection, in the order in which they were taken.

    Parameters
    ----------
    run, lumisection : int arrays of shape (n,); lumisections are numbered from 1.
    luminosity : (n,) integrated luminosity of the lumisection in inverse nanobarn; NaN where unknown.
    pileup : (n,) mean number of collisions per crossing; NaN where unknown.
    events : (n,) number of events that filled the histograms; NaN where unknown.
    time : (n,) start in seconds since the epoch, UTC; NaN where unknown. Used for drift and age, never as a feature by
    itself.

    Raises ShapeError when lengths differ and MlcoreError when a (run, lumisection) pair comes twice, when its numbers
    are no whole ones, and for infinite conditions or fewer than no events.
    """

    run: IntArray
    lumisection: IntArray
    luminosity: FloatArray = field(default_factory=lambda: np.empty(0))
    pileup: FloatArray = field(default_factory=lambda: np.empty(0))
    events: FloatArray = field(default_factory=lambda: np.empty(0))
    time: FloatArray = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        run = _whole("run", self.run)
        object.__setattr__(self, "run", run)
        object.__setattr__(self, "lumisection", _whole("lumisection", self.lumisection))
        for name in ("luminosity", "pileup", "events", "time"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            object.__setattr__(self, name, np.full(run.shape, np.nan) if values.size == 0 and run.size else values)
        for column in fields(self):
            if getattr(self, column.name).shape != run.shape or run.ndim != 1:
                raise ShapeError(
                    f"conditions: {column.name} has shape {getattr(self, column.name).shape}, run has {run.shape}; "
                    "give one value per lumisection."
                )
        if run.size and (run.min() < 0 or self.lumisection.min() < 1):
            raise MlcoreError("conditions: run numbers are not negative, lumisections are numbered from 1.")
        if np.unique(self.key).size != run.size:
            raise MlcoreError("conditions: a lumisection comes twice; every (run, lumisection) pair must be unique.")
        for name in ("luminosity", "pileup", "events", "time"):
            wrong = np.isinf(getattr(self, name)) | ((self.events < 0) if name == "events" else False)
            if wrong.any():
                row = int(np.argmax(wrong))
                raise MlcoreError(
                    f"conditions: {name} of {self.name(row)} is {getattr(self, name)[row]:g}; NaN is the way to say "
                    "that it is not known."
                )

    def name(self, row: int) -> str:
        """`run 350479 lumisection 12`, for messages."""
        return f"run {self.run[row]} lumisection {self.lumisection[row]}"

    @classmethod
    def plain(cls, n: int, *, run: int = 1) -> Conditions:
        """Lumisections 1..n of one run of which nothing else is known."""
        return cls(run=np.full(n, run), lumisection=np.arange(1, n + 1))

    def __len__(self) -> int:
        return int(self.run.size)

    @property
    def key(self) -> IntArray:
        """`run << 32 | lumisection`, the ATLAS key."""
        return (self.run << 32) | self.lumisection

    def select(self, rows: npt.NDArray[Any] | slice) -> Conditions:
        """The conditions of some rows (mask, indices or slice)."""
        return replace(self, **{column.name: getattr(self, column.name)[rows] for column in fields(self)})

    def rows_of(self, other: Conditions) -> IntArray:
        """For each row of `other`, its row here, -1 where this has none."""
        order = np.argsort(self.key, kind="stable")
        place = np.searchsorted(self.key, other.key, sorter=order)
        found = order[np.minimum(place, len(self) - 1)] if len(self) else np.zeros(len(other), dtype=np.int64)
        match = self.key[found] == other.key if len(self) else np.zeros(len(other), dtype=bool)
        return np.where(match, found, -1)

    @staticmethod
    def concatenate(parts: Sequence[Conditions]) -> Conditions:
        if not parts:
            raise ShapeError("conditions: there is nothing to put together.")
        return Conditions(
            **{
                column.name: np.concatenate([getattr(part, column.name) for part in parts])
                for column in fields(Conditions)
            }
        )


def _whole(what: str, values: npt.ArrayLike) -> IntArray:
    """Numbers of runs or lumisections as int64. Raises MlcoreError for fractions and NaN, which have no number."""
    given = np.asarray(values)
    if given.size and not np.issubdtype(given.dtype, np.integer):
        try:
            exact = given.astype(np.float64)
        except (TypeError, ValueError):
            exact = np.array([np.nan])
        if not (np.isfinite(exact) & (exact == np.floor(exact))).all():
            raise MlcoreError(f"conditions: {what} numbers are whole numbers; give integers.")
    return np.asarray(given, dtype=np.int64)
