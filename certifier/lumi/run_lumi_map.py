"""`RunLumiMap`: run -> lumisections. It is what a good-run list is."""

# mypy: disable-error-code=redundant-expr
# Operators look at their operand although its type is declared: at run time others reach them too.
from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from .errors import LumiError, shown
from .iov import OPEN_KEY, Interval
from .lumiset import LumiSet
from .ranges import LUMISECTIONS, RUNS
from .run_selection import RunSelection

Bits = dict[int, int]


class RunLumiMap(Mapping[int, LumiSet]):
    """An immutable map from run number to the lumisections of that run; runs ascend, and none is without any.

    `|`, `&`, `-`, `^` work run by run, `<=` and its relatives are inclusion. As for every mapping, `len`
    and iteration are over runs; `count` is the number of lumisections.
    """

    __slots__ = ("_hash", "_sets")

    def __init__(self, sets: Mapping[int, LumiSet] | Iterable[tuple[int, LumiSet]] = ()) -> None:
        """Raises LumiError for a key that is no run number or given twice, TypeError for a value that is no LumiSet."""
        found: dict[int, LumiSet] = {}
        for key, lumisections in sets.items() if isinstance(sets, Mapping) else sets:
            run = RUNS.number(key)
            if not isinstance(lumisections, LumiSet):
                raise TypeError(f"run {run}: a LumiSet is needed, not {type(lumisections).__name__}.")
            if run in found:
                raise LumiError(f"run {run} is given twice; join its lumisections first.")
            found[run] = lumisections
        self._sets = {run: found[run] for run in sorted(found) if found[run]}
        self._hash: int | None = None

    @classmethod
    def _from_bits(cls, bits: Bits) -> RunLumiMap:
        made = cls()
        made._sets = {run: LumiSet.from_bits(bits[run]) for run in sorted(bits) if bits[run]}
        return made

    # -- mapping -----------------------------------------------------------------------------------

    def __getitem__(self, run: int) -> LumiSet:
        return self._sets[run]

    def __iter__(self) -> Iterator[int]:
        return iter(self._sets)

    def __len__(self) -> int:
        return len(self._sets)

    @property
    def runs(self) -> tuple[int, ...]:
        """The runs that have lumisections in the map, ascending."""
        return tuple(self._sets)

    @property
    def count(self) -> int:
        """The number of lumisections in all runs together."""
        return sum(map(len, self._sets.values()))

    def restrict(self, selection: RunSelection) -> RunLumiMap:
        """The part that lies in the selected runs."""
        return self._where({run: found for run, found in self._sets.items() if run in selection})

    def _where(self, sets: dict[int, LumiSet]) -> RunLumiMap:
        """A map of these sets, which are ascending and not empty already."""
        made = RunLumiMap()
        made._sets = sets
        return made

    # -- algebra -----------------------------------------------------------------------------------

    def __or__(self, other: RunLumiMap) -> RunLumiMap:
        if not isinstance(other, RunLumiMap):
            return NotImplemented
        joined = dict(self._sets)
        for run, theirs in other._sets.items():
            ours = joined.get(run)
            joined[run] = theirs if ours is None else ours | theirs
        return self._where({run: joined[run] for run in sorted(joined)})

    def __and__(self, other: RunLumiMap) -> RunLumiMap:
        if not isinstance(other, RunLumiMap):
            return NotImplemented
        common = {run: ours & other._sets[run] for run, ours in self._sets.items() if run in other._sets}
        return self._where({run: found for run, found in common.items() if found})

    def __sub__(self, other: RunLumiMap) -> RunLumiMap:
        if not isinstance(other, RunLumiMap):
            return NotImplemented
        left = {run: ours - other._sets[run] if run in other._sets else ours for run, ours in self._sets.items()}
        return self._where({run: found for run, found in left.items() if found})

    def __xor__(self, other: RunLumiMap) -> RunLumiMap:
        return (self | other) - (self & other) if isinstance(other, RunLumiMap) else NotImplemented

    def isdisjoint(self, other: RunLumiMap) -> bool:
        return all(ours.isdisjoint(other._sets[run]) for run, ours in self._sets.items() if run in other._sets)

    def __eq__(self, other: object) -> bool:
        return self._sets == other._sets if isinstance(other, RunLumiMap) else NotImplemented

    def __le__(self, other: RunLumiMap) -> bool:
        if not isinstance(other, RunLumiMap):
            return NotImplemented
        return all(run in other._sets and ours <= other._sets[run] for run, ours in self._sets.items())

    def __lt__(self, other: RunLumiMap) -> bool:
        return self <= other and self != other if isinstance(other, RunLumiMap) else NotImplemented

    def __ge__(self, other: RunLumiMap) -> bool:
        return other <= self if isinstance(other, RunLumiMap) else NotImplemented

    def __gt__(self, other: RunLumiMap) -> bool:
        return other < self if isinstance(other, RunLumiMap) else NotImplemented

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(tuple(self._sets.items()))
        return self._hash

    # -- golden JSON -------------------------------------------------------------------------------

    @classmethod
    def from_golden(cls, obj: object) -> RunLumiMap:
        """From a decoded golden JSON: `{"355381": [[1, 10], [20, 728]]}`, inclusive ranges.

        Keys are runs, as text or as integers. Ranges may overlap, touch and come in any order. Raises
        LumiError naming the run and the range when one is reversed, has a zero, or is made of anything
        but integers.
        """
        if not isinstance(obj, Mapping):
            raise LumiError(f'a golden JSON is an object such as {{"355381": [[1, 10]]}}, not {type(obj).__name__}.')
        bits: Bits = {}
        for key, pairs in obj.items():
            run = _golden_run(key)
            if run in bits:
                raise LumiError(f"run {run} is given twice; join its ranges in one list.")
            bits[run] = _golden_bits(run, pairs)
        return cls._from_bits(bits)

    def to_golden(self) -> dict[str, list[list[int]]]:
        """As golden JSON: runs ascending, keys as text, ranges maximal and inclusive."""
        return {str(run): [list(pair) for pair in found.ranges()] for run, found in self._sets.items()}

    # -- intervals of validity ---------------------------------------------------------------------

    @classmethod
    def from_iovs(cls, iovs: Iterable[tuple[int, int]], lengths: Mapping[int, int] | None = None) -> RunLumiMap:
        """From half-open intervals of keys `run << 32 | lumisection`, split per run.

        `lengths` gives the number of lumisections of every run that exists. It is needed where an
        interval has an open end or leaves its run: then LumiError is raised if it is missing. Runs
        between the two ends of an interval that `lengths` does not know do not exist. Lumisection 0 is
        dropped; what lies beyond a known length is cut off.
        """
        known = sorted(lengths) if lengths is not None else []
        bits: Bits = {}
        for since, until in iovs:
            interval = Interval.of(since, until)
            for run in _runs_of(interval, None if lengths is None else known):
                part = interval.within(run, None if lengths is None else lengths.get(run))
                if part is not None:
                    bits[run] = bits.get(run, 0) | (2 << part[1]) - (1 << part[0])
        return cls._from_bits(bits)

    def to_iovs(self) -> list[tuple[int, int]]:
        """Half-open intervals `(since, until)` of keys `run << 32 | lumisection`, ascending, none across
        runs.
        """
        return [pair for run, found in self._sets.items() for pair in found.to_iovs(run)]

    # -- text --------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return f"RunLumiMap({{{', '.join(f'{run}: {found!r}' for run, found in self._sets.items())}}})"

    def __reduce__(self) -> tuple[Any, tuple[dict[int, LumiSet]]]:
        return RunLumiMap, (self._sets,)


