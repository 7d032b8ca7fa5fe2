"""The weekly data-quality report: what was taken, signed, certified and lost, what is open, what was new. Printable."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Min, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from certifier.accounts import permissions
from certifier.defects.logic_at import logic_at
from certifier.defects.models import Defect, Entry
from certifier.goodruns.accounting import case_at_head, loss_in
from certifier.goodruns.building import Question, RunRow
from certifier.goodruns.loss_table import LossTable
from certifier.goodruns.main_defect import main_virtual_defect
from certifier.goodruns.measure import measure_of
from certifier.review.models import SignOff
from certifier.runs.models import Run

from .run_list import Derived, derived

WEEK = re.compile(r"(\d{4})-W(\d{2})")
SHOWN = 60
OLDER_SHOWN = 20


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
    first_seen: Sequence[dict[str, Any]]
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
    asked = request.GET.get("week", "")
    week = Week.of(asked) or _newest_week()
    wrong = bool(asked) and Week.of(asked) is None
    context = {"report": report_of(week), "wrong": asked[:40] if wrong else ""}
    return render(request, "web/weekly.html", context, status=400 if wrong else 200)


def _newest_week() -> Week:
    newest = Run.objects.aggregate(newest=Max("started_at"))["newest"]
    return Week.at(newest or timezone.now())


def report_of(week: Week) -> Report:
    taken = Run.objects.filter(started_at__gte=week.begin, started_at__lt=week.end)
    runs = list(taken.select_related("summary").defer("attributes").order_by("number"))
    loss, required = _loss(runs)
    open_runs = (
        Run.objects.filter(Q(ended_at__lt=week.begin) | Q(ended_at=None, started_at__lt=week.begin))
        .filter(Q(summary__open_systems__gt=0) | Q(summary=None), last_lumisection__gt=0)
        .select_related("summary")
        .defer("attributes")
    )
    older = list(open_runs.order_by("-summary__recorded_inv_nb", "-number")[: OLDER_SHOWN + 1])
    return Report(
        week=week,
        runs=runs,
        derived=derived(runs),
        loss=loss,
        required=required,
        signed=_signed(week),
        older=older[:OLDER_SHOWN],
        older_count=open_runs.count() if len(older) > OLDER_SHOWN else len(older),
        entered=_entered(week),
        first_seen=_first_seen(week),
        defined=list(
            Defect.objects.filter(created_at__gte=week.begin, created_at__lt=week.end).select_related("system")[:SHOWN]
        ),
    )


def _loss(runs: Sequence[Run]) -> tuple[LossTable | None, str]:
    """What the defects take away from these runs, signed or not; None where nothing stands for the experiment."""
    meaning = logic_at()
    main = main_virtual_defect(meaning)
    if main is None or not runs:
        return None, main or ""
    question = Question(require=(main,), signed_off=False, meaning=meaning)
    return loss_in(case_at_head(question, [RunRow(run.pk, run.number, run.last_lumisection) for run in runs])), main


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


def _first_seen(week: Week) -> list[dict[str, Any]]:
    """Defects whose first entry ever was made in this week, with how much was entered of them since."""
    rows = Entry.objects.filter(present=True).order_by().values("defect_id", "defect__name", "defect__intolerable")
    firsts: Any = rows.annotate(first=Min("entered_at"), runs=Count("run_id", distinct=True))
    return list(firsts.filter(first__gte=week.begin, first__lt=week.end).order_by("defect__name")[:SHOWN])
