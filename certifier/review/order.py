"""What comes first in the queue, and why: luminosity at stake x uncertainty x age."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Final

from django.db.models import F, FloatField, Func, QuerySet, Value
from django.utils import timezone

from certifier.lumi import LumiSet
from certifier.precert.models import Scoring, Verdict
from certifier.runs.profile import Profile

from .models import Item, ItemState
from .words import luminosity, span

# A lumisection whose luminosity nobody knows counts as the mean of its run, and where none is known as this.
USUAL_INV_NB: Final = 100.0
DAY_S: Final = 86_400.0
# Of what the machine is not sure; what is shown without a verdict counts the same whatever the verdict, and little
# enough to stand among the others and not before them.
UNSURE, BLIND, LEAST = 1.0, 0.1, 0.05


def at_stake(profile: Profile, lumisections: LumiSet) -> tuple[float | None, float]:
    """Recorded luminosity (None where nothing is known of it), and what it counts as in the order."""
    total, known = profile.sum("recorded_inv_nb", lumisections)
    rest = len(lumisections) - known
    if not rest:
        return total, total
    everywhere, count = profile.sum("recorded_inv_nb", LumiSet.whole(profile.length))
    mean = everywhere / count if count else USUAL_INV_NB
    return (total if known else None), total + rest * mean


def uncertainty(scoring: Scoring, verdict: str, score: float | None, *, is_blind: bool) -> float:
    """From 0 to 1: how much a look may change. Of a sure verdict a little is left."""
    if is_blind:
        return BLIND
    if verdict == Verdict.UNSURE or score is None or math.isnan(score) or not scoring.is_probability:
        return UNSURE if verdict == Verdict.UNSURE else 4 * LEAST
    return max(4 * score * (1 - score), LEAST)


class Urgency(Func):
    """weight x (1 + days waited). One expression with the SQL written out: built of ten, it takes longer to put
    together than to answer, several times for each key press. A clock that was set back makes nothing negative.
    """

    output_field = FloatField()

    def as_sql(  # type: ignore[override]
        self, compiler: Any, connection: Any, larger: str = "GREATEST", seconds: str = "EXTRACT(EPOCH FROM {})",
        **more: Any,
    ) -> tuple[str, list[Any]]:  # fmt: skip
        (weight, _), (since, _), (now, moment) = (compiler.compile(each) for each in self.source_expressions)
        waited = f"{larger}(0.0, {now} - {seconds.format(since)})"
        return f"({weight} * (1.0 + {waited} / {DAY_S}))", list(moment)

    def as_sqlite(  # type: ignore[override]
        self, compiler: Any, connection: Any, **more: Any
    ) -> tuple[str, list[Any]]:
        return self.as_sql(compiler, connection, larger="MAX", seconds="((julianday({}) - 2440587.5) * 86400)")


def in_order(items: QuerySet[Item], now: datetime | None = None) -> QuerySet[Item]:
    """The most urgent first, with `urgency`: a day of waiting doubles what an item counts, two days treble it."""
    seconds = Value((now or timezone.now()).timestamp(), output_field=FloatField())
    return items.annotate(urgency=Urgency(F("weight"), F("since"), seconds)).order_by("-urgency", "pk")


def reason(item: Item, now: datetime | None = None) -> str:
    """Why an item stands where it stands, in words: 14 LS, 3.1 /pb, unsure for 3 days."""
    waited = span(((now or timezone.now()) - item.since).total_seconds())
    stake = f"{luminosity(item.recorded_inv_nb)}, " if item.recorded_inv_nb is not None else "luminosity unknown, "
    if item.came_from_id is not None and item.state == ItemState.OPEN:
        state = f"back for {waited}: {item.what_changed}"
    elif not item.shows_verdict:
        state = f"no verdict shown, waiting for {waited}"
    elif item.verdict == Verdict.UNSURE:
        state = f"unsure for {waited}"
    else:
        sure = " and sure" if item.weight < 0.3 * (item.recorded_inv_nb or 0.0) else ""
        state = f"{item.get_verdict_display()}{sure}, for {waited}"
    return f"{len(item.lumisections):,} LS, {stake}{state}"
