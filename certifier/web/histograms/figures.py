"""The figures of an element as Plotly takes them. Colours are tokens, so they follow the theme."""

from __future__ import annotations

from typing import Any

import numpy as np

from certifier.lumi import LumiSet
from certifier.monitoring.comparison import FloatArray, Windows
from certifier.monitoring.models import Element
from certifier.web.templatetags.histograms import WRONG, axis_words

# Pulls beyond this have the same colour: they are all wrong.
LARGEST_PULL = 10.0
MANY = [[0, "var(--panel)"], [0.02, "color-mix(in srgb, var(--luminosity) 18%, var(--panel))"], [1, "var(--accent)"]]
EITHER_WAY = [[0, "var(--accent)"], [0.5, "var(--panel)"], [1, "var(--bad)"]]
BAR = {"thickness": 10, "outlinewidth": 0, "tickfont": {"size": 11, "color": "var(--ink2)"}, "len": 0.95}


def overlay(
    element: Element, counts: FloatArray, mean: FloatArray | None, pulls: FloatArray | None, panel: str
) -> dict[str, Any]:
    """Bars with the expected as a line; below them ratio or pulls."""
    axis = element.axes[0]
    edges = np.asarray(axis["edges"])
    x = ((edges[1:] + edges[:-1]) / 2).tolist()
    width = np.diff(edges).tolist()
    wrong = np.abs(pulls) >= WRONG if pulls is not None else np.zeros(len(x), dtype=bool)
    colours = ["var(--bad)" if each else "var(--luminosity)" for each in wrong]
    data: list[dict[str, Any]] = [
        {
            "type": "bar", "name": "observed", "x": x, "y": _short(counts), "width": width,
            "marker": {"color": colours, "line": {"width": 0}}, "hovertemplate": "%{x:.4~g}: %{y:,.4~g}<extra></extra>",
        }
    ]  # fmt: skip
    layout: dict[str, Any] = {
        "bargap": 0.06, "showlegend": False, "hovermode": "x",
        "yaxis": {"title": {"text": "entries"}, "rangemode": "tozero"},
        "xaxis": {"title": {"text": axis_words(axis)}, "zeroline": False},
    }  # fmt: skip
    if mean is None or pulls is None:
        return {"data": data, "layout": layout}
    data.append(
        {
            "type": "scatter", "mode": "lines", "name": "expected", "x": edges.tolist(),
            "y": _short(np.r_[mean, mean[-1:]]), "line": {"shape": "hv", "color": "var(--ink)", "width": 1.4},
            "hovertemplate": "expected %{y:,.4~g}<extra></extra>",
        }
    )  # fmt: skip
    below = _ratio(x, counts, mean) if panel == "ratio" else _pulls(x, width, pulls, colours)
    data.append({**below, "yaxis": "y2"})
    layout["yaxis"]["domain"] = [0.32, 1]
    # What is beyond is cut off: one spike would make all the others flat.
    span = float(np.clip(np.abs(pulls).max(initial=0.0), WRONG, 5 * WRONG)) * 1.08
    layout["yaxis2"] = {
        "domain": [0, 0.26],
        "title": {"text": "ratio" if panel == "ratio" else "pull"},
        "nticks": 5,
        **({"range": [0, 2]} if panel == "ratio" else {"range": [-span, span]}),
    }
    layout["xaxis"]["anchor"] = "y2"
    return {"data": data, "layout": layout}


def _ratio(x: list[float], counts: FloatArray, mean: FloatArray) -> dict[str, Any]:
    known = mean > 0
    ratio = np.where(known, counts / np.maximum(mean, 1e-9), np.nan)
    error = np.where(known, np.sqrt(np.maximum(counts, 1.0)) / np.maximum(mean, 1e-9), np.nan)
    return {
        "type": "scatter", "mode": "markers", "name": "ratio", "x": x, "y": _short(np.clip(ratio, 0, 20)),
        "error_y": {"type": "data", "array": _short(error), "color": "var(--flag)", "thickness": 1, "width": 0},
        "marker": {"color": "var(--accent)", "size": 4.5}, "hovertemplate": "ratio %{y:.3f}<extra></extra>",
    }  # fmt: skip


def _pulls(x: list[float], width: list[float], pulls: FloatArray, colours: list[str]) -> dict[str, Any]:
    return {
        "type": "bar", "name": "pull", "x": x, "y": _short(pulls), "width": width,
        "marker": {"color": colours, "line": {"width": 0}}, "hovertemplate": "pull %{y:+.1f}<extra></extra>",
    }  # fmt: skip


