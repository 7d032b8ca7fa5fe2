"""Amounts in words, for reasons and messages that pages and REST share."""

from __future__ import annotations

import math
from typing import Final

UNITS: Final = (("/fb", 1e6), ("/pb", 1e3), ("/nb", 1.0), ("/µb", 1e-3))
SPANS: Final = (("day", 86_400.0), ("hour", 3_600.0), ("minute", 60.0))


def luminosity(inv_nb: float) -> str:
    """3.1 /pb, in the largest unit of which there is at least one."""
    unit, size = next(((name, factor) for name, factor in UNITS if inv_nb >= factor), UNITS[2])
    value = inv_nb / size
    digits = max(2 - math.floor(math.log10(value)), 0) if value > 0 else 0
    return f"{value:.{min(digits, 2)}f} {unit}"


def span(seconds: float) -> str:
    """3 days, 1 hour, less than a minute."""
    for name, size in SPANS:
        count = int(seconds // size)
        if count > 0:
            return f"{count} {name}{'s' if count > 1 else ''}"
    return "less than a minute"


def counted(count: int, noun: str) -> str:
    """1 finding, 2 findings."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
