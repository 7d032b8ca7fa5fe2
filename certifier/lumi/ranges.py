"""Inclusive number ranges as text: `1-4 9 20-728`. The one grammar of lumisections and of run selections."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import dataclass

from .errors import LumiError, shown

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Numbering:
    """What is counted (`lumisection`, `run`) and up to which number; everything above is a typing error."""

    noun: str
    largest: int

    def number(self, value: object, where: str = "") -> int:
        """The value as a Python int. Raises LumiError for booleans, non-integers, zero, negative and too
        large.
        """
        if isinstance(value, bool):
            raise LumiError(f"{where}{value} is not a {self.noun} number; give a whole number from 1.")
        try:
            number = operator.index(value)  # type: ignore[arg-type]
        except TypeError:
            raise LumiError(f"{where}{shown(value)} is not a {self.noun} number; give a whole number from 1.") from None
        return self.within(number, where)

    def within(self, number: int, where: str = "") -> int:
        if number < 1:
            raise LumiError(f"{where}{self.noun}s are numbered from 1; there is no {self.noun} {shown(number)}.")
        if number > self.largest:
            raise LumiError(
                f"{where}{self.noun} {shown(number)} is above {self.largest}, the largest that is accepted; "
                "please check for a typing error."
            )
        return number

    def ordered(self, first: object, last: object, where: str = "") -> Range:
        """The pair as an inclusive range. Raises LumiError as `number` does, and for a reversed range."""
        start, end = self.number(first, where), self.number(last, where)
        if start > end:
            raise LumiError(f"{where}the range {start}-{end} is reversed; write {end}-{start}.")
        return start, end

    def pair(self, pair: object, where: str = "") -> Range:
        """The `[first, last]` pair as an inclusive range. Raises LumiError for anything else."""
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise LumiError(f"{where}{shown(pair)} is not a range; write [first, last].")
        first, last = pair
        return self.ordered(first, last, f"{where}range [{shown(first)}, {shown(last)}]: ")

    def parse_token(self, token: str, last: int | None) -> Range:
        """One token, `9`, `1-4`, `20-End`, as an inclusive range; `last` is what `End` stands for and the
        limit.
        """
        start_text, dash, end_text = token.partition("-")
        place = f"{shown(token)}: "
        if dash and not start_text and end_text.isascii() and end_text.isdigit():
            raise LumiError(f"{place}{self.noun}s are numbered from 1; a negative number is none of them.")
        if dash and (not start_text or not end_text):
            raise LumiError(f"{place}an end of the range is missing; write first-last, without blanks around the dash.")
        start = self._parse_number(start_text, place, last)
        end = self._parse_number(end_text, place, last) if dash else start
        if start > end:
            raise LumiError(f"{place}the range is reversed; write {end}-{start}.")
        if last is not None and end > last:
            raise LumiError(f"{place}{self.noun} {end} is beyond the end; the last {self.noun} is {last}.")
        return start, end

    def _parse_number(self, text: str, place: str, last: int | None) -> int:
        if text.lower() == "end":
            if last is None:
                raise LumiError(f"{place}'End' needs the length of the run, which is not known here; write the number.")
            if last < 1:
                raise LumiError(f"{place}the run has no {self.noun}s yet, so it has no 'End'.")
            return last
        if not (text.isascii() and text.isdigit()):
            raise LumiError(f"{place}not a {self.noun} or range; write numbers such as 1-4 9 20-728.")
        # Python refuses to convert very long digit strings, and no valid number is longer than this.
        digits = text.lstrip("0")
        if len(digits) > len(str(self.largest)):
            raise LumiError(
                f"{place}above {self.largest}, the largest {self.noun} number that is accepted; "
                "please check for a typing error."
            )
        return self.within(int(digits or "0"), place)


LUMISECTIONS = Numbering("lumisection", 100_000)
# COOL keys hold the run in 31 bits, and so do the integer columns of the databases.
RUNS = Numbering("run", 2**31 - 1)


def tokens(text: object, example: str) -> list[str]:
    """The text cut at blanks and commas. Raises LumiError when it is no text, or holds nothing but commas."""
    if not isinstance(text, str):
        raise LumiError(f"{shown(text)} is not text; write ranges such as {shown(example)}.")
    found = text.replace(",", " ").split()
    if not found and "," in text:
        raise LumiError(f"{shown(text.strip())}: there is no number between the commas; write {shown(example)}.")
    return found


def merged(pairs: Iterable[Range]) -> tuple[Range, ...]:
    """The ranges ascending, overlapping and touching ones joined."""
    result: list[Range] = []
    for first, last in sorted(pairs):
        if result and first <= result[-1][1] + 1:
            if last > result[-1][1]:
                result[-1] = (result[-1][0], last)
        else:
            result.append((first, last))
    return tuple(result)


def format_ranges(pairs: Iterable[Range]) -> str:
    """`1-4 9 20-728` for ascending, disjoint ranges."""
    return " ".join([f"{first}-{last}" if first < last else f"{first}" for first, last in pairs])
