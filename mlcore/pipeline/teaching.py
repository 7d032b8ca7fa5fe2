"""The supervised step of a training: one classifier, taught again and again from parts of the same table, so that
every lumisection can be judged by a copy that has not seen its run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlcore.conditions import FloatArray, IntArray
from mlcore.detectors.base import Detector
from mlcore.features import FeatureTable
from mlcore.splits import run_folds

from .config import DetectorConfig, SystemConfig
from .layer import chosen, separating

#: fewest lumisections of either kind from which a classifier is learned
FEWEST = 10


@dataclass(frozen=True)
class Taught:
    """A classifier, and the columns that it sees."""

    detector: Detector
    columns: list[str]

    def score(self, table: FeatureTable) -> FloatArray:
        """(n,) of everything that there is to see."""
        return np.asarray(self.detector.score(chosen(table, self.columns)))


class Teacher:
    """Copies of the classifier of a `SystemConfig`.

    table : n lumisections in order of time, everything that a classifier may see. y : (n,) labels, NaN where nobody
    said anything. trust : (n,) how far they are believed; of what is not believed at all nothing is learned.
    """

    def __init__(self, table: FeatureTable, y: FloatArray, trust: FloatArray, config: SystemConfig) -> None:
        self.table, self.y, self.trust, self.config = table, y, trust, config
        self.known = ~np.isnan(y) & (trust > 0)

    def teach(self, rows: IntArray, columns: Sequence[str] | None = None) -> Taught | None:
        """From some rows, with the columns that separate best there unless they are given; None with too few labels."""
        rows = rows[self.known[rows]]
        target = self.y[rows].astype(np.int64)
        if self.config.classifier == "none" or np.bincount(target, minlength=2).min() < FEWEST:
            return None
        part, trust = self.table.select(rows), self.trust[rows]
        names = separating(part, target, trust, self.config.most_features) if columns is None else list(columns)
        return Taught(self._build().fit(chosen(part, names), target, weights=_unless_alike(trust)), names)

    def folded(self, rows: IntArray, columns: Sequence[str]) -> FloatArray:
        """(rows,) scores of labelled rows, each run by a copy that has learned from the other runs; NaN where those
        have one kind of label only."""
        found = np.full(rows.size, np.nan)
        part, target, trust = chosen(self.table.select(rows), columns), self.y[rows].astype(np.int64), self.trust[rows]
        folds = min(self.config.folds, len(np.unique(part.conditions.run)))
        for train, test in run_folds(part.conditions, folds) if folds >= 2 else ():
            if len(np.unique(target[train])) == 2:
                copy = self._build().fit(part.select(train), target[train], weights=_unless_alike(trust[train]))
                found[test] = copy.score(part.select(test))
        return found

    def forward(self, rows: IntArray, before: Taught) -> FloatArray:
        """(rows,) scores of the last rows of the table, each run by a copy that has learned from everything before it:
        they are cut into `refresh` pieces, and before each there is a new one, `gap` runs left out. `before` is who
        judges where those have too few labels."""
        found = np.full(rows.size, np.nan)
        run = self.table.conditions.run
        for piece in np.array_split(np.unique(run[rows]), max(self.config.refresh, 1)):
            if not piece.size:
                continue
            earlier = np.unique(run[run < piece[0]])
            past = np.flatnonzero(np.isin(run, earlier[: earlier.size - self.config.gap]))
            taught = self.teach(past) or before
            here = np.isin(run[rows], piece)
            found[here] = taught.score(self.table.select(rows[here]))
        return found

    def _build(self) -> Detector:
        config = self.config
        return DetectorConfig(config.classifier, config.classifier_parameters).build(config.random_state)


def _unless_alike(weights: FloatArray) -> FloatArray | None:
    """None for weights that are all the same: boosting bins unweighted data much faster."""
    return weights if np.ptp(weights) > 0 else None
