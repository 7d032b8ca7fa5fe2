"""Have the histograms of a system changed since the champion learned what is usual?

Features of each histogram, less what luminosity and pile-up make of them, are compared between the runs on which the
champion's guarantee was measured (or, where their histograms are not here, the first that it scored) and the latest
runs. The unit is the run (mlcore.drift), so lumisections that are alike do not count as evidence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from certifier.monitoring.errors import HistogramsLost
from certifier.monitoring.selectors import choose_dataset, coverage_of_run, histograms
from certifier.precert.guarantee import read_guarantee
from certifier.precert.models import ModelVersion, Scoring
from certifier.runs.models import Run

if TYPE_CHECKING:
    from mlcore.features import FeatureTable
    from mlcore.histograms import HistogramBlock

RUNS: Final = 10
LUMISECTIONS: Final = 40
MOST_NAMED: Final = 8


def drift_of(version: ModelVersion) -> dict[str, Any]:
    """The drifted features of the latest runs, in numbers and words."""
    from mlcore.detectors.conditioning import Conditioner
    from mlcore.drift import FEWEST_RUNS, feature_drift

    before, latest = _runs(version)
    found: dict[str, Any] = {
        "reference": [run.number for run in before], "current": [run.number for run in latest],
        "features": 0, "drifted": [],
    }  # fmt: skip
    tables = [_joined(runs, version) for runs in (before, latest)]
    if min(_count(table) for table in tables) < FEWEST_RUNS:
        few = f"Histograms of {_count(tables[0])} runs from before and of {_count(tables[1])} new ones"
        return {**found, "words": f"{few}: {FEWEST_RUNS} on each side are the least to compare."}
    reference, current = (_common(table, tables) for table in tables if table is not None)
    usual = Conditioner(by_events=False).fit(reference)
    rest = [_with(table, usual.transform(table)) for table in (reference, current)]
    drift = feature_drift(*rest)
    worst = np.argsort(-np.nan_to_num(np.where(drift.drifted, drift.psi, -1.0)), kind="stable")[:MOST_NAMED]
    found["features"] = len(drift.names)
    found["drifted"] = [
        {"feature": drift.names[place], "psi": round(float(drift.psi[place]), 3), "kind": drift.kind[place]}
        for place in worst
        if drift.drifted[place]
    ]
    return {**found, "words": drift.in_words()}


def _runs(version: ModelVersion) -> tuple[list[Run], list[Run]]:
    """Those that say what is usual, and the latest, which are others."""
    scored = Scoring.objects.filter(version=version).order_by().values("dataset__run").distinct()
    runs = list(Run.objects.filter(pk__in=scored).select_related("profile").defer("attributes").order_by("number"))
    latest = runs[-RUNS:]
    guarantee = read_guarantee(version.guarantee)
    known = []
    if guarantee.first_run.isdecimal() and guarantee.last_run.isdecimal():
        between = (int(guarantee.first_run), int(guarantee.last_run))
        rows = Run.objects.filter(number__range=between, datasets__parts__element__system=version.system_id)
        known = list(rows.select_related("profile").defer("attributes").distinct().order_by("-number")[:RUNS])
    before = known or runs[: min(RUNS, len(runs) // 2)]
    taken = {run.pk for run in before}
    return before, [run for run in latest if run.pk not in taken]


def _joined(runs: list[Run], version: ModelVersion) -> FeatureTable | None:
    from mlcore.conditions import Conditions
    from mlcore.features import FeatureTable

    tables = [table for run in runs if (table := _table(run, version)) is not None]
    if not tables:
        return None
    names = [name for name in tables[0].names if all(name in table.names for table in tables)]
    values = [table.values[:, [table.names.index(name) for name in names]] for table in tables]
    groups = tuple(tables[0].groups[tables[0].names.index(name)] for name in names)
    conditions = Conditions.concatenate([table.conditions for table in tables])
    return FeatureTable(np.vstack(values), tuple(names), groups, conditions)


def _table(run: Run, version: ModelVersion) -> FeatureTable | None:
    """Features of some lumisections of a run, evenly spread over it; None when there are none in common."""
    from mlcore.features import FeatureTable, shape_features

    covered = coverage_of_run(run)
    dataset = choose_dataset(run, covered)
    if dataset is None:
        return None
    chosen = [each for each in covered[dataset] if each.element.system_id == version.system_id]
    if not chosen:
        return None
    common = chosen[0].lumisections
    for each in chosen[1:]:
        common &= each.lumisections
    numbers = np.fromiter(common.numbers(), dtype=np.int64)
    if not numbers.size:
        return None
    spread = numbers[np.linspace(0, numbers.size - 1, min(LUMISECTIONS, numbers.size)).round().astype(int)]
    try:
        blocks = histograms(run, chosen, type(common).from_numbers(spread.tolist()))
    except HistogramsLost:
        return None
    return FeatureTable.beside([shape_features(one) for block in blocks.values() for one in _on_each_axis(block)])


def _on_each_axis(block: HistogramBlock) -> list[HistogramBlock]:
    """A histogram of two axes as two of one."""
    from mlcore.histograms import HistogramBlock

    if len(block.axes) == 1:
        return [block]
    found = []
    for place, axis in enumerate(block.axes):
        others = tuple(1 + other for other in range(len(block.axes)) if other != place)
        found.append(
            HistogramBlock(f"{block.element}/{axis.name}", (axis,), block.counts.sum(axis=others), block.conditions,
                           None, block.physics_object)
        )  # fmt: skip
    return found


def _count(table: FeatureTable | None) -> int:
    return 0 if table is None else int(np.unique(table.conditions.run).size)


def _common(table: FeatureTable, tables: list[FeatureTable | None]) -> FeatureTable:
    """Only the features that both samples have."""
    names = [name for name in table.names if all(each is not None and name in each.names for each in tables)]
    places = [table.names.index(name) for name in names]
    return _with(table, table.values[:, places], tuple(names), tuple(table.groups[place] for place in places))


def _with(
    table: FeatureTable, values: Any, names: tuple[str, ...] | None = None, groups: tuple[str, ...] | None = None
) -> FeatureTable:
    from mlcore.features import FeatureTable

    return FeatureTable(values, names or table.names, groups or table.groups, table.conditions)
