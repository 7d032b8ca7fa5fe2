"""Confirming many clear items at once: first a preview, then all of them or none.

Only what the machine calls bad, openly, of a defect that is one of ours: what it is not sure of is looked at one by
one, and what is shown without a verdict would be confirmed blindly.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.audit.unit import unit_of_work
from certifier.precert.models import Verdict

from . import claims, deciding, queue
from .errors import BulkChanged, DecisionRefused
from .models import Answer, Claim, Decision, Item, ItemState

MOST: Final = 500


@dataclass(frozen=True)
class Line:
    """An item of a bulk: `why_not` says why it is left out, empty when it is not."""

    item: Item
    why_not: str
    # How often it was decided; one decision more, and the item is another.
    decided: int


@dataclass(frozen=True)
class Preview:
    lines: Sequence[Line]
    # What was looked at: whatever differs from it when it is confirmed stops all of it.
    seen: str

    @property
    def chosen(self) -> list[Item]:
        return [line.item for line in self.lines if not line.why_not]

    @property
    def left_out(self) -> list[Line]:
        return [line for line in self.lines if line.why_not]

    @property
    def lumisections(self) -> int:
        return sum(len(item.lumisections) for item in self.chosen)

    @property
    def recorded_inv_nb(self) -> float:
        return sum(item.recorded_inv_nb or 0.0 for item in self.chosen)

    @property
    def by_defect(self) -> list[tuple[str, int]]:
        """(defect, lumisections) of what would be recorded."""
        found: dict[str, int] = {}
        for item in self.chosen:
            name = item.finding.suspected_defect if item.finding is not None else ""
            found[name] = found.get(name, 0) + len(item.lumisections)
        return sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))


def preview(user: Any, keys: Collection[int]) -> Preview:
    """What confirming these items would do, and which of them are left out and why."""
    if len(keys) > MOST:
        raise DecisionRefused(f"Choose at most {MOST} items at once.")
    rows = list(queue.with_words(Item.objects.filter(pk__in=list(keys))).order_by("run__number", "pk"))
    decided = Counter(Decision.objects.filter(item__in=rows).values_list("item", flat=True))
    known = deciding.suspects_of(rows)
    lines = [Line(item, _why_not(item, user, is_named=item.pk in known), decided[item.pk]) for item in rows]
    return Preview(lines, _digest(lines))


def _why_not(item: Item, user: Any, *, is_named: bool) -> str:
    """Why an item cannot be confirmed in a bulk; empty when it can."""
    held = claims.live_claim_of(item)
    if not permissions.can_review(user, item.system):
        return f"not yours: needs the role expert of {item.system}"
    if item.state != ItemState.OPEN:
        return f"{item.get_state_display()} already"
    if item.is_blind:
        return "shown without its verdict: look at it"
    if item.came_from_id is not None:
        return "came back: look at what changed"
    if item.verdict == Verdict.UNSURE:
        return "the machine is not sure: look at it"
    if item.verdict != Verdict.BAD:
        return "not called bad"
    if held is not None and held.by_id != getattr(user, "pk", None):
        return f"held by {held.by_name}"
    if not is_named:
        return "no defect is suspected: name it"
    return ""


def confirm_all(*, actor: User, keys: Collection[int], seen: str) -> list[Decision]:
    """Confirm what a preview chose, in one transaction: all of it, or nothing when anything changed since.

    `seen` is that of the preview. Raises BulkChanged with what is different now, and whatever `decide` raises.
    """
    with unit_of_work(actor):
        # In the order of keys, as everybody locks them who locks several.
        list(Item.objects.select_for_update(no_key=True).filter(pk__in=list(keys)).order_by("pk"))
        list(Claim.objects.select_for_update().filter(item__in=list(keys)).order_by("pk"))
        now = preview(actor, keys)
        if now.seen != seen:
            raise BulkChanged(_differences(now, keys))
        if not now.chosen:
            raise DecisionRefused("None of these items can be confirmed together.")
        batch = f"{timezone.now():%Y%m%d%H%M%S}-{secrets.token_hex(4)}"
        return [
            deciding.decide(actor=actor, item=item, verdict=Answer.CONFIRM, batch=batch) for item in now.chosen
        ]  # fmt: skip


def _digest(lines: Sequence[Line]) -> str:
    told = "\n".join(
        f"{line.item.pk} {line.item.state} {line.item.lumisections} {line.decided} {line.why_not}" for line in lines
    )
    return hashlib.sha256(told.encode()).hexdigest()


def _differences(now: Preview, keys: Collection[int]) -> list[str]:
    changed = [
        f"Item {line.item.pk} (run {line.item.run.number}, {line.item.lumisections}) is left out now: {line.why_not}."
        for line in now.left_out
    ]
    gone = len(set(keys)) - len(now.lines)
    if gone:
        changed.append(f"{gone} of the items do not exist.")
    return changed[:5] or ["Something changed since the preview."]
