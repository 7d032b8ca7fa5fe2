"""How networks learned, epoch by epoch: the figure for Plotly."""

from __future__ import annotations

from typing import Any, Final

LINES: Final = ("var(--accent)", "var(--unsure)", "var(--flag)", "var(--good)", "var(--luminosity)")
NAMES: Final = {"loss": "y", "watched_loss": "y", "accuracy": "y2", "watched_accuracy": "y2"}


def figure(result: dict[str, Any]) -> dict[str, Any]:
    """Loss, and where it was kept accuracy, against the epoch: what was learned from, and dashed what was watched."""
    data = [
        {
            "type": "scatter", "mode": "lines", "name": f"{each['title']}: {name.replace('_', ' ')}",
            "x": list(range(1, len(each[name]) + 1)), "y": each[name], "yaxis": axis,
            "line": {"color": LINES[place % len(LINES)], "dash": "dash" if name.startswith("watched") else "solid",
                     "width": 1.6 if axis == "y" else 1.1},
            "hovertemplate": f"epoch %{{x}}: %{{y:.4~g}}<extra>{name.replace('_', ' ')}</extra>",
        }
        for place, each in enumerate(result["curves"])
        for name, axis in NAMES.items()
        if any(value is not None for value in each.get(name, ()))
    ]  # fmt: skip
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": "epoch"}, "zeroline": False},
        "yaxis": {"title": {"text": "loss"}, "type": "log", "domain": [0, 1]},
        "showlegend": True,
        "legend": {"orientation": "h", "y": 1.2, "x": 0},
    }
    if any(trace["yaxis"] == "y2" for trace in data):
        layout["yaxis"]["domain"] = [0, 0.46]
        layout["yaxis2"] = {"title": {"text": "right answers"}, "domain": [0.54, 1], "tickformat": ".0%"}
    return {"data": data, "layout": layout}
