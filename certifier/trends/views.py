"""Pages of this room: pictures, those that are kept, and their alarms."""

from __future__ import annotations

import csv
from typing import Any, Final, cast

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.audit.errors import CertifierError

from . import services
from .chart import figure
from .curve import Curve
from .drawing import Picture, picture
from .forms import DrawForm, KeepForm, query_of
from .models import Alarm, Trend
from .quantities import FAMILIES, PLAIN
from .services import Kept

SHOWN_ROWS: Final = 100
SHOWN_ALARMS: Final = 20
EXAMPLES: Final = (
    ("Efficiency of data taking", {"draw": "recorded / delivered : start : pileup"}),
    ("Luminosity that is good", {"draw": "good / recorded : run : open"}),
    ("Lumisections per run", {"draw": "lumisections"}),
    ("Luminosity against pile-up", {"draw": "recorded / duration : pileup : run", "per": "lumisection", "curve": "on"}),
)


@never_cache
@require_safe
def trends(request: HttpRequest) -> HttpResponse:
    """Everything that is kept, the newest alarms, and how to draw something new."""
    permissions.require(permissions.can_view(request.user))
    rows = Trend.objects.filter(put_away_at=None).select_related("by")
    context = {
        "rows": [(row, _address(row)) for row in rows],
        "alarms": [(row, _address(row.trend)) for row in Alarm.objects.select_related("trend", "run")[:SHOWN_ALARMS]],
        "examples": [(name, f"{reverse('trends:draw')}?{urlencode(given)}") for name, given in EXAMPLES],
    }
    return render(request, "trends/trends.html", context)


@never_cache
@require_safe
def draw(request: HttpRequest) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    form = DrawForm(request.GET if "draw" in request.GET else None)
    trend = _kept(request.GET)
    context: dict[str, Any] = {
        "form": form,
        "trend": trend,
        "may_change": trend is not None and permissions.can_keep_trends(request.user, trend.keeper),
        "plain": {per.label: names.items() for per, names in PLAIN.items()},
        "families": FAMILIES.items(),
    }
    found = _drawn(form, request.user)
    if found is not None:
        curve = Curve.of(found) if form.cleaned_data["curve"] else None
        context |= {
            "picture": found,
            "curve": curve,
            "plot": figure(found, curve.relation if curve else None),
            "lines": _lines(found)[:SHOWN_ROWS],
            "keep": KeepForm(initial={"name": trend.name, "is_watched": trend.is_watched} if trend else None),
            "query": request.GET.urlencode(),
        }
    return render(request, "trends/draw.html", context)


def _drawn(form: DrawForm, viewer: Any) -> Picture | None:
    """The picture, or what is wrong as an error of the form's field."""
    if not form.is_bound or not form.is_valid():
        return None
    try:
        return picture(form.asked(), viewer=viewer)
    except CertifierError as refusal:
        field = refusal.errors[0].get("field")
        form.add_error(field if field in form.fields else None, refusal.message)
        return None


def _kept(given: QueryDict) -> Trend | None:
    key = given.get("trend", "")
    return Trend.objects.filter(pk=int(key)).select_related("by").first() if key.isdecimal() and len(key) < 10 else None


def _address(trend: Trend) -> str:
    return f"{reverse('trends:draw')}?{urlencode(query_of(trend))}"


def _lines(found: Picture) -> list[dict[str, Any]]:
    """The points as rows of a table, the newest first."""
    points, table = found.points, found.table
    lines = []
    for place in range(len(points) - 1, -1, -1):
        row = points.rows[place]
        lines.append(
            {
                "run": int(table.run[row]),
                "ls": int(table.lumisection[row]) or None,
                "y": float(points.y[place]),
                "x": None if points.x is None else float(points.x[place]),
                "colour": None if points.colour is None else _or_none(points.colour[place]),
                "low": _or_none(found.band.low[place]),
                "high": _or_none(found.band.high[place]),
                "outside": bool(found.band.outside[place]),
            }
        )
    return lines


def _or_none(value: float) -> float | None:
    return None if value != value else float(value)  # noqa: PLR0124  NaN differs


@never_cache
@require_safe
def points(request: HttpRequest) -> HttpResponse:
    """All points as CSV: run, lumisection, y, x, colour, band."""
    permissions.require(permissions.can_view(request.user))
    form = DrawForm(request.GET)
    found = _drawn(form, request.user)
    if found is None:
        raise Http404("This picture cannot be drawn. Open it to see why.")
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="points.csv"'
    # Only numbers and words of ours: nothing in it can be taken for a formula.
    writer = csv.writer(response)
    writer.writerow(["run", "lumisection", "y", "x", "colour", "band_low", "band_high", "outside"])
    for line in reversed(_lines(found)):
        values = [line[name] for name in ("run", "ls", "y", "x", "colour", "low", "high")]
        writer.writerow(["" if value is None else value for value in [*values, int(line["outside"])]])
    return response


@require_POST
def keep(request: HttpRequest) -> HttpResponse:
    """Keep the picture in the body under a name; with `trend` and `replace`, that one is changed."""
    form, kept_form = DrawForm(request.POST), KeepForm(request.POST)
    trend = _kept(request.POST) if "replace" in request.POST else None
    back = f"{reverse('trends:draw')}?{_without_token(request.POST).urlencode()}"
    if not form.is_valid() or not kept_form.is_valid():
        wrong = [str(text) for each in (form, kept_form) for errors in each.errors.values() for text in errors]
        messages.error(request, " ".join(wrong))
        return redirect(back)
    kept = Kept(kept_form.cleaned_data["name"], kept_form.cleaned_data["is_watched"])
    try:
        row = services.save(actor=cast("User", request.user), asked=form.asked(), kept=kept, trend=trend)
    except CertifierError as refusal:
        messages.error(request, refusal.message)
        return redirect(back)
    messages.success(request, f"“{row.name}” is kept{', and watched from the next run on' if row.is_watched else ''}.")
    return redirect(_address(row))


def _without_token(given: QueryDict) -> QueryDict:
    copied = given.copy()
    for name in ("csrfmiddlewaretoken", "name", "is_watched", "replace"):
        copied.pop(name, None)
    return copied


@require_POST
def put_away(request: HttpRequest, pk: int) -> HttpResponse:
    trend = get_object_or_404(Trend, pk=pk)
    services.put_away(actor=cast("User", request.user), trend=trend)
    messages.success(request, f"“{trend.name}” was put away. Its alarms are kept.")
    return redirect("trends:trends")