def _golden_run(key: object) -> int:
    if not isinstance(key, str):
        return RUNS.number(key, "run key ")
    if not (key.isascii() and key.isdigit()) or key[0] == "0":
        raise LumiError(f'run key {shown(key)} is not a run number; write it in plain digits, such as "355381".')
    return RUNS.parse_token(key, None)[0]


def _golden_bits(run: int, pairs: object) -> int:
    if not isinstance(pairs, (list, tuple)):
        raise LumiError(f"run {run}: {shown(pairs)} is not a list of ranges; write [[first, last], ...].")
    bits = 0
    for pair in pairs:
        first, last = LUMISECTIONS.pair(pair, f"run {run}: ")
        bits |= (2 << last) - (1 << first)
    return bits


def _runs_of(interval: Interval, known: Sequence[int] | None) -> Iterable[int]:
    """The runs in which the interval may hold lumisections, given the runs that exist."""
    first, last = interval.first_run, interval.last_run
    ends = [run for run in dict.fromkeys((first, last)) if run > 0 and not (run == last and interval.until == OPEN_KEY)]
    if known is None:
        if last - first > 1:
            raise LumiError(f"interval {interval} reaches over several runs; give the lengths of the runs to split it.")
        return ends
    between = known[bisect_right(known, first) : bisect_left(known, last)]
    return chain(ends, between)
