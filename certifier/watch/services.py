"""Looking at the automation of a system, writing down what was seen, and stopping it when the audit says so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.db.models import Max
from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import System, User
from certifier.audit.errors import Conflict
from certifier.audit.unit import unit_of_work
from certifier.monitoring.errors import HistogramsLost
from certifier.precert import services as precert
from certifier.precert.models import Mode, ModelVersion, Scoring, SystemMode
from certifier.precert.selectors import SystemModels, models_of, models_of_system
from certifier.review.labels import labels_of
from certifier.review.models import Decision
from certifier.runs.changes import announce

from . import drifting, realised
from .models import Check

# New answers are looked at at once; histograms that only came in, a few times a day.
HISTOGRAMS_AFTER: Final = timedelta(hours=6)


class NothingToWatch(Conflict):
    """A system without a champion decides nothing."""

    def __init__(self, system: str) -> None:
        super().__init__(f"{system} has no champion, so nothing is decided without a person. Promote a model first.")


def newest_check(system: System) -> Check | None:
    return Check.objects.filter(system=system).select_related("version__system").order_by("-number").first()


def newest_checks() -> dict[int, Check]:
    """The same for all systems, by key of the system, in one query."""
    newest = Check.objects.order_by().values("system").annotate(newest=Max("id")).values("newest")
    return {row.system_id: row for row in Check.objects.filter(pk__in=newest).select_related("version__system")}


def began_anew(system: System) -> Any:
    """When automation was switched on again after it last stopped, or as long as it was not, when it stopped: what came
    before was paid for and does not count against what follows. None where it has never stopped."""
    acts = SystemMode.objects.filter(system=system).order_by("number")
    stopped = acts.filter(mode=Mode.STOPPED).last()
    if stopped is None:
        return None
    again = acts.filter(mode=Mode.AUTO, number__gt=stopped.number).first()
    return stopped.at if again is None else again.at


def due() -> list[System]:
    """The systems with a champion of which something new is known. A few queries per system that has one."""
    return [models.system for models in models_of() if models.champion is not None and _is_due(models)]


def _is_due(models: SystemModels) -> bool:
    check = newest_check(models.system)
    decision, scoring = _newest(models.system, models.champion)
    if check is None:
        return bool(decision or scoring)
    if decision > check.decision or check.version_id != (models.champion.pk if models.champion else None):
        return True
    return scoring > check.scoring and timezone.now() - check.at > HISTOGRAMS_AFTER


def _newest(system: System, champion: ModelVersion | None) -> tuple[int, int]:
    decision = Decision.objects.filter(item__system=system).aggregate(newest=Max("id"))["newest"]
    scoring = Scoring.objects.filter(version=champion).aggregate(newest=Max("id"))["newest"] if champion else None
    return decision or 0, scoring or 0


def check(system: System, *, actor: User | None = None) -> Check:
    """Look now. When the system is in auto and the audit proves that a promise is broken, automation stops.

    The installation itself, or who may set the mode. Raises NothingToWatch.
    """
    permissions.require(permissions.can_set_mode(actor))
    models = models_of_system(system)
    if models.champion is None:
        raise NothingToWatch(system.code)
    before = newest_check(system)
    since = began_anew(system)
    decision, scoring = _newest(system, models.champion)
    labels = list(labels_of(system))
    stream = realised.stream_of(system, since, labels)
    pollution, loss = realised.sides_of(stream, models.guarantee)
    broken = [side for side in (pollution, loss) if side.stop]
    seen: dict[str, Any] = {
        "version": models.champion,
        "since": since,
        "decision": decision,
        "scoring": scoring,
        "pending": stream.pending,
        "pollution": pollution.as_json(),
        "loss": loss.as_json(),
        "overturned": realised.overturned_of(labels),
        "drift": _drift(models.champion, before, scoring),
    }
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_set_mode(actor))
        System.objects.select_for_update(no_key=True).get(pk=system.pk)
        stops = bool(broken) and models_of_system(system).mode == Mode.AUTO
        words = " ".join(side.words for side in broken or (pollution, loss))
        newest = newest_check(system)
        row = Check.objects.create(
            system=system,
            number=newest.number + 1 if newest else 1,
            stops=stops,
            words=words,
            at=timezone.now(),
            **seen,
        )
        data = {"system": system.code, "check": row.number, "stops": stops, "broken": [side.name for side in broken]}
        unit.audit("watch.check", f"system {system.code}", data)
        if stops:
            bound = {
                side.name: {"limit": side.limit, "lower": side.lower, "estimate": side.estimate} for side in broken
            }
            precert.set_mode(
                actor=None, system=system, mode=Mode.STOPPED, reason=words, bound={**bound, "check": row.number}
            )
        announce(unit, "watch.check", data=data)
    return row


def _drift(champion: ModelVersion, before: Check | None, scoring: int) -> dict[str, Any]:
    """Reading histograms takes seconds: what was found on the same scorings of the same model holds still."""
    if before is not None and before.version_id == champion.pk:
        is_fresh = timezone.now() - before.at < HISTOGRAMS_AFTER
        if before.scoring == scoring or is_fresh:
            return dict(before.drift)
    try:
        return drifting.drift_of(champion)
    except HistogramsLost as error:
        return {"reference": [], "current": [], "features": 0, "drifted": [], "words": str(error)}
