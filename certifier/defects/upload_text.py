"""The upload text that shift tools and people write, line by line.

    @359918
    LAR_UNCHECKED G # express checked
    LAR_EMBA_HVTRIP R 120-124 # channel 30
    LAR_EMBA_HVNONNOMINAL 125-End Y # the colour may stand on either side

A line `@RUN` opens the block of a run; a file may have several. R is present, Y present and recoverable, G absent. No
lumisections means the whole run. `#` begins a comment that lasts to the end of the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from certifier.lumi import LARGEST_RUN, LumiError, LumiSet

from .errors import UploadRefused, UploadTooLarge
from .naming import quoted

MAX_BYTES = 5 * 1024 * 1024
LINE_END = re.compile(r"\r\n|\n|\r")
OPEN_END = re.compile(r"-end\b|\bend\b", re.IGNORECASE)
COMMENT_LINE = re.compile(r"\s*(#|$)")


class Colour(NamedTuple):
    present: bool
    recoverable: bool


COLOURS = {"R": Colour(True, False), "Y": Colour(True, True), "G": Colour(False, False)}
WHOLE_RUN = "all"
STRAY = (
    "this line comes before any @RUN line, so it belongs to no run. Begin with @ and the run number, such as @359918."
)


@dataclass(frozen=True, slots=True)
class UploadLine:
    """One line as it was written: nothing has been looked up yet."""

    number: int
    run: int
    defect: str
    lumisections: str
    present: bool
    recoverable: bool
    comment: str
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class Reading:
    """Lines that can be read, and what is wrong with the others as (line number, message)."""

    lines: list[UploadLine] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)


def decode(body: bytes, largest: int = MAX_BYTES) -> str:
    """The text of a request or file. Raises UploadTooLarge above the limit, UploadRefused for what is not UTF-8."""
    if len(body) > largest:
        raise UploadTooLarge(
            f"The upload has more than {largest // 1024 // 1024} MB. Split it at an @RUN line and send the parts."
        )
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = len(LINE_END.split(body[: error.start].decode("utf-8", "replace")))
        raise UploadRefused(
            [(number, f"the text is not UTF-8 (byte {error.start + 1} of it). Save it as UTF-8 and upload it again.")]
        ) from error


def read(text: str) -> Reading:
    """Every line of the text. What is wrong is collected, so that one pass tells all of it."""
    reading = Reading()
    run: int | None = None
    below_a_run = False
    for number, line in numbered(text):
        try:
            if line.lstrip().startswith("@"):
                run, below_a_run = None, True
                run = _run_of(line)
            elif run is not None:
                reading.lines.append(_line(number, run, line))
            elif not below_a_run:
                raise Unreadable(STRAY)
            # Below an @RUN line that was refused, its own message is enough.
        except Unreadable as error:
            reading.problems.append((number, str(error)))
    if not reading.lines and not reading.problems:
        reading.problems.append((0, "There is no line with a defect in it. Write @RUN, and below it DEFECT R 120-124."))
    return reading


def numbered(text: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, with their numbers from 1."""
    for number, line in enumerate(LINE_END.split(text.removeprefix("\ufeff")), start=1):
        if not COMMENT_LINE.match(line):
            yield number, line


class Unreadable(Exception):
    """Why a line cannot be read."""


def _run_of(line: str) -> int:
    text = line.partition("#")[0].strip().removeprefix("@").strip()
    if not (text.isascii() and text.isdigit()):
        raise Unreadable(f"{quoted('@' + text)} opens no run: write @ and the run number, such as @359918.")
    run = int(text) if len(text) <= 12 else LARGEST_RUN + 1
    if not 0 < run <= LARGEST_RUN:
        raise Unreadable(f"{quoted('@' + text)} is no run number: the largest is {LARGEST_RUN}.")
    return run


def _line(number: int, run: int, line: str) -> UploadLine:
    if "\x00" in line:
        raise Unreadable("the line holds the character NUL, which cannot be stored.")
    said, _, comment = line.partition("#")
    name, *tokens = said.split()
    places = [place for place, token in enumerate(tokens) if _is_colour(token)]
    if not places:
        raise Unreadable(
            f"{quoted(name)} has no colour. Write R (present), Y (present and recoverable) or G (absent) "
            "after the name."
        )
    if len(places) > 1:
        raise Unreadable(f"{quoted(name)} has {len(places)} colours; write one line for each.")
    [place] = places
    colour = COLOURS[tokens[place].upper()]
    before, after = tokens[:place], tokens[place + 1 :]
    warnings = []
    if before and after:
        warnings.append("lumisections stand on both sides of the colour; they are taken together")
    lumisections = " ".join(before + after) or WHOLE_RUN
    return UploadLine(number, run, name, lumisections, *colour, comment.strip(), tuple(warnings))


def _is_colour(token: str) -> bool:
    if "/" in token and set(token.upper().split("/")) <= set(COLOURS):
        raise Unreadable(
            f"{quoted(token)} is a choice that somebody has to make. Replace it by R (present), "
            "Y (present and recoverable) or G (absent), then upload again."
        )
    return token.upper() in COLOURS


def lengths_from(lines: Iterable[UploadLine]) -> dict[int, int]:
    """The highest lumisection that the lines name of each run; none for a run of which only `End` or all is said."""
    found: dict[int, int] = {}
    for line in lines:
        numbers = " ".join(token for token in line.lumisections.split() if token.lower() != WHOLE_RUN)
        try:
            named = LumiSet.parse(OPEN_END.sub("", numbers))
        except LumiError:
            continue  # the line is refused later, with its number
        if named.last:
            found[line.run] = max(found.get(line.run, 0), named.last)
    return found
