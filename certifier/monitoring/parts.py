"""Which parts hold which lumisections now: of those that hold a lumisection the latest counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from certifier.lumi import LumiSet
from certifier.runs.models import Dataset

from . import files
from .files import Floats
from .models import Part

_KEYS_PER_QUERY = 10_000


@dataclass(frozen=True)
class Live:
    """A part and the lumisections for which it still counts."""

    part: Part
    lumisections: LumiSet


def live_parts(dataset: Dataset, elements: Collection[int]) -> dict[int, list[Live]]:
    """By element, the parts that count for something."""
    by_element: dict[int, list[Part]] = {}
    keys = sorted(elements)
    for start in range(0, len(keys), _KEYS_PER_QUERY):
        chosen = Part.objects.filter(dataset=dataset, element__in=keys[start : start + _KEYS_PER_QUERY])
        for part in chosen.order_by("id"):
            by_element.setdefault(part.element_id, []).append(part)
    return {element: living(parts) for element, parts in by_element.items()}


def living(parts: Sequence[Part]) -> list[Live]:
    """Of parts of one element and dataset in the order in which they came."""
    found: list[Live] = []
    later = LumiSet()
    for part in reversed(parts):
        if left := part.lumisections - later:
            found.append(Live(part, left))
        later |= part.lumisections
    return found[::-1]


def covered(parts: Iterable[Live]) -> LumiSet:
    together = LumiSet()
    for live in parts:
        together |= live.lumisections
    return together


@dataclass(frozen=True, eq=False)
class Stored:
    """(n,) lumisections ascending, (n, bins) counts and (n, 2 x axes) flow of one element."""

    lumisections: np.ndarray[tuple[int], np.dtype[np.int64]]
    counts: Floats
    flow: Floats


def read_many(wanted: dict[int, list[Live]], lumisections: LumiSet | None = None) -> dict[int, Stored]:
    """What counts of each element, within `lumisections` when given; each file is opened once.

    Raises HistogramsLost.
    """
    by_file: dict[str, list[tuple[int, Live, LumiSet]]] = {}
    for element, parts in wanted.items():
        for live in parts:
            chosen = live.lumisections if lumisections is None else live.lumisections & lumisections
            if chosen:
                by_file.setdefault(live.part.file, []).append((element, live, chosen))
    pieces: dict[int, list[Stored]] = {}
    for name, items in by_file.items():
        for (element, _, chosen), rows in zip(items, _rows(name, items), strict=True):
            kept = chosen.to_mask(int(rows.lumisections.max(initial=0)))[rows.lumisections - 1]
            pieces.setdefault(element, []).append(
                Stored(rows.lumisections[kept], rows.counts[kept], rows.flow[kept])
                if not kept.all()
                else Stored(rows.lumisections, rows.counts, rows.flow)
            )
    return {element: _together(found) for element, found in pieces.items()}


def _rows(name: str, items: Sequence[tuple[int, Live, LumiSet]]) -> Iterator[files.Rows]:
    return files.read(name, [live.part.row_group for _, live, _ in items])


def _together(pieces: list[Stored]) -> Stored:
    if len(pieces) == 1:
        return pieces[0]
    lumisections = np.concatenate([piece.lumisections for piece in pieces])
    order = np.argsort(lumisections)
    return Stored(
        lumisections[order],
        np.concatenate([piece.counts for piece in pieces])[order],
        np.concatenate([piece.flow for piece in pieces])[order],
    )
