"""Reads of this room that join."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Case, Count, Q, QuerySet, When

from certifier.accounts.models import User
from certifier.review.models import Item, ItemState

from .models import Delivery, DeliveryState, Kind, Notice, Webhook


def notices_of(person: User, kind: str = "") -> QuerySet[Notice]:
    """The person's own: unread first, then the newest."""
    rows = Notice.objects.of(person).select_related("event", "system")
    if kind:
        rows = rows.filter(kind=kind)
    return rows.order_by(Case(When(read_at=None, then=0), default=1), "-event_id", "-pk")


def tell_what_waits(notices: Iterable[Notice]) -> None:
    """Where findings are told of: how many of the system wait in the queue now, as `waiting_now`."""
    systems = {notice.system_id for notice in notices if notice.kind == Kind.ITEMS}
    if not systems:
        return
    waiting = Item.objects.filter(state=ItemState.OPEN, system__in=systems).order_by().values_list("system")
    counts = dict(waiting.annotate(count=Count("pk")))
    for notice in notices:
        notice.waiting_now = counts.get(notice.system_id, 0)  # type: ignore[attr-defined]  # for the template


def unread_by_kind(person: User) -> dict[str, int]:
    rows = Notice.objects.of(person).unread().order_by().values_list("kind").annotate(count=Count("pk"))
    counts = dict(rows)
    return {kind: counts.get(kind, 0) for kind in Kind.values}


def webhooks_with_state() -> QuerySet[Webhook]:
    """All webhooks with how many messages wait, arrived and were given up."""
    count = {
        state.name.lower(): Count("deliveries", filter=Q(deliveries__state=state), distinct=True)
        for state in DeliveryState
    }
    return Webhook.objects.select_related("person", "by").prefetch_related("systems").annotate(**count)


def deliveries(*, failed_only: bool = False) -> QuerySet[Delivery]:
    rows = Delivery.objects.select_related("webhook", "person", "event__system").order_by("-pk")
    if failed_only:
        rows = rows.exclude(state=DeliveryState.SENT).exclude(last_error="")
    return rows
