"""Axes as they stand in the database, in REST and in files, and as mlcore knows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlcore.histograms import Axis


def stored(axes: Iterable[Axis]) -> list[dict[str, Any]]:
    return [
        {
            "name": axis.name,
            "label": axis.label,
            "unit": axis.unit,
            "circular": axis.circular,
            "edges": axis.edges.tolist(),
        }
        for axis in axes
    ]


def known(axes: Iterable[Mapping[str, Any]]) -> tuple[Axis, ...]:
    return tuple(Axis(**axis) for axis in axes)


def words(axes: Iterable[Axis]) -> str:
    """`100 bins of time from -10 to 10 ns`, for messages; several with × between."""
    return " × ".join(
        f"{axis.bins} bins of {axis.name} from {axis.edges[0]:g} to {axis.edges[-1]:g} {axis.unit}".rstrip()
        for axis in axes
    )
