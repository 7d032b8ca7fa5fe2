"""What every page's frame needs besides the user: whether every queue has a worker, and what waits for this person."""

from __future__ import annotations

from typing import Any

from django.db.models import IntegerField, Subquery
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from certifier.accounts import permissions
from certifier.accounts.models import Role, User
from certifier.notices.models import Notice
from certifier.ops.heartbeats import worker_missing
from certifier.review.claims import reviewable

REVIEWERS = {Role.EXPERT, Role.COORDINATOR, Role.ADMIN}


class CountOf(Subquery):
    """How many rows a query has, as a column of another."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


def workplace(request: HttpRequest) -> dict[str, Any]:
    """`worker_missing` names the queues that nobody serves, `waiting_for_me` counts the review items that this person
    may decide, `unread_notices` what they are told and have not read. All are looked up when a page's frame asks, so
    that an answer of part of a page costs nothing."""
    counts: Any = SimpleLazyObject(lambda: _counts(request))
    return {
        "worker_missing": SimpleLazyObject(lambda: _missing(request)),
        "waiting_for_me": SimpleLazyObject(lambda: counts["waiting"]),
        "unread_notices": SimpleLazyObject(lambda: counts["unread"]),
    }


def _counts(request: HttpRequest) -> dict[str, int]:
    """Both counts in one query. Items are not counted for who has no review to do; who has no role costs no query."""
    user = getattr(request, "user", None)
    roles = {role for role, _ in permissions.roles_of(user)} if user is not None else set()
    if not roles:
        return {"waiting": 0, "unread": 0}
    asked = {"unread": CountOf(Notice.objects.of(user).unread().order_by().values("pk"))}
    if roles & REVIEWERS:
        asked["waiting"] = CountOf(reviewable(user).order_by().values("pk"))
    one: Any = User.objects.filter(pk=getattr(user, "pk", 0)).values(**asked)
    return {"waiting": 0} | one.get()


def _missing(request: HttpRequest) -> list[str]:
    user = getattr(request, "user", None)
    return worker_missing() if user is not None and permissions.can_view(user) else []
