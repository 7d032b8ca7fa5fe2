"""Which intervals to believe where: coverage from dense to sparse places, for several methods on the same rows."""

# ruff: noqa: N803  # X is what scikit-learn calls it
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.neighbors import NearestNeighbors

from mlcore.conditions import FloatArray, IntArray
from mlcore.errors import MlcoreError, TooFewData

from .intervals import Coverage, IntervalRegressor, coverage

COLOURS = ("#2b6cb0", "#d97706", "#2f855a", "#b83232", "#6b46c1", "#718096")


@dataclass(frozen=True)
class Places:
    """`distance` (groups,) to the neighbours known in training, dense first; `found` by method, one per group."""

    level: float
    distance: tuple[float, ...]
    found: Mapping[str, tuple[Coverage, ...]]

    def believed(self, group: int) -> str | None:
        """The method to believe in a group: the narrowest whose coverage is the level, up to two standard deviations of
        counting it or one point; None where there is none."""
        right = {
            name: each[group].width
            for name, each in self.found.items()
            if abs(each[group].inside - self.level) <= max(2.0 * each[group].error, 0.01)
        }
        known = {name: width for name, width in right.items() if np.isfinite(width)}
        return min(known, key=lambda name: known[name]) if known else None


def coverage_by_place(
    models: Mapping[str, IntervalRegressor],
    known: npt.ArrayLike,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    level: float = 0.68,
    groups: int = 5,
    neighbours: int = 10,
) -> Places:
    """Count, from dense to sparse, how often fitted models hold what they say.

    known (m, f) : what models were fitted on; X (n, f), y (n,) : others. A place is as sparse as its neighbours in
    `known` are far, in standard deviations of each column. The sparser half is cut in two again and again, since it is
    there that methods part. Raises MlcoreError, TooFewData with fewer than twenty rows in a group.
    """
    if not models or groups < 1 or neighbours < 1:
        raise MlcoreError("there is at least one model, one group and one neighbour.")
    asked, seen = np.asarray(X, dtype=np.float64), np.asarray(known, dtype=np.float64)
    place = _groups(asked, seen, groups, neighbours)
    counts = np.bincount(place[0], minlength=groups)
    if counts.min() < 20:
        raise TooFewData(f"{int(counts.min())} rows in a group; ask about more rows, or in fewer groups.")
    values = np.asarray(y, dtype=np.float64)
    found = {
        name: tuple(coverage(model, asked[place[0] == k], values[place[0] == k], level) for k in range(groups))
        for name, model in models.items()
    }
    return Places(level, tuple(float(place[1][place[0] == k].mean()) for k in range(groups)), found)


def _groups(asked: FloatArray, seen: FloatArray, groups: int, neighbours: int) -> tuple[IntArray, FloatArray]:
    size = seen.std(axis=0)
    size[size == 0] = 1.0
    near = NearestNeighbors(n_neighbors=min(neighbours, len(seen))).fit(seen / size)
    distance = near.kneighbors(asked / size)[0][:, -1]
    edges = np.quantile(distance, [1.0 - 0.5 ** (k + 1) for k in range(groups - 1)])
    return np.searchsorted(edges, distance).astype(np.int64), np.asarray(distance)


def draw_coverage(places: Places, path: str | Path) -> Path:
    """A picture: coverage of each method from dense to sparse with the level and the errors of counting; a ring is
    around the one to believe. Needs matplotlib."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7.0, 4.0), layout="constrained")
    axes.axhline(places.level, color="#23303d", linewidth=1.0)
    for colour, (name, each) in zip(COLOURS * len(places.found), places.found.items(), strict=False):
        inside = [one.inside for one in each]
        axes.errorbar(
            places.distance, inside, yerr=[one.error for one in each], fmt="o-", color=colour, label=name, ms=5, lw=1.2
        )
        mine = [group for group in range(len(each)) if places.believed(group) == name]
        axes.plot(
            [places.distance[k] for k in mine], [inside[k] for k in mine], "o", mfc="none", mec=colour, ms=12, mew=1.6
        )
    axes.set_xscale("log")
    axes.set_xlabel("distance to the neighbours known, standard deviations (dense to sparse)")
    axes.set_ylabel(f"share inside the {100 * places.level:.0f}% interval")
    axes.grid(color="#dde3ea", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=8)
    target = Path(path)
    figure.savefig(target, dpi=110)
    plt.close(figure)
    return target