def map_(
    element: Element, counts: FloatArray, mean: FloatArray | None, pulls: FloatArray | None, panel: str
) -> dict[str, Any]:
    """A map of counts, and beside it ratio or pulls. Further axes are summed, or the largest pull is shown."""
    bins = element.bins
    across, up = element.axes[:2]
    values = counts.reshape(*bins[:2], -1).sum(axis=2)
    data = [{**_map(element, values), "colorscale": MANY, "zmin": 0, "colorbar": {**BAR, "x": 0.41}, "name": "counts"}]
    layout: dict[str, Any] = {
        "xaxis": {"title": {"text": axis_words(across)}, "domain": [0, 0.405]},
        "yaxis": {"title": {"text": axis_words(up)}, "showgrid": False, "zeroline": False},
    }
    if mean is None or pulls is None:
        data[0]["colorbar"] = {**BAR}
        del layout["xaxis"]["domain"]
        return {"data": data, "layout": layout}
    if panel == "ratio":
        expected = mean.reshape(*bins[:2], -1).sum(axis=2)
        other, span, middle = np.where(expected > 0, values / np.maximum(expected, 1e-9), np.nan), 1.0, 1.0
    else:
        other, span, middle = _largest(pulls.reshape(*bins[:2], -1)), LARGEST_PULL, 0.0
    data.append(
        {
            **_map(element, other), "colorscale": EITHER_WAY, "zmin": middle - span, "zmax": middle + span,
            "xaxis": "x2", "yaxis": "y2", "colorbar": BAR, "name": panel,
        }
    )  # fmt: skip
    layout["xaxis2"] = {"title": {"text": axis_words(across)}, "domain": [0.56, 1], "anchor": "y2", "showgrid": False}
    layout["yaxis2"] = {"anchor": "x2", "showgrid": False, "zeroline": False}
    layout["annotations"] = [
        _caption("observed", 0.0), _caption("observed / expected" if panel == "ratio" else "pull", 0.56)
    ]  # fmt: skip
    layout["margin"] = {"t": 30}
    return {"data": data, "layout": layout}


def _map(element: Element, values: FloatArray) -> dict[str, Any]:
    across, up = element.axes[:2]
    return {
        "type": "heatmap", "x": across["edges"], "y": up["edges"], "z": [_short(column) for column in values.T],
        "hovertemplate": f"{across['name']} %{{x:.3~g}}, {up['name']} %{{y:.3~g}}: %{{z:.4~g}}<extra></extra>",
    }  # fmt: skip


def _largest(pulls: FloatArray) -> FloatArray:
    place = np.argmax(np.abs(pulls), axis=2)
    return np.take_along_axis(pulls, place[:, :, None], axis=2)[:, :, 0]


def _caption(text: str, x: float) -> dict[str, Any]:
    return {
        "text": text, "x": x, "y": 1, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom",
        "showarrow": False, "font": {"size": 12, "color": "var(--ink2)"},
    }  # fmt: skip


def picture(element: Element, columns: Windows, values: FloatArray, shown: str, marked: LumiSet) -> dict[str, Any]:
    """Lumisections across, bins up; the chosen lumisections between dashed lines."""
    axis = element.axes[0]
    # A gap in the lumisections is a column of nothing, not a wide neighbour.
    x, z = _with_gaps(columns, values)
    trace: dict[str, Any] = {
        "type": "heatmap", "x": x, "y": axis["edges"], "z": [_short(row) for row in z.T], "colorbar": BAR,
        "hoverongaps": False,
        "hovertemplate": f"LS %{{x:.0f}}, {axis['name']} %{{y:.4~g}}: %{{z:.4~g}}<extra></extra>",
    }  # fmt: skip
    if shown == "counts":
        trace |= {"colorscale": MANY, "zmin": 0}
    else:
        span, middle = (LARGEST_PULL, 0.0) if shown == "pull" else (1.0, 1.0)
        trace |= {"colorscale": EITHER_WAY, "zmin": middle - span, "zmax": middle + span}
    edges = [
        {
            "type": "rect", "xref": "x", "yref": "paper", "x0": first - 0.5, "x1": last + 0.5, "y0": 0, "y1": 1,
            "line": {"color": "var(--ink)", "width": 1.2, "dash": "dash"}, "layer": "above",
        }
        for first, last in marked.ranges()[:40]
    ]  # fmt: skip
    layout = {
        "xaxis": {"title": {"text": "lumisection"}, "zeroline": False},
        "yaxis": {"title": {"text": axis_words(axis)}, "showgrid": False, "zeroline": False},
        "shapes": edges,
    }
    return {"data": [trace], "layout": layout}


def _with_gaps(columns: Windows, values: FloatArray) -> tuple[list[float], FloatArray]:
    x, z = [float(columns.first[0]) - 0.5], []
    for first, last, column in zip(columns.first, columns.last, values, strict=True):
        if first - 0.5 > x[-1]:
            x.append(float(first) - 0.5)
            z.append(np.full(len(column), np.nan))
        x.append(float(last) + 0.5)
        z.append(column)
    return x, np.array(z)


def trend(
    across: FloatArray, values: FloatArray, lumisections: Any, chosen: Any, *, x: str, y: str
) -> dict[str, Any] | None:
    """One point per lumisection, the chosen ones in the colour of a selection."""
    known = np.isfinite(across) & np.isfinite(values)
    if not known.any():
        return None
    data = []
    for name, mask, colour, size in (
        ("others", known & ~chosen, "var(--flag)", 4),
        ("chosen", known & chosen, "var(--bad)", 6.5),
    ):
        if mask.any():
            data.append(
                {
                    "type": "scatter", "mode": "markers", "name": name, "x": _short(across[mask]),
                    "y": _short(values[mask]), "text": [f"LS {number}" for number in lumisections[mask]],
                    "marker": {"color": colour, "size": size, "opacity": 0.75},
                    "hovertemplate": "%{text}<br>%{x:.4~g}, %{y:.4~g}<extra></extra>",
                }
            )  # fmt: skip
    unit = " [/nb per lumisection]" if x == "recorded luminosity" else ""
    layout = {"showlegend": False, "xaxis": {"title": {"text": f"{x}{unit}"}}, "yaxis": {"title": {"text": y}}}
    return {"data": data, "layout": layout}


def _short(values: FloatArray) -> list[float | None]:
    """Four digits, null for NaN: what a figure shows, and a third of the bytes."""
    return [None if value != value else float(f"{value:.4g}") for value in np.asarray(values, dtype=float).tolist()]  # noqa: PLR0124
