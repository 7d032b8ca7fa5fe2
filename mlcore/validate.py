"""How a classifier of any table does: cross-validation, confusion matrix, ROC, efficiency and purity.

Learning curves and areas are in `mlcore.evaluate`; splits of lumisections by run and in time in `mlcore.splits`.
"""

# ruff: noqa: N803  # X is what scikit-learn calls it
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, StratifiedKFold

from .conditions import FloatArray, IntArray
from .errors import BadLabels, MlcoreError, ShapeError, TooFewData
from .evaluate import scored


@dataclass(frozen=True, eq=False)
class Roc:
    """`false` (n,) and `true` (n,) shares flagged among good and bad at "score >= threshold", from the highest down."""

    false: FloatArray
    true: FloatArray
    threshold: FloatArray


def roc(scores: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Roc:
    """The curve whose area is `mlcore.evaluate.auc`; begins at (0, 0). Raises BadLabels for one class only."""
    rows = scored(scores, labels, weights=weights)
    values, place = np.unique(-rows.score, return_inverse=True)
    bad = np.cumsum(np.bincount(place, rows.weight * rows.label, minlength=values.size))
    good = np.cumsum(np.bincount(place, rows.weight * (1 - rows.label), minlength=values.size))
    if not bad.size or not bad[-1] > 0 or not good[-1] > 0:
        raise BadLabels("a ROC curve needs rows of both classes that have a score.")
    return Roc(np.r_[0.0, good / good[-1]], np.r_[0.0, bad / bad[-1]], np.r_[np.inf, -values])


@dataclass(frozen=True, eq=False)
class ConfusionMatrix:
    """`counts` (classes, classes): rows are the truth, columns what was said."""

    counts: IntArray
    names: tuple[str, ...]

    @property
    def efficiency(self) -> FloatArray:
        """(classes,) share of each class that was called so; NaN for a class that never came."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.diag(self.counts) / self.counts.sum(axis=1))

    @property
    def purity(self) -> FloatArray:
        """(classes,) share of what was called so that is; NaN for a class that was never called."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.diag(self.counts) / self.counts.sum(axis=0))

    @property
    def accuracy(self) -> float:
        return float(np.trace(self.counts) / self.counts.sum())


def confusion_matrix(said: npt.ArrayLike, truth: npt.ArrayLike, names: Sequence[str]) -> ConfusionMatrix:
    """Classes are places in `names`. Raises ShapeError, BadLabels for other classes, TooFewData without a row."""
    one, two = np.asarray(said), np.asarray(truth)
    if one.ndim != 1 or one.shape != two.shape:
        raise ShapeError(f"{one.shape} answers do not belong to {two.shape} true classes.")
    if not one.size:
        raise TooFewData("there is no row to count.")
    if not np.isin(np.concatenate([one, two]), np.arange(len(names))).all():
        raise BadLabels(f"classes are the numbers 0 to {len(names) - 1}, one for each name.")
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, (two.astype(np.int64), one.astype(np.int64)), 1)
    return ConfusionMatrix(counts, tuple(names))


def cross_validated(
    estimator: Any,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    groups: npt.ArrayLike | None = None,
    folds: int = 5,
    random_state: int = 0,
) -> FloatArray:
    """(n, classes) probabilities of every row by an estimator that has not seen it, nor any row of its group (its run).

    The estimator is one of scikit-learn with `predict_proba`. Without groups the folds have the classes in equal
    shares. Raises TooFewData where there are fewer groups, or rows of a class, than folds.
    """
    inputs, labels = np.asarray(X, dtype=np.float64), np.asarray(y)
    if inputs.ndim != 2 or labels.shape != (len(inputs),):
        raise ShapeError(f"X {inputs.shape} and y {labels.shape} do not belong together.")
    if not hasattr(estimator, "predict_proba"):
        raise MlcoreError(f"{type(estimator).__name__} gives no probabilities.")
    classes, counts = np.unique(labels, return_counts=True)
    if groups is None:
        fewest = int(counts.min()) if counts.size else 0
        splits = StratifiedKFold(folds, shuffle=True, random_state=random_state)
    else:
        fewest = int(np.unique(np.asarray(groups)).size)
        splits = GroupKFold(folds, shuffle=True, random_state=random_state)
    if fewest < folds:
        raise TooFewData(f"{fewest} are too few for {folds} folds; use fewer folds.")
    found = np.zeros((len(inputs), len(classes)))
    for learn, held in splits.split(inputs, labels, groups):
        model = clone(estimator).fit(inputs[learn], labels[learn])
        found[np.ix_(held, np.searchsorted(classes, model.classes_))] = model.predict_proba(inputs[held])
    return found
