"""The pages that join rooms: home, the list of runs, one run."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from certifier.accounts import permissions
from certifier.goodruns.models import GoodRunList
from certifier.runs.models import Run

from . import draft
from .activity import recent_activity
from .luminosity_over_time import luminosity_over_time
from .run_facts import facts_of, run_details
from .run_list import derived
from .run_page import Options, RunPage, run_with_facts
from .strip_data import strip_data
from .waiting import waiting_for

LATEST_RUNS = 8
# htmx names the element that it will replace: a request for one part alone gets that part alone.
DEFECTS = "defects"
OPTIONS = ("tag", "system", "absent", "virtual")


@never_cache
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    latest = list(Run.objects.order_by("-number").select_related("summary").defer("attributes")[:LATEST_RUNS])
    context: dict[str, Any] = {"latest": latest}
    if latest:
        context |= {
            "waiting": waiting_for(request.user),
            "derived": derived(latest),
            "over_time": luminosity_over_time(),
            "list": GoodRunList.objects.select_related("luminosity", "created_by").first(),
            "activity": recent_activity(),
            "required": next((summary.required for run in latest if (summary := getattr(run, "summary", None))), ""),
        }
    return render(request, "web/home.html", context)


@never_cache
@require_safe
def run(request: HttpRequest, number: int) -> HttpResponse:
    """What somebody had typed when their session ended is back in the form."""
    permissions.require(permissions.can_view(request.user))
    page = RunPage(run_with_facts(number), Options.of(request.GET), request.user, draft.take(request, number))
    context: dict[str, Any] = {"page": page, "run": page.run}
    if wants_part(request, DEFECTS):
        return varied(render(request, "web/_defects.html", context))
    context |= {"facts": facts_of(page), "details": run_details(page), "kept": kept(request, *OPTIONS)}
    context["strip_data"] = strip_data(page)
    return varied(render(request, "web/run.html", context))


def wants_part(request: HttpRequest, element: str) -> bool:
    """Whether htmx asks for that element only. Going back in the history it asks for the whole page."""
    htmx = request.htmx  # type: ignore[attr-defined]  # set by the middleware of django-htmx
    return bool(htmx) and htmx.target == element and not htmx.history_restore_request


def varied(response: HttpResponse) -> HttpResponse:
    """One address, two answers: no cache may take one for the other."""
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return response


def kept(request: HttpRequest, *names: str) -> str:
    """The query string with these parameters only, to go on to another run as one looks at this."""
    parameters = request.GET.copy()
    for name in list(parameters):
        if name not in names or not parameters[name]:
            del parameters[name]
    return f"?{parameters.urlencode()}" if parameters else ""
