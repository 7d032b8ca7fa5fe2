"""Luminosities and shares for people. Inside, a luminosity is always in inverse nanobarn."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Protocol

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

NOTHING = "–"
# Inverse nanobarn in one of each unit, largest first.
UNITS = {"/fb": 1e6, "/pb": 1e3, "/nb": 1.0, "/µb": 1e-3}

ROUNDS_TO_ONE = 0.9995  # prints as 1.00

Number = float | int | Decimal | str | None


def as_number(value: Number) -> float | None:
    """None for what is not there: None, NaN, and the empty string that templates give for a missing name."""
    if value is None or value == "":
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def rounded(value: float) -> str:
    """Three significant digits, two below 1, never an exponent: 0.012, 0.42, 1.42, 58.3, 320, 1234."""
    if not value:
        return "0"
    power = math.floor(math.log10(value))
    # Rounding may carry into the next power of ten: 9.999 is 10.0, not 10.00.
    power += round(value / 10.0**power, 2 if power >= 0 else 1) >= 10
    return f"{value:.{max((2 if power >= 0 else 1) - power, 0)}f}"


@register.filter
def lumi(value_inv_nb: Number, unit: str = "") -> str:
    """`{{ value_inv_nb|lumi }}`: "58.3 /pb", "1.42 /fb", "320 /nb", "–" for None.

    The unit is the largest in which the number is at least 1; `|lumi:"/pb"` fixes it, for columns that are
    compared. Raises ValueError on an unknown unit and on text that is no number.
    """
    number = as_number(value_inv_nb)
    if number is None:
        return NOTHING
    if unit and unit not in UNITS:
        raise ValueError(f"There is no unit {unit!r}; use one of {', '.join(UNITS)}.")
    sign = "−" if number < 0 else ""
    size = abs(number)
    unit = unit or next((name for name, factor in UNITS.items() if size / factor >= ROUNDS_TO_ONE), "")
    if not unit:
        unit = "/µb" if size else "/pb"
    digits = rounded(size / UNITS[unit])
    return f"{sign if digits.strip('0.') else ''}{digits} {unit}"


class Amount(Protocol):
    """What `goodruns` calls a luminosity: of so many lumisections, None where none of them has a known one."""

    @property
    def lumisections(self) -> int: ...
    @property
    def recorded_inv_nb(self) -> float | None: ...


@register.simple_tag
def amount(of: Amount, unit: str = "") -> SafeString | str:
    """`{% amount charge.lost unit %}`: its recorded luminosity, or its lumisections where none is known; – for nothing.

    A tag and not a part of a page: a loss table of a year has a thousand of them.
    """
    if not of.lumisections:
        return NOTHING
    count = f"{of.lumisections:,} LS"
    if of.recorded_inv_nb is None:
        return count
    return format_html('<span title="{}">{}</span>', count, lumi(of.recorded_inv_nb, unit))


@register.filter
def percent(share: Number, decimals: int = 1) -> str:
    """`{{ 0.962|percent }}`: "96.2%". Almost all is ">99.9%", never "100.0%"; very little is "<0.1%"."""
    number = as_number(share)
    if number is None:
        return NOTHING
    text = f"{100 * number:.{decimals}f}".replace("-", "−")
    least = 10.0**-decimals
    if 0 < number < 1 and float(text) >= 100:
        return f">{100 - least:.{decimals}f}%"
    if number > 0 and float(text) == 0:
        return f"<{least:.{decimals}f}%"
    return f"{text}%"
