"""The weekly data-quality report: what was taken, signed, certified and lost, what is open, what was new. Printable."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.db.models import Count, Min, Q, Window
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from certifier.accounts import permissions
from certifier.defects.models import Defect, Entry
from certifier.goodruns.accounting import case_at_head, loss_in
from certifier.goodruns.building import Question
from certifier.goodruns.facts import Facts, RunRow
from certifier.goodruns.loss_table import LossTable
from certifier.goodruns.measure import measure_of
from certifier.review.models import SignOff
from certifier.runs.models import Run
from certifier.runs.remembering import Remembered

from .run_list import Derived, derived

WEEK = re.compile(r"(\d{4})-W(\d{2})")
SHOWN = 60
OLDER_SHOWN = 20
# What was entered in a week and for the first time: every entry there ever was is looked at.
Said = tuple[list[dict[str, Any]], tuple[Sequence[Defect], Sequence[Defect]]]
_SAID: Final[Remembered[Said]] = Remembered("defects.")


@dataclass(frozen=True)
class Week:
    """From Monday 00:00 UTC to the next."""

    monday: date

    @classmethod
    def of(cls, text: str) -> Week | None:
        """The ISO week 2018-W20; None when the text names none."""
        found = WEEK.fullmatch(text.strip())
        try:
            return cls(date.fromisocalendar(int(found[1]), int(found[2]), 1)) if found else None
        except ValueError:
            return None

    @classmethod
    def at(cls, moment: datetime) -> Week:
        day = moment.astimezone(UTC).date()
        return cls(day - timedelta(days=day.weekday()))

    @property
    def name(self) -> str:
        year, week, _ = self.monday.isocalendar()
        return f"{year}-W{week:02d}"

    @property
    def begin(self) -> datetime:
        return datetime(self.monday.year, self.monday.month, self.monday.day, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        return self.begin + timedelta(days=7)

    @property
    def last_day(self) -> date:
        return self.monday + timedelta(days=6)

    @property
    def before(self) -> Week:
        return Week(self.monday - timedelta(days=7))

    @property
    def after(self) -> Week:
        return Week(self.monday + timedelta(days=7))


@dataclass(frozen=True)
class Report:
    week: Week
    runs: Sequence[Run]
    derived: Derived
    loss: LossTable | None
    required: str
    signed: Sequence[dict[str, Any]]
    older: Sequence[Run]
    older_count: int
    entered: Sequence[dict[str, Any]]
    first_seen: Sequence[Defect]
    defined: Sequence[Defect]

    def _sum(self, field: str) -> float | None:
        values = [getattr(run.summary, field) for run in self.runs if hasattr(run, "summary")]
        known = [value for value in values if value is not None]
        return sum(known) if known else None

    @property
    def recorded(self) -> float | None:
        return self._sum("recorded_inv_nb")

    @property
    def certified(self) -> float | None:
        return self._sum("good_inv_nb")

    @property
    def waiting(self) -> float | None:
        """Recorded in runs of which nothing is certified because a signature is missing."""
        held = [run.summary for run in self.runs if hasattr(run, "summary") and run.summary.open_systems]
        known = [each.recorded_inv_nb for each in held if not each.good_inv_nb and each.recorded_inv_nb is not None]
        return sum(known) if known else None

    @property
    def unit(self) -> str:
        """One unit for a column, so that its numbers can be compared."""
        return measure_of(self.loss).unit if self.loss is not None and self.loss.lost.recorded_inv_nb else ""

    @property
    def open_count(self) -> int:
        return sum(1 for run in self.runs if not hasattr(run, "summary") or run.summary.open_systems)


@never_cache
@require_safe
def weekly(request: HttpRequest) -> HttpResponse:
    """`?week=2018-W20`; left out, the week of the newest run."""
    permissions.require(permissions.can_view(request.user))
    asked, facts = request.GET.get("week", ""), Facts()
    week = Week.of(asked) or Week.at(facts.newest_start or timezone.now())
    wrong = bool(asked) and Week.of(asked) is None
    context = {"report": report_of(week, facts), "wrong": asked[:40] if wrong else ""}
    return render(request, "web/weekly.html", context, status=400 if wrong else 200)


def report_of(week: Week, facts: Facts) -> Report:
    taken = Run.objects.filter(started_at__gte=week.begin, started_at__lt=week.end)
    runs = list(taken.select_related("summary").defer("attributes").order_by("number"))
    older = _older(week)
    entered, (first_seen, defined) = _SAID.get(week, lambda: (_entered(week), _new_defects(week)))
    return Report(
        week=week,
        runs=runs,
        derived=derived(runs),
        loss=_loss(runs, facts),
        required=facts.main or "",
        signed=_signed(week),
        older=older,
        older_count=older[0].all_of_them if older else 0,  # type: ignore[attr-defined]
        entered=entered,
        first_seen=first_seen,
        defined=defined,
    )


def _older(week: Week) -> list[Run]:
    """The first of the runs of before that are open, each with how many these are."""
    before = Q(ended_at__lt=week.begin) | Q(ended_at=None, started_at__lt=week.begin)
    is_open = Q(summary__open_systems__gt=0) | Q(summary=None)
    rows = Run.objects.filter(before, is_open, last_lumisection__gt=0).select_related("summary").defer("attributes")
    counted = rows.annotate(all_of_them=Window(Count("pk")))
    return list(counted.order_by("-summary__recorded_inv_nb", "-number")[:OLDER_SHOWN])


def _loss(runs: Sequence[Run], facts: Facts) -> LossTable | None:
    """What the defects take away from these runs, signed or not; None where nothing stands for the experiment."""
    if facts.main is None or not runs:
        return None
    question = Question(require=(facts.main,), signed_off=False, meaning=facts.head)
    rows = [RunRow(run.pk, run.number, run.last_lumisection) for run in runs]
    return loss_in(case_at_head(question, rows, facts))


def _signed(week: Week) -> list[dict[str, Any]]:
    """By system: how often each stage was signed, and how often something was reopened."""
    acts = SignOff.objects.filter(at__gte=week.begin, at__lt=week.end).order_by()
    rows: Any = acts.values("system__code", "system__position").annotate(
        express=Count("id", filter=Q(action="sign", stage="express")),
        bulk=Count("id", filter=Q(action="sign", stage="bulk")),
        final=Count("id", filter=Q(action="sign", stage="final")),
        reopened=Count("id", filter=Q(action="reopen")),
        people=Count("by_name", distinct=True),
    )
    return sorted(rows, key=lambda row: (row["system__position"], row["system__code"]))


def _entered(week: Week) -> list[dict[str, Any]]:
    entries = Entry.objects.filter(entered_at__gte=week.begin, entered_at__lt=week.end).order_by()
    rows: Any = entries.values("defect__system__code", "defect__system__position").annotate(
        entries=Count("id"),
        defects=Count("defect_id", distinct=True),
        runs=Count("run_id", distinct=True),
        people=Count("user", distinct=True),
    )
    return sorted(rows, key=lambda row: (row["defect__system__position"], row["defect__system__code"]))


def _new_defects(week: Week) -> tuple[Sequence[Defect], Sequence[Defect]]:
    """Defects whose first entry ever was made in this week, each with the number of `runs` since, and those defined."""
    present = Q(entries__present=True)
    rows = Defect.objects.select_related("system").annotate(
        first=Min("entries__entered_at", filter=present), runs=Count("entries__run", distinct=True, filter=present)
    )
    within = (week.begin, week.end)
    seen = Q(first__gte=week.begin, first__lt=week.end)
    new = list(rows.filter(seen | Q(created_at__gte=week.begin, created_at__lt=week.end)).order_by("name"))
    first_seen = [each for each in new if each.first is not None and within[0] <= each.first < within[1]]
    defined = [each for each in new if within[0] <= each.created_at < within[1]]
    return first_seen[:SHOWN], defined[:SHOWN]
