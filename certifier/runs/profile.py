"""The lumisections of a run as numpy columns, packed into one row: what sums over many runs are made with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
from django.db.models import QuerySet

from certifier.lumi import LumiSet

from .models import Run, RunProfile

COLUMNS: Final = ("duration_s", "delivered_inv_nb", "recorded_inv_nb", "pileup")
Values = npt.NDArray[np.float64]

_ROW: Final = {name: row for row, name in enumerate(COLUMNS)}
_STORED: Final = np.dtype("<f8")
# A profile of 1,000 lumisections takes 32 kB: a batch is a few megabytes whatever the number of runs.
_BATCH: Final = 100
# SQLite allows this many values in one statement in every build.
_NUMBERS_PER_QUERY: Final = 30_000


class Profile:
    """Four float64 columns, lumisection 1 first, NaN where unknown: seconds, inverse nanobarn (twice), interactions.

    `profile["recorded_inv_nb"][n - 1]` is the value of lumisection n. The arrays are read-only.
    """

    __slots__ = ("values",)

    def __init__(self, values: Values) -> None:
        """From an array of shape (len(COLUMNS), length), which then belongs to the profile."""
        if values.ndim != 2 or values.shape[0] != len(COLUMNS):
            raise ValueError(f"a profile has {len(COLUMNS)} columns; this array has the shape {values.shape}.")
        values.flags.writeable = False
        self.values = values

    @classmethod
    def unknown(cls, length: int = 0) -> Profile:
        """A run of `length` lumisections of which nothing is known."""
        return cls(np.full((len(COLUMNS), length), np.nan))

    @classmethod
    def unpack(cls, length: int, packed: bytes | memoryview) -> Profile:
        """From the bytes that `pack` made. Raises ValueError when their number does not fit `length`."""
        return cls(np.frombuffer(packed, dtype=_STORED).reshape(len(COLUMNS), length))

    def pack(self) -> bytes:
        return self.values.astype(_STORED, copy=False).tobytes()

    @property
    def length(self) -> int:
        return int(self.values.shape[1])

    def __getitem__(self, column: str) -> Values:
        return self.values[_ROW[column]]

    def sum(self, column: str, lumisections: LumiSet) -> tuple[float, int]:
        """The sum over those of `lumisections` whose value is known, and how many these are."""
        values = self.values[_ROW[column]]
        chosen = values[lumisections.to_mask(len(values))]
        total = float(chosen.sum())
        if not math.isnan(total):  # all are known, as nearly always
            return total, len(chosen)
        known = chosen[~np.isnan(chosen)]
        return float(known.sum()), len(known)

    def total(self, column: str) -> float | None:
        """The sum over the run, None when no lumisection has a value."""
        values = self.values[_ROW[column]]
        known = values[~np.isnan(values)]
        return float(known.sum()) if len(known) else None

    def known(self, column: str) -> LumiSet:
        """The lumisections that have a value."""
        return LumiSet.from_mask(~np.isnan(self.values[_ROW[column]]))


def profile_of(run: Run) -> Profile:
    """The profile of one run (a query, unless it was selected with the run); empty when nothing is known."""
    try:
        row = run.profile
    except RunProfile.DoesNotExist:
        return Profile.unknown()
    return Profile.unpack(row.length, row.columns)


def profiles(runs: Iterable[int] | QuerySet[Run]) -> dict[int, Profile]:
    """Profiles by run number, of these run numbers or of a queryset of runs, in one query.

    A run of whose lumisections nothing is known is not in it. A profile of 1,000 lumisections takes 32 kB; where a year
    of runs is walked through once, `iterate_profiles` holds a few at a time.
    """
    return dict(iterate_profiles(runs))


def iterate_profiles(runs: Iterable[int] | QuerySet[Run]) -> Iterator[tuple[int, Profile]]:
    """(run number, profile) in ascending order of runs, a batch at a time in memory."""
    if isinstance(runs, QuerySet):
        yield from _unpacked(RunProfile.objects.filter(run__in=runs.order_by()))
        return
    numbers = sorted(set(runs))
    for start in range(0, len(numbers), _NUMBERS_PER_QUERY):
        yield from _unpacked(RunProfile.objects.filter(run__number__in=numbers[start : start + _NUMBERS_PER_QUERY]))


def _unpacked(rows: QuerySet[RunProfile]) -> Iterator[tuple[int, Profile]]:
    chosen = rows.order_by("run__number").values_list("run__number", "length", "columns")
    for number, length, packed in chosen.iterator(chunk_size=_BATCH):
        yield number, Profile.unpack(length, packed)
