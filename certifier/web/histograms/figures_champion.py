"""Figures of what a champion expects, as Plotly takes them: bands of quantiles with what was measured, and errors."""

from __future__ import annotations

from typing import Any, Final

from certifier.lumi import LumiSet
from certifier.monitoring.models import Element
from certifier.web.templatetags.histograms import axis_words

INK, BAND = "var(--ink)", "color-mix(in srgb, var(--accent) {share}%, transparent)"
LINES: Final = ("var(--accent)", "var(--unsure)", "var(--flag)", "var(--good)", "var(--luminosity)")


def forecast(element: Element, result: dict[str, Any], chosen: LumiSet) -> dict[str, Any]:
    """A quantity along the lumisections in the bands of its forecast; what lies outside in red."""
    x, value = result["lumisection"], result["value"]
    low, high = result["quantiles"][0], result["quantiles"][-1]
    outside = [
        v is not None and a is not None and b is not None and not a <= v <= b
        for v, a, b in zip(value, low, high, strict=True)
    ]
    data = [*_bands(x, result), _measured(x, value, outside)]
    unit = element.axes[0]["unit"]
    layout = _layout("lumisection", f"{element.axes[0]['name']} [{unit}]" if unit else element.axes[0]["name"])
    layout["shapes"] = [
        {
            "type": "rect", "xref": "x", "yref": "paper", "x0": first - 0.5, "x1": last + 0.5, "y0": 0, "y1": 1,
            "line": {"color": "var(--ink)", "width": 1.2, "dash": "dash"},
        }
        for first, last in chosen.ranges()[:40]
    ]  # fmt: skip
    return {"data": data, "layout": layout}


def readings(element: Element, result: dict[str, Any]) -> dict[str, Any]:
    """Readings of a few lumisections, one after the other, in the bands of their forecast."""
    x, value = result["time"], result["value"]
    low, high = result["quantiles"][0], result["quantiles"][-1]
    outside = [
        v is not None and a is not None and b is not None and not a <= v <= b
        for v, a, b in zip(value, low, high, strict=True)
    ]
    data = [*_bands(x, result), _measured(x, value, outside)]
    return {"data": data, "layout": _layout("lumisection", f"reading, along {axis_words(element.axes[0])}")}


def share(result: dict[str, Any]) -> dict[str, Any]:
    """The share of the readings of each lumisection outside their forecast; the line is what would be usual."""
    x = result["lumisection"]
    points = {
        "type": "scatter", "mode": "markers", "name": "outside", "x": x, "y": result["share"],
        "marker": {"color": "var(--accent)", "size": 4.5}, "hovertemplate": "LS %{x}: %{y:.0%}<extra></extra>",
    }  # fmt: skip
    usual = {
        "type": "scatter", "mode": "lines", "name": "usual", "x": [x[0], x[-1]] if x else [],
        "y": [result["expected_share"]] * (2 if x else 0), "line": {"color": "var(--ink2)", "width": 1, "dash": "dash"},
        "hoverinfo": "skip",
    }  # fmt: skip
    layout = _layout("lumisection", "readings outside 5 to 95%")
    layout["yaxis"] |= {"tickformat": ".0%", "rangemode": "tozero"}
    return {"data": [points, usual], "layout": layout}


def errors(result: dict[str, Any]) -> dict[str, Any]:
    """The mean squared error of each element against the lumisection, its limit dashed, spikes shaded."""
    data: list[dict[str, Any]] = []
    shapes: list[dict[str, Any]] = []
    colour = {each["element"]: LINES[place % len(LINES)] for place, each in enumerate(result["elements"])}
    for each in result["elements"]:
        name, line = each["element"], colour[each["element"]]
        data.append(
            {
                "type": "scatter", "mode": "lines+markers", "name": name, "x": result["lumisection"],
                "y": each["error"], "line": {"color": line, "width": 1.1}, "marker": {"size": 3.5},
                "hovertemplate": f"LS %{{x}}: %{{y:.3~g}}<extra>{name}</extra>",
            }
        )  # fmt: skip
        shapes.append(
            {
                "type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": each["limit"], "y1": each["limit"],
                "line": {"color": line, "width": 1, "dash": "dash"},
            }
        )  # fmt: skip
    for spike in result["spikes"]:
        shapes.append(
            {
                "type": "rect", "xref": "x", "yref": "paper", "x0": spike["first"] - 0.5, "x1": spike["last"] + 0.5,
                "y0": 0, "y1": 1, "line": {"width": 0}, "opacity": 0.18,
                "fillcolor": colour[spike["element"]], "layer": "below",
            }
        )  # fmt: skip
    layout = _layout("lumisection", "mean squared error")
    layout["yaxis"]["type"] = "log"
    layout |= {"shapes": shapes, "showlegend": True, "legend": {"orientation": "h", "y": 1.16, "x": 0}}
    return {"data": data, "layout": layout}


def _bands(x: list[float], result: dict[str, Any]) -> list[dict[str, Any]]:
    """From the outermost pair of quantiles inwards, each a little darker, and the median as a line."""
    quantiles, levels = result["quantiles"], result["levels"]
    found: list[dict[str, Any]] = []
    for place in range(len(levels) // 2):
        low, high = quantiles[place], quantiles[-1 - place]
        colour = BAND.format(share=16 + 14 * place)
        words = f"{levels[place]:.0%} to {levels[-1 - place]:.0%}"
        edge = {"type": "scatter", "mode": "lines", "x": x, "line": {"width": 0, "color": colour}, "hoverinfo": "skip"}
        found.append({**edge, "y": low, "name": f"{words}, low", "showlegend": False})
        found.append({**edge, "y": high, "name": words, "fill": "tonexty", "fillcolor": colour})
    middle = quantiles[len(levels) // 2]
    line = {"color": "var(--accent)", "width": 1.2}
    found.append(
        {"type": "scatter", "mode": "lines", "name": "median", "x": x, "y": middle, "line": line, "hoverinfo": "skip"}
    )
    return found


def _measured(x: list[float], value: list[float | None], outside: list[bool]) -> dict[str, Any]:
    return {
        "type": "scatter", "mode": "markers", "name": "measured", "x": x, "y": value,
        "marker": {"color": ["var(--bad)" if each else INK for each in outside],
                   "size": [6 if each else 3.5 for each in outside]},
        "hovertemplate": "%{x:.4~g}: %{y:.5~g}<extra></extra>",
    }  # fmt: skip


def _layout(x: str, y: str) -> dict[str, Any]:
    return {
        "xaxis": {"title": {"text": x}, "zeroline": False},
        "yaxis": {"title": {"text": y}, "zeroline": False},
        "showlegend": True,
        "legend": {"orientation": "h", "y": 1.14, "x": 0},
        "hovermode": "closest",
    }
