"""Pages of histograms: all elements, one run, one element of a run."""

from __future__ import annotations

from typing import Any, cast

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from certifier.accounts import permissions
from certifier.accounts.models import System, User
from certifier.monitoring import selectors
from certifier.web.views import kept, varied, wants_part

from .champion import ChampionLook
from .element_page import ElementPage, View
from .forms import CatalogueForm
from .looking import Looking, Options
from .overview import Overview

ELEMENTS_PER_PAGE = 100
LATEST_RUNS = 12
# What htmx replaces: the element's figures, or the overview of a run, without the frame around.
CATALOGUE, OVERVIEW, ELEMENT = "elements", "overview", "element"
KEPT = ("dataset", "ls", "against")


@never_cache
@require_safe
def catalogue(request: HttpRequest) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    form = CatalogueForm(request.GET, systems=list(System.objects.all()))
    rows = form.chosen(selectors.elements()) if form.is_valid() else selectors.elements().none()
    context: dict[str, Any] = {
        "form": form,
        "page": Paginator(rows, ELEMENTS_PER_PAGE).get_page(request.GET.get("page")),
    }
    if wants_part(request, CATALOGUE):
        return varied(render(request, "histograms/_elements.html", context))
    shown = [each for each in context["page"].object_list if not each.is_quantity]
    context["mapped"] = sorted({each.system.code for each in shown if each.system})
    context["runs"] = selectors.runs_with_histograms(LATEST_RUNS)
    return varied(render(request, "histograms/catalogue.html", context))


@never_cache
@require_safe
def run(request: HttpRequest, number: int) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    looking = Looking(number, Options.of(request.GET))
    overview = Overview(looking)
    context = {"looking": looking, "overview": overview, "run": looking.run, "kept": kept(request, *KEPT)}
    if wants_part(request, OVERVIEW):
        return varied(render(request, "histograms/_overview.html", context))
    return varied(render(request, "histograms/run.html", context))


@never_cache
@require_safe
def element(request: HttpRequest, number: int, path: str) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    looking = Looking(number, Options.of(request.GET))
    page = ElementPage(looking, path, View.of(request.GET))
    context = {
        "looking": looking,
        "page": page,
        "run": looking.run,
        "kept": kept(request, *KEPT),
        "champion": ChampionLook.of(looking, page.element, request.user),
    }
    if wants_part(request, ELEMENT):
        return varied(render(request, "histograms/_element.html", context))
    return varied(render(request, "histograms/element.html", context))


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def champion(request: HttpRequest, number: int, path: str) -> HttpResponse:
    """What the champion expects of an element in a run: asked for here, worked out by a worker, looked after here."""
    permissions.require(permissions.can_view(request.user))
    looking = Looking(number, Options.of(request.GET))
    look = ChampionLook.of(looking, looking.element(path).element, request.user)
    if look is None:
        raise Http404(f"No champion has more to say of {path} in run {number} than its verdicts.")
    if request.method == "POST":
        look.ask(cast("User", request.user))
        where = reverse("histograms:element", args=[number, path])
        return redirect(f"{where}{kept(request, *KEPT)}#champion")
    context = {"champion": look, "run": looking.run, "kept": kept(request, *KEPT)}
    return render(request, "histograms/_champion.html", context)
