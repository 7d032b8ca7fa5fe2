"""Histograms as JSON, both ways: what GET answers can be sent back by POST."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from certifier.audit.errors import ErrorItem
from certifier.lumi import LumiError, LumiSet
from mlcore.conditions import Conditions, FloatArray
from mlcore.errors import MlcoreError
from mlcore.histograms import Axis, HistogramBlock

from . import axes
from .checks import MOST_BINS, refuse
from .models import Element

FIELDS: Final = {"element", "physics_object", "axes", "lumisections", "counts", "flow"}
NEEDED: Final = ("element", "lumisections", "counts")
AXIS_FIELDS: Final = {"name", "label", "unit", "circular", "edges"}


class Unreadable(ValueError):
    """A part of the body is not what its field holds; the message says what it holds."""


def read(body: Mapping[str, Any], run: int) -> list[HistogramBlock]:
    """The blocks of a body. Raises HistogramsRefused naming the place of everything that is wrong."""
    given = body.get("histograms")
    problems: list[ErrorItem] = [
        {"field": str(name)[:80], "message": "There is no such field. Send “histograms”."}
        for name in body
        if name != "histograms"
    ]
    if not isinstance(given, list):
        problems.append({"field": "histograms", "message": "Send a list of elements with their histograms."})
        given = []
    blocks = []
    known = _known_axes(given)
    for index, item in enumerate(given):
        try:
            blocks.append(_block(item, run, known))
        except (Unreadable, MlcoreError) as error:
            problems.append({"index": index, "field": "histograms", "message": str(error)})
    refuse(problems)
    return blocks


def _known_axes(given: list[Any]) -> dict[str, tuple[Axis, ...]]:
    """Of the elements that are sent without axes, those that they have."""
    paths = [item.get("element") for item in given if isinstance(item, Mapping) and "axes" not in item]
    found = Element.objects.filter(path__in=[path for path in paths if isinstance(path, str)][:10_000])
    return {element.path: axes.known(element.axes) for element in found}


def _block(item: object, run: int, known: Mapping[str, tuple[Axis, ...]]) -> HistogramBlock:
    if not isinstance(item, Mapping):
        raise Unreadable("Each item is an object with element, axes, lumisections and counts.")
    if missing := [name for name in NEEDED if name not in item]:
        raise Unreadable(f"“{missing[0]}” is missing.")
    if unknown := sorted(set(map(str, item)) - FIELDS):
        raise Unreadable(f"There is no field “{unknown[0][:80]}”; there are {', '.join(sorted(FIELDS))}.")
    element, group = item["element"], item.get("physics_object", "")
    if not isinstance(element, str) or not isinstance(group, str):
        raise Unreadable("The element and its physics object are texts.")
    if "axes" in item:
        has = _axes(element, item["axes"])
    elif element in known:
        has = known[element]
    else:
        raise Unreadable(f"{element[:80]}: send its axes; the element is not known yet.")
    lumisections = _lumisections(element, item["lumisections"])
    bins = [axis.bins for axis in has]
    if np.prod(bins, dtype=float) > MOST_BINS:
        raise Unreadable(f"{element[:80]}: a histogram has at most {MOST_BINS:,} bins.")
    flow = item.get("flow")
    return HistogramBlock(
        element=element,
        axes=has,
        counts=_numbers(element, "counts", item["counts"], (len(lumisections), *bins)),
        conditions=Conditions(run=np.full(len(lumisections), run), lumisection=np.array(lumisections, dtype=np.int64)),
        flow=None if flow is None else _numbers(element, "flow", flow, (len(lumisections), len(bins), 2)),
        physics_object=group,
    )


def _lumisections(element: str, text: object) -> list[int]:
    try:
        if not isinstance(text, str):
            raise LumiError("Lumisections are text such as “1-4 9 20-728”.")
        return list(LumiSet.parse(text).numbers())
    except LumiError as error:
        raise Unreadable(f"{element[:80]}: {error}") from None


def _axes(element: str, given: object) -> tuple[Axis, ...]:
    if not isinstance(given, list) or not given:
        raise Unreadable(f"{element[:80]}: axes are a list, one object with name and edges per dimension.")
    return tuple(_axis(element, axis) for axis in given)


def _axis(element: str, given: object) -> Axis:
    place = element[:80]
    if not isinstance(given, Mapping) or not isinstance(given.get("edges"), list):
        raise Unreadable(f"{place}: an axis has a name and edges, a list of numbers.")
    if unknown := sorted(set(map(str, given)) - AXIS_FIELDS):
        raise Unreadable(f"{place}: an axis has no field “{unknown[0][:80]}”.")
    texts = {name: given.get(name, "") for name in ("name", "label", "unit")}
    if not all(isinstance(text, str) and len(text) <= 200 for text in texts.values()) or not texts["name"]:
        raise Unreadable(f"{place}: name, label and unit of an axis are texts of at most 200 characters.")
    if not isinstance(given.get("circular", False), bool):
        raise Unreadable(f"{place}: circular is true or false.")
    edges = given["edges"]
    if not all(isinstance(edge, int | float) and not isinstance(edge, bool) for edge in edges):
        raise Unreadable(f"{place}: the edges of an axis are numbers.")
    return Axis(edges=np.array(edges, dtype=np.float64), circular=given.get("circular", False), **texts)


def _numbers(element: str, what: str, given: object, shape: tuple[int, ...]) -> FloatArray:
    """An array of that shape; a lumisection that is null becomes NaN."""
    rows = given if isinstance(given, list) else [given]
    missing = [row is None for row in rows]
    try:
        values = np.asarray([row for row in rows if row is not None])
    except ValueError:
        values = np.asarray(None)
    if values.dtype.kind not in "iuf" or values.shape[1:] != shape[1:] or len(rows) != shape[0]:
        if rows or shape[0]:
            expected = " × ".join(map(str, shape))
            raise Unreadable(
                f"{element[:80]}: {what} are numbers, {expected}: one list per lumisection, nested as the axes are."
            )
        return np.zeros(shape)
    found = np.full(shape, np.nan)
    found[~np.array(missing, dtype=bool)] = values
    return found


def written(blocks: Iterable[HistogramBlock]) -> list[dict[str, Any]]:
    """As GET answers it."""
    return [
        {
            "element": block.element,
            "physics_object": block.physics_object,
            "axes": axes.stored(block.axes),
            "lumisections": str(LumiSet.from_numbers(block.conditions.lumisection.tolist())),
            "counts": _plain(block.counts),
            "flow": _plain(block.flow),
        }
        for block in blocks
    ]


def _plain(values: Any) -> list[Any]:
    """As whole numbers where all are, which is shorter and what a client sent."""
    whole = values.astype(np.int64)
    found: list[Any] = (whole if np.array_equal(whole, values) else values).tolist()
    return found
