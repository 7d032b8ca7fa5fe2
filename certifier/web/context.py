"""What every page's frame needs besides the user: whether every queue has a worker."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from certifier.accounts import permissions
from certifier.ops.heartbeats import worker_missing


def workplace(request: HttpRequest) -> dict[str, Any]:
    """`worker_missing` names the queues that nobody serves. It is looked up when a page's frame asks, so that an
    answer of part of a page costs nothing."""
    return {"worker_missing": SimpleLazyObject(lambda: _missing(request))}


def _missing(request: HttpRequest) -> list[str]:
    user = getattr(request, "user", None)
    return worker_missing() if user is not None and permissions.can_view(user) else []
