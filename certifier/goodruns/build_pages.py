"""The builder of good-run lists: a question in the address, and at once what would be in the list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from certifier.accounts import permissions
from certifier.audit.errors import CertifierError
from certifier.lumi import RunLumiMap
from certifier.runs.models import Run

from . import building, services
from .accounting import Case, case_of_built, charged_in, loss_in
from .blocking import blocked_runs, blocking_systems
from .building import Built
from .comparing import ListDifference, RunDifference, compare
from .contents import content_of
from .efficiency import Efficiency, efficiency_in
from .efficiency_table import csv_of, csv_response
from .formats import golden_json
from .forms import PublishForm, QuestionForm
from .loss_table import SystemLoss
from .luminosity import luminosity_of
from .models import GoodRunList
from .views import MOST_FLAGS, actor_of, add_errors, flags_asked, loss_context, to_list

PREVIEW = "preview"
DIFFERENCES_SHOWN = 8


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def build(request: HttpRequest) -> HttpResponse:
    """The question stands in the address and is answered as a preview; a POST publishes what was previewed."""
    permissions.require(permissions.can_view(request.user))
    asked = "require" in request.GET or request.method == "POST"
    question = QuestionForm(request.GET if asked else None)
    context: dict[str, Any] = {"form": question, "may_publish": permissions.can_publish(request.user)}
    if not asked or not question.is_valid():
        return _answer(request, context, status=400 if asked else 200)
    try:
        built = building.build(building.ask(**question.asked()))
    except CertifierError as refusal:
        add_errors(question, refusal)
        return _answer(request, context, status=refusal.status)
    digest = golden_json.sha256(built.content)
    publish = PublishForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and publish.is_valid():
        response = _published(request, publish, built, digest)
        if response is not None:
            return response
    status = 400 if publish.errors else 200
    context |= {"publish": publish, "digest": digest, **_preview(request, question, built)}
    return _answer(request, context, status=status)


def _answer(request: HttpRequest, context: dict[str, Any], *, status: int) -> HttpResponse:
    """The page; for htmx, which asks whenever something is changed in the form, what depends on the question."""
    htmx = request.htmx  # type: ignore[attr-defined]  # set by the middleware of django-htmx
    part = bool(htmx) and htmx.target == PREVIEW and not htmx.history_restore_request
    template = "goodruns/_build_answer.html" if part else "goodruns/build.html"
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return response


def _published(request: HttpRequest, form: PublishForm, built: Built, digest: str) -> HttpResponse | None:
    """To the page of the new list; None when it was not published, with the reason in the form."""
    if form.cleaned_data["previewed"] != digest:
        form.add_error(
            None, "Something was entered or signed since the preview. Nothing was published; look at it again."
        )
        return None
    try:
        list_ = services.publish_built(
            actor=actor_of(request),
            name=form.cleaned_data["name"],
            built=built,
            description=form.cleaned_data["description"],
        )
    except CertifierError as refusal:
        add_errors(form, refusal)
        return None
    return to_list(request, list_, "is published")


def _preview(request: HttpRequest, question: QuestionForm, built: Built) -> dict[str, Any]:
    flags = flags_asked(request)
    case = case_of_built(built)
    blocked = blocked_runs(built.left_out, {each.row.number: each.row.last for each in case.behind})
    loss = loss_in(case, flags)
    return {
        "built": built,
        "known": luminosity_of(built.content) if flags else loss.good + loss.outside,
        "efficiency": efficiency_in(case, flags),
        "blocked": blocked,
        "blocking": blocking_systems(blocked),
        "compared": compared_with(question.list_to_compare(), case),
        **loss_context(loss, flags),
    }


# -- beside another list ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Compared:
    """What a list that is being built has and another has not, and the other way round; `why` is what takes the
    lumisections away that only the other has.
    """

    other: GoodRunList
    found: ListDifference
    why: tuple[SystemLoss, ...]
    ours: frozenset[int]

    @property
    def largest(self) -> list[RunDifference]:
        runs = sorted(self.found.runs, key=lambda each: (-_size(each), each.run))
        return runs[:DIFFERENCES_SHOWN]

    @property
    def more(self) -> int:
        return max(0, len(self.found.runs) - DIFFERENCES_SHOWN)


def _size(each: RunDifference) -> float:
    parts = (each.first, each.second)
    return sum(part.recorded_inv_nb or 0.0 for part in parts) or 1e-9 * sum(part.lumisections for part in parts)


def compared_with(other: GoodRunList | None, case: Case) -> Compared | None:
    """None when there is nothing to compare with."""
    if other is None:
        return None
    found = compare(content_of(other), case.content, with_common=False)
    lost = RunLumiMap({each.run: each.only_first for each in found.runs if each.only_first})
    shown = [each.run for each in found.runs]
    ours = Run.objects.filter(number__in=shown[:1000]).values_list("number", flat=True) if shown else ()
    return Compared(other, found, charged_in(case, lost), frozenset(ours))


# -- the efficiency table as a file ------------------------------------------------------------------


@never_cache
@require_safe
def efficiency_csv(request: HttpRequest) -> HttpResponse:
    """The efficiency table of the question in the address."""
    permissions.require(permissions.can_view(request.user))
    form = QuestionForm(request.GET)
    if not form.is_valid():
        return _answer(request, {"form": form, "may_publish": permissions.can_publish(request.user)}, status=400)
    built = building.build(building.ask(**form.asked()))
    table: Efficiency = efficiency_in(case_of_built(built), flags_asked(request)[:MOST_FLAGS])
    return csv_response(csv_of(table), "preview")
