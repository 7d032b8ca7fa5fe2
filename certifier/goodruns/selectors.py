"""Reads of this room: lists by id or name, and what is known today of their luminosity."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import OuterRef, QuerySet, Subquery

from certifier.audit.errors import NotFound
from certifier.defects.models import LogicVersion

from .luminosity import Luminosity
from .models import GoodRunList, GoodRunListRun, ListLuminosity

LARGEST_ID = 2**63 - 1
_AT = LogicVersion.objects.filter(number=OuterRef("logic")).values("at")
# What a change must be for the luminosity of a list to have changed.
TOUCHING = ("runs.run", "runs.lumisections")


class UnknownList(NotFound):
    """There is no good-run list of that id or name."""


def lists() -> QuerySet[GoodRunList]:
    """All lists, the newest first, ready to be shown in a table."""
    return GoodRunList.objects.select_related("tag", "created_by", "luminosity").order_by("-id")


def find_list(key: int) -> GoodRunList:
    """The list of that id. Raises UnknownList."""
    return find_lists(key)[0]


def find_lists(*keys: int, with_tables: bool = False) -> list[GoodRunList]:
    """The lists of these ids, in this order, in one query, perhaps with noted tables. Raises UnknownList."""
    rows = lists().annotate(logic_at=Subquery(_AT))
    rows = rows.select_related("loss") if with_tables else rows
    found = {row.pk: row for row in rows.filter(pk__in=[key for key in keys if 0 < key <= LARGEST_ID])}
    for key in keys:
        if key not in found:
            raise UnknownList(f"There is no good-run list {key}.")
    return [found[key] for key in keys]


def list_named(text: str) -> GoodRunList:
    """The list of that id or name (names ignore case). Raises UnknownList."""
    if text.isascii() and text.isdigit() and len(text) < 20:
        return find_list(int(text))
    found = lists().filter(name__iexact=text).first() if "\0" not in text else None
    if found is None:
        raise UnknownList(f"There is no good-run list “{text[:100]}”.")
    return found


def noted_luminosity(list_: GoodRunList) -> Luminosity | None:
    """What was last noted of a list; None before the first time. No query for a list that came from `lists`."""
    row: ListLuminosity | None = getattr(list_, "luminosity", None)
    if row is None:
        return None
    return Luminosity(
        list_.lumisection_count,
        row.delivered_inv_nb,
        row.recorded_inv_nb,
        row.delivered_lumisections,
        row.recorded_lumisections,
    )


def lists_with_runs(numbers: Sequence[int]) -> QuerySet[GoodRunList]:
    """The lists that any of these runs is in."""
    holding = GoodRunListRun.objects.filter(run_number__in=numbers).order_by().values("list").distinct()
    return lists().filter(pk__in=holding)
