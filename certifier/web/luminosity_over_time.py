"""Recorded and certified luminosity as they add up over time: the curve, and the table that says the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from typing import Any

from certifier.goodruns.models import RunSummary

from .templatetags.luminosity import ROUNDS_TO_ONE, UNITS

NO_TIME = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class RunLuminosity:
    """Of one run, in inverse nanobarn; None is not known."""

    number: int
    started_at: datetime | None
    ended_at: datetime | None
    project: str
    period: str
    recorded: float | None
    certified: float | None


@dataclass(frozen=True)
class PeriodRow:
    """`runs` counts those whose luminosity is known; `unknown` the others."""

    name: str
    runs: int
    unknown: int
    recorded: float
    certified: float

    @property
    def share(self) -> float | None:
        return self.certified / self.recorded if self.recorded else None


@dataclass(frozen=True)
class OverTime:
    periods: Sequence[PeriodRow]
    total: PeriodRow
    plot: dict[str, Any]


def luminosity_over_time() -> OverTime | None:
    """Over all runs, from their summaries, in one query; None where no luminosity is known."""
    of_run = [f"run__{name}" for name in ("number", "started_at", "ended_at", "project", "period")]
    rows = RunSummary.objects.order_by("run__number").values_list(*of_run, "recorded_inv_nb", "good_inv_nb")
    return over_time([RunLuminosity(*row) for row in rows])


def over_time(runs: Sequence[RunLuminosity]) -> OverTime | None:
    known = [run for run in runs if run.recorded is not None]
    if not known:
        return None
    return OverTime(_periods(runs), _row("together", runs), _plot(known))


def _periods(runs: Iterable[RunLuminosity]) -> list[PeriodRow]:
    """In the order in which they began, runs without a period last."""
    groups: dict[tuple[str, str], list[RunLuminosity]] = {}
    for run in runs:
        groups.setdefault((run.project, run.period), []).append(run)
    projects = {project for project, _ in groups}
    ordered = sorted(groups.items(), key=lambda item: (not item[0][1], item[1][0].number))
    return [_row(_name(project, period, many=len(projects) > 1), group) for (project, period), group in ordered]


def _name(project: str, period: str, *, many: bool) -> str:
    words = [project if many else "", period]
    return " ".join(word for word in words if word) or "no period"


def _row(name: str, runs: Sequence[RunLuminosity]) -> PeriodRow:
    known = [run for run in runs if run.recorded is not None]
    return PeriodRow(
        name=name,
        runs=len(known),
        unknown=len(runs) - len(known),
        recorded=sum(run.recorded or 0.0 for run in known),
        certified=sum(run.certified or 0.0 for run in known),
    )


def _plot(runs: Sequence[RunLuminosity]) -> dict[str, Any]:
    """Each sum grows from the start to the end of a run; against run numbers where a start is not known."""
    dated = all(run.started_at is not None for run in runs)
    ordered = sorted(runs, key=_start) if dated else list(runs)
    x: list[str | int] = []
    for run in ordered:
        start, end = _start(run), _end(run)
        x += [start.isoformat(), end.isoformat()] if dated else [run.number, run.number]
    recorded = list(accumulate(run.recorded or 0.0 for run in ordered))
    certified = list(accumulate(run.certified or 0.0 for run in ordered))
    unit = next((unit for unit, size in UNITS.items() if recorded[-1] / size >= ROUNDS_TO_ONE), "/nb")
    text = [word for run in ordered for word in ("", f"run {run.number}")]

    def curve(name: str, sums: Sequence[float], colour: str, share: int) -> dict[str, Any]:
        corners = [value for before, after in pairwise([0.0, *sums]) for value in (before, after)]
        return {
            "type": "scatter", "mode": "lines", "name": name, "x": x, "text": text,
            "y": [round(value / UNITS[unit], 4) for value in corners],
            "line": {"color": f"var({colour})", "width": 2},
            "fill": "tozeroy", "fillcolor": f"color-mix(in srgb, var({colour}) {share}%, transparent)",
            "hovertemplate": f"%{{text}}<br>%{{y:.4~g}} {unit} {name}<extra></extra>",
        }  # fmt: skip

    layout = {
        "yaxis": {"title": {"text": f"integrated, {unit}"}, "rangemode": "tozero"},
        "xaxis": {} if dated else {"title": {"text": "run"}},
    }
    curves = [curve("recorded", recorded, "--flag", 18), curve("certified", certified, "--good", 22)]
    return {"data": curves, "layout": layout}


def _start(run: RunLuminosity) -> datetime:
    return run.started_at or NO_TIME


def _end(run: RunLuminosity) -> datetime:
    return max(run.ended_at or NO_TIME, _start(run))
