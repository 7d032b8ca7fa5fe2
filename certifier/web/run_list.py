"""The list of runs: filters that stand in the address, and what they choose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any

from django import forms
from django.core.paginator import Page, Paginator
from django.db.models import Count, F, Max, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import Role, System
from certifier.defects import resolution
from certifier.defects.errors import UnknownDefect
from certifier.defects.models import Defect
from certifier.defects.selectors import defect_named
from certifier.goodruns.models import RunSummary, SummaryWatermark
from certifier.lumi import LumiError, RunSelection
from certifier.review.models import Action, SignOff, Stage
from certifier.runs.models import ChangeCounter, Run
from certifier.runs.run_fields import LARGEST_INTEGER

RUNS_PER_PAGE = 50
MOST_SPANS = 200
INV_NB_PER_INV_PB = 1_000.0
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

    lost = forms.FloatField(
        label="lost more than, /pb", required=False, min_value=0, max_value=1e9,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )  # fmt: skip
    older = forms.IntegerField(
        label="unsigned for days", required=False, min_value=0, max_value=36_500,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )  # fmt: skip
    mine = forms.BooleanField(label="mine to do", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        facts = ("project", "period", "beam")
        rows = list(Run.objects.order_by().values_list(*facts).distinct())
        for place, name in enumerate(facts):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)
            field.choices = [("", "any"), *((value, value) for value in sorted({row[place] for row in rows} - {""}))]

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


def chosen_runs(form: RunListForm, user: Any = None) -> QuerySet[Run]:
    """The runs of a valid form, newest first, with their summaries; `user` is who “mine” is."""
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
    if asked["lost"] is not None:
        runs = lost_more_than(runs, asked["lost"] * INV_NB_PER_INV_PB)
    if asked["older"] is not None:
        runs = unsigned_since(runs, timezone.now() - timedelta(days=asked["older"]))
    return waiting_for_person(runs, user) if asked["mine"] else runs


def lost_more_than(runs: QuerySet[Run], inv_nb: float) -> QuerySet[Run]:
    """What waits for a signature is not lost: as in `certified_share`, a run counts when something of it is certified,
    or when every system has signed."""
    good = Coalesce(F("summary__good_inv_nb"), 0.0)
    runs = runs.annotate(lost_inv_nb=F("summary__recorded_inv_nb") - good)
    return runs.filter(Q(summary__open_systems=0) | Q(summary__good_inv_nb__gt=0), lost_inv_nb__gt=inv_nb)


def unsigned_since(runs: QuerySet[Run], moment: datetime) -> QuerySet[Run]:
    """Those that ended (or began, where no end is known) before, and of which some system has signed nothing."""
    ended = Q(ended_at__lt=moment) | Q(ended_at=None, started_at__lt=moment)
    return runs.filter(ended, Q(summary__open_systems__gt=0) | Q(summary=None), last_lumisection__gt=0)


def waiting_for_person(runs: QuerySet[Run], user: Any) -> QuerySet[Run]:
    """Those that this person can move on: where a system of theirs lacks a stage they may sign. A coordinator's are the
    runs of which any system has signed nothing."""
    roles = permissions.roles_of(user)
    names = {role for role, _ in roles}
    runs = runs.filter(last_lumisection__gt=0)
    mine = Q(pk__in=[])
    for system in sorted(pk for role, pk in roles if role == Role.EXPERT and pk is not None):
        mine |= ~Q(pk__in=signed_acts(system, Stage.FINAL))
    if Role.SHIFTER in names:
        mine |= ~Q(pk__in=signed_by_all(Stage.EXPRESS))
    if names & {Role.COORDINATOR, Role.ADMIN}:
        mine |= Q(summary__open_systems__gt=0) | Q(summary=None)
    return runs.filter(mine)


def signed_acts(system: int, stage: str) -> QuerySet[SignOff, int]:
    """Keys of the runs where the newest act on this stage is a signature."""
    return _newest_signatures(SignOff.objects.filter(system=system, stage=stage)).values_list("run_id", flat=True)


def signed_by_all(stage: str) -> QuerySet[SignOff, int]:
    """Keys of the runs where every system has signed this stage."""
    signed = _newest_signatures(SignOff.objects.filter(stage=stage))
    counted = signed.values("run_id").annotate(systems=Count("system_id", distinct=True))
    return counted.filter(systems__gte=System.objects.count()).values_list("run_id", flat=True)


def _newest_signatures(acts: QuerySet[SignOff]) -> QuerySet[SignOff]:
    newest = acts.order_by().values("run_id", "system_id").annotate(newest=Max("pk")).values("newest")
    return SignOff.objects.order_by().filter(pk__in=newest, action=Action.SIGN)


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
    mark = Subquery(SummaryWatermark.objects.filter(pk=1).values("sequence")[:1])
    newest, seen = ChangeCounter.objects.filter(pk=1).values_list("value", mark).first() or (0, 0)
    return Derived(
        at=min((summary.refreshed_at for summary in known), default=None),
        behind=max(newest - (seen or 0), 0),
        missing=len(summaries) - len(known),
    )
