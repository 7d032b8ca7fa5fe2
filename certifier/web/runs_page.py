"""The page of all runs: filters in the address, ready-made and saved ones beside them."""

from __future__ import annotations

from typing import Any, cast

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from certifier.accounts import permissions
from certifier.accounts.filters import cleaned, filters_of
from certifier.accounts.models import User
from certifier.defects.models import Defect
from certifier.runs.models import Run

from .run_list import RunListForm, chosen_runs, derived, page_of, totals_of

# htmx names the element that it will replace: a request for one part alone gets that part alone.
RUNS = "runs"
# What everybody asks every week: name, query.
READY = (
    ("mine to do", "mine=on"),
    ("unsigned, older than a week", "older=7"),
    ("lost more than 5 /pb", "lost=5"),
)


@never_cache
@require_safe
def runs(request: HttpRequest) -> HttpResponse:
    """Filters that make no sense choose nothing, and say so at their field."""
    permissions.require(permissions.can_view(request.user))
    form = RunListForm(request.GET)
    chosen: QuerySet[Run] = chosen_runs(form, request.user) if form.is_valid() else Run.objects.none()
    page = page_of(chosen, request.GET.get("page"))
    context: dict[str, Any] = {
        "form": form,
        "page": page,
        "totals": totals_of(chosen),
        "derived": derived(page.object_list),
        "clear": reverse("web:runs"),
    }
    htmx = request.htmx  # type: ignore[attr-defined]  # set by the middleware of django-htmx
    if htmx and htmx.target == RUNS and not htmx.history_restore_request:
        return _varied(render(request, "web/_runs.html", context))
    context["primaries"] = Defect.objects.filter(expression=None).values_list("name", flat=True)
    return _varied(render(request, "web/runs.html", context | _filters(request)))


def _filters(request: HttpRequest) -> dict[str, Any]:
    now = cleaned(request.GET.urlencode())
    return {
        "page_name": "web:runs",
        "current_query": now,
        "ready": [(name, query, query == now) for name, query in READY],
        "saved": filters_of(cast("User", request.user), "web:runs"),
    }


def _varied(response: HttpResponse) -> HttpResponse:
    """One address, two answers: no cache may take one for the other."""
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return response
