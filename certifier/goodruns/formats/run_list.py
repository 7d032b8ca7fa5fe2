"""Run lists: one run number per line, each run good as a whole (sPHENIX).

An experiment that certifies whole runs has runs of one lumisection. So a run of the list stands for all
lumisections that are known of it, and for lumisection 1 where the run is not known here.
"""

from __future__ import annotations

from collections.abc import Callable

from certifier.lumi import LumiError, LumiSet, RunLumiMap

from .errors import FormatError
from .text import decode


def read(data: bytes | str, length_of: Callable[[int], int | None] | None = None) -> tuple[RunLumiMap, tuple[str, ...]]:
    """The runs of the file and remarks. Blank lines and `#` comments are skipped. Raises FormatError naming
    the line.
    """
    text, remarks = decode(data)
    runs: dict[int, int] = {}
    repeated: list[int] = []
    for number, line in enumerate(text.splitlines(), start=1):
        word = line.partition("#")[0].strip()
        if not word:
            continue
        run = _run(word, number)
        if run in runs:
            repeated.append(run)
        runs.setdefault(run, number)
    if repeated:
        remarks += (f"Runs that stand there twice: {len(repeated)}, for example {repeated[0]}.",)
    return RunLumiMap({run: LumiSet.whole((length_of and length_of(run)) or 1) for run in runs}), remarks


def _run(word: str, line: int) -> int:
    if not (word.isascii() and word.isdigit()):
        raise FormatError(f"“{word[:40]}” is no run number; a run list has one number per line.", line=line)
    if len(word.lstrip("0")) > 10:
        raise FormatError(f"run {word[:20]}… is far too large; please check for a typing error.", line=line)
    try:
        RunLumiMap({int(word): LumiSet()})
    except LumiError as error:
        raise FormatError(str(error), line=line) from None
    return int(word)


def write(content: RunLumiMap) -> str:
    """The run numbers, ascending, one per line. What part of each run is good is lost: for whole runs
    only.
    """
    return "".join(f"{run}\n" for run in content)
