"""What is done about items from a page. With htmx the next item answers; without, a redirect to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import HttpResponseClientRedirect, push_url

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.audit.errors import CertifierError
from certifier.lumi import LumiError, LumiSet
from certifier.review import claims, deciding, queue
from certifier.review.errors import DecisionRefused
from certifier.review.models import Answer, Decision, Item
from certifier.review.queue import Filters

from .page import ReviewPage, item_address
from .views import show

BAD, GOOD = "bad", "good"


@require_POST
def next_item(request: HttpRequest) -> HttpResponse:
    """The most urgent item that is free, now held."""
    return _go_on(request, "")


@require_POST
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    item = queue.find_item(pk)

    def act(actor: User) -> str:
        done = deciding.decide(actor=actor, item=item, **_meant(request, item))
        return said(done)

    return _act(request, item, act)


def _meant(request: HttpRequest, item: Item) -> dict[str, Any]:
    """From the two buttons and the fields to what the service takes. What was left as it stood was not said."""
    names = request.POST.get("defect", "").replace("\0", "").replace(",", " ").split()
    where: str | None = request.POST.get("lumisections", "").replace("\0", "").strip()
    if _same(where, item):
        where = None
    comment = request.POST.get("comment", "").replace("\0", "")
    if request.POST.get("act") == GOOD:
        return {"verdict": Answer.OVERRIDE.value, "lumisections": where, "comment": comment}
    suspected = queue.suspicion(item)
    other = bool(suspected) and [name.lower() for name in names] not in ([], [suspected.lower()])
    verdict = Answer.OVERRIDE if other else Answer.CONFIRM
    return {"verdict": verdict.value, "lumisections": where, "defect": names, "comment": comment}


def _same(text: str | None, item: Item) -> bool:
    try:
        return not text or LumiSet.parse(text, item.run.last_lumisection) == item.lumisections
    except LumiError:
        return False


def said(done: Decision) -> str:
    """One sentence about a decision."""
    if not done.bad:
        return f"Saved: data of run {done.item.run.number}, {done.good}, are fine."
    return f"Saved: run {done.item.run.number}, {done.bad}, is bad."


@require_POST
def skip(request: HttpRequest, pk: int) -> HttpResponse:
    item = queue.find_item(pk)

    def act(actor: User) -> str:
        claims.skip(actor=actor, item=item, reason=_text(request, "reason"))
        return f"Skipped: run {item.run.number}, {item.lumisections}."

    return _act(request, item, act)


@require_POST
def comment(request: HttpRequest, pk: int) -> HttpResponse:
    """Say something without deciding; the item stays where it is."""
    item = queue.find_item(pk)
    try:
        claims.comment(actor=cast("User", request.user), item=item, text=_text(request, "comment"))
    except DecisionRefused as refusal:
        return _refused(request, item, refusal)
    return _stay(request, item, "The comment is kept.")


@require_POST
def take_over(request: HttpRequest, pk: int) -> HttpResponse:
    item = queue.find_item(pk)
    try:
        claims.take_over(actor=cast("User", request.user), item=item, reason=_text(request, "reason"))
    except DecisionRefused as refusal:
        return _refused(request, item, refusal)
    return _stay(request, item, "You hold it now.")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def undo(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a decision back. Where a signature depends on it, the page asks for the reason first."""
    permissions.require(permissions.can_view(request.user))
    decision = queue.find_decision(pk)
    item = decision.item
    query = _filters(request).query
    if request.method == "POST":
        try:
            deciding.undo(actor=cast("User", request.user), decision=decision, reason=_text(request, "reason"))
        except DecisionRefused as refusal:
            if "reason" not in request.POST and _htmx(request):
                return HttpResponseClientRedirect(_with_query(reverse("queue:undo", args=[pk]), query))
            return _undo_page(request, decision, str(refusal))
        fresh = queue.find_item(item.pk)
        try:
            claims.claim(actor=cast("User", request.user), item=fresh)
        except CertifierError as refusal:
            messages.info(request, str(refusal))
        return _stay(request, fresh, f"Undone: run {item.run.number}, {item.lumisections}, waits again.")
    return _undo_page(request, decision, "")


