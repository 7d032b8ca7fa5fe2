"""The figures of a guarantee for Plotly: what the audit proves run after run, and what experts overturned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .realised import Side

LINE = {"shape": "hv"}


def proof_plot(side: Side) -> dict[str, Any] | None:
    """The rate and its bounds as the runs were answered; the limit as a line. None before the first answer."""
    if not side.series:
        return None
    runs = [str(run) for run, *_ in side.series]
    columns = list(zip(*side.series, strict=True))
    estimate, lower, upper = ([100 * value for value in column] for column in columns[1:])
    data = [
        _line(runs, upper, "upper bound", "var(--ink2)", dash="dot"),
        _line(runs, lower, "lower bound", "var(--ink2)", dash="dot", fill="tonexty"),
        _line(runs, estimate, side.name, "var(--accent)"),
    ]
    highest = max(*estimate, 100 * (side.limit or 0.0))
    if side.limit is not None:
        data.append(_line(runs, [100 * side.limit] * len(runs), "limit", "var(--bad)", dash="dash"))
    return {
        "data": data,
        "layout": {
            "xaxis": {"type": "category", "title": {"text": "run"}, "nticks": 8},
            # The upper bound begins at 100%: the axis shows what matters against the limit.
            "yaxis": {"title": {"text": f"{side.name}, %"}, "range": [0, min(max(3 * highest, 1.0), 102)]},
            "legend": {"orientation": "h", "y": 1.15},
            "margin": {"t": 28, "r": 12, "b": 44, "l": 52},
        },
    }


def overturned_plot(overturned: Mapping[str, Any]) -> dict[str, Any] | None:
    """By run, the share of the verdicts that experts saw and did not agree with."""
    if not overturned["runs"]:
        return None
    return {
        "data": [
            {
                "type": "bar",
                "name": "overturned",
                "x": [str(run) for run in overturned["runs"]],
                "y": [100 * share for share in overturned["shares"]],
                "marker": {"color": "var(--unsure)"},
                "hovertemplate": "run %{x}: %{y:.1f}%<extra></extra>",
            }
        ],
        "layout": {
            "xaxis": {"type": "category", "title": {"text": "run"}, "nticks": 8},
            "yaxis": {"title": {"text": "overturned, %"}, "rangemode": "tozero"},
            "bargap": 0.3,
            "margin": {"t": 12, "r": 12, "b": 44, "l": 52},
        },
    }


def _line(
    x: list[str], y: list[float], name: str, colour: str, *, dash: str = "solid", fill: str = ""
) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "scatter",
        "mode": "lines+markers" if len(x) == 1 else "lines",
        "name": name,
        "x": x,
        "y": y,
        "line": {**LINE, "color": colour, "dash": dash, "width": 2 if dash == "solid" else 1.5},
        "hovertemplate": f"run %{{x}}: {name} %{{y:.3g}}%<extra></extra>",
    }
    if fill:
        found |= {"fill": fill, "fillcolor": "var(--accent-wash)"}
    return found
