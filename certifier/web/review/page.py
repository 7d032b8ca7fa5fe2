"""The review page as one person sees it: the list, the item in the middle, and what can be done about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

from django.urls import reverse

from certifier.accounts import permissions
from certifier.accounts.models import System
from certifier.defects.models import Defect
from certifier.precert.selectors import SystemModels, models_of_system
from certifier.review import claims, queue
from certifier.review.models import Claim, Decision, Item, ItemState, Kind, Remark
from certifier.review.order import reason
from certifier.review.queue import Filters, Nothing, NotScored, Progress
from certifier.web.templatetags.times import in_utc

SHOWN_IN_LIST = 30


class Line:
    """An item in the list."""

    def __init__(self, item: Item, *, is_current: bool, query: str) -> None:
        self.item = item
        self.is_current = is_current
        self.mark = queue.verdict_mark(item)
        self.suspicion = queue.suspicion(item)
        self.reason = reason(item)
        self.claim = claims.live_claim_of(item)
        self.address = item_address(item, query)


def item_address(item: Item, query: str) -> str:
    address = reverse("queue:item", args=[item.pk])
    return f"{address}?{query}" if query else address


class ReviewPage:
    def __init__(self, user: Any, parameters: Mapping[str, str], item: Item | None = None) -> None:
        self.user = user
        self.filters = Filters.of(parameters)
        self.item = item

    # -- which systems --------------------------------------------------------------------------------------------

    @cached_property
    def systems(self) -> list[System]:
        return list(System.objects.all())

    @cached_property
    def mine(self) -> list[System]:
        return [system for system in self.systems if permissions.can_review(self.user, system)]

    @cached_property
    def looked_at(self) -> list[System]:
        """The system of the filter, or all of one's own; of somebody who has none, all."""
        code = self.filters.system.lower()
        if code:
            return [system for system in self.systems if system.code.lower() == code]
        return self.mine or self.systems

    @property
    def kinds(self) -> list[tuple[str, str]]:
        return list(queue.SHOWN.items())

    @property
    def one_system(self) -> System | None:
        return self.looked_at[0] if len(self.looked_at) == 1 else None

    @cached_property
    def models(self) -> SystemModels | None:
        return models_of_system(self.one_system) if self.one_system is not None else None

    # -- the list -------------------------------------------------------------------------------------------------

    @cached_property
    def _waiting(self) -> list[Item]:
        return list(queue.waiting(self.user, self.filters)[: SHOWN_IN_LIST + 1])

    @cached_property
    def lines(self) -> list[Line]:
        rows = self._waiting[:SHOWN_IN_LIST]
        current = self.item.pk if self.item is not None else None
        return [Line(row, is_current=row.pk == current, query=self.filters.query) for row in rows]

    @cached_property
    def total(self) -> int:
        """How many wait behind the filters."""
        if len(self._waiting) <= SHOWN_IN_LIST:
            return len(self._waiting)
        if not self.filters.is_narrow and self.looked_at == self.mine:
            return self.progress.waiting
        return queue.how_many(self.user, self.filters)

    @property
    def more(self) -> int:
        return max(self.total - SHOWN_IN_LIST, 0)

    @property
    def neighbours(self) -> tuple[Line | None, Line | None]:
        """The lines before and after the current one; of an item that is not in the list, none and the first."""
        place = next((place for place, line in enumerate(self.lines) if line.is_current), None)
        if place is None:
            return None, (self.lines[0] if self.lines else None)
        before = self.lines[place - 1] if place else None
        return before, (self.lines[place + 1] if place + 1 < len(self.lines) else None)

    @cached_property
    def decided(self) -> list[Decision]:
        return queue.just_decided(self.user, self.filters)

    @cached_property
    def progress(self) -> Progress:
        return queue.progress(self.looked_at)

    @property
    def address_with_all(self) -> str:
        """This very page with the histograms and with what is not scored in it."""
        query = replace(self.filters, all="1").query
        return item_address(self.item, query) if self.item is not None else f"{reverse('queue:queue')}?{query}"

    @cached_property
    def not_scored(self) -> NotScored:
        return queue.not_scored(self.looked_at)

    @property
    def bar(self) -> list[tuple[float, str, str]]:
        """By recorded luminosity, what was asked and what nobody could ask about."""
        return [*self.progress.parts, (self.not_scored.recorded_inv_nb, "none", "not scored")]

    @cached_property
    def nothing(self) -> Nothing:
        return queue.why_nothing(self.user, self.filters, self.looked_at)

    # -- the item -------------------------------------------------------------------------------------------------

    @property
    def may_decide(self) -> bool:
        return self.item is not None and bool(permissions.can_review(self.user, self.item.system))

    @property
    def is_open(self) -> bool:
        return self.item is not None and self.item.state == ItemState.OPEN

    @cached_property
    def claim(self) -> Claim | None:
        return claims.live_claim_of(self.item) if self.item is not None else None

    @property
    def is_mine(self) -> bool:
        return self.claim is not None and self.claim.by_id == self.user.pk

    @property
    def held_until(self) -> str:
        return f"{in_utc(self.claim.until):%H:%M}" if self.claim is not None else ""

    @property
    def mark(self) -> str:
        return queue.verdict_mark(self.item) if self.item is not None else ""

    @property
    def suspicion(self) -> str:
        return queue.suspicion(self.item) if self.item is not None else ""

    @property
    def reason(self) -> str:
        return reason(self.item) if self.item is not None else ""

    @property
    def is_audit(self) -> bool:
        """Told only after the decision."""
        return self.item is not None and self.item.kind == Kind.AUDIT and self.item.state == ItemState.DECIDED

    @cached_property
    def defect(self) -> str:
        """What stands in the field: the suspicion, or what was said before of an item that returned."""
        if self.item is None or not self.item.shows_verdict:
            return ""
        if self.item.came_from_id is not None and not self.suspicion:
            before = Decision.objects.filter(item=self.item.came_from_id).exclude(defects=[]).order_by("-id").first()
            names = Defect.objects.filter(pk__in=before.defects) if before is not None else Defect.objects.none()
            return " ".join(names.values_list("name", flat=True))
        return self.suspicion

    @property
    def suggestions(self) -> list[str]:
        """What similar past cases were called, where that is shown and one of our defects; not what stands there."""
        if self.item is None or not self.item.shows_verdict or self.item.finding is None:
            return []
        names = [case.get("defect") or "" for case in self.item.finding.evidence.get("cases", ()) if case.get("bad")]
        return [name for name in dict.fromkeys(names) if name in self.choices and name != self.defect][:3]

    @cached_property
    def choices(self) -> list[str]:
        """The primary defects of the system."""
        if self.item is None:
            return []
        rows = Defect.objects.filter(system=self.item.system_id, expression=None)
        return list(rows.values_list("name", flat=True))

    @cached_property
    def decisions(self) -> list[Decision]:
        """Everything that was decided about it, the newest first, each with the names of its defects."""
        if self.item is None or not getattr(self.item, "has_decisions", True):
            return []
        rows = list(self.item.decisions.select_related("undoes").order_by("-number"))
        names = dict(Defect.objects.filter(pk__in={pk for row in rows for pk in row.defects}).values_list("pk", "name"))
        for row in rows:
            row.names = [names[pk] for pk in row.defects if pk in names]  # type: ignore[attr-defined]
        return rows

    @property
    def in_force(self) -> Decision | None:
        """The decision that can be undone."""
        if self.item is None or self.item.state != ItemState.DECIDED:
            return None
        undone = {row.undoes_id for row in self.decisions}
        return next((row for row in self.decisions if row.undoes_id is None and row.pk not in undone), None)

    @cached_property
    def remarks(self) -> list[Remark]:
        if self.item is None or not getattr(self.item, "has_remarks", True):
            return []
        return list(self.item.remarks.order_by("-id"))

    @property
    def replacement(self) -> int | None:
        """The item in the place of one whose evidence was replaced."""
        if self.item is None or self.item.state != ItemState.SUPERSEDED:
            return None
        return claims.replacement_of(self.item)
