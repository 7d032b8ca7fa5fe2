"""The queue and its items, to look at. What is done about them is in `acts`."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from certifier.accounts import permissions
from certifier.accounts.models import System
from certifier.review import queue
from certifier.review.agreement import Agreement, agreements
from certifier.review.models import Item
from certifier.review.queue import Filters
from certifier.runs.remembering import Remembered
from certifier.web.views import varied, wants_part

from .evidence import Evidence
from .page import ReviewPage

# What htmx replaces: everything below the header.
REVIEW = "review"
_AGREEMENTS: Final[Remembered[list[Agreement]]] = Remembered("review.", "runs.")


@never_cache
@require_safe
def queue_page(request: HttpRequest) -> HttpResponse:
    """The queue, opened at the most urgent item that nobody else holds."""
    permissions.require(permissions.can_view(request.user))
    filters = Filters.of(request.GET)
    return show(request, queue.first_free(request.user, filters, with_scoring=bool(filters.all)))


@never_cache
@require_safe
def item_page(request: HttpRequest, pk: int) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    # Without the evidence it needs no scores.
    whole = bool(Filters.of(request.GET).all) and not wants_part(request, REVIEW)
    return show(request, queue.find_item(pk, with_scoring=whole))


@never_cache
@require_safe
def evidence(request: HttpRequest, pk: int) -> HttpResponse:
    """The evidence pane alone: an answer to a decision is there before the next item's histograms are read."""
    permissions.require(permissions.can_view(request.user))
    item = queue.find_item(pk, with_scoring=True)
    return render(
        request,
        "review/_evidence_answer.html",
        {"item": item, "run": item.run, "evidence": Evidence(item, request.user)},
    )


@never_cache
@require_safe
def not_scored(request: HttpRequest) -> HttpResponse:
    """What no model has a verdict on, for the header: counted over all runs, so the page does not wait for it."""
    permissions.require(permissions.can_view(request.user))
    return render(request, "review/_not_scored.html", {"page": ReviewPage(request.user, request.GET), "oob": True})


def show(request: HttpRequest, item: Item | None, *, status: int = 200, **more: Any) -> HttpResponse:
    """The page at an item, or why there is none; to htmx the part below the header. The evidence comes by a request of
    its own, unless all is wanted on one page."""
    parameters = request.POST if request.method == "POST" else request.GET
    page = ReviewPage(request.user, parameters, item)
    context: dict[str, Any] = {"page": page, "item": item, "run": item.run if item is not None else None, **more}
    if wants_part(request, REVIEW):
        return varied(render(request, "review/_answer.html", context, status=status))
    if not page.filters.all:
        context["later"] = True
    elif item is not None:
        context["evidence"] = Evidence(item, request.user)
    return varied(render(request, "review/queue.html", context, status=status))


@never_cache
@require_safe
def agreement_page(request: HttpRequest) -> HttpResponse:
    """How far experts agree with each other and with the machine, by system."""
    permissions.require(permissions.can_view(request.user))
    systems = list(System.objects.all())
    rows = _AGREEMENTS.get(tuple((each.pk, each.code, each.name) for each in systems), lambda: agreements(systems))
    context = {"rows": [row for row in rows if row.decided], "without": [row.system for row in rows if not row.decided]}
    return render(request, "review/agreement.html", context)
