"""The figure of a picture for Plotly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mlcore.trending import profile

from .drawing import Picture

if TYPE_CHECKING:
    from mlcore.trending.relation import Relation

# More points than a screen can tell apart; the file of all of them is one click away.
DRAWN_AT_MOST: Final = 6_000
DIGITS: Final = 6
BINS: Final = 20
# Quantities that are moments: their axis shows dates.
MOMENTS: Final = frozenset({"start"})


def figure(picture: Picture, curve: Relation | None = None) -> dict[str, Any] | None:
    """With a curve and its errors, where there is one. None where there is nothing to draw."""
    if not len(picture.points):
        return None
    if picture.points.x is None:
        return _distribution(picture)
    data = [_points(picture)]
    if curve is not None:
        data = [*_curve(picture, curve), *data]
    elif len(picture.points) > 2 * BINS:
        data.append(_profile(picture))
    if _is_along_time(picture):
        data = [*_band(picture), *data]
    return {"data": data, "layout": _layout(picture)}


def _is_along_time(picture: Picture) -> bool:
    """Whether x only grows with the rows: then the band of what was before can be drawn beside the points."""
    x = picture.points.x
    return x is not None and len(x) > 1 and bool((np.diff(x) > 0).all())


def thinned(picture: Picture) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Places of the points that are drawn: all, or evenly spread ones and every one outside the band."""
    count = len(picture.points)
    if count <= DRAWN_AT_MOST:
        return np.arange(count)
    even = np.linspace(0, count - 1, DRAWN_AT_MOST).astype(np.intp)
    return np.union1d(even, np.flatnonzero(picture.band.outside)[-DRAWN_AT_MOST:])


def _points(picture: Picture) -> dict[str, Any]:
    points, table = picture.points, picture.table
    places = thinned(picture)
    rows = points.rows[places]
    names = [
        f"run {run}" + (f", LS {number}" if number else "")
        for run, number in zip(table.run[rows].tolist(), table.lumisection[rows].tolist(), strict=True)
    ]
    outside = picture.band.outside[places] & _is_along_time(picture)
    marker: dict[str, Any] = {
        "size": 7 if len(places) < 500 else 4,
        "symbol": ["square" if each else "circle" for each in outside.tolist()],
    }
    if points.colour is not None:
        marker |= {
            "color": _numbers(points.colour[places]),
            "colorscale": "Viridis",
            "colorbar": {
                "title": {"text": picture.draw.colour.text if picture.draw.colour else ""},
                "thickness": 12,
                "tickformat": ".6~g",
            },
        }
    else:
        marker["color"] = ["var(--bad)" if each else "var(--accent)" for each in outside.tolist()]
    assert points.x is not None
    return {
        "type": "scatter", "mode": "markers", "name": "points", "showlegend": False,
        "x": _axis(points.x[places], _is_moment(picture)), "y": _numbers(points.y[places]), "text": names,
        "marker": marker, "hovertemplate": "%{text}<br>%{y:.5~g}<extra></extra>",
    }  # fmt: skip


def _profile(picture: Picture) -> dict[str, Any]:
    found = profile(picture.points, BINS)
    filled = found.count > 0
    centres = (found.edges[:-1] + found.edges[1:]) / 2
    return {
        "type": "scatter", "mode": "lines+markers", "name": "mean in bins of x",
        "x": _axis(centres[filled], _is_moment(picture)), "y": _numbers(found.mean[filled]),
        "error_y": {"type": "data", "array": _numbers(np.nan_to_num(found.error[filled])), "thickness": 1, "width": 3},
        "line": {"color": "var(--ink2)", "width": 1},
        "marker": {"color": "var(--ink2)", "symbol": "diamond", "size": 6},
        "hovertemplate": "%{y:.5~g}<extra>mean</extra>",
    }  # fmt: skip


def _band(picture: Picture) -> list[dict[str, Any]]:
    known = ~np.isnan(picture.band.centre)
    if not known.any() or picture.points.x is None:
        return []
    places = thinned(picture)
    places = places[known[places]]
    x = _axis(picture.points.x[places], _is_moment(picture))
    line = {"type": "scatter", "mode": "lines", "x": x, "hoverinfo": "skip", "line": {"width": 0}}
    return [
        line | {"y": _numbers(picture.band.low[places]), "showlegend": False},
        line
        | {
            "y": _numbers(picture.band.high[places]),
            "name": f"band of the runs before, ±{picture.asked.sigmas:g} σ",
            "fill": "tonexty",
            "fillcolor": "color-mix(in srgb, var(--accent) 14%, transparent)",
        },
    ]


def _curve(picture: Picture, found: Relation) -> list[dict[str, Any]]:
    """Between which 95% and 68% of new points lie, and the middle."""
    x = _axis(found.x, _is_moment(picture))
    line = {"type": "scatter", "mode": "lines", "x": x, "hoverinfo": "skip", "line": {"width": 0}}
    bands: list[dict[str, Any]] = []
    for (low, high), share, part in ((found.outer, 95, 12), (found.inner, 68, 22)):
        bands += [
            line | {"y": _finite(low), "showlegend": False},
            line
            | {
                "y": _finite(high),
                "name": f"{share}% of new points",
                "fill": "tonexty",
                "fillcolor": f"color-mix(in srgb, var(--unsure) {part}%, transparent)",
            },
        ]
    middle = line | {"y": _numbers(found.middle), "name": "curve", "line": {"color": "var(--unsure-ink)", "width": 2}}
    return [*bands, middle]


def _finite(values: Any) -> list[float | None]:
    """A band that no number of points could hold has no edge."""
    return [float(value) if np.isfinite(value) else None for value in values]


def _distribution(picture: Picture) -> dict[str, Any]:
    counts, edges = np.histogram(picture.points.y, bins=min(60, max(10, int(np.sqrt(len(picture.points))))))
    return {
        "data": [
            {
                "type": "bar", "x": _numbers((edges[:-1] + edges[1:]) / 2), "y": counts.tolist(),
                "width": _numbers(np.diff(edges)), "marker": {"color": "var(--accent)"},
                "hovertemplate": "%{x:.5~g}: %{y}<extra></extra>",
            }
        ],
        "layout": {
            "xaxis": {"title": {"text": picture.draw.y.text}},
            "yaxis": {"title": {"text": f"{picture.asked.per.label}s"}},
            "bargap": 0,
            "margin": {"t": 12, "r": 12, "b": 48, "l": 60},
        },
    }  # fmt: skip


def _layout(picture: Picture) -> dict[str, Any]:
    x: dict[str, Any] = {"title": {"text": picture.draw.x.text if picture.draw.x else ""}, "tickformat": ".6~g"}
    if _is_moment(picture):
        x |= {"type": "date", "tickformat": None}
    return {
        "xaxis": x,
        "yaxis": {"title": {"text": picture.draw.y.text}},
        "legend": {"orientation": "h", "y": 1.12},
        "margin": {"t": 28, "r": 12, "b": 48, "l": 60},
    }


def _is_moment(picture: Picture) -> bool:
    return picture.draw.x is not None and picture.draw.x.names == tuple(MOMENTS) and picture.draw.x.text in MOMENTS


def _axis(values: Any, is_moment: bool) -> list[Any]:
    # Plotly's dates are milliseconds since 1970, in UTC.
    return (np.asarray(values) * 1000).round().tolist() if is_moment else _numbers(values)


def _numbers(values: Any) -> list[float | None]:
    """Six digits: what a screen shows, in half the bytes."""
    return [None if value != value else float(f"{value:.{DIGITS}g}") for value in np.asarray(values).tolist()]  # noqa: PLR0124
