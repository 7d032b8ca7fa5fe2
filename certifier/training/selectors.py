"""Reads of this room: whether a system learns by itself, what came of its trainings, and which is the last that made a
model."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Max, QuerySet

from certifier.accounts.models import System

from .errors import TrainingNotFound
from .models import LEARNED, LeftOut, Pause, Training

KIND = "training.train"


def key_of(system: System) -> str:
    """Of the one live job of a system."""
    return f"{KIND}:{system.code}"


def trainings() -> QuerySet[Training]:
    """All, the newest first."""
    return Training.objects.select_related("system", "champion__system", "challenger__system", "job").order_by("-id")


def find_training(pk: int) -> Training:
    """Raises TrainingNotFound."""
    found = trainings().filter(pk=pk).first() if 0 < pk < 2**63 else None
    if found is None:
        raise TrainingNotFound(pk)
    return found


def last_learned(system: System) -> Training | None:
    """The newest that left a model."""
    return trainings().filter(system=system, outcome__in=LEARNED).first()


def newest_trainings(systems: Iterable[System]) -> dict[int, Training]:
    """By system, its newest."""
    newest = Training.objects.filter(system__in=list(systems)).order_by().values("system").annotate(newest=Max("id"))
    return {row.system_id: row for row in trainings().filter(pk__in=newest.values("newest"))}


def pauses(systems: Iterable[System]) -> dict[int, Pause]:
    """By system that does not learn by itself now, the row that says so."""
    newest = Pause.objects.filter(system__in=list(systems)).order_by().values("system").annotate(newest=Max("id"))
    rows = Pause.objects.filter(pk__in=newest.values("newest"), is_paused=True)
    return {row.system_id: row for row in rows}


def pause_of(system: System) -> Pause | None:
    return pauses([system]).get(system.pk)


def left_out_acts(system: System) -> list[LeftOut]:
    """What coordinators said about runs that nothing is learned from, the newest first."""
    return list(LeftOut.objects.filter(system=system).order_by("-id"))


def is_left_out(run: int, acts: Iterable[LeftOut]) -> bool:
    """Of these acts, the newest first, the first that names the run decides."""
    return next((act.is_left_out for act in acts if act.first_run <= run <= act.last_run), False)
