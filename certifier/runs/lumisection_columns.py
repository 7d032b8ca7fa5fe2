"""Columns and flags of a run's lumisections as they come in: checked with numpy, a whole column at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from certifier.audit.errors import ErrorItem
from certifier.lumi import MAX_LUMISECTION, LumiError, LumiSet

from .errors import LumisectionsRefused
from .profile import COLUMNS, Values
from .run_fields import SHOWN_ERRORS, Unfit, text, time

LARGEST_VALUE: Final = 1e15
LARGEST_NAME: Final = 60
# Beside the numbers: when each lumisection began. Not packed into the profile, nothing is summed over it.
STARTED_AT: Final = "started_at"
_NUMBERS: Final = frozenset({int, float})
_NUMBERS_OR_NONE: Final = frozenset({int, float, type(None)})


@dataclass(frozen=True)
class Columns:
    """Values of the lumisections `first` to `last`, NaN where unknown; and when they began, where that was given."""

    first: int
    count: int
    values: dict[str, Values]
    started_at: list[datetime | None] | None

    @property
    def last(self) -> int:
        return self.first + self.count - 1

    @property
    def names(self) -> list[str]:
        return [*self.values, *([STARTED_AT] if self.started_at is not None else [])]


def read_columns(first: object, columns: Mapping[str, object]) -> Columns:
    """Columns by name, each a list of numbers and None, or a float array.

    Raises LumisectionsRefused naming column and index.
    """
    if isinstance(first, bool) or not isinstance(first, int) or not 1 <= first <= MAX_LUMISECTION:
        raise LumisectionsRefused(f"Send the number of a lumisection, 1 to {MAX_LUMISECTION}.", field="first")
    values: dict[str, Values] = {}
    started_at: list[datetime | None] | None = None
    for name, column in columns.items():
        if name == STARTED_AT:
            started_at = _times(column)
        elif name in COLUMNS:
            values[name] = _numbers(name, column)
        else:
            known = ", ".join((*COLUMNS, STARTED_AT))
            raise LumisectionsRefused(f"There is no such column. Columns are {known}.", field=str(name)[:80])
    lengths = {name: len(column) for name, column in values.items()}
    if started_at is not None:
        lengths[STARTED_AT] = len(started_at)
    return Columns(first, _agreed_length(first, lengths), values, started_at)


def _agreed_length(first: int, lengths: dict[str, int]) -> int:
    if not lengths:
        return 0
    name, count = next(iter(lengths.items()))
    for other, length in lengths.items():
        if length != count:
            message = f"{other} has {length} values and {name} has {count}. All columns must have the same length."
            raise LumisectionsRefused(message, field=other)
    if first + count - 1 > MAX_LUMISECTION:
        message = f"The columns would reach lumisection {first + count - 1}; {MAX_LUMISECTION} is the largest."
        raise LumisectionsRefused(message, field=name)
    return count


def _numbers(name: str, column: object) -> Values:
    if isinstance(column, np.ndarray):
        array = np.asarray(column, dtype=np.float64)
        if array.ndim != 1:
            raise LumisectionsRefused(f"A column has one dimension, this array has {array.ndim}.", field=name)
        bad = np.isinf(array) | (array < 0) | (array > LARGEST_VALUE)
    elif isinstance(column, list | tuple):
        kinds = set(map(type, column))
        if not kinds <= _NUMBERS_OR_NONE:
            raise _refused(name, [index for index, value in enumerate(column) if type(value) not in _NUMBERS_OR_NONE])
        array = _as_array(name, column)
        bad = ~((array >= 0) & (array <= LARGEST_VALUE))
        if type(None) in kinds:
            bad &= np.fromiter((value is not None for value in column), np.bool_, len(column))
    else:
        raise LumisectionsRefused("Send a list of numbers, null where one is not known.", field=name)
    if bad.any():
        raise _refused(name, np.flatnonzero(bad).tolist())
    return array


def _as_array(name: str, column: Sequence[Any]) -> Values:
    try:
        return np.array(column, dtype=np.float64)
    except OverflowError:  # an integer of more than 308 digits
        bad = [index for index, value in enumerate(column) if value is not None and abs(value) > LARGEST_VALUE]
        raise _refused(name, bad) from None


def _refused(name: str, indices: list[int]) -> LumisectionsRefused:
    message = f"Send a finite number from 0 to {LARGEST_VALUE:g}, or null where it is not known."
    errors: list[ErrorItem] = [{"index": index, "field": name, "message": message} for index in indices[:SHOWN_ERRORS]]
    return LumisectionsRefused(f"{name}[{indices[0]}]: {message}", errors=errors)


def _times(column: object) -> list[datetime | None]:
    if not isinstance(column, list | tuple):
        raise LumisectionsRefused("Send a list of times, null where one is not known.", field=STARTED_AT)
    result: list[datetime | None] = []
    for index, value in enumerate(column):
        try:
            result.append(None if value is None else time(value))
        except Unfit as error:
            raise LumisectionsRefused(str(error), field=STARTED_AT, index=index) from None
    return result


def read_flags(flags: object, last: int) -> dict[str, LumiSet | None]:
    """Flags by name: LumiSet text or values ("all" and "End" reach to `last`), None to forget the flag.

    Raises LumisectionsRefused naming the flag.
    """
    if not isinstance(flags, Mapping):
        raise LumisectionsRefused('Send an object of flags, such as {"stable_beams": "1-700"}.', field="flags")
    result: dict[str, LumiSet | None] = {}
    for name, value in flags.items():
        try:
            flag = text(LARGEST_NAME)(name)
            if not flag.strip():
                raise Unfit("A flag needs a name.")
            result[flag] = _flag(value, last)
        except (Unfit, LumiError) as error:
            raise LumisectionsRefused(str(error), field=f"flags.{str(name)[:80]}") from None
    return result


def _flag(value: object, last: int) -> LumiSet | None:
    if value is None:
        return None
    if isinstance(value, str):
        return LumiSet.parse(value, last)
    if not isinstance(value, LumiSet):
        raise Unfit('Send ranges of lumisections as text, such as "1-4 9 20-728".')
    if (value.last or 0) > last:
        raise Unfit(f"Lumisection {value.last} is beyond the end; the last lumisection is {last}.")
    return value


def same_values(one: Values, other: Values) -> npt.NDArray[np.bool_]:
    """Where two columns say the same; two unknowns do."""
    same: npt.NDArray[np.bool_] = (one == other) | (np.isnan(one) & np.isnan(other))
    return same
