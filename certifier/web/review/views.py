"""The queue and its items, to look at. What is done about them is in `acts`."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from certifier.accounts import permissions
from certifier.review import queue
from certifier.review.models import Item
from certifier.review.queue import Filters
from certifier.web.views import varied, wants_part

from .evidence import Evidence
from .page import ReviewPage

# What htmx replaces: everything below the header.
REVIEW = "review"


@never_cache
@require_safe
def queue_page(request: HttpRequest) -> HttpResponse:
    """The queue, opened at the most urgent item that nobody else holds."""
    permissions.require(permissions.can_view(request.user))
    found = queue.first_free(request.user, Filters.of(request.GET))
    return show(request, queue.find_item(found.pk, with_scoring=True) if found is not None else None)


@never_cache
@require_safe
def item_page(request: HttpRequest, pk: int) -> HttpResponse:
    permissions.require(permissions.can_view(request.user))
    # The part below the header comes without the evidence, so it needs no scores.
    return show(request, queue.find_item(pk, with_scoring=not wants_part(request, REVIEW)))


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


def show(request: HttpRequest, item: Item | None, *, status: int = 200, **more: Any) -> HttpResponse:
    """The page at an item, or why there is none; to htmx the part below the header."""
    parameters = request.POST if request.method == "POST" else request.GET
    page = ReviewPage(request.user, parameters, item)
    context: dict[str, Any] = {"page": page, "item": item, "run": item.run if item is not None else None, **more}
    if wants_part(request, REVIEW):
        return varied(render(request, "review/_answer.html", context, status=status))
    if item is not None:
        context["evidence"] = Evidence(item, request.user)
    return varied(render(request, "review/queue.html", context, status=status))


@never_cache
@require_safe
def agreement_page(request: HttpRequest) -> HttpResponse:
    """How far experts agree with each other and with the machine, by system."""
    from certifier.accounts.models import System
    from certifier.review.agreement import agreements

    permissions.require(permissions.can_view(request.user))
    rows = agreements(System.objects.all())
    context = {"rows": [row for row in rows if row.decided], "without": [row.system for row in rows if not row.decided]}
    return render(request, "review/agreement.html", context)
