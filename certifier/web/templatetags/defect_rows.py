"""The parts of a run page of which there are many: the rows of its defects, and their lanes.

Written out here and not in a template: a run may have six hundred rows, and the page is to be there at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from html import escape

from django import template
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe

from certifier.defects.selectors import DefectInRun
from certifier.lumi import LumiSet
from certifier.web.defect_table import DefectRow
from certifier.web.strip import DefectLane

from .lumisections import lane, ls, ls_count
from .times import NOTHING, utc

register = template.Library()

LONGEST_LUMISECTIONS = 80


@register.simple_tag
def defect_rows(rows: Iterable[DefectRow]) -> SafeString:
    """`{% defect_rows page.rows %}`: a <tr> for each row; the name of a defect spans all of its rows."""
    times: dict[datetime | None, str] = {}
    return mark_safe("\n".join(_row(row, times) for row in rows))  # noqa: S308  what people wrote is escaped


def _row(row: DefectRow, times: dict[datetime | None, str]) -> str:
    at = times.get(row.at)
    if at is None:  # what was recorded together has one time
        at = times[row.at] = utc(row.at)
    payload, virtual = row.payload, row.defect.virtual
    by = "–" if virtual else escape(payload.user)
    state = row.state
    opening = "<tr>" if payload.present else '<tr class="is-absent">'
    return (
        f"{opening}{_name(row.defect, row.of_defect)}"
        f'<td class="wide">{ls(row.lumisections, LONGEST_LUMISECTIONS)}{_remark(payload.comment, virtual)}</td>'
        f'<td class="nowrap{" blank" if state == NOTHING else ""}">{state}</td>'
        f'<td class="nowrap">{by}</td><td class="tight num">{at}</td></tr>'
    )


def _name(defect: DefectInRun, rows: int) -> str:
    if not rows:
        return ""
    url = reverse("defects:definition", args=[defect.defect])
    span = f' rowspan="{rows}"' if rows > 1 else ""
    kind = "name intolerable" if defect.intolerable else "name"
    pill = ' <span class="pill">virtual</span>' if defect.virtual else ""
    link = f'<a href="{escape(url)}" title="{escape(defect.description)}">{escape(defect.defect)}</a>'
    return f'<th scope="row"{span} class="{kind}">{link}{pill}</th>'


def _remark(comment: str, virtual: bool) -> str:
    if not comment:
        return ""
    because = '<span class="quiet">because</span> ' if virtual else ""
    return f'<span class="remark" dir="auto">{because}{escape(comment)}</span>'


@register.simple_tag
def defect_lanes(lanes: Iterable[DefectLane], last: int, selected: LumiSet | None = None) -> SafeString:
    """`{% defect_lanes lane.defects last %}`: the lanes below a system of the strip."""
    return mark_safe("\n".join(_lane(one, last, selected) for one in lanes))  # noqa: S308  names and descriptions are escaped


def _lane(one: DefectLane, last: int, selected: LumiSet | None) -> str:
    label = f"<b>{escape(one.label)}</b>" if one.intolerable else escape(one.label)
    url = escape(reverse("defects:definition", args=[one.name]))
    title = escape(f"{one.name}: {one.description}")
    return (
        f'<div class="lane lane-defect"><div class="lane-label"><a href="{url}" title="{title}">{label}</a></div>'
        f"{lane(one.lumisections, last, one.kind, label=one.name, selected=selected, lane=one.key)}"
        f'<div class="lane-reading">{ls_count(one.lumisections)}</div></div>'
    )
