"""Pages of this room for coordinators: webhooks, and what was sent to them and to people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.audit.errors import CertifierError, Conflict

from . import outbox, selectors
from . import webhooks as defining
from .forms import WebhookForm
from .models import Delivery, Webhook

PAGE_SIZE = 50


@dataclass(frozen=True)
class Made:
    """A webhook with its secret, which is shown this once."""

    webhook: Webhook
    secret: str


def _me(request: HttpRequest) -> User:
    permissions.require(permissions.can_manage_webhooks(request.user))
    return cast("User", request.user)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def webhooks(request: HttpRequest) -> HttpResponse:
    """All of them, and a form for a new one. Its secret is in the answer that made it and nowhere else."""
    actor = _me(request)
    if request.method != "POST":
        return _page(request, WebhookForm())
    form = WebhookForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    try:
        made, secret = defining.define_webhook(actor=actor, wish=form.wish)
    except CertifierError as refused:
        return _page(request, _with_refusal(form, refused), status=refused.status)
    return _page(request, WebhookForm(), made=Made(made, secret), status=201)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def webhook(request: HttpRequest, pk: int) -> HttpResponse:
    """One of them, to be changed."""
    actor = _me(request)
    row = get_object_or_404(selectors.webhooks_with_state(), pk=pk)
    if request.method != "POST":
        return _one(request, row, WebhookForm.of(row))
    form = WebhookForm(request.POST)
    if not form.is_valid():
        return _one(request, row, form, status=422)
    try:
        row = defining.change_webhook(actor=actor, webhook=row, wish=form.wish)
    except CertifierError as refused:
        return _one(request, row, _with_refusal(form, refused), status=refused.status)
    messages.success(request, f"The webhook {row.name} is as you wrote it.")
    return redirect("notices:webhooks")


@require_POST
def renew_secret(request: HttpRequest, pk: int) -> HttpResponse:
    actor = _me(request)
    row = get_object_or_404(Webhook, pk=pk)
    secret = defining.renew_secret(actor=actor, webhook=row)
    return _page(request, WebhookForm(), made=Made(row, secret), status=201)


@require_POST
def switch(request: HttpRequest, pk: int) -> HttpResponse:
    actor = _me(request)
    on = request.POST.get("on") == "1"
    row = defining.switch_webhook(actor=actor, webhook=get_object_or_404(Webhook, pk=pk), on=on)
    messages.success(request, f"The webhook {row.name} is switched {'on' if on else 'off'}.")
    return redirect("notices:webhooks")


@require_POST
def test(request: HttpRequest, pk: int) -> HttpResponse:
    actor = _me(request)
    row = get_object_or_404(Webhook, pk=pk)
    try:
        outbox.send_test(actor=actor, webhook=row)
    except Conflict as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, f"A test is on its way to {row.name}. How it went stands below in a moment.")
    return redirect("notices:webhooks")


@require_POST
def send_again(request: HttpRequest, pk: int) -> HttpResponse:
    actor = _me(request)
    try:
        outbox.send_again(actor=actor, delivery=get_object_or_404(Delivery.objects.select_related("webhook"), pk=pk))
    except Conflict as refused:
        messages.error(request, str(refused))
    else:
        messages.success(request, "It is sent again, under the same id.")
    return redirect("notices:webhooks")


def _with_refusal(form: WebhookForm, refused: CertifierError) -> WebhookForm:
    for item in refused.errors:
        field = item.get("field")
        form.add_error(field if field in form.fields else None, item["message"])
    return form


def _page(request: HttpRequest, form: WebhookForm, *, made: Made | None = None, status: int = 200) -> HttpResponse:
    failed_only = request.GET.get("show") == "failed"
    rows = Paginator(selectors.deliveries(failed_only=failed_only), PAGE_SIZE)
    context: dict[str, Any] = {
        "webhooks": selectors.webhooks_with_state(),
        "page": rows.get_page(request.GET.get("page")),
        "failed_only": failed_only,
        "tabs": [
            {"name": "all", "url": "?", "current": not failed_only, "count": None},
            {"name": "not arrived", "url": "?show=failed", "current": failed_only, "count": None},
        ],
        "form": form,
        "made": made,
    }
    return render(request, "notices/webhooks.html", context, status=status)


def _one(request: HttpRequest, row: Webhook, form: WebhookForm, *, status: int = 200) -> HttpResponse:
    return render(request, "notices/webhook.html", {"webhook": row, "form": form}, status=status)
