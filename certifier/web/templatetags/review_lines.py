"""A line of the review list. Python, not a template: thirty of them are in the answer to every decision."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from django import template
from django.utils.safestring import SafeString, mark_safe

from certifier.precert.models import Verdict

from .luminosity import lumi
from .lumisections import ls_short
from .marks import mark

if TYPE_CHECKING:
    from certifier.web.review.page import Line, ReviewPage

register = template.Library()
SHORT = 22


@register.simple_tag
def review_line(line: Line, page: ReviewPage) -> SafeString:
    """The link to an item: its mark, run, lumisections and why it waits. What people wrote is escaped."""
    item, address = line.item, escape(line.address)
    current = ' aria-current="true"' if line.is_current else ""
    system = "" if page.one_system else f'<span class="push quiet small">{escape(item.system.code)}</span>'
    return mark_safe(  # noqa: S308
        f'<a class="review-line" href="{address}" hx-get="{address}" hx-target="#review" hx-swap="outerHTML" '
        f'hx-push-url="true"{current} title="{escape(line.reason)}">'
        f'<span class="review-line-head">{mark(line.mark, hide_word=True)}<b>{item.run.number}</b> '
        f'<span class="num">{escape(ls_short(item.lumisections, SHORT))}</span>{system}</span>'
        f'<span class="review-line-why">{" · ".join(_why(line, page))}</span></a>'
    )


def _why(line: Line, page: ReviewPage) -> list[str]:
    item = line.item
    words = [escape(lumi(item.recorded_inv_nb))]
    if item.came_from_id:
        words.insert(0, "back again")
    elif not item.shows_verdict:
        words.insert(0, "no verdict shown")
    elif line.suspicion:
        words.insert(0, escape(line.suspicion) + ("?" if item.verdict == Verdict.UNSURE else ""))
    if item.shows_verdict:
        words.append(escape(item.get_verdict_display()))
    if line.claim and line.claim.by_id != page.user.pk:
        words.append(f'<span class="nowrap">held by {escape(line.claim.by_name)}</span>')
    return words
