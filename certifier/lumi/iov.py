"""Half-open intervals of validity over keys `run << 32 | lumisection`, as conditions databases store them.

Every off-by-one between inclusive ranges and intervals is settled here: the last lumisection of `[since,
until)` is the one before `until`; lumisection 0 is an artefact and belongs to no set; an interval may be
open, or reach over many runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .errors import LumiError
from .ranges import LUMISECTIONS, RUNS, Numbering, Range

OPEN_LUMISECTION: Final = 2**32 - 1
OPEN_KEY: Final = 2**63 - 1

_KEYS = Numbering("key", OPEN_KEY)


def key(run: int, lumisection: int) -> int:
    """The key of a lumisection; raises LumiError when the run is none. 0 and open lumisections are valid
    in a key.
    """
    return RUNS.number(run) << 32 | lumisection


@dataclass(frozen=True, slots=True)
class Interval:
    """From `since` up to, not including, `until`. A key that is open ends with its run, or never."""

    since: int
    until: int

    @classmethod
    def of(cls, since: object, until: object) -> Interval:
        """The interval of two keys. Raises LumiError when one is no key, or when it is reversed."""
        interval = cls(_key(since, "interval start: "), _key(until, "interval end: "))
        if interval.since > interval.until:
            raise LumiError(f"interval {interval} is reversed; its start comes after its end.")
        return interval

    @property
    def first_run(self) -> int:
        return self.since >> 32

    @property
    def last_run(self) -> int:
        """The run in which the interval ends. An interval open for ever ends in the largest run number
        there is.
        """
        return self.until >> 32

    def is_of(self, run: int) -> bool:
        """Whether it holds nothing of any other run: it ends in this run, or at the very start of the
        next.
        """
        return self.first_run == run and self.until <= (run + 1) << 32

    def within(self, run: int, last: int | None) -> Range | None:
        """The lumisections of the run that it holds, up to `last`, as an inclusive range; None when there
        are none.

        Raises LumiError when its end in this run is open and `last` is not given.
        """
        if not self.first_run <= run <= self.last_run:
            return None
        first = max(1, self.since - (run << 32))
        end = self.until - (run << 32) - 1
        if first >= OPEN_LUMISECTION or end < first:
            return None
        if last is not None:
            end = min(end, last)
        elif end >= OPEN_LUMISECTION - 1:
            raise LumiError(f"interval {self} has an open end in run {run}; give the length of that run.")
        return LUMISECTIONS.ordered(first, end, f"interval {self}: ") if first <= end else None

    def __str__(self) -> str:
        return f"[{_point(self.since)}, {_point(self.until)})"


def _key(value: object, where: str) -> int:
    # 0 is the beginning of time, as OPEN_KEY is its end.
    return 0 if isinstance(value, int) and value == 0 else _KEYS.number(value, where)


def _point(value: int) -> str:
    lumisection = value & OPEN_LUMISECTION
    return f"{value >> 32}:{'MAX' if lumisection == OPEN_LUMISECTION else lumisection}"