def _undo_page(request: HttpRequest, decision: Decision, error: str) -> HttpResponse:
    context = {
        "decision": decision,
        "item": decision.item,
        "stage": deciding.signed_since(decision),
        "error": error,
        "query": _filters(request).query,
    }
    return render(request, "review/undo.html", context, status=422 if error else 200)


# --- leases ---------------------------------------------------------------------------------------------------


@require_POST
def claim(request: HttpRequest, pk: int) -> HttpResponse:
    """Hold the item that is looked at. To htmx the line about it; refused, it says who does."""
    item = queue.find_item(pk)
    claims.claim(actor=cast("User", request.user), item=item)
    return _held(request, item)


@require_POST
def renew(request: HttpRequest, pk: int) -> HttpResponse:
    item = queue.find_item(pk)
    claims.renew(actor=cast("User", request.user), item=item)
    return _held(request, item)


@require_POST
def release(request: HttpRequest, pk: int) -> HttpResponse:
    item = queue.find_item(pk)
    claims.release(actor=cast("User", request.user), item=item)
    if _htmx(request) or request.headers.get("X-Leaving"):
        return HttpResponse(status=204)
    return redirect(_with_query(reverse("queue:queue"), _filters(request).query))


def _held(request: HttpRequest, item: Item) -> HttpResponse:
    page = ReviewPage(request.user, request.POST, queue.find_item(item.pk))
    if _htmx(request):
        return render(request, "review/_held.html", {"page": page, "item": page.item})
    return redirect(item_address(item, page.filters.query))


# --- where it goes on -----------------------------------------------------------------------------------------


def _act(request: HttpRequest, item: Item, act: Callable[[User], str]) -> HttpResponse:
    """Do it and go on to the next item. A refusal that can be mended stands at the form, with what was typed."""
    try:
        done = act(cast("User", request.user))
    except CertifierError as refusal:
        return _refused(request, item, refusal)
    return _go_on(request, done, after=item.pk)


def _refused(request: HttpRequest, item: Item, refusal: CertifierError) -> HttpResponse:
    typed = {name: request.POST.get(name, "") for name in ("lumisections", "defect", "comment")}
    status = 422 if refusal.status == 400 else refusal.status
    fresh = queue.find_item(item.pk)
    return show(request, fresh, status=status, error=str(refusal), field=refusal.errors[0].get("field"), typed=typed)


def _go_on(request: HttpRequest, done: str, after: int | None = None) -> HttpResponse:
    """To the next item of the same filters, which is held from now on."""
    actor = cast("User", request.user)
    filters = _filters(request)
    found = claims.claim_next(actor=actor, items=filters.apply(Item.objects.all(), actor), after=after)
    item = queue.find_item(found.pk) if found is not None else None
    address = item_address(item, filters.query) if item is not None else _with_query(
        reverse("queue:queue"), filters.query
    )  # fmt: skip
    if not _htmx(request):
        if done:
            messages.success(request, done)
        return redirect(address)
    return push_url(show(request, item, done=done), address)


def _stay(request: HttpRequest, item: Item, done: str) -> HttpResponse:
    address = item_address(item, _filters(request).query)
    if not _htmx(request):
        messages.success(request, done)
        return redirect(address)
    return push_url(show(request, queue.find_item(item.pk), done=done), address)


def _filters(request: HttpRequest) -> Filters:
    return Filters.of(request.POST if request.method == "POST" else request.GET)


def _text(request: HttpRequest, name: str) -> str:
    return request.POST.get(name, "").replace("\0", "")


def _htmx(request: HttpRequest) -> bool:
    return bool(request.htmx)  # type: ignore[attr-defined]  # set by the middleware of django-htmx


def _with_query(address: str, query: str) -> str:
    return f"{address}?{query}" if query else address
