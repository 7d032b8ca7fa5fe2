"""Histograms as the server draws them: small, without a script, in the colours of the theme."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from django import template
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from certifier.lumi import LumiSet
from certifier.monitoring.models import Element
from certifier.web.histograms.png import picture
from mlcore.regions import in_words

from .lumisections import drawing, rectangles, spoken

register = template.Library()

# The picture of a histogram is 240 wide: bars above, pulls below.
ACROSS, BARS, PULLS, LARGEST_PULL = 240.0, 74.0, 26.0, 10.0
# A bin this far from what is expected is drawn in red.
WRONG = 6.0
LANE = 14


@register.simple_tag
def histogram(element: Element, counts: Any, mean: Any = None, pulls: Any = None, *, label: str = "") -> SafeString:
    """`{% histogram row.element row.counts row.mean row.pulls %}`: bars, the expected as a line, pulls below them.

    Arrays of (bins,). Of a map it is a picture in which bins that are far from what is expected are red.
    """
    words = spoken(label or element.path, _words(counts, pulls))
    if len(element.axes) > 1:
        return _map(element, counts, pulls, words)
    edges = np.asarray(element.axes[0]["edges"], dtype=np.float64)
    across = (edges - edges[0]) / (edges[-1] - edges[0]) * ACROSS
    top = max(float(np.max(counts, initial=0.0)), float(np.max(mean, initial=0.0)) if mean is not None else 0.0) or 1.0
    heights = np.asarray(counts) / top * (BARS - 2)
    wrong = np.abs(pulls) >= WRONG if pulls is not None else np.zeros(len(heights), dtype=bool)
    body = _bars("bar", across, heights, ~wrong) + _bars("off", across, heights, wrong)
    if mean is not None:
        body += f'<path class="line" d="{_steps(across, BARS - np.asarray(mean) / top * (BARS - 2))}"/>'
    if pulls is not None:
        body += _pulls(across, np.asarray(pulls), wrong)
    height = BARS + (PULLS if pulls is not None else 2)
    return mark_safe(  # noqa: S308  numbers and escaped text
        f'<svg class="hist" viewBox="0 0 {ACROSS:g} {height:g}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(words)}">{body}</svg>'
    )


def _words(counts: Any, pulls: Any) -> str:
    entries = f"{float(np.sum(counts)):,.0f} entries"
    if pulls is None or not len(pulls):
        return entries
    return f"{entries}, largest pull {float(pulls[np.argmax(np.abs(pulls))]):+.1f}"


def _bars(kind: str, across: Any, heights: Any, chosen: Any) -> str:
    drawn = np.flatnonzero(chosen & (heights > 0))
    if not len(drawn):
        return ""
    path = "".join(
        f"M{across[place]:.1f} {BARS:g}V{BARS - heights[place]:.1f}H{across[place + 1]:.1f}V{BARS:g}" for place in drawn
    )
    return f'<path class="{kind}" d="{path}"/>'


def _steps(across: Any, heights: Any) -> str:
    path = [f"M{across[0]:.1f} {heights[0]:.1f}"]
    for place, height in enumerate(heights):
        path.append(f"V{height:.1f}H{across[place + 1]:.1f}")
    return "".join(path)


def _pulls(across: Any, pulls: Any, wrong: Any) -> str:
    middle = BARS + PULLS / 2
    ends = middle - np.clip(pulls, -LARGEST_PULL, LARGEST_PULL) / LARGEST_PULL * (PULLS / 2 - 1)
    found = f'<path class="zero" d="M0 {middle:g}H{ACROSS:g}"/>'
    for kind, chosen in (("pull", ~wrong), ("off", wrong)):
        path = "".join(
            f"M{across[place]:.1f} {middle:g}V{ends[place]:.1f}H{across[place + 1]:.1f}V{middle:g}"
            for place in np.flatnonzero(chosen)
        )
        found += f'<path class="{kind}" d="{path}"/>' if path else ""
    return found


def _map(element: Element, counts: Any, pulls: Any, words: str) -> SafeString:
    bins = element.bins
    values = np.asarray(counts).reshape(bins)
    wrong = np.abs(np.asarray(pulls)).reshape(bins) >= WRONG if pulls is not None else None
    if len(bins) > 2:
        values = values.sum(axis=tuple(range(2, len(bins))))
        wrong = wrong.any(axis=tuple(range(2, len(bins)))) if wrong is not None else None
    return format_html(
        '<img class="hist-map" width="{}" height="{}" src="{}" alt="{}">', *bins[:2], picture(values, wrong), words
    )


@register.simple_tag
def pull_lane(shades: Sequence[tuple[LumiSet, int]], covered: LumiSet, last: int, *, label: str = "") -> SafeString:
    """`{% pull_lane row.shades row.lumisections last %}`: where an element is far from what is expected, in three
    shades, over where it has histograms."""
    body = rectangles(covered.ranges(), last, "covered", height=LANE, thick=3)
    words = []
    for lumisections, shade in shades:
        body += rectangles(lumisections.ranges(), last, f"wrong-{shade}", height=LANE, thick=LANE - 2)
        words.append(str(lumisections))
    return drawing(
        body, height=LANE, label=spoken(label, f"looks wrong in {' '.join(words)}" if words else "as expected")
    )


@register.simple_tag
def points(figure: dict[str, Any]) -> SafeString:
    """`{% points page.trend %}`: the points of a figure of `trend`, between their smallest and largest values."""
    traces = [trace for trace in figure["data"] if trace["x"]]
    left, right = _ends([value for trace in traces for value in trace["x"]])
    low, high = _ends([value for trace in traces for value in trace["y"]])
    body = ""
    for trace in traces:
        places = "".join(
            f"M{(x - left) / (right - left) * ACROSS:.1f} {(1 - (y - low) / (high - low)) * BARS:.1f}h0"
            for x, y in zip(trace["x"], trace["y"], strict=True)
        )
        body += f'<path class="{"chosen-points" if trace["name"] == "chosen" else "other-points"}" d="{places}"/>'
    axes = figure["layout"]
    words = f"{axes['yaxis']['title']['text']}, {low:.4g} to {high:.4g}, against {axes['xaxis']['title']['text']}"
    return format_html(
        '<svg class="points" viewBox="-3 -3 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">{}</svg>'
        '<p class="quiet small">{}, {} to {}</p>',
        ACROSS + 6, BARS + 6, words, mark_safe(body), words, f"{left:.4g}", f"{right:.4g}",  # noqa: S308  numbers
    )  # fmt: skip


def _ends(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


@register.filter
def bins_words(element: Element) -> str:
    """`{{ element|bins_words }}`: 100, or 34 × 72."""
    return " × ".join(str(count) for count in element.bins)


@register.filter
def ranges_words(ranges: Sequence[Sequence[Any]]) -> str:
    """`{{ bin.ranges|ranges_words }}` of an evidence: layer 9, wire 6 to 25."""
    return in_words((str(name), float(low), float(high)) for name, low, high in ranges)


@register.filter
def axis_words(axis: dict[str, Any]) -> str:
    """`{{ axis|axis_words }}`: cell time [ns]."""
    name = axis["label"] or axis["name"]
    return f"{name} [{axis['unit']}]" if axis["unit"] else str(name)
