"""Sign and reopen from a page. With htmx the panel answers; without, the page of the run that it stands on."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST
from django_htmx.http import trigger_client_event

from certifier.accounts.models import System, User
from certifier.runs.models import Run

from . import services
from .panel import panel
from .rules import NotSignable

Act = Callable[[Run, System, str, str], str]


@require_POST
def sign(request: HttpRequest, run: int) -> HttpResponse:
    actor = cast("User", request.user)

    def act(row: Run, system: System, stage: str, comment: str) -> str:
        services.sign_off(actor=actor, run=row, system=system, stage=stage, comment=comment)
        return f"{system.code} {stage} of run {row.number} is signed."

    return _answer(request, run, act)


@require_POST
def reopen(request: HttpRequest, run: int) -> HttpResponse:
    actor = cast("User", request.user)

    def act(row: Run, system: System, stage: str, comment: str) -> str:
        rows = services.reopen(actor=actor, run=row, system=system, stage=stage, comment=comment)
        stages = " and ".join(each.stage for each in rows)
        return f"{system.code} {stages} of run {row.number} {'is' if len(rows) == 1 else 'are'} reopened."

    return _answer(request, run, act)


def _answer(request: HttpRequest, number: int, act: Act) -> HttpResponse:
    """Somebody who may not is refused by the service, and the typed error becomes a page or message elsewhere."""
    run = get_object_or_404(Run, number=number)
    system = get_object_or_404(System, code=request.POST.get("system", ""))
    error = ""
    try:
        done = act(run, system, request.POST.get("stage", ""), request.POST.get("comment", "").replace("\0", ""))
    except (NotSignable, services.SignOffRefused) as refusal:
        error = str(refusal)
    if request.htmx:  # type: ignore[attr-defined]  # set by the middleware of django-htmx
        context = {"panel": panel(run, request.user), "error": error, "done": "" if error else done}
        answer = render(request, "review/_sign_off_panel.html", context, status=409 if error else 200)
        # Other parts of the run page tell of signatures, too.
        return answer if error else trigger_client_event(answer, "signed")
    if error:
        messages.error(request, error)
    else:
        messages.success(request, done)
    return redirect(reverse("web:run", args=[run.number]) + "#sign-off")
