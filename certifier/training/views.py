"""Pages of this room: what each system learns from, what came of it, and the acts of coordinators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from certifier.accounts import permissions
from certifier.accounts.models import System, User
from certifier.monitoring.models import Element
from certifier.ops.models import LIVE, Job
from certifier.precert.selectors import SystemModels, models_of, models_of_system

from . import selectors, services
from .chart import compared, compared_plot
from .errors import BadRecipe, BadRuns, PauseConflict, ReasonNeeded
from .labels import Source, counts_by_week
from .models import Outcome, Pause, Training
from .recipe import recipe_of
from .recipes import chosen_recipe
from .sample import Plan, plan

SHOWN_WEEKS: Final = 10
PER_PAGE: Final = 20
CHARTED: Final = 30
# Marks of the design for what came of a training.
MARKS: Final = {
    Outcome.PROMOTED: "good",
    Outcome.SHADOW: "unsure",
    Outcome.REJECTED: "bad",
    Outcome.UNCHANGED: "unseen",
    Outcome.TOO_FEW: "unscored",
    Outcome.PAUSED: "unseen",
    Outcome.FAILED: "bad",
}


@dataclass(frozen=True)
class SystemRow:
    """A system in the list: how its models stand, the last training, and whether it learns by itself."""

    models: SystemModels
    last: Training | None
    pause: Pause | None
    job: Job | None

    @property
    def mark(self) -> str:
        return MARKS[Outcome(self.last.outcome)] if self.last else "unscored"


@dataclass(frozen=True)
class Now:
    """What a training would learn from if it began now; `why_not` says what stands against one."""

    plan: Plan
    why_not: list[str]
    same_as: Training | None

    @property
    def sources(self) -> list[tuple[str, int, int]]:
        """(source, good, bad) of those that have any."""
        found = self.plan.counts
        return [(each.label, found[each]["good"], found[each]["bad"]) for each in Source if each in found]

    @property
    def weeks(self) -> list[tuple[Any, list[tuple[int, int]]]]:
        """The Monday, and by source (good, bad)."""
        rows = counts_by_week(self.plan.labels)[:SHOWN_WEEKS]
        return [(monday, [found[each.value] for each in Source]) for monday, found in rows]


@never_cache
@require_safe
def systems(request: HttpRequest) -> HttpResponse:
    """Every system that has histograms or was trained; the others are named."""
    permissions.require(permissions.can_view(request.user))
    everything = models_of()
    known = [each.system for each in everything]
    last, paused, live = selectors.newest_trainings(known), selectors.pauses(known), _live_jobs()
    with_histograms = set(Element.objects.filter(system__isnull=False).values_list("system", flat=True))
    shown = [each for each in everything if each.system.pk in with_histograms or each.system.pk in last]
    context = {
        "rows": [
            SystemRow(each, last.get(each.system.pk), paused.get(each.system.pk), live.get(each.system.code))
            for each in shown
        ],
        "without": [each.system for each in everything if each not in shown],
        "may_train": permissions.can_train(request.user),
    }
    return render(request, "training/systems.html", context)


@never_cache
@require_safe
def system(request: HttpRequest, code: str) -> HttpResponse:
    """What came of its trainings. What would be learned now is looked up after it: it reads every label there is."""
    permissions.require(permissions.can_view(request.user))
    row = get_object_or_404(System, code=code)
    trainings = selectors.trainings().filter(system=row)
    figures = compared(trainings.exclude(challenger=None)[:CHARTED])
    page = Paginator(trainings, PER_PAGE).get_page(request.GET.get("page"))
    shown = list(page)
    context: dict[str, Any] = {
        "system": row,
        "models": models_of_system(row),
        "page": page,
        "trainings": [(each, MARKS[Outcome(each.outcome)]) for each in shown],
        "last": (shown[0] if shown else None) if page.number == 1 else trainings.first(),
        "compared": [(each, MARKS[each.outcome]) for each in figures],
        "plot": compared_plot(figures),
        "pause": selectors.pause_of(row),
        "recipe": chosen_recipe(row),
        "job": _live_jobs().get(row.code),
        "may_train": permissions.can_train(request.user),
    }
    return render(request, "training/system.html", context)


@never_cache
@require_safe
def now(request: HttpRequest, code: str) -> HttpResponse:
    """What a training would learn from if it began now: a page of its own; to htmx the part of the system's page."""
    permissions.require(permissions.can_view(request.user))
    row = get_object_or_404(System, code=code)
    context: dict[str, Any] = {
        "system": row,
        "sources": list(Source),
        "left_out": selectors.left_out_acts(row),
        "may_train": permissions.can_train(request.user),
    }
    try:
        planned = plan(row, recipe_of(row))
    except BadRecipe as error:
        context["bad_recipe"] = str(error)
    else:
        before = selectors.last_learned(row)
        same = before if before is not None and before.fingerprint == planned.fingerprint else None
        context["now"] = Now(planned, planned.why_too_few(), same)
    part = "training/_now.html" if request.htmx else "training/now.html"  # type: ignore[attr-defined]
    answer = render(request, part, context)
    patch_vary_headers(answer, ["HX-Request"])
    return answer


def _live_jobs() -> dict[str, Job]:
    """By code of the system, its training that waits or runs."""
    rows = Job.objects.filter(kind=selectors.KIND, state__in=LIVE)
    return {row.arguments.get("system", ""): row for row in rows}


# --- acts -----------------------------------------------------------------------------------------------------


@require_POST
def train(request: HttpRequest, code: str) -> HttpResponse:
    def act(actor: User, row: System, reason: str) -> str:
        job = services.ask(actor=actor, system=row)
        return f"{row.code} is trained as soon as a worker has time: job {job.pk}."

    return _answer(request, code, act)


@require_POST
def pause(request: HttpRequest, code: str) -> HttpResponse:
    def act(actor: User, row: System, reason: str) -> str:
        services.pause(actor=actor, system=row, reason=reason)
        return f"{row.code} learns by itself no more, and no model of it is promoted by the gate."

    return _answer(request, code, act)


@require_POST
def resume(request: HttpRequest, code: str) -> HttpResponse:
    def act(actor: User, row: System, reason: str) -> str:
        services.resume(actor=actor, system=row, reason=reason)
        return f"{row.code} learns by itself again."

    return _answer(request, code, act)


@require_POST
def leave_out(request: HttpRequest, code: str) -> HttpResponse:
    def act(actor: User, row: System, reason: str) -> str:
        first, last = (_number(request.POST.get(name, "")) for name in ("first_run", "last_run"))
        again = request.POST.get("what") == "again"
        services.leave_out(actor=actor, system=row, first_run=first, last_run=last, reason=reason, again=again)
        runs = f"run {first}" if first == last else f"runs {first} to {last}"
        return f"From {runs} {row.code} learns {'again' if again else 'nothing'}."

    return _answer(request, code, act)


def _number(text: str) -> int:
    """0, which no run has, for what is none."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def _answer(request: HttpRequest, code: str, act: Callable[[User, System, str], str]) -> HttpResponse:
    """Somebody who may not is refused by the service, and the typed error becomes a page elsewhere."""
    row = get_object_or_404(System, code=code)
    try:
        done = act(cast("User", request.user), row, request.POST.get("reason", "").replace("\0", ""))
    except (BadRuns, PauseConflict, ReasonNeeded) as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, done)
    return redirect(reverse("training:system", args=[row.code]))
