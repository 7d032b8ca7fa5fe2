"""What somebody else said while a form was being filled in: whoever recorded over it would not have seen it."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from certifier.lumi import LumiSet
from certifier.runs.models import Run

from .entry_input import NewEntry, Resolved
from .errors import EnteredMeanwhile
from .models import Entry


def entered_since(run: int, defect: int, lumisections: LumiSet, seen: int) -> list[Entry]:
    """The entries after `seen` of this run and defect (primary keys) that overlap, the earliest first."""
    rows = Entry.objects.filter(run_id=run, defect_id=defect, id__gt=seen).order_by("id").select_related("defect")
    return [row for row in rows if row.lumisections & lumisections]


def hold_runs(resolved: Sequence[Resolved]) -> None:
    """Until this transaction ends, whoever else enters something about these runs waits here, and we for them.

    The foreign key of an entry would not do: it is looked at when the transaction commits, long after the writer looked
    for what is newer. Nor would a lock that keeps others from referring to a run: they refer to it at their commit,
    when they hold the counter of the feed, which is what we ask for last. On SQLite there is one writer at a time.
    """
    if connection.features.has_select_for_update:
        runs = Run.objects.select_for_update(no_key=True).filter(pk__in={one.run.pk for one in resolved})
        list(runs.order_by("pk").values_list("pk"))


def check_nothing_newer(resolved: Sequence[Resolved], seen: int) -> None:
    """Raises EnteredMeanwhile when an entry after `seen` overlaps one of these. To be called in the transaction that
    writes and holds the runs, so that nobody enters anything between the look and the writing.
    """
    newer: dict[int, Entry] = {}
    for one in resolved:
        newer |= {row.pk: row for row in entered_since(one.run.pk, one.defect.pk, one.lumisections, seen)}
    if newer:
        raise EnteredMeanwhile(list(newer.values()))


def is_the_same(entry: Entry, wanted: NewEntry, lumisections: LumiSet, actor: int | None) -> bool:
    """Whether the entry is what this person wants to record: they pressed the button twice."""
    return (
        entry.actor_id == actor
        and entry.defect.name_key == wanted.defect.lower()
        and entry.lumisections == lumisections
        and (entry.present, entry.recoverable) == (wanted.present, wanted.recoverable)
        and entry.comment == wanted.comment
    )
