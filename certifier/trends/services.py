"""Every write of this room: keeping a trend, changing it, putting it away, and the alarms of those that are watched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from certifier.accounts import permissions
from certifier.accounts.models import User
from certifier.audit.unit import unit_of_work
from certifier.runs.changes import announce
from certifier.runs.models import Change, Run

from .drawing import Asked, Picture, picture, read
from .errors import NameTaken, TrendRefused
from .models import Alarm, Per, Trend

LONGEST_NAME: Final = 100
LONGEST: Final = 1000
MOST_ALIASES: Final = 30
# The newest: what left its band earlier has its alarm.
RUNS_LOOKED_AT: Final = 300


@dataclass(frozen=True)
class Kept:
    """How a trend is kept beside what it draws."""

    name: str
    is_watched: bool = False


def save(*, actor: User | None, asked: Asked, kept: Kept, trend: Trend | None = None) -> Trend:
    """Keep a trend under a name, or change one that is kept: its own, or any as coordinator.

    Whoever has a role may. A watch begins with the next run. Raises TrendRefused naming the field, NameTaken.
    """
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_keep_trends(actor, None if trend is None else trend.keeper))
        _check(asked, kept)
        row = Trend(by=actor) if trend is None else Trend.objects.select_for_update().get(pk=trend.pk)
        if kept.is_watched and (trend is None or not row.is_watched or row.draw != asked.draw):
            row.since_run = (Run.objects.aggregate(last=Max("number"))["last"] or 0) + 1
        row.name, row.is_watched = kept.name.strip(), kept.is_watched
        row.draw, row.where, row.aliases = asked.draw, asked.where, dict(asked.aliases or {})
        row.per, row.runs = asked.per, asked.runs
        row.sigmas, row.floor = asked.sigmas, asked.floor
        row.changed_at, row.put_away_at, row.looked_sequence = timezone.now(), None, 0
        try:
            with transaction.atomic():
                row.save()
        except IntegrityError:
            raise NameTaken(f"A trend “{row.name}” is kept already. Choose another name.") from None
        unit.audit("trends.save", f"trend {row.name}", {"draw": row.draw, "where": row.where, "watch": row.is_watched})
    return row


def put_away(*, actor: User | None, trend: Trend) -> None:
    """Show and watch it no longer; its alarms stay."""
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_keep_trends(actor, trend.keeper))
        Trend.objects.filter(pk=trend.pk).update(put_away_at=timezone.now(), is_watched=False)
        unit.audit("trends.put_away", f"trend {trend.name}")


def _check(asked: Asked, kept: Kept) -> None:
    name = kept.name.strip()
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise TrendRefused(f"A trend needs a name of 1 to {LONGEST_NAME} characters on one line.", field="name")
    for field, text in (("draw", asked.draw), ("where", asked.where), ("runs", asked.runs)):
        if len(text) > LONGEST:
            raise TrendRefused(f"At most {LONGEST} characters can be kept.", field=field)
    if len(asked.aliases or {}) > MOST_ALIASES:
        raise TrendRefused(f"At most {MOST_ALIASES} aliases can be kept.", field="aliases")
    if not 0 < asked.sigmas <= 100 or not 0 <= asked.floor < 1e15:
        raise TrendRefused("The band needs a width from 0 to 100 standard deviations.", field="sigmas")
    if kept.is_watched and asked.per != Per.RUN:
        raise TrendRefused("Only a trend per run can be watched.", field="is_watched")
    read(asked)


# --- alarms -----------------------------------------------------------------------------------------------------


def look() -> int:
    """Raise an alarm for each run that ended outside the band of a watched trend; idempotent. How many there were.

    One trend that cannot be drawn any more (a defect was renamed) keeps no other waiting: it is watched no longer, and
    its keeper is told by the feed.
    """
    raised = 0
    # Read first: what is written while we look comes next time.
    tail = Change.objects.aggregate(tail=Max("sequence"))["tail"] or 0
    for trend in Trend.objects.filter(is_watched=True, put_away_at=None):
        try:
            raised += _look_at(trend, tail)
        except TrendRefused as refusal:
            _give_up(trend, refusal.message)
    return raised


def _look_at(trend: Trend, tail: int) -> int:
    if trend.looked_sequence >= tail:
        return 0
    found = picture(Asked.of(trend), most=RUNS_LOOKED_AT)
    numbers = {place: int(found.table.run[found.points.rows[place]]) for place in found.outside}
    # While a run goes on, much of it is not there yet.
    ended = Run.objects.filter(number__in=numbers.values(), number__gte=trend.since_run, ended_at__isnull=False)
    keys = dict(ended.values_list("number", "pk"))
    raised = sum(
        _raise(trend, keys[number], number, found, place) for place, number in numbers.items() if number in keys
    )
    Trend.objects.filter(pk=trend.pk).update(looked_sequence=tail)
    return raised


def _raise(trend: Trend, run: int, number: int, found: Picture, place: int) -> bool:
    """Whether this alarm is new."""
    said = {
        "value": float(found.points.y[place]),
        "low": float(found.band.low[place]),
        "high": float(found.band.high[place]),
    }
    with unit_of_work(None) as unit:
        _, is_new = Alarm.objects.get_or_create(
            trend=trend, run_id=run, draw=trend.draw, defaults=said | {"at": timezone.now()}
        )
        if is_new:
            unit.audit("trends.alarm", f"trend {trend.name}", {"run": number, **said})
            announce(unit, "trends.alarm", run=number, data={"trend": trend.name, "id": trend.pk, **said})
    return is_new


def _give_up(trend: Trend, why: str) -> None:
    with unit_of_work(None) as unit:
        Trend.objects.filter(pk=trend.pk).update(is_watched=False)
        unit.audit("trends.give_up", f"trend {trend.name}", {"reason": why})
        announce(unit, "trends.given_up", data={"trend": trend.name, "id": trend.pk, "reason": why})
