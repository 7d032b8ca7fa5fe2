"""The page that says where a defect has been seen. Defect, runs and tag stand in the address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from certifier.accounts import permissions
from certifier.accounts.filters import cleaned, filters_of
from certifier.accounts.models import User
from certifier.lumi import LumiError, RunSelection
from certifier.runs.remembering import Remembered

from .as_of import AsOf, as_of
from .definition_pages import tag_names
from .logic_at import Meaning
from .models import Entry
from .naming import did_you_mean, quoted
from .sightings import Sighting, Sightings, Week, sightings

RUNS_PER_PAGE = 50
INV_NB_PER_INV_PB = 1e3
_SIGHTINGS: Final[Remembered[Sightings]] = Remembered("defects.", "runs.")


class SightingsForm(forms.Form):
    defect = forms.CharField(
        label="defect", required=False, max_length=200,
        widget=forms.TextInput(
            attrs={"list": "known-defects", "placeholder": "LAR_NOISEBURST", "autocomplete": "off", "data-search": ""}
        ),
    )  # fmt: skip
    runs = forms.CharField(
        label="runs", required=False, max_length=20_000,
        widget=forms.TextInput(attrs={"placeholder": "350000-350500, empty for all", "autocomplete": "off"}),
    )  # fmt: skip

    def __init__(self, *args: Any, moment: AsOf, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.definitions = moment.logic().definitions

    def clean_runs(self) -> RunSelection:
        try:
            return RunSelection.parse(self.cleaned_data["runs"])
        except LumiError as error:
            raise forms.ValidationError(str(error)) from None

    def clean_defect(self) -> Meaning | None:
        name = self.cleaned_data["defect"].strip()
        if not name:
            return None
        meaning = self.definitions.find(name)
        if meaning is None:
            raise forms.ValidationError(f"There is no defect {quoted(name)}.{did_you_mean(name, self.definitions)}")
        return meaning


@never_cache
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    moment = as_of(request.GET.get("tag"))
    form = SightingsForm(request.GET, moment=moment)
    context: dict[str, Any] = {"form": form, "moment": moment, "tags": tag_names(), "names": list(form.definitions)}
    if form.is_valid() and form.cleaned_data["defect"] is not None:
        meaning = form.cleaned_data["defect"]
        runs = form.cleaned_data["runs"]
        found = _SIGHTINGS.get((meaning, moment, runs), lambda: sightings(meaning, moment, runs))
        shown = Paginator(found.found, RUNS_PER_PAGE).get_page(request.GET.get("page"))
        said = _said(meaning, moment, list(shown.object_list))
        context |= {
            "meaning": meaning,
            "found": found,
            "page": shown,
            "rows": [(each, said.get(each.pk)) for each in shown.object_list],
            "plot": _plot(found) if len(found.weeks) > 1 else None,
        }
    return render(request, "defects/sightings.html", context | _saved(request), status=200 if form.is_valid() else 400)


def _saved(request: HttpRequest) -> dict[str, Any]:
    return {
        "page_name": "defects:sightings",
        "current_query": cleaned(request.GET.urlencode()),
        "ready": (),
        "saved": filters_of(cast("User", request.user), "defects:sightings"),
    }


def _said(meaning: Meaning, moment: AsOf, shown: Sequence[Sighting]) -> dict[int, Entry]:
    """By run, the newest entry of a primary defect: who said it, and why."""
    if meaning.is_virtual:
        return {}
    rows = Entry.objects.filter(defect_id=meaning.defect, run__in=[each.pk for each in shown], present=True)
    if moment.up_to is not None:
        rows = rows.filter(id__lte=moment.up_to)
    return {row.run_id: row for row in rows.order_by("id")}


def _plot(found: Sightings) -> dict[str, Any]:
    """Bars of luminosity touched by week; of lumisections where no luminosity is known."""
    known = any(week.touched_inv_nb for week in found.weeks)
    unit = "/pb" if known else "LS"
    values = [week.touched_inv_nb / INV_NB_PER_INV_PB if known else week.lumisections for week in found.weeks]
    return {
        "data": [
            {
                "type": "bar",
                "x": [week.monday.isoformat() for week in found.weeks],
                "y": values,
                "hovertext": [_words(week, value, unit) for week, value in zip(found.weeks, values, strict=True)],
                "hovertemplate": "%{hovertext}<extra></extra>",
                "marker": {"color": "var(--bad)"},
            }
        ],
        "layout": {
            "xaxis": {"type": "category", "title": {"text": "week of"}},
            "yaxis": {"title": {"text": f"touched, {unit}"}, "rangemode": "tozero"},
            "showlegend": False,
        },
    }


def _words(week: Week, value: float, unit: str) -> str:
    share = f", {100 * week.share:.2g}% of recorded" if week.share else ""
    return f"week of {week.monday}: {value:.3g} {unit}{share}, in {week.seen} of {week.runs} runs"
