"""Saving and forgetting the filters of a page; both lead back to it."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from . import filters
from .models import User


@login_required
@require_POST
def save_filter(request: HttpRequest) -> HttpResponse:
    page, query = request.POST.get("page", ""), request.POST.get("query", "")
    try:
        row = filters.save_filter(
            actor=cast("User", request.user), page=page, name=request.POST.get("name", ""), query=query
        )
    except filters.FilterRefused as refusal:
        messages.error(request, refusal.message)
        return _back(page, query)
    messages.success(request, f"“{row.name}” is saved among your filters.")
    return _back(page, row.query)


@login_required
@require_POST
def forget_filter(request: HttpRequest, key: int) -> HttpResponse:
    row = filters.forget_filter(actor=cast("User", request.user), key=key)
    messages.success(request, f"“{row.name}” is forgotten.")
    return _back(row.page, "")


def _back(page: str, query: str) -> HttpResponse:
    """To the page itself, never to an address that somebody sent."""
    address = reverse(page if page in filters.PAGES else filters.PAGES[0])
    kept = filters.cleaned(query)
    return redirect(f"{address}?{kept}" if kept else address)
