"""Reads of this room: which elements there are, what is covered, and histograms as mlcore takes them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from django.db.models import Count, Max, OuterRef, QuerySet, Subquery, Sum

from certifier.lumi import LumiSet
from certifier.runs.models import Dataset, Run
from certifier.runs.profile import Profile, profile_of
from certifier.runs.selectors import lumisection_times
from mlcore.conditions import Conditions
from mlcore.histograms import HistogramBlock

from . import axes
from .errors import DatasetNotFound, ElementNotFound
from .models import Element, Part
from .parts import Live, Stored, covered, living, read_many

# The further a processing has come, the more it counts.
STAGES: Final = ("final", "bulk", "express", "")


@dataclass(frozen=True)
class Coverage:
    """An element in a dataset: where it has histograms, and the parts that hold them."""

    element: Element
    lumisections: LumiSet
    parts: Sequence[Live]


def find_element(path: str) -> Element:
    """Raises ElementNotFound."""
    found = Element.objects.filter(path=path).select_related("system").first() if "\0" not in path else None
    if found is None:
        raise ElementNotFound(path)
    return found


def elements() -> QuerySet[Element]:
    """All elements by path, each with `runs`, `histograms` (sent, corrections included) and `latest` run number."""
    latest = Part.objects.filter(element=OuterRef("pk")).order_by("-id").values("dataset__run__number")[:1]
    return (
        Element.objects.select_related("system")
        .annotate(
            runs=Count("parts__dataset__run", distinct=True),
            histograms=Sum("parts__histograms", default=0),
            latest=Subquery(latest),
        )
        .order_by("path")
    )


def _furthest(dataset: Dataset) -> int:
    return STAGES.index(dataset.stage) if dataset.stage in STAGES else len(STAGES)


def coverage_of_run(run: Run, *, paths: Collection[str] = ()) -> dict[Dataset, list[Coverage]]:
    """The datasets of a run that have histograms, the furthest processed first and then the newest, each with its
    elements by path (of `paths` only, when given). In one query."""
    rows = Part.objects.filter(dataset__run=run).select_related("dataset", "element__system").order_by("id")
    if paths:
        rows = rows.filter(element__path__in=list(paths))
    found: dict[Dataset, dict[int, list[Part]]] = {}
    newest: dict[Dataset, int] = {}
    for part in rows:
        found.setdefault(part.dataset, {}).setdefault(part.element_id, []).append(part)
        newest[part.dataset] = part.pk
    ordered = sorted(found, key=lambda dataset: (_furthest(dataset), -newest[dataset]))
    return {dataset: _by_path(found[dataset].values()) for dataset in ordered}


def _by_path(found: Iterable[list[Part]]) -> list[Coverage]:
    coverage = []
    for parts in found:
        live = living(parts)
        coverage.append(Coverage(parts[0].element, covered(live), live))
    return sorted(coverage, key=lambda each: each.element.path)


def choose_dataset(run: Run, among: Iterable[Dataset], name: str = "") -> Dataset | None:
    """The one of that name, or without a name the first; None where there is none. Raises DatasetNotFound."""
    datasets = list(among)
    if not name:
        return next(iter(datasets), None)
    found = next((dataset for dataset in datasets if dataset.name == name), None)
    if found is None and "\0" not in name:
        found = Dataset.objects.filter(run=run, name=name).first()
    if found is None:
        raise DatasetNotFound(run.number, name)
    return found


def runs_with_histograms(limit: int) -> list[Mapping[str, object]]:
    """The latest runs that have any: number, elements, histograms and when the last came."""
    rows = Part.objects.order_by().values("dataset__run__number")
    rows = rows.annotate(elements=Count("element", distinct=True), histograms=Sum("histograms"), last=Max("at"))
    return [
        {"run": row["dataset__run__number"], **{name: row[name] for name in ("elements", "histograms", "last")}}
        for row in rows.order_by("-dataset__run__number")[:limit]
    ]


# --- histograms -----------------------------------------------------------------------------------------------


def conditions_of(
    run: Run,
    lumisections: np.ndarray[tuple[int], np.dtype[np.int64]],
    *,
    profile: Profile | None = None,
    times: Sequence[datetime | None] | None = None,
) -> Conditions:
    """What was true of these lumisections: recorded luminosity, pile-up, and the time where `times` are given."""
    profile = profile_of(run) if profile is None else profile

    def column(name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        values = np.full(len(lumisections), np.nan)
        inside = lumisections <= profile.length
        values[inside] = profile[name][lumisections[inside] - 1]
        return values

    when = np.full(len(lumisections), np.nan)
    if times:
        seconds = np.array([np.nan if time is None else time.timestamp() for time in times])
        inside = lumisections <= len(seconds)
        when[inside] = seconds[lumisections[inside] - 1]
    return Conditions(
        run=np.full(len(lumisections), run.number),
        lumisection=lumisections,
        luminosity=column("recorded_inv_nb"),
        pileup=column("pileup"),
        time=when,
    )


def block_of(element: Element, stored: Stored, conditions: Conditions) -> HistogramBlock:
    """What was stored, as mlcore takes it."""
    return HistogramBlock(
        element=element.path,
        axes=axes.known(element.axes),
        counts=stored.counts.reshape(len(conditions), *element.bins),
        conditions=conditions,
        flow=stored.flow.astype(np.float64, copy=False).reshape(len(conditions), len(element.axes), 2),
        physics_object=element.physics_object,
    )


def nothing_of(element: Element) -> Stored:
    """No lumisection of it."""
    empty = np.zeros(0, dtype=np.int64)
    return Stored(empty, np.zeros((0, int(np.prod(element.bins)))), np.zeros((0, 2 * len(element.axes))))


def histograms(
    run: Run,
    covered_elements: Sequence[Coverage],
    lumisections: LumiSet | None = None,
    *,
    profile: Profile | None = None,
    timed: bool = False,
) -> dict[str, HistogramBlock]:
    """By path, the histograms that count now, ascending, with their conditions; only their row groups are read.

    `timed` also looks up when each lumisection began. Raises HistogramsLost.
    """
    stored = read_many({each.element.pk: list(each.parts) for each in covered_elements}, lumisections)
    profile = profile_of(run) if profile is None else profile
    times = lumisection_times(run) if timed else None
    found = {}
    for each in covered_elements:
        rows = stored.get(each.element.pk) or nothing_of(each.element)
        conditions = conditions_of(run, rows.lumisections, profile=profile, times=times)
        found[each.element.path] = block_of(each.element, rows, conditions)
    return found


def histograms_of_runs(element: Element, runs: Sequence[int]) -> list[HistogramBlock]:
    """One block per run that has the element, of its furthest processed dataset. In one query."""
    rows = Part.objects.filter(element=element, dataset__run__number__in=list(runs))
    by_dataset: dict[Dataset, list[Part]] = {}
    for part in rows.select_related("dataset__run__profile").order_by("id"):
        by_dataset.setdefault(part.dataset, []).append(part)
    chosen: dict[Run, Dataset] = {}
    for dataset in sorted(by_dataset, key=_furthest):
        chosen.setdefault(dataset.run, dataset)
    found = []
    for run, dataset in sorted(chosen.items(), key=lambda pair: pair[0].number):
        live = living(by_dataset[dataset])
        found.append(histograms(run, [Coverage(element, covered(live), live)])[element.path])
    return found
