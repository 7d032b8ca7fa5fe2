"""Is a run like its reference, or simulation like data? A classifier that tells them apart, judged by permutation.

If a classifier finds out from the features alone which sample a lumisection belongs to, on lumisections it has not
learned from, the samples differ. Lumisections that follow each other are alike, so whole blocks or runs are permuted,
never single lumisections: then 5% means 5%. Source: arXiv:1610.06545 (classifier two-sample tests).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from .conditions import Conditions, FloatArray, IntArray
from .errors import IncompatibleBinning, MlcoreError, TooFewData
from .features import FeatureTable

#: more rows are thinned out, block by block
MOST = 1_500
_FEWEST_BLOCKS = 4


@dataclass(frozen=True)
class FeatureDifference:
    """A feature, in which way it differs, and its p-value corrected for how many were looked at (Westfall-Young)."""

    name: str
    group: str
    kind: Literal["place", "width"]
    size: float
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """`auc` of the classifier on blocks it has not learned from (0.5 = cannot tell them apart), its p-value, and every
    feature, what differs most first. `size` of a feature is in standard deviations of the permutations."""

    auc: float
    p_value: float
    blocks: tuple[int, int]
    features: tuple[FeatureDifference, ...]

    def differing(self, level: float = 0.05) -> tuple[FeatureDifference, ...]:
        """Those that differ at this level, over all features together."""
        return tuple(one for one in self.features if one.p_value <= level)


def compare(
    sample: FeatureTable,
    reference: FeatureTable,
    *,
    block: int | Literal["run"] = 10,
    permutations: int = 400,
    folds: int = 5,
    random_state: int = 0,
) -> Comparison:
    """Test whether two tables of the same features have the same distribution.

    Parameters
    ----------
    sample, reference : a run and its reference, or data and simulation. Runs of one number in both count as two.
    block : how many lumisections that follow each other are permuted together, longer than they remember each other;
        "run" permutes whole runs, which is the choice when runs have levels of their own.
    permutations : the smallest p-value is 1 / (permutations + 1).
    folds : of blocks, for scores of a classifier that has not seen them.
    random_state : of permutations, folds and thinning.

    Features are taken by their ranks, so no unit and no outlier counts; NaN counts as the middle. Raises
    IncompatibleBinning for other features, TooFewData with fewer than four blocks on a side.
    """
    _check(sample, reference, block, permutations, folds)
    rng = np.random.default_rng(random_state)
    of = [_blocks(one.conditions, block) for one in (sample, reference)]
    counts = tuple(int(one.max()) + 1 if one.size else 0 for one in of)
    if min(counts) < _FEWEST_BLOCKS:
        raise TooFewData(f"{counts[0]} and {counts[1]} blocks; at least {_FEWEST_BLOCKS} a side can be permuted.")
    place = np.concatenate([of[0], of[1] + counts[0]])
    values = np.vstack([sample.values, reference.values])
    rows = _thinned(place, rng)
    place, values = place[rows], values[rows]
    one_of = np.r_[np.ones(counts[0]), np.zeros(counts[1])]
    labels = np.column_stack([one_of, *(rng.permutation(one_of) for _ in range(permutations))])[place]
    x = _normal_ranks(values)
    areas = _areas(_left_out(x, place, labels, folds, rng), labels)
    features = _features(x, labels, sample)
    return Comparison(float(areas[0]), _p_value(areas), (counts[0], counts[1]), features)


def _check(
    sample: FeatureTable, reference: FeatureTable, block: int | Literal["run"], permutations: int, folds: int
) -> None:
    if sample.names != reference.names:
        raise IncompatibleBinning("the two samples have other features; take the same ones, in the same order.")
    if (block != "run" and block < 1) or permutations < 19 or folds < 2:
        raise MlcoreError("block is at least 1 or 'run', permutations at least 19, folds at least 2.")


def _blocks(conditions: Conditions, block: int | Literal["run"]) -> IntArray:
    """(n,) number of the block of each lumisection, from 0."""
    order = np.argsort(conditions.key, kind="stable")
    run = conditions.run[order]
    _, start, run_number = np.unique(run, return_index=True, return_inverse=True)
    part = np.zeros(len(run), dtype=np.int64)
    if block != "run":
        part = (np.arange(len(run)) - start[run_number]) // block
    _, number = np.unique(run_number * (part.max(initial=0) + 1) + part, return_inverse=True)
    found = np.empty(len(run), dtype=np.int64)
    found[order] = number
    return found


def _thinned(place: IntArray, rng: np.random.Generator) -> IntArray:
    """At most MOST rows, the same share of every block."""
    if len(place) <= MOST:
        return np.arange(len(place))
    order = np.lexsort((rng.random(len(place)), place))
    size = np.bincount(place)
    rank = np.arange(len(place)) - np.repeat(np.cumsum(size) - size, size)
    keep = rank < np.maximum(1, np.floor(size[place[order]] * MOST / len(place)))
    return np.sort(order[keep])


def _normal_ranks(values: FloatArray) -> FloatArray:
    known = np.isfinite(values)
    x = np.zeros_like(values)
    for column in range(values.shape[1]):
        rows = known[:, column]
        if rows.any():
            x[rows, column] = ndtri(rankdata(values[rows, column]) / (rows.sum() + 1.0))
    return x


def _left_out(x: FloatArray, place: IntArray, labels: FloatArray, folds: int, rng: np.random.Generator) -> FloatArray:
    """(n, permutations) scores of a kernel ridge classifier for blocks it has not learned from.

    The classifier is linear in its labels, so one solution serves all permutations.
    """
    square = (x**2).sum(axis=1)
    distance = np.maximum(square[:, None] + square[None, :] - 2.0 * x @ x.T, 0.0)
    width = float(np.median(distance)) or 1.0
    kernel = np.exp(-distance / width) + 0.5 * (x @ x.T) / max(x.shape[1], 1)
    fold_of = np.arange(int(place.max()) + 1) % folds
    fold = rng.permutation(fold_of)[place]
    found = np.zeros_like(labels)
    for number in range(folds):
        learn, held = fold != number, fold == number
        inner = kernel[np.ix_(learn, learn)] + 0.1 * len(x) ** 0.5 * np.eye(int(learn.sum()))
        centred = labels[learn] - labels[learn].mean(axis=0)
        found[held] = kernel[np.ix_(held, learn)] @ np.linalg.solve(inner, centred)
        # Folds have other shares of the two samples; only the order within a fold may count.
        found[held] = rankdata(found[held], axis=0) / (held.sum() + 1.0)
    return found


def _areas(scores: FloatArray, labels: FloatArray) -> FloatArray:
    """(permutations,) area under the ROC curve of each column."""
    ranks = rankdata(scores, axis=0)
    ones = labels.sum(axis=0)
    return np.asarray(((ranks * labels).sum(axis=0) - ones * (ones + 1) / 2) / (ones * (len(labels) - ones)))


def _features(x: FloatArray, labels: FloatArray, table: FeatureTable) -> tuple[FeatureDifference, ...]:
    """Each feature by its mean and by its mean square, whichever differs more; corrected by the largest of all."""
    weight = labels / labels.sum(axis=0) - (1 - labels) / (1 - labels).sum(axis=0)
    sizes = np.stack([x.T @ weight, (x**2).T @ weight])
    spread = np.maximum(sizes[:, :, 1:].std(axis=2, keepdims=True), 1e-12)
    ratio = np.abs(sizes) / spread
    largest = ratio.max(axis=(0, 1))
    found = []
    for column, name in enumerate(table.names):
        kind = int(np.argmax(ratio[:, column, 0]))
        value = float(ratio[kind, column, 0])
        p_value = float((1 + (largest[1:] >= value - 1e-12).sum()) / len(largest))
        signed = float(sizes[kind, column, 0] / spread[kind, column, 0])
        found.append(FeatureDifference(name, table.groups[column], "width" if kind else "place", signed, p_value))
    return tuple(sorted(found, key=lambda one: -abs(one.size)))


def _p_value(statistics: FloatArray) -> float:
    return float((1 + (statistics[1:] >= statistics[0] - 1e-12).sum()) / len(statistics))
