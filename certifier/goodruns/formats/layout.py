"""How a golden JSON was laid out: the blanks between its tokens, kept so that an export can repeat the file
byte for byte.

Nearly every file in use repeats one pattern of blanks: all on one line, one run per line, every number on a
line of its own; some break a run over several lines where one line would be too wide. A `Layout` is such a
pattern: one piece of blank text per kind of place, in two styles, the second one for runs whose canonical
text has at least `from_width` characters.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from certifier.lumi import LumiSet, RunLumiMap

Blanks = dict[str, str]
# The places that belong to the file as a whole; `_place` names the others, whose blanks can differ with the
# width of a run.
FILE_PLACES = ("start", "first_run", "run", "run_comma", "close", "end")
TOKEN = re.compile(r'([ \t\r\n]*)([{}\[\],:]|"[^"\\]*"|\d+|\Z)')
LARGEST_TEXT = 5_000_000

ONE_LINE = {"run": " ", "list": " ", "range": " ", "last": " "}


@dataclass(frozen=True)
class Layout:
    """Blanks per place; a place that is not named has none."""

    blanks: Mapping[str, str] = field(default_factory=lambda: dict(ONE_LINE))
    long: Mapping[str, str] = field(default_factory=dict)
    from_width: int | None = None

    def to_json(self) -> dict[str, Any]:
        kept: dict[str, Any] = {"blanks": dict(self.blanks)}
        if self.from_width is not None:
            kept |= {"long": dict(self.long), "from_width": self.from_width}
        return kept

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Layout:
        return cls(kept["blanks"], kept.get("long", {}), kept.get("from_width"))

    def style(self, run: int, lumisections: LumiSet) -> Mapping[str, str]:
        if self.from_width is None:
            return self.blanks
        return self.long if _width(run, lumisections) >= self.from_width else self.blanks


CANONICAL = Layout()


def write(content: RunLumiMap, layout: Layout = CANONICAL) -> str:
    """The golden JSON of these runs, laid out so."""
    whole = layout.blanks.get
    pieces: list[str] = [whole("start", ""), "{"]
    separator = whole("first_run", "")
    for run, lumisections in content.items():
        pieces.append(separator)
        pieces.append(_run(str(run), lumisections.ranges(), layout.style(run, lumisections)))
        separator = whole("run_comma", "") + "," + whole("run", "")
    pieces += [whole("close", ""), "}", whole("end", "")]
    return "".join(pieces)


def _run(run: str, ranges: list[tuple[int, int]], style: Mapping[str, str]) -> str:
    blank = style.get
    opening = "[" + blank("first", "")
    between = blank("pair_comma", "") + "," + blank("last", "")
    closing = blank("range_close", "") + "]"
    next_range = blank("range_comma", "") + "," + blank("range", "")
    pairs = next_range.join([f"{opening}{first}{between}{last}{closing}" for first, last in ranges])
    start = f'"{run}"{blank("colon", "")}:{blank("list", "")}[{blank("first_range", "")}'
    return f"{start}{pairs}{blank('list_close', '')}]"


def detect(text: str, content: RunLumiMap) -> Layout | None:
    """The layout that turns `content` into exactly `text`; None when there is none such.

    That means that either the text follows no pattern, or that its content is not canonical (runs or ranges
    out of order, overlapping or touching ranges): such a file has one canonical form, which is not this one.
    """
    if len(text) > LARGEST_TEXT:
        return None
    if write(content) == text:
        return CANONICAL
    whole, styles = _read_blanks(text)
    if len(styles) != len(content):
        return None
    # From the narrowest run on: as long as the blanks agree it is one style, and the rest must be the other.
    widths = [_width(run, lumisections) for run, lumisections in content.items()]
    short: Blanks | None = {}
    long: Blanks | None = {}
    threshold = None
    for width, style in sorted(zip(widths, styles, strict=True), key=lambda item: item[0]):
        joined = _joined(short, style) if threshold is None else None
        if joined is not None:
            short = joined
        else:
            threshold = width if threshold is None else threshold
            long = _joined(long, style)
    if short is None or long is None:
        return None
    guess = Layout({**whole, **short}, long, threshold)
    return guess if write(content, guess) == text else None


def _width(run: int, lumisections: LumiSet) -> int:
    return len(_run(str(run), lumisections.ranges(), ONE_LINE))


def _joined(one: Blanks | None, other: Blanks | None) -> Blanks | None:
    """The blanks of both; None when they contradict each other."""
    if one is None or other is None or any(one.get(place, blank) != blank for place, blank in other.items()):
        return None
    return {**one, **other}


def _read_blanks(text: str) -> tuple[Blanks, list[Blanks | None]]:
    """Blanks per place of the file, and the blanks of each run in order (None: they contradict each
    other).
    """
    whole: Blanks = {}
    styles: list[Blanks | None] = []
    style: Blanks | None = {}
    depth = 0
    previous = ""
    for blank, mark in (match.groups() for match in TOKEN.finditer(text)):
        place = _place(depth, mark, previous)
        if place in FILE_PLACES:
            whole.setdefault(place, blank)
        elif place:
            style = _joined(style, {place: blank})
        depth += (mark in ("{", "[")) - (mark in ("}", "]"))
        previous = mark
        if mark == "]" and depth == 1:
            styles.append(style)
            style = {}
    return whole, styles


def _place(depth: int, mark: str, previous: str) -> str:
    """What kind of place the blanks before `mark` are."""
    if depth == 0:
        return "start" if mark == "{" else "end"
    if depth == 1:
        if mark.startswith('"'):
            return "first_run" if previous == "{" else "run"
        return {",": "run_comma", ":": "colon", "[": "list", "}": "close"}.get(mark, "")
    if depth == 2:
        if mark == "[":
            return "first_range" if previous == "[" else "range"
        return {",": "range_comma", "]": "list_close"}.get(mark, "")
    if mark == "]":
        return "range_close"
    if mark == ",":
        return "pair_comma"
    return "first" if previous == "[" else "last"
