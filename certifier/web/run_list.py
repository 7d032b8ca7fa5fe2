"""The list of runs: filters that stand in the address, and what they choose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from django import forms
from django.core.paginator import Page, Paginator
from django.db.models import Count, Max, Q, QuerySet, Sum

from certifier.accounts.models import System
from certifier.defects import resolution
from certifier.defects.errors import UnknownDefect
from certifier.defects.models import Defect
from certifier.defects.selectors import defect_named
from certifier.goodruns.models import RunSummary, SummaryWatermark
from certifier.lumi import LumiError, RunSelection
from certifier.review.models import Action, SignOff
from certifier.runs.models import ChangeCounter, Run
from certifier.runs.run_fields import LARGEST_INTEGER

RUNS_PER_PAGE = 50
MOST_SPANS = 200
# Runs chosen by key: below what one statement may carry in every database.
MOST_KEYS = 20_000


class RunsField(forms.CharField):
    """Run numbers and ranges of them."""

    def clean(self, value: Any) -> RunSelection:
        text = super().clean(value)
        try:
            selection = RunSelection.parse(text)
        except LumiError as error:
            raise forms.ValidationError(str(error)) from None
        if len(selection.ranges()) > MOST_SPANS:
            raise forms.ValidationError(f"At most {MOST_SPANS} runs or ranges can be asked for at once.")
        return selection


class PrimaryDefectField(forms.CharField):
    """The name of a primary defect, ignoring case."""

    def clean(self, value: Any) -> Defect | None:
        name = super().clean(value)
        if not name:
            return None
        try:
            defect = defect_named(name)
        except UnknownDefect as error:
            raise forms.ValidationError(error.message) from None
        if defect.is_virtual:
            raise forms.ValidationError(f"{defect.name} is virtual; runs can be sought by primary defects only.")
        return defect


class RunListForm(forms.Form):
    runs = RunsField(
        label="runs",
        required=False,
        max_length=2_000,
        widget=forms.TextInput(attrs={"placeholder": "350000-350500", "data-search": True, "autocomplete": "off"}),
    )
    project = forms.ChoiceField(label="project", required=False)
    period = forms.ChoiceField(label="period", required=False)
    fill = forms.IntegerField(
        label="fill", required=False, min_value=0, max_value=LARGEST_INTEGER,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )  # fmt: skip
    beam = forms.ChoiceField(label="beam", required=False)
    unsigned = forms.ModelChoiceField(
        System.objects.all(), to_field_name="code", label="not signed by", required=False, empty_label="any"
    )
    defect = PrimaryDefectField(
        label="with defect", required=False, max_length=100,
        widget=forms.TextInput(attrs={"list": "primary-defects", "placeholder": "LAR_…", "autocomplete": "off"}),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("project", "period", "beam"):
            known = Run.objects.exclude(**{name: ""}).order_by(name).values_list(name, flat=True).distinct()
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [("", "any"), *((value, value) for value in known)]

    @property
    def is_filtered(self) -> bool:
        return any(self.data.get(name) for name in self.fields)


@dataclass(frozen=True)
class Totals:
    """Over all runs that a filter chooses. Luminosities in inverse nanobarn."""

    runs: int
    lumisections: int
    recorded_inv_nb: float | None
    good_inv_nb: float | None


@dataclass(frozen=True)
class Derived:
    """How old the numbers are that were derived beforehand; `behind` counts the changes that are not in them."""

    at: datetime | None
    behind: int
    missing: int


def chosen_runs(form: RunListForm) -> QuerySet[Run]:
    """The runs of a valid form, newest first, with their summaries."""
    asked = form.cleaned_data
    runs = Run.objects.order_by("-number").select_related("summary")
    for name in ("project", "period", "beam"):
        if asked[name]:
            runs = runs.filter(**{name: asked[name]})
    if asked["fill"] is not None:
        runs = runs.filter(fill=asked["fill"])
    if not asked["runs"].is_all:
        spans = (Q(number__gte=first, number__lte=last) for first, last in asked["runs"].ranges())
        runs = runs.filter(reduce(or_, spans))
    if asked["unsigned"] is not None:
        runs = not_signed_by(runs, asked["unsigned"])
    if asked["defect"] is not None:
        runs = runs.filter(pk__in=runs_with(asked["defect"]))
    return runs


def not_signed_by(runs: QuerySet[Run], system: System) -> QuerySet[Run]:
    """Those where no stage of the system is signed, or one is reopened: what keeps a run out of a list."""
    acts = SignOff.objects.filter(system=system).order_by()
    newest = SignOff.objects.order_by().filter(
        pk__in=acts.values("run_id", "stage").annotate(newest=Max("pk")).values("newest")
    )
    signed = newest.filter(action=Action.SIGN).values("run_id")
    reopened = newest.filter(action=Action.REOPEN).values("run_id")
    return runs.filter(~Q(pk__in=signed) | Q(pk__in=reopened))


def runs_with(defect: Defect) -> list[int]:
    """Keys of the newest runs in which the defect is present somewhere now."""
    states = resolution.states(runs=None, up_to=None, defects=[defect.pk])
    found = [run for run, of_run in states if of_run[defect.pk].present]
    return found[-MOST_KEYS:]


def totals_of(runs: QuerySet[Run]) -> Totals:
    found = runs.order_by().aggregate(
        runs=Count("pk"),
        lumisections=Sum("last_lumisection"),
        recorded=Sum("summary__recorded_inv_nb"),
        good=Sum("summary__good_inv_nb"),
    )
    return Totals(found["runs"], found["lumisections"] or 0, found["recorded"], found["good"])


def page_of(runs: QuerySet[Run], number: str | None) -> Page[Run]:
    """The page of that number, the nearest one for a number that there is not."""
    return Paginator(runs, RUNS_PER_PAGE).get_page(number)


def derived(runs: Iterable[Run]) -> Derived:
    """How fresh the summaries of these runs are: when the oldest was made, and what has happened since."""
    summaries: list[RunSummary | None] = [getattr(run, "summary", None) for run in runs]
    known = [summary for summary in summaries if summary is not None]
    newest = ChangeCounter.objects.filter(pk=1).values_list("value", flat=True).first() or 0
    seen = SummaryWatermark.objects.filter(pk=1).values_list("sequence", flat=True).first() or 0
    return Derived(
        at=min((summary.refreshed_at for summary in known), default=None),
        behind=max(newest - seen, 0),
        missing=len(summaries) - len(known),
    )
