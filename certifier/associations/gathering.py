"""Features of the latest runs that have histograms, and where each defect is in them: what associations are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from certifier.defects.presence import present_in
from certifier.monitoring.models import Element, Part
from certifier.monitoring.selectors import histograms_of_runs
from certifier.runs.models import Run
from mlcore.conditions import Conditions, FloatArray
from mlcore.features import FeatureTable, shape_features
from mlcore.histograms import HistogramBlock

RUNS: Final = 150
Say = Callable[[float, str], None]


@dataclass(frozen=True)
class Gathered:
    """n lumisections of these runs by f features; `table` is None where no element has a histogram."""

    runs: list[Run]
    table: FeatureTable | None

    def masks(self, wanted: Sequence[str]) -> dict[str, npt.NDArray[np.bool_]]:
        """By defect, primary or virtual, on which of the n lumisections it is present now."""
        if self.table is None:
            return {}
        runs, numbers = self.table.conditions.run, self.table.conditions.lumisection
        found = {name: np.zeros(len(self.table), dtype=np.bool_) for name in wanted}
        present = present_in(self.runs, wanted)
        for run in self.runs:
            rows = np.flatnonzero(runs == run.number)
            for name in wanted:
                found[name][rows] = present[run.number][name].to_mask(run.last_lumisection)[numbers[rows] - 1]
        return found


def gather(elements: Sequence[Element], say: Say) -> Gathered:
    """The features of these elements in the latest runs that have a histogram of one of them."""
    numbers = Part.objects.filter(element__in=elements).order_by().values_list("dataset__run__number", flat=True)
    chosen = sorted(set(numbers.distinct()))[-RUNS:]
    runs = list(Run.objects.filter(number__in=chosen).order_by("number"))
    tables: list[list[FeatureTable]] = []
    for done, element in enumerate(elements):
        say(done / len(elements), f"reading {element.path}")
        blocks = [block for block in histograms_of_runs(element, chosen) if len(block)]
        if blocks:
            tables.append([features_of(block) for block in blocks])
    return Gathered(runs, _joined(tables) if tables else None)


def features_of(block: HistogramBlock) -> FeatureTable:
    """Shape along every axis, and how many entries there are per luminosity."""
    assert block.flow is not None
    parts = []
    for place, axis in enumerate(block.axes):
        others = tuple(each + 1 for each in range(len(block.axes)) if each != place)
        name = block.element if len(block.axes) == 1 else f"{block.element} along {axis.name}"
        along = HistogramBlock(
            element=name,
            axes=(axis,),
            counts=block.counts.sum(axis=others),
            conditions=block.conditions,
            flow=block.flow[:, place : place + 1],
            physics_object=block.element,
        )
        parts.append(shape_features(along))
    luminosity = np.where(block.conditions.luminosity > 0, block.conditions.luminosity, np.nan)
    totals = np.where(block.totals > 0, block.totals, np.nan)
    rate = np.log10(totals / luminosity)[:, None]
    parts.append(FeatureTable(rate, (f"{block.element}:entries",), (block.element,), block.conditions))
    return FeatureTable.beside(parts)


def _joined(tables: Sequence[Sequence[FeatureTable]]) -> FeatureTable:
    """One table over all lumisections that any element has; what an element has not is NaN."""
    known: dict[tuple[int, int], tuple[float, float]] = {}
    for table in (table for of_element in tables for table in of_element):
        conditions = table.conditions
        for run, number, luminosity, pileup in zip(
            conditions.run.tolist(), conditions.lumisection.tolist(), conditions.luminosity.tolist(),
            conditions.pileup.tolist(), strict=True,
        ):  # fmt: skip
            known.setdefault((run, number), (luminosity, pileup))
    rows = {key: place for place, key in enumerate(sorted(known))}
    columns: list[FloatArray] = []
    names: list[str] = []
    groups: list[str] = []
    for of_element in tables:
        values = np.full((len(rows), of_element[0].values.shape[1]), np.nan)
        for table in of_element:
            pairs = zip(table.conditions.run.tolist(), table.conditions.lumisection.tolist(), strict=True)
            values[[rows[pair] for pair in pairs]] = table.values
        columns.append(values)
        names += of_element[0].names
        groups += of_element[0].groups
    keys = np.array(list(rows), dtype=np.int64)
    measured = np.array([known[key] for key in rows], dtype=np.float64)
    conditions = Conditions(run=keys[:, 0], lumisection=keys[:, 1], luminosity=measured[:, 0], pileup=measured[:, 1])
    return FeatureTable(np.hstack(columns), tuple(names), tuple(groups), conditions)
