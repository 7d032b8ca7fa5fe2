"""What somebody who is to decide without being told may not be told elsewhere either: see `precert.hiding`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from django.db.models import Exists, OuterRef
from django.db.models.functions import Now
from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import Role
from certifier.lumi import LumiSet
from certifier.precert.hiding import Hidden

from .models import Claim, Item, ItemState

# Who may hold items; nobody else costs a query.
MAY_DECIDE = {Role.EXPERT, Role.COORDINATOR, Role.ADMIN}


# Whether anybody holds such an item, as a column of a question about runs: who asks for a page of one run asks no more.
HELD_BLIND: Final = Exists(
    Claim.objects.filter(
        item__run=OuterRef("pk"), item__is_blind=True, item__state=ItemState.OPEN, until__gt=Now()
    ).order_by()
)


def held_blind(person: Any, runs: Collection[int] | None = None) -> dict[tuple[int, int], Hidden]:
    """By key of run and system, the lumisections of what a person holds now without being told its verdict. One query.

    Audit samples and findings shown blind alike: what is hidden must not tell which of them it is.
    """
    if not any(role in MAY_DECIDE for role, _ in permissions.roles_of(person)):
        return {}
    rows = Item.objects.filter(is_blind=True, state=ItemState.OPEN, claim__by=person, claim__until__gt=timezone.now())
    if runs is not None:
        rows = rows.filter(run__in=runs)
    found: dict[tuple[int, int], Hidden] = {}
    columns = ("run_id", "system_id", "lumisections", "claim__until", "id")
    for run, system, lumisections, until, item in rows.order_by("id").values_list(*columns):
        before = found.get((run, system), Hidden(LumiSet(), until))
        found[run, system] = Hidden(before.lumisections | lumisections, max(before.until, until), (*before.items, item))
    return found
