"""What every page's frame needs besides the user: whether every queue has a worker."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from certifier.accounts import permissions
from certifier.accounts.models import Role
from certifier.ops.heartbeats import worker_missing
from certifier.review.claims import reviewable


def workplace(request: HttpRequest) -> dict[str, Any]:
    """`worker_missing` names the queues that nobody serves, `waiting_for_me` counts the review items that this person
    may decide. Both are looked up when a page's frame asks, so that an answer of part of a page costs nothing."""
    return {
        "worker_missing": SimpleLazyObject(lambda: _missing(request)),
        "waiting_for_me": SimpleLazyObject(lambda: _waiting(request)),
    }


def _waiting(request: HttpRequest) -> int:
    """Nobody is asked who has no review to do: a viewer costs no query."""
    user = getattr(request, "user", None)
    roles = {role for role, _ in permissions.roles_of(user)} if user is not None else set()
    return reviewable(user).count() if roles & {Role.EXPERT, Role.COORDINATOR, Role.ADMIN} else 0


def _missing(request: HttpRequest) -> list[str]:
    user = getattr(request, "user", None)
    return worker_missing() if user is not None and permissions.can_view(user) else []
