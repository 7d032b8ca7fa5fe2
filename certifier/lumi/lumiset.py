"""`LumiSet`: a set of lumisections of one run, the value the whole program is written in."""

# mypy: disable-error-code=redundant-expr
# Operators look at their operand although its type is declared: at run time others reach them too.
from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NoReturn, final

import numpy as np
import numpy.typing as npt

from . import iov
from .errors import LumiError, shown
from .ranges import LUMISECTIONS, Range, format_ranges, tokens

MAX_LUMISECTION: Final = LUMISECTIONS.largest

_EXAMPLE = "1-4 9 20-728"
_make = object.__new__
# The numbers that nearly all stored text is made of, as the bit where a range starts and the bit after
# its end: a range is their difference, which is not positive when it is reversed. A lookup converts and
# validates at once: "+5", "007" or digits of another script, all of which int() takes, are not in here.
_STARTS: Final = {str(number): 1 << number for number in range(1, 2049)}
_ENDS: Final = {str(number): 2 << number for number in range(1, 2049)}


@final
class LumiSet:
    """An immutable set of lumisections, numbered from 1. Lumisection 0 does not exist.

    Canonical text: `1-4 9 20-728` (inclusive, ascending, maximal ranges). Inside, `bits` is one integer:
    bit n set means that lumisection n belongs to the set. `|`, `&`, `-`, `^` are the set operations, `<=`
    and its relatives are inclusion (as for frozenset), `len` counts lumisections, iteration gives
    `(first, last)` ranges.
    """

    __slots__ = ("bits",)
    bits: int

    def __new__(cls) -> LumiSet:
        return trusted(0)

    # -- makers ------------------------------------------------------------------------------------

    @staticmethod
    def parse(text: str, last: int | None = None) -> LumiSet:
        """The set that the text names. Empty text is the empty set: whether that is allowed, the caller decides.

        `last` is the number of lumisections of the run: the limit, what `End` stands for, and what `all`
        reaches to. Commas count as blanks. Raises LumiError naming the token for anything else.
        """
        try:
            if " " in text:
                bits = 0
                for token in text.split():
                    if "-" in token:
                        start, end = token.split("-")
                        span = _ENDS[end] - _STARTS[start]
                        if span <= 0:
                            return _parse_slowly(text, last)
                        bits |= span
                    else:
                        bits |= _STARTS[token]
            else:  # a single range, as most entries are
                start, dash, end = text.partition("-")
                bits = _ENDS[end] - _STARTS[start] if dash else _STARTS[start]
            if bits <= 0 or (last is not None and bits >> last > 1):
                return _parse_slowly(text, last)
        except (KeyError, ValueError, AttributeError, TypeError):
            return _parse_slowly(text, last)
        # `trusted` without the call: hundreds of thousands of texts are read in one go.
        made: LumiSet = _make(LumiSet)
        _set_bits(made, bits)
        return made

    @staticmethod
    def from_ranges(pairs: Iterable[tuple[int, int]]) -> LumiSet:
        """The union of inclusive `(first, last)` ranges, in any order. Raises LumiError naming the range."""
        bits = 0
        for pair in pairs:
            first, last = LUMISECTIONS.pair(pair)
            bits |= (2 << last) - (1 << first)
        return trusted(bits)

    @staticmethod
    def from_numbers(numbers: Iterable[int]) -> LumiSet:
        """The set of these lumisections, in any order, repeated or not. Raises LumiError naming the number."""
        mask = bytearray((MAX_LUMISECTION >> 3) + 1)
        for value in numbers:
            number = LUMISECTIONS.number(value)
            mask[number >> 3] |= 1 << (number & 7)
        return trusted(int.from_bytes(mask, "little"))

    @staticmethod
    def whole(last: int) -> LumiSet:
        """Lumisections 1 to `last`; empty for 0, the length of a run of which nothing is known yet."""
        return trusted((2 << _length(last)) - 2)

    @staticmethod
    def from_mask(mask: npt.ArrayLike, first: int = 1) -> LumiSet:
        """From a one-dimensional array of booleans: entry i says whether lumisection `first + i` belongs to the set.

        Raises LumiError for anything else: zeros and ones could as well be lumisection numbers.
        """
        array = np.asarray(mask)
        if array.ndim != 1 or (array.dtype != np.bool_ and array.size):
            raise LumiError(
                f"a mask is a one-dimensional array of booleans; this is {array.dtype}, of {array.ndim} dimensions."
            )
        start = LUMISECTIONS.number(first)
        packed = np.packbits(array.astype(np.bool_, copy=False), bitorder="little").tobytes()
        return LumiSet.from_bits(int.from_bytes(packed, "little") << start)

    @staticmethod
    def from_bits(bits: int) -> LumiSet:
        """From the integer in which bit n stands for lumisection n. Raises LumiError when it cannot be one."""
        if not isinstance(bits, int) or bits < 0 or bits & 1:
            raise LumiError(
                "these bits are no set of lumisections: a non-negative integer is needed, with bit 0 clear."
            )
        if bits.bit_length() > MAX_LUMISECTION + 1:
            LUMISECTIONS.within(bits.bit_length() - 1)
        return trusted(int(bits))

    @staticmethod
    def from_iovs(iovs: Iterable[tuple[int, int]], run: int, last: int | None = None) -> LumiSet:
        """From half-open intervals of keys `run << 32 | lumisection`, all of this run.

        Lumisection 0 is dropped, and what lies beyond `last` is cut off. Raises LumiError for a reversed
        interval, for an open end when `last` is not given, and for an interval of another run (see
        `RunLumiMap.from_iovs`).
        """
        bits = 0
        for since, until in iovs:
            interval = iov.Interval.of(since, until)
            if not interval.is_of(run):
                raise LumiError(f"interval {interval} is not of run {run} alone; split it with RunLumiMap.from_iovs.")
            part = interval.within(run, last)
            if part is not None:
                bits |= (2 << part[1]) - (1 << part[0])
        return trusted(bits)

    # -- what is in it -----------------------------------------------------------------------------

    @property
    def first(self) -> int | None:
        """The lowest lumisection, None for the empty set."""
        bits = self.bits
        return (bits & -bits).bit_length() - 1 if bits else None

    @property
    def last(self) -> int | None:
        """The highest lumisection, None for the empty set."""
        return self.bits.bit_length() - 1 if self.bits else None

    def ranges(self) -> list[Range]:
        """The maximal inclusive ranges `(first, last)`, ascending."""
        return bit_ranges(self.bits)

    def numbers(self) -> Iterator[int]:
        """Every lumisection, ascending."""
        for first, last in bit_ranges(self.bits):
            yield from range(first, last + 1)

    def to_mask(self, last: int, first: int = 1) -> npt.NDArray[np.bool_]:
        """Booleans for lumisections `first` to `last` inclusive; what lies outside is not in the mask."""
        start = LUMISECTIONS.number(first)
        count = _length(last) - start + 1
        if count < 0:
            raise LumiError(f"a mask from lumisection {start} cannot end at {last}; give a last from {start - 1}.")
        window = (self.bits >> start) & ((1 << count) - 1)
        packed = np.frombuffer(window.to_bytes((count + 7) >> 3, "little"), dtype=np.uint8)
        return np.unpackbits(packed, count=count, bitorder="little").view(np.bool_)

    def to_iovs(self, run: int) -> list[tuple[int, int]]:
        """Half-open intervals `(since, until)` of keys `run << 32 | lumisection`, ascending."""
        start = iov.key(run, 0)
        return [(start + first, start + last + 1) for first, last in bit_ranges(self.bits)]

    def __len__(self) -> int:
        return self.bits.bit_count()

    def __bool__(self) -> bool:
        return self.bits != 0

    def __contains__(self, number: object) -> bool:
        if not hasattr(number, "__index__"):
            return False
        index = number.__index__()
        return 0 < index <= MAX_LUMISECTION and bool(self.bits >> index & 1)

    def __iter__(self) -> Iterator[Range]:
        return iter(bit_ranges(self.bits))

    # -- algebra -----------------------------------------------------------------------------------

    def __or__(self, other: LumiSet) -> LumiSet:
        return trusted(self.bits | other.bits) if isinstance(other, LumiSet) else NotImplemented

    def __and__(self, other: LumiSet) -> LumiSet:
        return trusted(self.bits & other.bits) if isinstance(other, LumiSet) else NotImplemented

    def __sub__(self, other: LumiSet) -> LumiSet:
        return trusted(self.bits & ~other.bits) if isinstance(other, LumiSet) else NotImplemented

    def __xor__(self, other: LumiSet) -> LumiSet:
        return trusted(self.bits ^ other.bits) if isinstance(other, LumiSet) else NotImplemented

    def complement(self, domain: LumiSet | int) -> LumiSet:
        """What of the domain is not in the set. An integer is the length of the run."""
        return (domain if isinstance(domain, LumiSet) else LumiSet.whole(domain)) - self

    def clip(self, last: int) -> LumiSet:
        """The part up to and including `last`."""
        return trusted(self.bits & ((2 << _length(last)) - 1))

    def isdisjoint(self, other: LumiSet) -> bool:
        return not self.bits & other.bits

    def __eq__(self, other: object) -> bool:
        return self.bits == other.bits if isinstance(other, LumiSet) else NotImplemented

    def __le__(self, other: LumiSet) -> bool:
        return not self.bits & ~other.bits if isinstance(other, LumiSet) else NotImplemented

    def __lt__(self, other: LumiSet) -> bool:
        return self <= other and self.bits != other.bits if isinstance(other, LumiSet) else NotImplemented

    def __ge__(self, other: LumiSet) -> bool:
        return not other.bits & ~self.bits if isinstance(other, LumiSet) else NotImplemented

    def __gt__(self, other: LumiSet) -> bool:
        return self >= other and self.bits != other.bits if isinstance(other, LumiSet) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.bits)

    # -- text and immutability ---------------------------------------------------------------------

    def __str__(self) -> str:
        bits = self.bits
        low = bits & -bits
        if not (bits + low) & bits:  # adding the lowest bit carries through the only block there is
            first, last = low.bit_length() - 1, bits.bit_length() - 1
            return f"{first}-{last}" if first < last else f"{first}" if bits else ""
        return format_ranges(bit_ranges(bits))

    def __repr__(self) -> str:
        return f"LumiSet.parse({str(self)!r})"

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError("a LumiSet does not change; make a new one with |, &, - or ^.")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError("a LumiSet does not change; make a new one with |, &, - or ^.")

    def __reduce__(self) -> tuple[Any, tuple[int]]:
        return LumiSet.from_bits, (self.bits,)


