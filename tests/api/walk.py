"""Reads the walk out of docs/api.md: commands in `sh` blocks, each followed by the answer it gives.

In an answer `"<time>"`, `"<id>"` and `"<sha256>"` stand for values of that kind, `"…"` for anything, and a member
`"…": "…"` for any further members.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

HEADING = "## The walk"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ANYTHING = "…"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")

KINDS: dict[str, Callable[[Any], bool]] = {
    "<id>": lambda value: isinstance(value, int) and value > 0,
    "<time>": lambda value: isinstance(value, str) and TIME.fullmatch(value) is not None,
    "<sha256>": lambda value: isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None,
    ANYTHING: lambda value: True,
}


@dataclass(frozen=True)
class Step:
    """One block of commands with the line it stands on, and the answer that is shown below it, if one is."""

    line: int
    commands: str
    language: str = ""
    answer: str = ""


def steps(document: str) -> list[Step]:
    start = document.index(f"\n{HEADING}\n")
    end = document.find("\n## ", start + len(HEADING) + 2)
    found: list[Step] = []
    for block in BLOCK.finditer(document, start, end if end > 0 else len(document)):
        line = document.count("\n", 0, block.start()) + 1
        if block[1] == "sh":
            found.append(Step(line, block[2]))
        else:
            found[-1] = Step(found[-1].line, found[-1].commands, block[1], block[2])
    return found


def differences(step: Step, output: str) -> list[str]:
    """Where what a step printed is not what the document shows; nothing when it is."""
    if step.language == "json":
        return list(_unlike(json.loads(step.answer), json.loads(output), "answer"))
    shown, got = step.answer.strip().splitlines(), output.strip().splitlines()
    if not step.language:
        return []
    pairs = [*zip(shown, got, strict=False)]
    wrong = [f"“{right}” instead of “{left}”" for left, right in pairs if not _line_fits(left, right)]
    return wrong + ([f"{len(got)} lines instead of {len(shown)}"] if len(shown) != len(got) else [])


def _line_fits(shown: str, got: str) -> bool:
    pattern = re.escape(shown)
    for placeholder, expression in {
        "<id>": r"\d+",
        "<time>": TIME.pattern,
        "<sha256>": "[0-9a-f]{64}",
        ANYTHING: ".*",
    }.items():
        pattern = pattern.replace(re.escape(placeholder), expression)
    return re.fullmatch(pattern, got) is not None


def _unlike(shown: Any, got: Any, place: str) -> Iterator[str]:
    if isinstance(shown, str) and shown in KINDS:
        if not KINDS[shown](got):
            yield f"{place}: {got!r} is not {shown}"
    elif isinstance(shown, dict) and isinstance(got, dict):
        more = shown.get(ANYTHING) == ANYTHING
        for name in {**shown, **({} if more else got)}:
            if name == ANYTHING:
                continue
            if name not in shown or name not in got:
                yield f"{place}: “{name}” is {'not in the document' if name in got else 'missing'}"
            else:
                yield from _unlike(shown[name], got[name], f"{place}.{name}")
    elif isinstance(shown, list) and isinstance(got, list):
        if len(shown) != len(got):
            yield f"{place}: {len(got)} items instead of {len(shown)}"
        for index, (left, right) in enumerate(zip(shown, got, strict=False)):
            yield from _unlike(left, right, f"{place}[{index}]")
    elif shown != got or isinstance(shown, bool) is not isinstance(got, bool):
        yield f"{place}: {got!r} instead of {shown!r}"
