"""What the lists of runs say of a run's summary: its share certified, its systems signed."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from certifier.goodruns.models import RunSummary

from .luminosity import percent
from .lumisections import share
from .marks import mark

register = template.Library()


@register.simple_tag
def certified_share(summary: RunSummary) -> SafeString:
    """One bar: certified, and beside it what is lost, or not signed yet, of the recorded luminosity.

    Where something is certified every signature that it needs is there, so the rest is lost.
    """
    recorded, good = summary.recorded_inv_nb or 0.0, summary.good_inv_nb or 0.0
    rest = max(recorded - good, 0.0)
    kind, word = ("none", "not signed yet") if summary.open_systems and not good else ("bad", "lost")
    bar = share([(good, "good", "certified"), (rest, kind, word)], label="of the recorded luminosity")
    number = None if summary.open_systems and not good else good / recorded if recorded else None
    return format_html('{}<span class="bar-text">{}</span>', bar, percent(number))


@register.simple_tag
def signed_of(summary: RunSummary) -> SafeString:
    """● 19 of 19, or ○ 14 of 19."""
    total = summary.signed_systems + summary.open_systems
    if not total:
        return mark("unscored", "no system")
    return mark("unchecked" if summary.open_systems else "signed", f"{summary.signed_systems} of {total}")
