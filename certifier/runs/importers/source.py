"""A file as text or as JSON, with the refusals that all formats share."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from .imported import FileRefused

COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip", b"(\xb5/\xfd": "zstd"}
WIDE = (b"\xff\xfe", b"\xfe\xff")


def read_text(path: Path) -> str:
    """The file as text. Raises FileRefused when it is missing, empty, compressed or not UTF-8."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileRefused(f"cannot be read: {error.strerror}.") from None
    if not content.strip():
        raise FileRefused("the file is empty.")
    for magic, name in COMPRESSED.items():
        if content.startswith(magic):
            raise FileRefused(f"the file is compressed ({name}); decompress it first.")
    if content.startswith(WIDE):
        raise FileRefused("the file is UTF-16; save it as UTF-8.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileRefused(f"byte {error.start + 1} is not UTF-8; save the file as UTF-8.", line=line) from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise FileRefused("there is a NUL character; this is no text file.", line=line)
    return text


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without their ends, counted from 1."""
    for number, line in enumerate(io.StringIO(text, newline=None), start=1):
        yield number, line.rstrip("\n")


def read_json(text: str) -> Any:
    """The JSON value. Raises FileRefused naming line and column, or the key that stands twice in one object."""
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refused_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            reason = f"column {error.colno}: the JSON value has ended, but the file goes on."
        elif error.pos >= len(text.rstrip()):
            reason = f"column {error.colno}: the file ends in the middle of the JSON value; part of it is missing."
        else:
            reason = f"column {error.colno}: this is not JSON: {error.msg}."
        raise FileRefused(reason, line=error.lineno) from None
    except RecursionError:
        raise FileRefused("the JSON is nested too deeply.") from None
    except ValueError as error:
        if isinstance(error, FileRefused):
            raise
        raise FileRefused("the JSON holds a number with too many digits.") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise FileRefused(
                    f"the key “{key[:60]}” stands twice in one object; which one counts cannot be guessed."
                )
            seen.add(key)
    return result


def _refused_constant(name: str) -> NoReturn:
    raise FileRefused(f"{name} is not JSON; write null where a number is not known.")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise FileRefused(f"the number {text[:30]} is too large.")
    return value
