"""Lumisections as text and as lanes.

A lane is 1000 units wide whatever the length of the run: lumisection n of `last` covers (n-1)/last to n/last
of it, so the lanes of one run stand exactly below each other.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from django import template
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from certifier.lumi import LumiSet

register = template.Library()

WIDTH = 1000
MIN_WIDTH = 1.4  # one lumisection of a long run would be thinner than a pixel, and unseen
THICKNESS = {
    "int": 10,
    "tol": 10,
    "sum": 8,
    "flag": 6,
    "data": 8,
    "good": 6,
    "bad": 6,
    "unsure": 6,
    "none": 6,
}
LABEL_LIMIT = 160
RANGE = re.compile(r"\d+-\d+")

Lumisections = LumiSet | str | Iterable[tuple[int, int]] | None


def as_lumiset(value: Lumisections) -> LumiSet:
    """What a template hands over: a LumiSet, its text, pairs (first, last), or nothing."""
    if isinstance(value, LumiSet):
        return value
    if not value:
        return LumiSet()
    return LumiSet.parse(value) if isinstance(value, str) else LumiSet.from_ranges(value)


def range_text(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def shortened(text: str, limit: int) -> str:
    """The leading ranges that fit into `limit` characters; at least one."""
    if len(text) <= limit:
        return text
    cut = text.rfind(" ", 0, limit + 1)
    return text[:cut] if cut > 0 else text.split(" ", 1)[0]


def leading(ranges: Sequence[tuple[int, int]], limit: int) -> str:
    """The ranges that fit into `limit` characters, at least one, and … when there are more. What is cut off is not
    written out first: a lane may have hundreds."""
    most = limit // 2 + 2  # a range takes a digit and a blank
    text = " ".join(range_text(first, last) for first, last in ranges[:most])
    start = shortened(text, limit)
    return start if start == text and len(ranges) <= most else f"{start} …"


def unbroken(text: str) -> SafeString:
    """Browsers break lines after the hyphen of a range; a range is read as one. The text is that of a LumiSet."""
    return mark_safe(RANGE.sub(r'<span class="nowrap">\g<0></span>', text))  # noqa: S308  digits, blanks and hyphens


# --- text ---------------------------------------------------------------------------------------------------


@register.simple_tag
def ls(value: Lumisections, limit: int = 64) -> SafeString:
    """`{% ls lumiset %}`: the ranges; beyond `limit` characters the rest is behind a click."""
    lumisections = as_lumiset(value)
    text = str(lumisections)
    if not text:
        return mark_safe('<span class="ls">–</span>')
    if len(text) <= limit:
        body = unbroken(text) if "-" in text else text
        return mark_safe(f'<span class="ls num">{body}</span>')  # noqa: S308
    start = shortened(text, limit)
    if start == text:  # a single range, longer than that
        return mark_safe(f'<span class="ls num">{unbroken(text)}</span>')  # noqa: S308
    return format_html(
        '<details class="ls-more num"><summary><span class="ls-start">{} …</span> '
        '<span class="ls-rest"><span>all {} ranges</span><span>{} ranges, show fewer</span></span></summary>'
        '<div class="ls ls-full">{}</div></details>',
        unbroken(start),
        text.count(" ") + 1,
        text.count(" ") + 1,
        text,
    )


@register.filter
def ls_short(value: Lumisections, limit: int = 40) -> str:
    """`{{ lumiset|ls_short:40 }}`: plain text that ends in … when there is more."""
    return leading(as_lumiset(value).ranges(), int(limit))


@register.filter
def ls_count(value: Lumisections | int) -> str:
    """`{{ lumiset|ls_count }}`: "15 LS"; also takes the number itself."""
    return f"{value if isinstance(value, int) else len(as_lumiset(value)):,} LS"


# --- lanes --------------------------------------------------------------------------------------------------


def rectangles(
    ranges: Sequence[tuple[int, int]], last: int, kind: str, *, height: int, thick: int, note: str = ""
) -> str:
    """One <rect> per range, clipped to the run; `note`, already escaped, begins its tooltip."""
    if last < 1:
        return ""
    scale = WIDTH / last
    opening, middle = f'<rect class="{kind}" x="', f'" y="{(height - thick) / 2:g}" width="'
    ending = f'" height="{thick}"><title>{note}'
    parts = []
    for first, end in ranges:
        if first > last:
            break
        width = max((min(end, last) - first + 1) * scale, MIN_WIDTH)
        x = min((first - 1) * scale, WIDTH - width)
        text = first if first == end else f"{first}-{end}"
        parts.append(f"{opening}{x:.1f}{middle}{width:.1f}{ending}{text}</title></rect>")
    return "".join(parts)


def selection(selected: Lumisections, last: int, height: int) -> str:
    if last < 1 or not selected:
        return ""
    scale = WIDTH / last
    return "".join(
        f'<rect class="sel" x="{(first - 1) * scale:.1f}" y="0" '
        f'width="{(end - first + 1) * scale:.1f}" height="{height}"/>'
        for first, end in as_lumiset(selected).clip(last).ranges()
    )


def drawing(body: str, *, height: int, label: str, bare: bool = False, lane: str = "") -> SafeString:
    """With a `lane`, a script draws what has that name, in a place of the same height: it is not to wait until the
    browser has made thousands of elements that nobody will see."""
    drawn = (
        f'<svg class="lane-svg{" bare" if bare else ""}" viewBox="0 0 {WIDTH} {height}" '
        f'preserveAspectRatio="none" height="{height}" role="img" aria-label="{escape(label)}">{body}</svg>'
    )
    if lane:
        place = f'<span class="lane-place" role="img" aria-label="{escape(label)}" data-lane="{escape(lane)}"></span>'
        drawn = f'<div class="lane-drawn" data-height="{height}">{place}<noscript>{drawn}</noscript></div>'
    return mark_safe(drawn)  # noqa: S308  the body is numbers and escaped text


def spoken(label: str, words: str) -> str:
    return f"{label}: {words}" if label else words


def checked_kind(kind: str) -> str:
    if kind not in THICKNESS:
        raise ValueError(f"There is no kind of lane {kind!r}; use one of {', '.join(THICKNESS)}.")
    return kind


@register.simple_tag
def lane(
    value: Lumisections,
    last: int,
    kind: str = "tol",
    *,
    label: str = "",
    selected: Lumisections = None,
    height: int = 20,
    lane: str = "",
) -> SafeString:
    """`{% lane lumiset last "int" %}`: one set as an SVG lane.

    `kind`: int (intolerable) tol (tolerable) sum (a whole system) flag data good bad unsure none. `label`
    names the lane for screen readers and tooltips; `selected` is shaded; `lane` is its name for scripts. Raises
    ValueError on another kind.
    """
    kind = checked_kind(kind)
    ranges = as_lumiset(value).ranges()
    note = f"{escape(label)} " if label else ""
    body = selection(selected, last, height) + rectangles(
        ranges, last, kind, height=height, thick=min(THICKNESS[kind], height), note=note
    )
    return drawing(body, height=height, label=spoken(label, leading(ranges, LABEL_LIMIT) or "none"), lane=lane)


@register.simple_tag
def lane_parts(
    parts: Iterable[tuple[Lumisections, str, str]],
    last: int,
    *,
    label: str = "",
    selected: Lumisections = None,
    height: int = 20,
    lane: str = "",
) -> SafeString:
    """`{% lane_parts parts last %}`: several sets on a lane, in order; each (lumisections, kind, word)."""
    body, words = selection(selected, last, height), []
    for value, kind, word in parts:
        ranges, thick = as_lumiset(value).ranges(), min(THICKNESS[checked_kind(kind)], height)
        note = f"{escape(word)} " if word else ""
        body += rectangles(ranges, last, kind, height=height, thick=thick, note=note)
        words.append(f"{word or kind} {leading(ranges, LABEL_LIMIT) or 'nowhere'}")
    return drawing(body, height=height, label=spoken(label, "; ".join(words)), lane=lane)


@register.simple_tag
def profile(
    values: Sequence[float | None],
    *,
    label: str = "",
    selected: Lumisections = None,
    height: int = 44,
    lane: str = "",
) -> SafeString:
    """`{% profile recorded %}`: a quantity per lumisection as a filled curve from zero to its highest value.

    None and NaN are drawn as zero. Above 1000 lumisections they are binned, a bin shows its highest value.
    """
    last = len(values)
    numbers = [0.0 if value is None or math.isnan(value) else max(float(value), 0.0) for value in values]
    size = max(1, math.ceil(last / WIDTH))
    bins = [max(numbers[start : start + size]) for start in range(0, last, size)]
    top = max(bins, default=0.0)
    if not top:
        return drawing(
            selection(selected, last, height),
            height=height,
            label=f"{label}: nothing" if label else "nothing",
            lane=lane,
        )
    path, steps = [f"M0 {height}"], len(bins)
    for number, value in enumerate(bins):
        path.append(f"V{height * (1 - 0.96 * value / top):.1f}H{min((number + 1) * size, last) * WIDTH / last:.1f}")
    body = selection(selected, last, height) + f'<path class="lum" d="{"".join(path)}V{height}Z"/>'
    return drawing(body, height=height, label=label or f"{steps} steps", bare=True, lane=lane)


def axis_step(last: int, ticks: int = 8) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50, ... that needs at most `ticks` labels."""
    power = 1
    while True:
        for digit in (1, 2, 5):
            if last / (digit * power) <= ticks:
                return digit * power
        power *= 10


