"""Pages of this room: the models of every system, one model, and the acts of coordinators on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from certifier.accounts import permissions
from certifier.accounts.models import System, User

from . import curves_chart, looks, model_words, selectors, services
from .errors import ActRefused, NotPossibleNow
from .guarantee import Guarantee, read_guarantee
from .hiding import DRAWN, Shown, shown_to
from .models import Mode, ModelVersion, Promotion, State, Verdict
from .rules import why_not_mode, why_not_pause, why_not_roll_back
from .selectors import SystemModels

SHOWN_VERSIONS = 8
SCORINGS_PER_PAGE = 25
ACTS_SHOWN = 12
EVERY_S = 2
# Marks of the design for what a model is to its system.
MARKS = {
    State.CHAMPION: "good",
    State.SHADOW: "unsure",
    State.CANDIDATE: "unseen",
    State.PAUSED: "unsure",
    State.RETIRED: "unscored",
}
MODE_MARKS = {Mode.ASSIST: "unseen", Mode.AUTO: "good", Mode.STOPPED: "bad"}


@dataclass(frozen=True)
class ModelRow:
    """A version in the list of its system."""

    version: ModelVersion
    state: State
    guarantee: Guarantee
    # runs scored, the first and the last of them; None when it has scored nothing
    scored: tuple[int, int, int] | None

    @property
    def mark(self) -> str:
        return MARKS[self.state]

    @property
    def headline(self) -> str:
        return model_words.headline_of(self.version)


@dataclass(frozen=True)
class SystemCard:
    """The models of one system as its card shows them; `hidden` are older versions that are left out."""

    models: SystemModels
    rows: list[ModelRow]
    hidden: int

    @property
    def mode_mark(self) -> str:
        return MODE_MARKS[self.models.mode]

    @property
    def last_act(self) -> Promotion | None:
        return self.models.standing.acts[-1] if self.models.standing.acts else None

    @property
    def modes(self) -> list[tuple[str, str]]:
        """(mode, why it cannot be switched to now) of those it is not in."""
        now, champion = self.models.mode, self.models.champion
        found = [(mode, why_not_mode(self.models.system.code, mode, now, champion)) for mode in Mode if mode != now]
        return [(mode.value, " ".join(why)) for mode, why in found]

    @property
    def can_roll_back(self) -> bool:
        return not why_not_roll_back(self.models.system.code, self.models.standing)

    @property
    def can_pause(self) -> bool:
        return not why_not_pause(self.models.system.code, self.models.standing)


@never_cache
@require_safe
def models(request: HttpRequest) -> HttpResponse:
    """Every system that has a model; the others are named."""
    permissions.require(permissions.can_view(request.user))
    versions: dict[int, list[ModelVersion]] = {}
    for version in ModelVersion.objects.select_related("system").defer("manifest").order_by("-number"):
        versions.setdefault(version.system_id, []).append(version)
    everything = selectors.models_of()
    scored = selectors.scored_runs([version for of_system in versions.values() for version in of_system])
    cards = [_card(each, versions[each.system.pk], scored) for each in everything if each.system.pk in versions]
    context = {
        "cards": cards,
        "without": [each.system for each in everything if each.system.pk not in versions],
        "may_manage": permissions.can_manage_models(request.user),
        "may_set_mode": permissions.can_set_mode(request.user),
    }
    return render(request, "precert/models.html", context)


def _card(models_: SystemModels, versions: list[ModelVersion], scored: dict[int, tuple[int, int, int]]) -> SystemCard:
    """Those that are in use and the newest of the rest."""
    rows = [
        ModelRow(version, models_.standing.state_of(version), read_guarantee(version.guarantee), scored.get(version.pk))
        for version in versions
    ]
    used = [row for row in rows if row.state in {State.CHAMPION, State.SHADOW, State.PAUSED}]
    shown = used + [row for row in rows if row not in used][: max(SHOWN_VERSIONS - len(used), 3)]
    shown.sort(key=lambda row: -row.version.number)
    return SystemCard(models_, shown, len(rows) - len(shown))


@never_cache
@require_safe
def model(request: HttpRequest, pk: int) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    version = selectors.find_version(pk)
    models_ = selectors.models_of_system(version.system)
    state = models_.standing.state_of(version)
    coverage = selectors.coverage_of(version, viewer=request.user)
    page = Paginator(selectors.newest_scorings(version), SCORINGS_PER_PAGE).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "version": version,
        "models": models_,
        "state": state,
        "state_mark": MARKS[state],
        "mode_mark": MODE_MARKS[models_.mode],
        "guarantee": read_guarantee(version.guarantee),
        "figures": model_words.figures_of(version),
        "steps": model_words.steps_of(version),
        "lineage": model_words.lineage_of(version),
        "made_of": model_words.made_of(version),
        "coverage": coverage,
        "counts": [(coverage.lumisections[verdict], verdict) for verdict, _ in reversed(DRAWN)],
        "shares": [(coverage.lumisections[verdict], kind, verdict.label) for verdict, kind in reversed(DRAWN)],
        "page": page,
        "scored": [(row, _counts(row)) for row in shown_to(request.user, version, page)],
        "acts": [act for act in reversed(models_.standing.acts) if act.version_id == version.pk][:ACTS_SHOWN],
        "may_manage": permissions.can_manage_models(request.user),
        **_learned(version),
    }
    return render(request, "precert/model.html", context)


def _learned(version: ModelVersion) -> dict[str, Any]:
    """How its networks learned, as far as a worker has read it from the model."""
    if not looks.learned_by_epochs(version):
        return {"learned": None}
    asked = looks.asked(looks.CURVES, looks.key_of_curves(version))
    return {"learned": asked, "curves": curves_chart.figure(asked.result) if asked.result else None, "every": EVERY_S}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def curves(request: HttpRequest, pk: int) -> HttpResponse:
    """The card of training curves; asking for them is a POST."""
    permissions.require(permissions.can_view(request.user))
    version = selectors.find_version(pk)
    if not looks.learned_by_epochs(version):
        raise Http404(f"{version} has no network that keeps how it learned.")
    if request.method == "POST":
        services.ask_for_curves(actor=cast("User", request.user), version=version)
        return redirect(f"{reverse('precert:model', args=[pk])}#curves")
    return render(request, "precert/_curves.html", {"version": version, **_learned(version)})


def _counts(row: Shown) -> list[int]:
    """As the columns of the table: good, bad, unsure, not scored."""
    return [len(row.of(verdict)) for verdict in (Verdict.GOOD, Verdict.BAD, Verdict.UNSURE, Verdict.UNSCORED)]


# --- acts -----------------------------------------------------------------------------------------------------

Act = Callable[[User, str, int | None], str]


@require_POST
def promote(request: HttpRequest, pk: int) -> HttpResponse:
    return _move(request, pk, services.promote, "is the champion now.")


@require_POST
def shadow(request: HttpRequest, pk: int) -> HttpResponse:
    return _move(request, pk, services.shadow, "scores in shadow now.")


@require_POST
def retire(request: HttpRequest, pk: int) -> HttpResponse:
    return _move(request, pk, services.retire, "is retired.")


@require_POST
def pause(request: HttpRequest, code: str) -> HttpResponse:
    system = get_object_or_404(System, code=code)

    def act(actor: User, reason: str, seen: int | None) -> str:
        done = services.pause(actor=actor, system=system, reason=reason, seen=seen)
        return f"{done.version} is paused. {system.code} has no champion until one is promoted."

    return _answer(request, act, _at(system))


@require_POST
def roll_back(request: HttpRequest, code: str) -> HttpResponse:
    system = get_object_or_404(System, code=code)

    def act(actor: User, reason: str, seen: int | None) -> str:
        done = services.roll_back(actor=actor, system=system, reason=reason, seen=seen)
        return f"{done.version} is the champion again."

    return _answer(request, act, _at(system))


@require_POST
def set_mode(request: HttpRequest, code: str) -> HttpResponse:
    system = get_object_or_404(System, code=code)

    def act(actor: User, reason: str, seen: int | None) -> str:
        row = services.set_mode(actor=actor, system=system, mode=request.POST.get("mode", ""), reason=reason)
        return f"{system.code} is in mode {Mode(row.mode).label} now."

    return _answer(request, act, _at(system))


def _move(request: HttpRequest, pk: int, move: Callable[..., object], words: str) -> HttpResponse:
    """One version becomes something else; `words` say what it is then."""
    version = selectors.find_version(pk)

    def act(actor: User, reason: str, seen: int | None) -> str:
        move(actor=actor, version=version, reason=reason, seen=seen)
        return f"{version} {words}"

    return _answer(request, act, reverse("precert:model", args=[pk]))


def _at(system: System) -> str:
    return f"{reverse('precert:models')}#system-{system.code}"


def _answer(request: HttpRequest, act: Act, where: str) -> HttpResponse:
    """Somebody who may not is refused by the service, and the typed error becomes a page elsewhere."""
    number = request.POST.get("seen", "")
    seen = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None
    try:
        done = act(cast("User", request.user), request.POST.get("reason", "").replace("\0", ""), seen)
    except (NotPossibleNow, ActRefused) as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, done)
    return redirect(where)
