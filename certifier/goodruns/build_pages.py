"""The builder of good-run lists: a question in the address, and at once what would be in the list."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from certifier.accounts import permissions
from certifier.audit.errors import CertifierError
from certifier.lumi import RunLumiMap
from certifier.runs.remembering import Remembered

from . import building, services
from .accounting import Case, case_of_built, charged_in, loss_in
from .blocking import blocked_runs, blocking_systems
from .building import Built
from .comparing import ListDifference, RunDifference, compare
from .conditions import condition_names
from .contents import content_of
from .efficiency import Efficiency, efficiency_in
from .efficiency_table import csv_of, csv_response
from .facts import Facts
from .formats import golden_json
from .forms import PublishForm, QuestionForm
from .loss_table import SystemLoss
from .luminosity import luminosity_of
from .models import GoodRunList
from .views import actor_of, add_errors, flags_asked, loss_context, to_list

PREVIEW = "preview"
DIFFERENCES_SHOWN = 8
# All that decides what a list would be: defects, runs, who signed, whose machine is believed, what it is compared with.
_PREVIEWS: Final[Remembered[dict[str, Any]]] = Remembered(
    "defects.", "runs.", "review.sign_off", "review.decision", "review.undo", "precert.", "watch.", "goodruns."
)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def build(request: HttpRequest) -> HttpResponse:
    """The question stands in the address and is answered as a preview; a POST publishes what was previewed."""
    permissions.require(permissions.can_view(request.user))
    asked = "require" in request.GET or request.method == "POST"
    facts = Facts()
    question = QuestionForm(request.GET if asked else None, facts=facts)
    context: dict[str, Any] = {"form": question, "may_publish": permissions.can_publish(request.user)}
    if not asked or not question.is_valid():
        return _answer(request, context, status=400 if asked else 200)
    try:
        if request.method == "POST":
            return _publishing(request, context, Answered.of(question, facts, to_publish=True))
        # Whoever turns between questions asks some of them again.
        shown = _PREVIEWS.get(
            (request.GET.urlencode(), tuple((each.pk, each.code, each.name) for each in facts.systems)),
            lambda: _preview(request, Answered.of(question, facts)),
        )
    except CertifierError as refusal:
        add_errors(question, refusal)
        return _answer(request, context, status=refusal.status)
    return _answer(request, context | {"publish": PublishForm(), **shown}, status=200)


def _publishing(request: HttpRequest, context: dict[str, Any], answered: Answered) -> HttpResponse:
    publish = PublishForm(request.POST)
    if publish.is_valid():
        response = _published(request, publish, answered.built, golden_json.sha256(answered.built.content))
        if response is not None:
            return response
    status = 400 if publish.errors else 200
    return _answer(request, context | {"publish": publish, **_preview(request, answered)}, status=status)


@dataclass(frozen=True)
class Answered:
    """A list that is being built, and the one that it is compared with."""

    built: Built
    case: Case
    other: GoodRunList | None
    theirs: RunLumiMap

    @classmethod
    def of(cls, form: QuestionForm, facts: Facts, *, to_publish: bool = False) -> Answered:
        """Raises BuildRefused. What is `to_publish` is frozen; anybody may look without holding up who records."""
        question = building.ask(**form.asked(), facts=facts)
        other = form.list_to_compare()
        theirs = content_of(other) if other is not None else RunLumiMap()
        built = building.build(question, facts=facts) if to_publish else building.preview(question, facts, theirs.runs)
        return cls(built, case_of_built(built, facts=facts), other, theirs)


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


def _preview(request: HttpRequest, answered: Answered) -> dict[str, Any]:
    """What is shown of it; without its rows it is small enough to be remembered."""
    built, case, flags = answered.built, answered.case, flags_asked(request)
    blocked = blocked_runs(case)
    loss = loss_in(case, flags)
    known = luminosity_of(built.content, case.profiles()) if flags else loss.good + loss.outside
    names = case.held(flags).names if flags else condition_names()
    return {
        "built": replace(built, rows=(), evaluated=()),
        "digest": golden_json.sha256(built.content),
        "known": known,
        "efficiency": efficiency_in(case, flags),
        "blocked": blocked,
        "blocking": blocking_systems(blocked),
        "compared": compared_with(answered),
        **loss_context(loss, flags, names),
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
    ours: frozenset[int] = frozenset()

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


def compared_with(answered: Answered) -> Compared | None:
    """None when there is nothing to compare with."""
    if answered.other is None:
        return None
    case = answered.case
    found = compare(answered.theirs, case.content, with_common=False, facts=case.facts)
    lost = RunLumiMap({each.run: each.only_first for each in found.runs if each.only_first})
    compared = Compared(answered.other, found, charged_in(case, lost))
    return replace(compared, ours=frozenset(row.number for row in case.facts.rows([e.run for e in compared.largest])))


# -- the efficiency table as a file ------------------------------------------------------------------


@never_cache
@require_safe
def efficiency_csv(request: HttpRequest) -> HttpResponse:
    """The efficiency table of the question in the address."""
    permissions.require(permissions.can_view(request.user))
    facts = Facts()
    form = QuestionForm(request.GET, facts=facts)
    if not form.is_valid():
        return _answer(request, {"form": form, "may_publish": permissions.can_publish(request.user)}, status=400)
    built = building.preview(building.ask(**form.asked(), facts=facts), facts)
    table: Efficiency = efficiency_in(case_of_built(built, facts=facts), flags_asked(request))
    return csv_response(csv_of(table), "preview")
