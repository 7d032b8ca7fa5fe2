"""Pages on which a stage is signed: one run with its checklist before the eyes, and many runs at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from certifier.accounts import permissions
from certifier.accounts.models import System, User
from certifier.audit.errors import CertifierError
from certifier.defects.selectors import run_defects
from certifier.lumi import LumiError, RunSelection
from certifier.runs.models import Run

from . import bulk_sign_off, checklists, services
from .checklists import Ticks
from .models import Action, Item, ItemState, SignOff, Stage
from .rules import SIGNED, STAGES
from .selectors import next_step, sign_off_state

MOST_OFFERED = 300


def ticks_in(request: HttpRequest) -> Ticks:
    """What a form says was ticked. What is no number is not ticked."""
    number = request.POST.get("checklist", "")
    places = tuple(int(place) for place in request.POST.getlist("tick")[:1_000] if _is_number(place))
    return Ticks(int(number) if _is_number(number) else 0, places)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_page(request: HttpRequest, run: int, system: str, stage: str) -> HttpResponse:
    """One stage of one system of one run: what is open, what was said, the checklist, and the signature."""
    permissions.require(permissions.can_view(request.user))
    row = get_object_or_404(Run, number=run)
    systems = list(System.objects.all())
    owner = next((each for each in systems if each.code.lower() == system.lower()), None)
    if owner is None:
        raise Http404
    if stage not in STAGES:
        raise services.SignOffRefused(f"“{stage[:40]}” is no stage. Choose one of {', '.join(STAGES)}.")
    error, comment, ticked = "", "", set[int]()
    if request.method == "POST":
        ticks, comment = ticks_in(request), request.POST.get("comment", "").replace("\0", "")
        ticked = set(ticks.ticked)
        try:
            services.sign_off(
                actor=cast("User", request.user), run=row, system=owner, stage=stage, comment=comment, ticks=ticks
            )
        except CertifierError as refusal:
            error = refusal.message
        else:
            messages.success(request, f"{owner.code} {stage} of run {row.number} is signed.")
            return redirect(reverse("web:run", args=[row.number]) + "#sign-off")
    context = _of_stage(request, row, owner, stage, systems)
    shown = context["checklist"]
    context |= {"error": error, "comment": comment}
    context["points"] = [(place, text, place in ticked) for place, text in enumerate(shown.points)] if shown else []
    return render(request, "review/sign.html", context, status=409 if error else 200)


def _of_stage(request: HttpRequest, run: Run, system: System, stage: str, systems: Sequence[System]) -> dict[str, Any]:
    states = sign_off_state(run, systems)
    state = next(each for each in states if each.system.pk == system.pk)
    here = next(each for each in state.stages if each.stage == stage)
    found = run_defects(run)
    acts = SignOff.objects.filter(run=run, system=system).select_related("checklist").order_by("-id")
    return {
        "run": run,
        "system": system,
        "stage": stage,
        "state": here,
        "stages": state.stages,
        "next_step": next_step(run, states),
        "defects": [each for each in found.defects if each.system == system.code and not each.virtual],
        "open_items": Item.objects.filter(run=run, system=system, state=ItemState.OPEN).count(),
        "acts": acts,
        "checklist": checklists.checklist_of(system, stage),
        "may_sign": permissions.can_sign(request.user, system, stage),
        "may_write": permissions.can_write_checklist(request.user, system),
        "is_signed": here.state == SIGNED,
    }


# -- many runs ---------------------------------------------------------------------------------------


class BulkForm(forms.Form):
    """Which runs, of which system, at which stage. It stands in the address."""

    system = forms.ModelChoiceField(System.objects.all(), to_field_name="code", label="system", empty_label="choose")
    stage = forms.ChoiceField(label="stage", choices=Stage.choices, initial=Stage.EXPRESS, required=False)
    runs = forms.CharField(
        label="runs", required=False, max_length=20_000,
        widget=forms.TextInput(attrs={"placeholder": "350000-350500, empty for all open", "autocomplete": "off"}),
    )  # fmt: skip

    def clean_stage(self) -> str:
        return self.cleaned_data["stage"] or str(Stage.EXPRESS)

    def clean_runs(self) -> RunSelection:
        try:
            return RunSelection.parse(self.cleaned_data["runs"])
        except LumiError as error:
            raise forms.ValidationError(str(error)) from None


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def bulk(request: HttpRequest) -> HttpResponse:
    """Preview what signing would do to many runs, and do it: to all of them, or to none."""
    permissions.require(permissions.can_view(request.user))
    form = BulkForm(request.GET if "system" in request.GET else None)
    context: dict[str, Any] = {"form": form, "most": bulk_sign_off.MOST_RUNS}
    if not form.is_bound or not form.is_valid():
        return render(request, "review/bulk_sign.html", context, status=400 if form.errors else 200)
    system, stage = form.cleaned_data["system"], form.cleaned_data["stage"]
    posted = request.method == "POST"
    chosen = [int(each) for each in request.POST.getlist("run")[:1_000] if _is_number(each)] if posted else []
    error = ""
    if posted:
        try:
            done = bulk_sign_off.sign_many(
                actor=cast("User", request.user),
                system=system,
                stage=stage,
                runs=list(Run.objects.filter(number__in=chosen)),
                seen=request.POST.get("seen", ""),
                comment=request.POST.get("comment", "").replace("\0", ""),
                ticks=ticks_in(request),
            )
        except CertifierError as refusal:
            error = refusal.message
        else:
            count = len(done)
            messages.success(request, f"{system.code} {stage} of {count} run{'s' if count != 1 else ''} is signed.")
            return redirect(request.get_full_path())
    context |= _bulk_context(request, form, chosen)
    return render(request, "review/bulk_sign.html", context | {"error": error}, status=409 if error else 200)


def _bulk_context(request: HttpRequest, form: BulkForm, chosen: Sequence[int]) -> dict[str, Any]:
    """`chosen` narrows the preview to those runs: ticked ones when the preview is asked for again."""
    system, stage = form.cleaned_data["system"], form.cleaned_data["stage"]
    wanted = chosen or [int(each) for each in request.GET.getlist("run")[:1_000] if _is_number(each)]
    runs = _runs_of(form.cleaned_data["runs"], system, stage, wanted)
    shown = checklists.checklist_of(system, stage)
    ticked = set(ticks_in(request).ticked)
    return {
        "system": system,
        "stage": stage,
        "preview": bulk_sign_off.preview(system, stage, runs),
        "checklist": shown,
        "points": [(place, text, place in ticked) for place, text in enumerate(shown.points)] if shown else [],
        "comment": request.POST.get("comment", ""),
        "may_sign": permissions.can_sign(request.user, system, stage),
    }


def _runs_of(selection: RunSelection, system: System, stage: str, wanted: Sequence[int]) -> list[Run]:
    """The newest runs of the selection. Those that are signed already are left out where nobody named them."""
    rows = Run.objects.order_by("-number").defer("attributes")
    if wanted:
        return list(rows.filter(number__in=wanted)[:MOST_OFFERED])
    if selection.is_all:
        acts = SignOff.objects.filter(system=system, stage=stage).order_by()
        newest = acts.values("run_id").annotate(newest=Max("id")).values("newest")
        signed = acts.filter(pk__in=newest, action=Action.SIGN).values("run_id")
        return list(rows.exclude(pk__in=signed)[:MOST_OFFERED])
    first, last = selection.ranges()[0][0], selection.ranges()[-1][1]
    chosen = [run for run in rows.filter(number__gte=first, number__lte=last) if run.number in selection]
    return chosen[:MOST_OFFERED]
