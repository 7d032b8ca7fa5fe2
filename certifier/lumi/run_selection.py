"""`RunSelection`: which runs are meant, as text such as `358031-364292 364300`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

from .errors import LumiError
from .ranges import RUNS, Range, format_ranges, merged, tokens

LARGEST_RUN: Final = RUNS.largest

_EXAMPLE = "358031-364292 364300"
_EVERY_RUN: tuple[Range, ...] = ((1, LARGEST_RUN),)


class RunSelection:
    """An immutable set of run numbers given by ranges. Empty text, like no argument at all, selects every run."""

    __slots__ = ("_ranges", "_starts")

    def __init__(self, ranges: Iterable[tuple[int, int]] | None = None) -> None:
        """From inclusive `(first, last)` ranges in any order. Raises LumiError naming the range, or when
        there is none: a selection of nothing could not be told from the text that selects everything.
        """
        chosen = _EVERY_RUN if ranges is None else merged([RUNS.pair(pair) for pair in ranges])
        if not chosen:
            raise LumiError(f'no run is selected; give ranges such as "{_EXAMPLE}", or empty text for all runs.')
        self._ranges = chosen
        self._starts = [first for first, _ in chosen]

    @classmethod
    def parse(cls, text: str) -> RunSelection:
        """Ranges and single runs with blanks or commas between them. Raises LumiError naming the token."""
        found = tokens(text, _EXAMPLE)
        return cls([RUNS.parse_token(token, None) for token in found] if found else None)

    @property
    def is_all(self) -> bool:
        """Whether every run is selected."""
        return self._ranges == _EVERY_RUN

    def ranges(self) -> list[Range]:
        """The maximal inclusive ranges, ascending; for every run the one range of all run numbers."""
        return list(self._ranges)

    def __contains__(self, run: object) -> bool:
        if not isinstance(run, int):
            return False
        place = bisect_right(self._starts, run) - 1
        return place >= 0 and run <= self._ranges[place][1]

    def __eq__(self, other: object) -> bool:
        return self._ranges == other._ranges if isinstance(other, RunSelection) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._ranges)

    def __str__(self) -> str:
        return "" if self.is_all else format_ranges(self._ranges)

    def __repr__(self) -> str:
        return f"RunSelection.parse({str(self)!r})"
