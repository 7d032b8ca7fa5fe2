"""Pages of this room: what each system promises and what is realised, and one system in full."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from certifier.accounts import permissions
from certifier.accounts.models import System, User
from certifier.audit.errors import Conflict
from certifier.precert.models import Mode, SystemMode
from certifier.precert.selectors import SystemModels, models_of, models_of_system
from certifier.precert.views import MODE_MARKS

from . import services
from .charts import overturned_plot, proof_plot
from .models import Check
from .realised import Side, side_from

CHECKS_SHOWN = 12
MODES_SHOWN = 8


@dataclass(frozen=True)
class Watched:
    """A system with its models and the newest look at it, None before the first."""

    models: SystemModels
    check: Check | None

    @property
    def mode_mark(self) -> str:
        return MODE_MARKS[self.models.mode]

    @property
    def pollution(self) -> Side | None:
        return side_from(self.check.pollution) if self.check else None

    @property
    def loss(self) -> Side | None:
        return side_from(self.check.loss) if self.check else None

    @property
    def sides(self) -> list[Side]:
        return [side for side in (self.pollution, self.loss) if side is not None]

    @property
    def alarms(self) -> list[str]:
        """What somebody should look at, in a word each."""
        if self.check is None:
            return []
        found = [side.name for side in self.sides if side.limit is not None and (side.estimate or 0) > side.limit]
        if self.check.overturned["alarm"]:
            found.append("overturned")
        return found + (["drift"] if self.check.drift["drifted"] else [])


@never_cache
@require_safe
def guarantees(request: HttpRequest) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    checks = services.newest_checks()
    watched = [Watched(models, checks.get(models.system.pk)) for models in models_of() if models.champion]
    return render(request, "watch/guarantees.html", {"watched": watched})


@never_cache
@require_safe
def guarantee(request: HttpRequest, code: str) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    system = get_object_or_404(System, code=code.upper())
    watched = Watched(models_of_system(system), services.newest_check(system))
    modes = SystemMode.objects.filter(system=system).select_related("version__system").order_by("-number")[:MODES_SHOWN]
    context = {
        "system": system,
        "watched": watched,
        "models": watched.models,
        "guarantee": watched.models.guarantee,
        "check": watched.check,
        "sides": [(side, proof_plot(side)) for side in watched.sides],
        "overturned": overturned_plot(watched.check.overturned) if watched.check else None,
        "checks": Check.objects.filter(system=system)
        .select_related("version__system")
        .order_by("-number")[:CHECKS_SHOWN],
        "modes": [(row, MODE_MARKS[Mode(row.mode)]) for row in modes],
        "may_look": permissions.can_set_mode(request.user),
    }
    return render(request, "watch/guarantee.html", context)


@require_POST
def look(request: HttpRequest, code: str) -> HttpResponse:
    """Look now instead of within a minute."""
    permissions.require(permissions.can_set_mode(request.user))
    system = get_object_or_404(System, code=code.upper())
    try:
        row = services.check(system, actor=cast("User", request.user))
    except Conflict as refused:
        messages.error(request, str(refused))
    else:
        (messages.error if row.stops else messages.success)(request, row.words)
    return redirect("watch:guarantee", code=system.code)
