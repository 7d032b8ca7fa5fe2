"""What every page's frame needs besides the user: whether every queue has a worker, and what waits for this person."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import IntegerField, Subquery
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from certifier.accounts import permissions
from certifier.accounts.models import Role, User
from certifier.notices.models import Notice
from certifier.ops.heartbeats import heard_columns, worker_missing
from certifier.review.claims import reviewable

REVIEWERS = {Role.EXPERT, Role.COORDINATOR, Role.ADMIN}


class CountOf(Subquery):
    """How many rows a query has, as a column of another."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


def workplace(request: HttpRequest) -> dict[str, Any]:
    """`worker_missing` names the queues that nobody serves, `waiting_for_me` counts the review items that this person
    may decide, `unread_notices` what they are told and have not read. All are looked up, in one query, when a page's
    frame asks, so that an answer of part of a page costs nothing."""
    facts: Any = SimpleLazyObject(lambda: _facts(request))
    return {
        "worker_missing": SimpleLazyObject(lambda: facts["missing"]),
        "waiting_for_me": SimpleLazyObject(lambda: facts["waiting"]),
        "unread_notices": SimpleLazyObject(lambda: facts["unread"]),
    }


def _facts(request: HttpRequest) -> dict[str, Any]:
    """Items are not counted for who has no review to do; who has no role costs no query."""
    user = getattr(request, "user", None)
    roles = {role for role, _ in permissions.roles_of(user)} if user is not None else set()
    if not roles:
        return {"waiting": 0, "unread": 0, "missing": []}
    asked: dict[str, Subquery] = {"unread": CountOf(Notice.objects.of(user).unread().order_by().values("pk"))}
    if roles & REVIEWERS:
        asked["waiting"] = CountOf(reviewable(user).order_by().values("pk"))
    one: Any = User.objects.filter(pk=getattr(user, "pk", 0)).values(**asked, **heard_columns())
    found = {"waiting": 0} | one.get()
    heard = {queue: found[f"heard_{place}"] for place, queue in enumerate(settings.QUEUES)}
    found["missing"] = worker_missing({queue: at for queue, at in heard.items() if at})
    return found
