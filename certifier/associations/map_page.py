"""The map of the runs of a system as a page shows it: where they lie is stored, what people say is asked now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.urls import reverse

from certifier.accounts.models import System
from certifier.defects.logic_at import logic_at
from certifier.defects.presence import present_in
from certifier.lumi import LumiSet
from certifier.review.selectors import signed_systems
from certifier.runs.models import Run

# What people say of a run, in the order of the legend: the state's mark, its word, and how it is drawn.
SAYS: Final = (
    ("bad", "with an intolerable defect", {"symbol": "square", "color": "var(--bad)"}),
    ("good", "signed, without one", {"symbol": "circle", "color": "var(--good)"}),
    ("unseen", "not signed yet", {"symbol": "circle-open", "color": "var(--unsure)"}),
)
WORDS: Final = {state: words for state, words, _ in SAYS}
WAYS: Final = ("to the right", "upwards")
NAMED: Final = 4


@dataclass(frozen=True)
class MappedRun:
    """A point: `says` is a state of `SAYS`, `defects` are present now, each with its lumisections and whether it is
    intolerable; `strange` is the distance from the plane, in the usual one."""

    number: int
    x: float
    y: float
    strange: float
    near: Sequence[int]
    started_at: datetime | None
    says: str
    defects: Sequence[tuple[str, LumiSet, bool]]

    @property
    def words(self) -> str:
        return WORDS[self.says]


def mapped_runs(system: System, points: Sequence[dict[str, Any]]) -> list[MappedRun]:
    """The latest run first. What machines say is not asked: a person who is to say what they see looks here too."""
    rows = {run.number: run for run in Run.objects.filter(number__in=[point["run"] for point in points])}
    known = [each for each in logic_at().definitions.primaries() if each.system == system.pk]
    present = present_in(list(rows.values()), [each.name for each in known])
    signed = signed_systems(run.pk for run in rows.values())
    found = []
    for point in sorted(points, key=lambda each: -each["run"]):
        run = rows[point["run"]]
        seen = [(each.name, present[run.number][each.name], each.intolerable) for each in known]
        defects = sorted((each for each in seen if each[1]), key=lambda each: (not each[2], -len(each[1]), each[0]))
        bad = any(intolerable for _, _, intolerable in defects)
        says = "bad" if bad else "good" if system.pk in signed[run.pk] else "unseen"
        found.append(
            MappedRun(
                run.number, point["x"], point["y"], point["strange"], point["near"], run.started_at, says, defects
            )
        )
    return found


@dataclass(frozen=True)
class Way:
    """A direction of the map: the share of the variance between runs that it has, and the elements that differ most
    along it with their shares, in percent."""

    name: str
    share: float
    moved_by: Sequence[tuple[str, float]]


def ways(result: dict[str, Any]) -> list[Way]:
    return [
        Way(name, 100 * share, [(element, 100 * part) for element, part in moved_by])
        for name, share, moved_by in zip(WAYS, result["explained"], result["moved_by"], strict=True)
    ]


def figure(system: System, runs: Sequence[MappedRun], chosen: int | None) -> dict[str, Any]:
    """For Plotly. A point leads to its run; the chosen one has a ring around it."""
    data = [_trace(system, [run for run in runs if run.says == says], words, look) for says, words, look in SAYS]
    data += [_ring(run) for run in runs if run.number == chosen]
    # Both directions in one scale: what is near in the picture is near.
    axis = {"showticklabels": False, "ticks": "", "zeroline": False, "showgrid": True}
    return {
        "data": data,
        "layout": {
            "xaxis": axis,
            "yaxis": axis | {"scaleanchor": "x", "scaleratio": 1},
            "margin": {"t": 28, "r": 12, "b": 16, "l": 16},
        },
    }


def _trace(system: System, runs: Sequence[MappedRun], words: str, look: dict[str, str]) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "markers", "name": f"{words} ({len(runs)})",
        "x": [_short(run.x) for run in runs], "y": [_short(run.y) for run in runs],
        "text": [_told(run) for run in runs],
        "customdata": [f"{reverse('web:run', args=[run.number])}?system={system.code}" for run in runs],
        "marker": look | {"size": 9, "opacity": 0.9, "line": {"width": 2 if look["symbol"].endswith("open") else 0}},
        "hovertemplate": "%{text}<extra></extra>",
    }  # fmt: skip


def _ring(run: MappedRun) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "markers", "name": f"run {run.number}", "x": [_short(run.x)], "y": [_short(run.y)],
        "hoverinfo": "skip",
        "marker": {"symbol": "circle-open", "size": 20, "color": "var(--accent)", "line": {"width": 2}},
    }  # fmt: skip


def _told(run: MappedRun) -> str:
    day = f", {run.started_at:%Y-%m-%d}" if run.started_at else ""
    named = [f"{name}: {len(where)} LS" for name, where, _ in run.defects[:NAMED]]
    if len(run.defects) > NAMED:
        named.append(f"and {len(run.defects) - NAMED} more")
    return "<br>".join([f"<b>run {run.number}</b>{day}", run.words, *named])


def _short(value: float) -> float:
    return float(f"{value:.5g}")
