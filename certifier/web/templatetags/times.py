"""Times are UTC, everywhere and always."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

NOTHING = SafeString("–")
FORMATS = {
    "short": "%m-%d %H:%M",
    "minute": "%Y-%m-%d %H:%M",
    "full": "%Y-%m-%d %H:%M:%S",
    "date": "%Y-%m-%d",
    "clock": "%H:%M:%S",
}


def in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def time_element(moment: datetime, text: str) -> SafeString:
    iso = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return format_html('<time class="num nowrap" datetime="{}" title="{}">{}</time>', iso, iso, text)


@register.filter
def utc(moment: datetime | None, form: str = "short") -> SafeString:
    """`{{ entered_at|utc }}`: "05-15 09:41", ISO time in its tooltip. Forms: short minute full date clock.

    A time without zone is taken as UTC. None is "–". Raises ValueError on another form.
    """
    if not moment:
        return NOTHING
    if form not in FORMATS:
        raise ValueError(f"There is no form of time {form!r}; use one of {', '.join(FORMATS)}.")
    moment = in_utc(moment)
    return time_element(moment, moment.strftime(FORMATS[form]))


@register.filter
def duration(value: timedelta | float | None) -> str:
    """`{{ seconds|duration }}`: "0.4 s", "12 s", "3 min 20 s", "11 h 59 min", "3 d 4 h"."""
    if value is None or value == "":
        return "–"
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if 0 < seconds < 9.95:
        return f"{seconds:.1f} s"
    left = round(seconds)
    for size, name, smaller, smaller_name in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if left >= size:
            rest = left % size // smaller
            return f"{left // size} {name} {rest} {smaller_name}" if rest else f"{left // size} {name}"
    return f"{left} s"


@register.filter
def age(moment: datetime | None) -> SafeString:
    """`{{ started_at|age }}`: "3 min ago", for what is recent; the whole time in its tooltip."""
    if not moment:
        return NOTHING
    moment = in_utc(moment)
    seconds = max((datetime.now(UTC) - moment).total_seconds(), 0)
    if seconds < 5:
        return time_element(moment, "just now")
    for size, name in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if seconds >= size:
            return time_element(moment, f"{int(seconds // size)} {name} ago")
    raise AssertionError("a positive age has a unit")
