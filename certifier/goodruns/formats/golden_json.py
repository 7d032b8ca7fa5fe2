"""Golden JSON: `{"355381": [[1, 10], [20, 728]], ...}`, inclusive ranges per run.

The canonical form has runs ascending as numbers, maximal ranges, all on one line without a newline; the
sha256 of a list is that of these bytes. Readers accept runs and ranges in any order, overlapping or touching.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from certifier.lumi import LumiError, RunLumiMap

from . import layout
from .errors import FormatError
from .text import decode, line_of

INTEGER_LIKE = re.compile(r"\s*0*([1-9][0-9]{0,19})\s*")
EXAMPLE = '{"355381": [[1, 10], [20, 728]]}'


@dataclass(frozen=True)
class GoldenFile:
    content: RunLumiMap
    # None when the file is not canonical in content, or follows no pattern.
    layout: layout.Layout | None
    remarks: tuple[str, ...] = ()


def read(data: bytes | str) -> GoldenFile:
    """A golden JSON file. Raises FormatError naming the line, the run and the range."""
    text, remarks = decode(data)
    value = load(text)
    if not isinstance(value, dict):
        raise FormatError(_wrong_root(value), line=1)
    value = _plain_keys(text, value)
    content = _content(text, value)
    found = layout.detect(text, content)
    if found is None:
        remarks += _remarks(value, content)
    return GoldenFile(content, found, remarks)


def write(content: RunLumiMap, kept: layout.Layout = layout.CANONICAL) -> str:
    """The golden JSON of these runs; canonical unless another layout is asked for."""
    return layout.write(content, kept)


def sha256(content: RunLumiMap) -> str:
    """The digest that names this content: that of its canonical golden JSON."""
    return hashlib.sha256(write(content).encode("ascii")).hexdigest()


def load(text: str) -> Any:
    """The JSON value of the text, strictly: no key twice, no NaN, no endless numbers. Raises FormatError."""
    try:
        return json.loads(
            text,
            object_pairs_hook=_refuse_duplicates(text),
            parse_constant=_refuse_constant(text),
            parse_int=_parse_int,
        )
    except json.JSONDecodeError as error:
        raise FormatError(_syntax(text, error), line=error.lineno) from None
    except RecursionError:
        raise FormatError(f"the brackets are nested too deep; a golden JSON looks like {EXAMPLE}.") from None


def _parse_int(digits: str) -> int:
    if len(digits) > 20:
        raise FormatError(f"{digits[:20]}… is a number of {len(digits)} digits; please check for a typing error.")
    return int(digits)


def _refuse_duplicates(text: str) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) < len(items):
            seen: set[str] = set()
            key = next(key for key, _ in items if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            first = text.find(json.dumps(key))
            again = text.find(json.dumps(key), first + 1)
            raise FormatError(
                f"the key {json.dumps(key[:40])} stands there twice; say which of the two is meant.",
                line=line_of(text, again) if again >= 0 else None,
            )
        return found

    return pairs


def _refuse_constant(text: str) -> Callable[[str], NoReturn]:
    def constant(name: str) -> NoReturn:
        raise FormatError(f"{name} is not a number that JSON knows.", line=line_of(text, text.find(name)))

    return constant


def _syntax(text: str, error: json.JSONDecodeError) -> str:
    if not text.strip():
        return "the file is empty."
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated"):
        return "the file ends in the middle of its JSON; it looks like half a file."
    if error.msg == "Extra data":
        return f"column {error.colno}: something follows after the end of the JSON."
    return f"column {error.colno}: this is no JSON ({error.msg[0].lower() + error.msg[1:]})."


def _wrong_root(value: Any) -> str:
    if isinstance(value, list) and value and isinstance(value[0], dict) and "reference_run_number" in value[0]:
        return "this is a map from runs to reference runs, not a list of lumisections; load it with import_runs."
    kind = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}.get(type(value), "a number")
    return f"the file holds {kind}; a golden JSON is an object such as {EXAMPLE}."


def _plain_keys(text: str, value: dict[str, Any]) -> dict[str, Any]:
    """The same with "0355381" and " 355381 " written as "355381"; what is no number stays as it is, to be
    refused.
    """
    plain: dict[str, Any] = {}
    for key, ranges in value.items():
        match = INTEGER_LIKE.fullmatch(key)
        run = match[1] if match else key
        if run in plain:
            place = text.find(json.dumps(key))
            raise FormatError(f"run {run} stands there twice, here as {json.dumps(key)}.", line=line_of(text, place))
        plain[run] = ranges
    return plain


def _content(text: str, value: dict[str, Any]) -> RunLumiMap:
    try:
        return RunLumiMap.from_golden(value)
    except LumiError as error:
        for key, ranges in value.items():
            try:
                RunLumiMap.from_golden({key: ranges})
            except LumiError as found:
                place = text.find(json.dumps(key))
                raise FormatError(str(found), line=line_of(text, place) if place >= 0 else None) from None
        raise FormatError(str(error)) from None


def _remarks(value: dict[str, Any], content: RunLumiMap) -> tuple[str, ...]:
    """In words, what is not canonical about a file that was read all the same."""
    runs = [int(key) for key in value]
    remarks = []
    if runs != sorted(runs):
        remarks.append("The runs are not in ascending order.")
    sloppy = [
        run
        for run, ranges in zip(runs, value.values(), strict=True)
        if ranges and [tuple(pair) for pair in ranges] != content[run].ranges()
    ]
    if sloppy:
        remarks.append(
            f"Ranges overlap, touch or are out of order in {len(sloppy)} of the runs, for example {sloppy[0]}."
        )
    empty = [run for run, ranges in zip(runs, value.values(), strict=True) if not ranges]
    if empty:
        remarks.append(f"Runs without a range were left out: {len(empty)}, for example {empty[0]}.")
    return tuple(remarks)
