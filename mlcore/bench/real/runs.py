"""The 308 runs of AutoDQM as ranks of scores, and blocks of them in time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mlcore.conditions import FloatArray, IntArray
from mlcore.readers import read_autodqm_scores

#: Shares of training runs above which a histogram counts as odd; the rarer, the more it counts.
LEVELS = (0.80, 0.90, 0.95, 0.98)


@dataclass(frozen=True, eq=False)
class Runs:
    """Scores by kind, each (runs, histograms): `pca` and `chi2` as logarithms, `pull` as log(1 + pull), NaN unknown;
    `entries` logarithms. `groups`: the subdetector of each histogram. `verdict`: 1 bad, 0 good, -1 undecided."""

    pca: FloatArray
    chi2: FloatArray
    pull: FloatArray
    entries: FloatArray
    groups: tuple[str, ...]
    labels: IntArray
    verdict: IntArray

    @property
    def rates(self) -> FloatArray:
        """Entries of a histogram beside those of the others of its run."""
        return np.asarray(self.entries - np.nanmedian(self.entries, axis=1, keepdims=True))

    def filled(self, *kinds: str) -> FloatArray:
        """Scores of kinds side by side, what is not known below everything that is."""
        parts: list[FloatArray] = [getattr(self, kind) for kind in kinds]
        return np.hstack([np.where(np.isfinite(part), part, np.nanmin(part) - 1.0) for part in parts])


def read_runs(folder: Path) -> Runs:
    beta = read_autodqm_scores(folder / "HLTPhysics_8_REF.csv")
    pca = read_autodqm_scores(folder / "HLTPhysics_PCA_131224_modified_chi2_values.csv")
    assert np.array_equal(beta.table.conditions.run, pca.table.conditions.run)
    names = zip(pca.table.names, pca.table.groups, strict=True)
    return Runs(
        pca=np.log(_columns(pca.table, "chi2prime")),
        chi2=np.log(_columns(beta.table, "chi2_score_beta")),
        pull=np.log1p(_columns(beta.table, "pull_score_beta")),
        entries=np.log(_columns(pca.table, "integral")),
        groups=tuple(group for name, group in names if name.endswith("chi2prime")),
        labels=pca.labels,
        verdict=pca.verdict,
    )


def _columns(table: Any, ending: str) -> FloatArray:
    return np.asarray(table.values[:, [name.endswith(ending) for name in table.names]])


def blocks(rows: IntArray, folds: int) -> Iterator[tuple[IntArray, IntArray]]:
    """(train, test) with consecutive blocks of runs to test on, one run left out at each border."""
    for test in np.array_split(rows, folds):
        near = (rows >= test[0] - 1) & (rows <= test[-1] + 1)
        yield rows[~near], test


def ranks(values: FloatArray, train: IntArray) -> FloatArray:
    """The share of training runs with a smaller value, ties by half, for all runs (n, k); a half where not known."""
    ordered = np.sort(values[train], axis=0)  # NaN last
    known = np.isfinite(ordered).sum(axis=0)
    shares = []
    for column, count in zip(range(values.shape[1]), known, strict=True):
        of = ordered[:count, column]
        both = [np.searchsorted(of, values[:, column], side) for side in ("left", "right")]
        shares.append((both[0] + both[1]) / (2 * max(count, 1)))
    return np.where(np.isfinite(values), np.array(shares).T, 0.5)


def odd_ones(share: FloatArray) -> FloatArray:
    """(n,) how many histograms of a run are odd, at several levels."""
    return np.asarray(np.sum([(share > level).mean(axis=1) / (1 - level) for level in LEVELS], axis=0))


def beside(values: FloatArray) -> FloatArray:
    """Mean of the run before and the run after, within the rows given; at an end the run itself stands in."""
    padded = np.concatenate([values[:1], values, values[-1:]])
    return np.asarray((padded[:-2] + padded[2:]) / 2)


@dataclass(frozen=True, eq=False)
class Prepared:
    """Runs, those to learn from, and the ranks of all among them. No label is looked at here."""

    runs: Runs
    train: IntArray

    @cached_property
    def pca(self) -> FloatArray:
        return ranks(self.runs.pca, self.train)

    @cached_property
    def pull(self) -> FloatArray:
        return ranks(self.runs.pull, self.train)

    @cached_property
    def chi2(self) -> FloatArray:
        return ranks(self.runs.chi2, self.train)

    @cached_property
    def entries(self) -> FloatArray:
        return ranks(self.runs.entries, self.train)

    @cached_property
    def rates(self) -> FloatArray:
        return ranks(self.runs.rates, self.train)

    def by_group(self, share: FloatArray) -> FloatArray:
        """Mean of each subdetector."""
        groups = np.array(self.runs.groups)
        return np.column_stack([share[:, groups == group].mean(axis=1) for group in np.unique(groups)])

    def beside_all(self, share: FloatArray, asked: IntArray) -> FloatArray:
        """(n, k) `beside` among the training runs and, apart from them, among those asked; zero for all others."""
        made = np.zeros_like(share)
        for rows in (self.train, asked):
            made[rows] = beside(share[rows])
        return made
