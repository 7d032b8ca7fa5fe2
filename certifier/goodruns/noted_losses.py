"""Loss and efficiency tables of built lists, noted by the worker so that no page reckons a year meanwhile.

The defects of a built list never change; its luminosity does when a run is written, and who is charged first when the
systems are put in another order. A table that is out of date is reckoned anew by whoever asks, and noted by the worker.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from django.utils import timezone

from certifier.accounts.models import System
from certifier.runs.models import Change

from .accounting import case_of, loss_in
from .building import LeftOut
from .efficiency import Efficiency, efficiency_in
from .loss_table import LossTable
from .models import GoodRunList, GoodRunListRun, ListLoss, Origin
from .selectors import TOUCHING


def loss_known(list_: GoodRunList, flags: Sequence[str] = ()) -> LossTable:
    """The loss table of a list: as it was noted when it still holds, else reckoned now."""
    return tables_known(list_, flags)[0]


def tables_known(list_: GoodRunList, flags: Sequence[str] = ()) -> tuple[LossTable, Efficiency]:
    """The loss and efficiency tables of a list: as they were noted when they still hold, else reckoned now."""
    noted = None if flags else ListLoss.objects.filter(list=list_).first()
    if noted is not None and noted.efficiency is not None and holds(noted, list_):
        left_out = tuple(LeftOut.from_json(each) for each in list_.provenance["left_out"])
        return LossTable.from_json(noted.table, left_out), Efficiency.from_json(noted.efficiency)
    case = case_of(list_)
    return loss_in(case, flags), efficiency_in(case, flags)


def holds(noted: ListLoss, list_: GoodRunList) -> bool:
    """Whether nothing has changed that the table depends on."""
    if noted.order != order_of_systems():
        return False
    changed = Change.objects.filter(sequence__gt=noted.sequence, kind__in=TOUCHING).order_by()
    numbers = {run for run in changed.values_list("run", flat=True).distinct() if run is not None}
    if not numbers:
        return True
    if any(each["run"] in numbers for each in list_.provenance["left_out"]):
        return False
    return not GoodRunListRun.objects.filter(list=list_, run_number__in=numbers).exists()


def order_of_systems() -> str:
    codes = System.objects.values_list("code", flat=True)
    return hashlib.sha256("\n".join(codes).encode()).hexdigest()


def note_losses(newest: int) -> int:
    """Note the tables that are missing or do not hold any more; returns how many. `newest` is the change that was
    the last one when the caller began. A table that holds is marked as holding up to there.
    """
    order, now = order_of_systems(), timezone.now()
    done = 0
    for list_ in GoodRunList.objects.filter(origin=Origin.BUILT).select_related("loss", "tag"):
        noted: ListLoss | None = getattr(list_, "loss", None)
        if noted is not None and noted.efficiency is not None and holds(noted, list_):
            if noted.sequence < newest:
                ListLoss.objects.filter(pk=noted.pk, sequence__lt=newest).update(sequence=newest)
            continue
        case = case_of(list_)
        tables = {"table": loss_in(case).to_json(), "efficiency": efficiency_in(case).to_json()}
        facts = {**tables, "order": order, "sequence": newest, "refreshed_at": now}
        ListLoss.objects.update_or_create(list=list_, defaults=facts)
        done += 1
    return done