@register.simple_tag
def ls_axis(last: int) -> SafeString:
    """`{% ls_axis last %}`: the numbers above the lanes of a run of `last` lumisections."""
    if last < 1:
        return mark_safe("")
    step = axis_step(last)
    ticks = [1, *range(max(step, 2), last + 1, step)] if step > 1 else list(range(1, last + 1))
    labels = []
    for number, tick in enumerate(ticks):
        at = 100 * (tick - 1) / last
        anchor = "start" if number == 0 else "end" if at > 97.5 else "middle"
        labels.append((f"{at:.2f}%", anchor, "minor" if number % 2 else "major", tick))
    return format_html(
        '<svg class="axis-svg" width="100%" height="16" aria-hidden="true">{}</svg>',
        format_html_join("", '<text x="{}" y="12" text-anchor="{}" class="{}">{}</text>', labels),
    )


@register.simple_tag
def share(parts: Iterable[tuple[float, str, str]], *, label: str = "") -> SafeString:
    """`{% share parts %}`: one bar split in proportion; each part (amount, kind, word), kinds as in lanes."""
    known = [(max(float(amount or 0), 0.0), checked_kind(kind), str(word)) for amount, kind, word in parts]
    total = sum(amount for amount, _, _ in known)
    body, x = "", 0.0
    for amount, kind, word in known:
        width = WIDTH * amount / total if total else 0.0
        if width:
            percent = f"{100 * amount / total:.1f}%"
            body += (
                f'<rect class="{kind}" x="{x:.1f}" y="0" width="{width:.1f}" height="8">'
                f"<title>{escape(word)} {percent}</title></rect>"
            )
        x += width
    words = ", ".join(f"{100 * amount / total:.1f}% {word}" for amount, _, word in known) if total else "nothing yet"
    return mark_safe(  # noqa: S308  the body is numbers and escaped text
        f'<svg class="share" viewBox="0 0 {WIDTH} 8" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(spoken(label, words))}">{body}</svg>'
    )
