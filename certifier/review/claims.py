"""Who looks at what: a lease of ten minutes on an item, renewed while its page is open.

Two experts never get the same item by asking for the next one:

1. The items that may be given are asked for in their order, and the first that nobody else is just being given is
   locked (`SKIP LOCKED` on PostgreSQL; on SQLite the transaction holds the only write lock).
2. With the lock, the claim is read again: whoever was given the item between our question and our lock has committed by
   now, and we see it.
3. The claim is written, unique per item, and the lock ends with the transaction.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import Role, User
from certifier.audit.unit import Unit, unit_of_work

from .errors import AlreadyDecided, ClaimLost, DecisionRefused, HeldByOther, ItemSuperseded
from .models import Answer, Claim, Item, ItemState, Remark, Said
from .order import in_order

LEASE: Final = timedelta(minutes=10)
# Who skipped an item is not offered it again for this long; it waits for others, or for a better moment.
SKIPPED_FOR: Final = timedelta(hours=8)
LONGEST_REMARK: Final = 2_000
# How many of the most urgent items are looked at for one that is free.
LOOKED_AT_ONCE: Final = 50


def reviewable(user: Any) -> QuerySet[Item]:
    """The open items that this person may decide."""
    rows = Item.objects.filter(state=ItemState.OPEN)
    roles = permissions.roles_of(user)
    if any(role in {Role.COORDINATOR, Role.ADMIN} for role, _ in roles):
        return rows
    return rows.filter(system__in=[system for role, system in roles if role == Role.EXPERT and system is not None])


def free_for(items: QuerySet[Item], user: User, now: datetime) -> QuerySet[Item]:
    """Those that nobody else holds."""
    return items.filter(Q(claim=None) | Q(claim__until__lte=now) | Q(claim__by=user))


def not_skipped(items: QuerySet[Item], user: User, now: datetime) -> QuerySet[Item]:
    """Without those that they skipped lately."""
    return items.exclude(pk__in=Remark.objects.filter(kind=Said.SKIP, by=user, at__gt=now - SKIPPED_FOR).values("item"))


def claim_next(*, actor: User, items: QuerySet[Item] | None = None, after: int | None = None) -> Item | None:
    """The most urgent item that is free, or the actor's already, now held by the actor; None where there is none.

    `items` narrows the choice (a system, a run); `after` is left out, and so is what the actor skipped lately. Experts
    of the system and coordinators.
    """
    now = timezone.now()
    with unit_of_work(actor) as unit:
        chosen = reviewable(actor) if items is None else reviewable(actor) & items
        chosen = not_skipped(chosen, actor, now).exclude(pk=after or 0)
        passed: list[int] = []
        while True:
            keys = in_order(free_for(chosen, actor, now).exclude(pk__in=passed), now).values_list("pk", flat=True)
            candidates = list(keys[:LOOKED_AT_ONCE])
            if not candidates:
                return None
            for key in candidates:
                rows = Item.objects.select_for_update(skip_locked=True, no_key=True, of=("self",))
                item = rows.select_related("run").defer("run__attributes").filter(pk=key).order_by().first()
                if item is not None and item.state == ItemState.OPEN and _take(unit, item, now):
                    return item
            passed += candidates


def claim(*, actor: User, item: Item) -> Claim:
    """Hold this item. Renews what the actor holds already. Raises HeldByOther, AlreadyDecided, ItemSuperseded."""
    now = timezone.now()
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_review(actor, item.system))
        row = locked(item)
        check_open(row)
        held = _take(unit, row, now)
        if held is None:
            raise held_by_other(row)
    return held


def renew(*, actor: User, item: Item) -> Claim:
    """The heartbeat of an open page: ten more minutes. Raises ClaimLost when it is no longer the actor's.

    No audit event: a renewal changes nothing that anybody could ask about later.
    """
    now = timezone.now()
    with unit_of_work(actor):
        permissions.require(permissions.can_review(actor, item.system))
        row = Claim.objects.select_for_update().filter(item=item, by=actor, until__gt=now).first()
        if row is None:
            raise ClaimLost(item.pk)
        row.until = now + LEASE
        row.save(update_fields=["until"])
    return row


def release(*, actor: User, item: Item) -> None:
    """Give an item back. Harmless when the actor does not hold it."""
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_review(actor, item.system))
        if Claim.objects.filter(item=item, by=actor).delete()[0]:
            unit.audit("review.release", f"run {item.run.number}", {"item": item.pk})


def take_over(*, actor: User, item: Item, reason: str) -> Claim:
    """Take an item from somebody who holds it, for a reason, which is kept. Raises as `claim`."""
    reason = remark_text(reason, "Say why you take it over: a reason is required.")
    now = timezone.now()
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_review(actor, item.system))
        row = locked(item)
        check_open(row)
        before = Claim.objects.filter(item=row, until__gt=now).exclude(by=actor).first()
        Claim.objects.filter(item=row).delete()
        held = _take(unit, row, now)
        assert held is not None
        if before is not None:
            _remark(unit, row, Said.TAKE_OVER, f"from {before.by_name}: {reason}")
            unit.audit("review.take_over", f"run {row.run.number}",
                       {"item": row.pk, "from": before.by_name, "reason": reason})  # fmt: skip
    return held


def skip(*, actor: User, item: Item, reason: str) -> Remark:
    """Leave an item to others, for a reason: it is free again, and not offered to the actor for hours."""
    reason = remark_text(reason, "Say why you skip it: whoever looks next will want to know.")
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_review(actor, item.system))
        row = locked(item)
        check_open(row)
        Claim.objects.filter(item=row, by=actor).delete()
        said = _remark(unit, row, Said.SKIP, reason)
        unit.audit("review.skip", f"run {row.run.number}", {"item": row.pk, "reason": reason})
    return said


def comment(*, actor: User, item: Item, text: str) -> Remark:
    """Say something about an item without deciding it: a question to others, for instance."""
    text = remark_text(text, "There is nothing in the comment.")
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_review(actor, item.system))
        said = _remark(unit, locked(item), Said.COMMENT, text)
        unit.audit("review.comment", f"run {item.run.number}", {"item": item.pk})
    return said


# --- what acts on items share -----------------------------------------------------------------------------------


def locked(item: Item) -> Item:
    """The item as it is now; its row stays locked until the commit."""
    return Item.objects.select_for_update(no_key=True, of=("self",)).select_related("run", "system").get(pk=item.pk)


def check_open(item: Item) -> None:
    """Raises ItemSuperseded, AlreadyDecided."""
    if item.state == ItemState.SUPERSEDED:
        raise ItemSuperseded(item.pk, replacement_of(item))
    if item.state == ItemState.DECIDED:
        rows = item.decisions.exclude(answer=Answer.UNDO).order_by("-number")
        raise AlreadyDecided(item.pk, rows.values_list("by_name", flat=True).first() or "Somebody")


def replacement_of(item: Item) -> int | None:
    """The open item that asks about the same lumisections on newer evidence."""
    newer = Item.objects.filter(run=item.run, system=item.system, state=ItemState.OPEN, pk__gt=item.pk)
    return next((each.pk for each in newer if each.lumisections & item.lumisections), None)


def live_claim(item: Item, now: datetime | None = None) -> Claim | None:
    return Claim.objects.filter(item=item, until__gt=now or timezone.now()).first()


def live_claim_of(item: Item) -> Claim | None:
    """As `live_claim`, of an item that was read with its claim."""
    held: Claim | None = getattr(item, "claim", None)
    return held if held is not None and held.until > timezone.now() else None


def held_by_other(item: Item) -> HeldByOther:
    held = Claim.objects.get(item=item)
    return HeldByOther(item.pk, held.by_name, held.until)


def remark_text(text: str, missing: str) -> str:
    if len(text) > LONGEST_REMARK:
        raise DecisionRefused(f"At most {LONGEST_REMARK:,} characters.", field="comment")
    if not text.strip():
        raise DecisionRefused(missing, field="comment")
    return text.strip()


def _take(unit: Unit, item: Item, now: datetime) -> Claim | None:
    """Hold a locked item; None when somebody else does."""
    held = Claim.objects.select_for_update().filter(item=item).first()
    if held is not None and held.by_id != unit.actor.pk and held.until > now:  # type: ignore[union-attr]
        return None
    if held is None:
        held = Claim(item=item)
    if held.by_id != unit.actor.pk or held.until <= now:  # type: ignore[union-attr]
        held.by, held.by_name, held.at = unit.actor, unit.actor_name, now  # type: ignore[assignment]
        unit.audit("review.claim", f"run {item.run.number}", {"item": item.pk})
    held.until = now + LEASE
    held.save()
    return held


def _remark(unit: Unit, item: Item, kind: Said, text: str) -> Remark:
    return Remark.objects.create(
        item=item,
        kind=kind,
        text=text,
        by=unit.actor,
        by_name=unit.actor_name,
        at=timezone.now(),  # type: ignore[misc]
    )
