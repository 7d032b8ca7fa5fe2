"""Loss and efficiency tables of built lists, noted by the worker so that no page reckons a year meanwhile.

The defects of a built list never change; its luminosity does when a run is written, and who is charged first when the
systems are put in another order. A table that is out of date is reckoned anew by whoever asks, and noted by the worker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from django.db.models import Max
from django.utils import timezone

from certifier.accounts.models import System
from certifier.runs.models import Change

from .accounting import case_of, loss_in
from .efficiency import efficiency_in
from .facts import Facts
from .models import GoodRunList, GoodRunListRun, ListLoss, Origin
from .selectors import TOUCHING


def table_holds(noted: ListLoss | None, order: str) -> bool:
    """Whether there is a table, and the systems stand as they stood. What was written since is another question."""
    return noted is not None and noted.efficiency is not None and noted.order == order


def touched_since(sequence: int) -> dict[int, int]:
    """By run number, the newest change that may have changed the luminosity of a list with this run."""
    changes = Change.objects.filter(sequence__gt=sequence, kind__in=TOUCHING).exclude(run=None).order_by()
    return dict(changes.values_list("run").annotate(newest=Max("sequence")))


def order_of(systems: Iterable[System]) -> str:
    """What tells one order of systems from another."""
    return hashlib.sha256("\n".join(system.code for system in systems).encode()).hexdigest()


def note_losses(newest: int) -> int:
    """Note the tables that are missing or do not hold any more; returns how many. `newest` is the change that was
    the last one when the caller began. A table that holds is marked as holding up to there.
    """
    facts = Facts()
    order, now = order_of(facts.systems), timezone.now()
    done = 0
    for list_ in GoodRunList.objects.filter(origin=Origin.BUILT).select_related("loss", "tag"):
        noted: ListLoss | None = getattr(list_, "loss", None)
        if noted is not None and table_holds(noted, order) and not _touches(touched_since(noted.sequence), list_):
            if noted.sequence < newest:
                ListLoss.objects.filter(pk=noted.pk, sequence__lt=newest).update(sequence=newest)
            continue
        case = case_of(list_, facts=facts)
        tables = {"table": loss_in(case).to_json(), "efficiency": efficiency_in(case).to_json()}
        row = {**tables, "order": order, "sequence": newest, "refreshed_at": now}
        ListLoss.objects.update_or_create(list=list_, defaults=row)
        done += 1
    return done


def _touches(touched: Mapping[int, int], list_: GoodRunList) -> bool:
    """Whether any of these runs has to do with the list."""
    if any(each["run"] in touched for each in list_.provenance["left_out"]):
        return True
    return bool(touched) and GoodRunListRun.objects.filter(list=list_, run_number__in=list(touched)).exists()
