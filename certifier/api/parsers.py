"""JSON bodies, read strictly: what two parsers read differently, or no database can hold, is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import IO, Any, NoReturn

import numpy as np
from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from certifier.audit.errors import TooLarge

DEEPEST = 32
LARGEST_INTEGER = 2**63 - 1
UNSTORABLE = "\x00"
# Digits in a row; 1e308 is the largest power of ten that a float holds.
LONGEST_FINITE = 300


class JSONParser(BaseParser):
    """One JSON object in UTF-8. 400 with the place for anything else, 413 beyond MAX_BODY_BYTES."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLarge(f"The body is larger than {limit:,} bytes. Split it into several requests.")
        return parse_object(body)


def parse_object(body: bytes) -> dict[str, Any]:
    """The object in `body`. ParseError names the line and column, the key or the number that is wrong."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParseError(f"The body is not UTF-8: byte {error.start + 1} cannot be read.") from error
    # Asking for every number costs more than reading them all, so it is done only where one can overflow.
    parse_float = _finite if _may_overflow(body) else None
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_float=parse_float,
            parse_int=_integer,
        )
    except json.JSONDecodeError as error:
        raise ParseError(f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.") from error
    except RecursionError as error:
        raise ParseError(f"The body is nested more than {DEEPEST} levels deep.") from error
    if not isinstance(value, dict):
        raise ParseError("The body must be a JSON object, {…}.")
    # Counting brackets is quick and nearly always settles it; only then is the tree walked.
    if text.count("[") + text.count("{") > DEEPEST:
        _check_depth(value)
    if "\\u" in text:
        _check_text(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ParseError(
                    f"The key “{key[:60]}” stands twice in one object. Which one counts cannot be guessed."
                )
            seen.add(key)
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise ParseError(f"{name} is not JSON. Send null where a number is missing.")


def _may_overflow(body: bytes) -> bool:
    """Whether a number has an exponent, or so many digits that it needs none to be too large."""
    codes = np.frombuffer(body, dtype=np.uint8)
    is_digit = (codes >= ord("0")) & (codes <= ord("9"))
    exponents = is_digit[:-1] & ((codes[1:] | 0x20) == ord("e"))
    others = np.flatnonzero(~is_digit)
    return bool(exponents.any() or (len(others) and np.diff(others).max(initial=0) > LONGEST_FINITE))


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ParseError(f"The number {text[:30]} is too large.")
    return value


def _integer(text: str) -> int:
    # 19 digits is as far as 64 bits reach; longer text is not even converted.
    if len(text) > 20 or abs(value := int(text)) > LARGEST_INTEGER:
        raise ParseError(f"The number {text[:30]}{'…' if len(text) > 30 else ''} is too large.")
    return value


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise ParseError(f"The body is nested more than {DEEPEST} levels deep.")
        inside = (
            item for container in level for item in (container.values() if isinstance(container, dict) else container)
        )
        level = [item for item in inside if isinstance(item, dict | list)]


def _check_text(value: Any) -> None:
    """An escape may spell what no database stores: the character NUL, or half of a surrogate pair."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack.extend(item)
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, str) and not storable(item):
            raise ParseError("A text holds the character NUL or half of a surrogate pair, which cannot be stored.")


def storable(text: str) -> bool:
    """Whether a database can hold the text: no NUL, no lone surrogate."""
    return UNSTORABLE not in text and not any("\ud800" <= character <= "\udfff" for character in text)
