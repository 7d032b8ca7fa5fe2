"""The checklists of all systems, and changing one."""

from __future__ import annotations

from typing import cast

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from certifier.accounts import permissions
from certifier.accounts.models import System, User
from certifier.audit.errors import CertifierError

from . import checklists
from .rules import STAGES
from .services import SignOffRefused


class ChecklistForm(forms.Form):
    points = forms.CharField(
        label="points", required=False, max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 12}),
        help_text="One on each line; none of them, and there is no checklist any more.",
    )  # fmt: skip
    expected = forms.IntegerField(widget=forms.HiddenInput, min_value=0)


@never_cache
@require_safe
def all_of_them(request: HttpRequest) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    held = checklists.all_checklists()
    rows = [
        (system, [(stage, held.get((system.pk, stage))) for stage in STAGES],
         bool(permissions.can_write_checklist(request.user, system)))
        for system in System.objects.all()
    ]  # fmt: skip
    return render(request, "review/checklists.html", {"rows": rows, "stages": STAGES})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, system: str, stage: str) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    owner = get_object_or_404(System, code__iexact=system)
    if stage not in STAGES:
        raise SignOffRefused(f"“{stage[:40]}” is no stage. Choose one of {', '.join(STAGES)}.")
    versions = checklists.versions_of(owner, stage)
    now = versions[0] if versions else None
    initial = {"points": "\n".join(now.points) if now else "", "expected": now.number if now else 0}
    form = ChecklistForm(request.POST if request.method == "POST" else None, initial=initial)
    status = 200
    if request.method == "POST" and form.is_valid():
        try:
            row = checklists.write_checklist(
                actor=cast("User", request.user),
                system=owner,
                stage=stage,
                points=form.cleaned_data["points"].splitlines(),
                expected=form.cleaned_data["expected"],
            )
        except CertifierError as refusal:
            form.add_error("points" if refusal.errors[0].get("field") == "points" else None, refusal.message)
            status = refusal.status
        else:
            points = len(row.points)
            messages.success(request, f"The checklist of {owner.code} {stage} has {points or 'no'} points now.")
            return redirect("review:checklist", owner.code, stage)
    context = {
        "system": owner,
        "stage": stage,
        "versions": versions,
        "now": now,
        "form": form,
        "may_write": permissions.can_write_checklist(request.user, owner),
    }
    return render(request, "review/checklist.html", context, status=status if not form.errors else max(status, 400))
