"""Cells of a table as values. Each function raises ValueError with the reason; the caller knows the place."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

from certifier.lumi import LARGEST_RUN, MAX_LUMISECTION

DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
TIME = re.compile(r"(\d\d)/(\d\d)/(\d\d) (\d\d):(\d\d):(\d\d)", re.ASCII)
# Inverse nanobarn per unit, as a power of ten: 1 /pb = 1000 /nb, 1 /ub = 0.001 /nb.
INVERSE_UNITS = {"/kb": -12, "/b": -9, "/mb": -6, "/ub": -3, "/nb": 0, "/pb": 3, "/fb": 6, "/ab": 9}


def whole(text: str, what: str, low: int, high: int) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{what} “{text[:30]}” is not a whole number.")
    if len(text) > 18 or not low <= int(text) <= high:
        raise ValueError(f"{what} {text[:30]} is not from {low} to {high}.")
    return int(text)


def run(text: str) -> int:
    return whole(text, "run", 1, LARGEST_RUN)


def lumisection(text: str) -> int:
    return whole(text, "lumisection", 1, MAX_LUMISECTION)


def number(text: str, what: str, power: int = 0) -> float:
    """A number that is not negative, times ten to the `power`: scaled in its text, so that no rounding is added."""
    text = text.strip()
    match = DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError(f"{what} “{text[:30]}” is not a number.")
    exponent = match[2]
    if exponent:
        value = float(f"{text[: match.start(2)]}e{int(exponent[1:]) + power}")
    else:
        value = float(f"{text}e{power}")
    if not math.isfinite(value) or value < 0:
        raise ValueError(f"{what} {text[:30]} is negative or too large.")
    return value


def decimals(text: str) -> int:
    """Digits after the point: how far the number was rounded."""
    return len(text.partition(".")[2])


def time(text: str) -> datetime:
    """A time of brilcalc. (`strptime` would take most of the time of an import.)"""
    match = TIME.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        month, day, year, hour, minute, second = map(int, match.groups())
        return datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise ValueError(f"“{text[:30]}” is not a time of the form MM/DD/YY hh:mm:ss.") from None
