"""Pages of this room for everybody: what one is told, and what one wants to be told."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.ops.views import part_or_page

from . import digest, selectors, services
from .models import Channel, Kind, Notice
from .wanting import reader_of

PAGE_SIZE = 50
EVERY_S = 30

ABOUT = {
    Kind.ITEMS: "Findings that came into the review queue: of your systems, or of all where you are expert of none.",
    Kind.STOPPED: "Automation of a system was stopped, by a broken promise or by a person.",
    Kind.JOB: "Background work of anybody failed, or its worker died three times.",
    Kind.MY_JOB: "Background work that you asked for failed.",
    Kind.LIST: "Somebody published a good-run list.",
    Kind.TRAINING: "A training promoted a model, kept it in shadow, rejected it or failed.",
    Kind.TREND: "A watched trend left its band at a new run, or cannot be drawn any more.",
}


def _me(request: HttpRequest) -> User:
    permissions.require(permissions.can_view(request.user))
    return cast("User", request.user)


@never_cache
@require_safe
def notices(request: HttpRequest) -> HttpResponse:
    person = _me(request)
    kind = request.GET.get("kind", "")
    kind = kind if kind in Kind.values else ""
    page = Paginator(selectors.notices_of(person, kind), PAGE_SIZE).get_page(request.GET.get("page"))
    selectors.tell_what_waits(page)
    counts = selectors.unread_by_kind(person)
    context: dict[str, Any] = {
        "page": page,
        "kind": kind,
        "tabs": _tabs(kind, counts),
        "unread": counts[kind] if kind else sum(counts.values()),
        "unread_notices": sum(counts.values()),
        # What joins after this page was made stays unread.
        "up_to": max((notice.event_id for notice in page), default=0),
        "every": EVERY_S,
    }
    return part_or_page(request, "notices", "notices/_notices.html", "notices/notices.html", context)


def _tabs(current: str, counts: dict[str, int]) -> list[dict[str, Any]]:
    first = {"name": "all", "url": reverse("notices:notices"), "current": not current, "count": None}
    return [
        first,
        *(
            {"name": kind.label, "url": f"?kind={kind}", "current": kind == current, "count": counts[kind] or None}
            for kind in Kind
        ),
    ]


@require_POST
def read(request: HttpRequest) -> HttpResponse:
    """One notice is read, or all that the page showed as unread (of a kind). htmx follows to the list as a browser
    does, and gets its part of it."""
    person = _me(request)
    kind, one = request.POST.get("kind", ""), request.POST.get("notice", "")
    services.mark_read(
        actor=person,
        ids=[_number(one)] if one else None,
        kind=kind if kind in Kind.values else "",
        up_to=_number(request.POST.get("up_to", "")),
    )
    return redirect(f"{reverse('notices:notices')}{f'?kind={kind}' if kind in Kind.values else ''}")


def _number(text: str) -> int:
    """What our own pages send; of anything else nothing is found."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


@require_POST
def open_notice(request: HttpRequest, pk: int) -> HttpResponse:
    """Read, and led to where it happened."""
    person = _me(request)
    notice = get_object_or_404(Notice.objects.of(person).select_related("event"), pk=pk)
    services.mark_read(actor=person, ids=[notice.pk])
    return redirect(notice.event.path)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def settings_page(request: HttpRequest) -> HttpResponse:
    """What one wants to be told, and where. Every box is sent, so what is not among them is not wanted."""
    person = _me(request)
    if request.method == "POST":
        wanted = {
            (kind.value, channel.value): f"{kind}:{channel}" in request.POST for kind in Kind for channel in Channel
        }
        changed = services.set_preferences(actor=person, wanted=wanted)
        messages.success(request, "Kept." if changed else "Nothing was changed.")
        return redirect("notices:settings")
    reader = reader_of(person)
    rows = [
        (kind, ABOUT[kind], [(channel, reader is not None and reader.wants(kind, channel)) for channel in Channel])
        for kind in Kind
    ]
    context = {
        "rows": rows,
        "channels": list(Channel),
        "sends_mail": digest.sends_mail(),
        "webhooks": person.webhooks.filter(is_active=True),
        "failed": selectors.deliveries(failed_only=True).filter(person=person)[:5],
        "may_manage": permissions.can_manage_webhooks(person),
    }
    return render(request, "notices/settings.html", context)