# The slot's own setter: the one way past __setattr__.
_set_bits = LumiSet.__dict__["bits"].__set__


def bit_edges(bits: int) -> list[int]:
    """The places where membership changes, ascending: where a block of set bits begins, and right after it ends."""
    edges: list[int] = []
    while bits:
        if len(edges) == 8:
            return edges + _places_by_search(bits ^ (bits << 1))
        low = bits & -bits
        rest = bits + low  # the carry clears the lowest block and stops right after it
        edges.append(low.bit_length() - 1)
        edges.append((rest & -rest).bit_length() - 1)
        bits &= rest
    return edges


def _places_by_search(bits: int) -> list[int]:
    """The places of many set bits, by search in binary text: that is linear, clearing them one by one is not."""
    text = f"{bits:b}"
    top = len(text) - 1  # the text begins with the highest bit
    places = []
    found = text.rfind("1")
    while found >= 0:
        places.append(top - found)
        found = text.rfind("1", 0, found)
    return places


def bit_ranges(bits: int) -> list[Range]:
    """The maximal blocks of set bits as inclusive ranges, ascending."""
    edges = iter(bit_edges(bits))
    return [(first, after - 1) for first, after in zip(edges, edges, strict=True)]


def trusted(bits: int) -> LumiSet:
    """The set of these bits, which come from other sets and need no look (`LumiSet.from_bits` looks)."""
    made: LumiSet = _make(LumiSet)
    _set_bits(made, bits)
    return made


def _length(last: int) -> int:
    """A run's length: a lumisection number, or 0 when there are none."""
    return 0 if last == 0 and not isinstance(last, bool) else LUMISECTIONS.number(last)


def _parse_slowly(text: object, last: int | None) -> LumiSet:
    """All that is not plain canonical text of a run of usual length, and every refusal with its message."""
    length = None if last is None else _length(last)
    found = tokens(text, _EXAMPLE)
    bits = 0
    for token in found:
        if token.lower() == "all":
            return _parse_all(found, length)
        first, until = LUMISECTIONS.parse_token(token, length)
        bits |= (2 << until) - (1 << first)
    return trusted(bits)


def _parse_all(found: list[str], length: int | None) -> LumiSet:
    if len(found) > 1:
        raise LumiError(f"{shown(found[0])} …: 'all' is the whole run and stands alone; write 'all', or the ranges.")
    if length is None:
        raise LumiError("'all' needs the length of the run, which is not known here; write the range, such as 1-728.")
    if not length:
        raise LumiError("'all' names nothing: the run has no lumisections yet.")
    return LumiSet.whole(length)
