"""Confirming many items: choose, look at the preview, confirm."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.audit.errors import CertifierError
from certifier.review import bulk as service
from certifier.review import queue
from certifier.review.queue import Filters

CHOSEN = "item"


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def bulk(request: HttpRequest) -> HttpResponse:
    """Without a choice: everything behind the filters. `seen` in the form confirms what was previewed."""
    permissions.require(permissions.can_view(request.user))
    given = request.POST if request.method == "POST" else request.GET
    filters = Filters.of(given)
    keys = _keys(given.getlist(CHOSEN))
    if not keys:
        keys = list(queue.waiting(request.user, filters).values_list("pk", flat=True)[: service.MOST])
    error = ""
    if request.method == "POST" and request.POST.get("seen"):
        try:
            done = service.confirm_all(actor=cast("User", request.user), keys=keys, seen=request.POST["seen"])
        except CertifierError as refusal:
            error = str(refusal)
        else:
            count = len(done)
            messages.success(request, f"{count} item{'' if count == 1 else 's'} confirmed. Each can be undone.")
            address = reverse("queue:queue")
            return redirect(f"{address}?{filters.query}" if filters.query else address)
    context = {
        "preview": service.preview(request.user, keys),
        "keys": keys,
        "filters": filters,
        "error": error,
    }
    return render(request, "review/bulk.html", context, status=409 if error else 200)


def _keys(texts: list[str]) -> list[int]:
    return list(dict.fromkeys(int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 18))
