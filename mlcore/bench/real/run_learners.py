"""Candidates that learn from the labels of the training runs; each returns the probability of the runs asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlcore.conditions import FloatArray, IntArray

from .runs import Prepared, odd_ones

Learner = Callable[[Prepared, IntArray, int], FloatArray]
Features = Callable[[Prepared, IntArray], FloatArray]
Model = Callable[[int], Any]
ALL, PULLS = ("chi2", "pull", "pca", "entries"), ("chi2", "pull")
TREES = 100


def _scores(*kinds: str) -> Features:
    return lambda prepared, asked: prepared.runs.filled(*kinds)


def _ranks(*kinds: str) -> Features:
    return lambda prepared, asked: np.hstack([getattr(prepared, kind) for kind in kinds])


def _ranks_beside(prepared: Prepared, asked: IntArray) -> FloatArray:
    own = _ranks(*ALL)(prepared, asked)
    return np.hstack([own, prepared.beside_all(own, asked)])


def _groups(prepared: Prepared, asked: IntArray) -> FloatArray:
    kinds = [getattr(prepared, kind) for kind in (*ALL, "rates")]
    return np.hstack([prepared.by_group(kind) for kind in kinds])


def _summaries(prepared: Prepared, asked: IntArray) -> FloatArray:
    """How many histograms are odd, and the mean rank, of each kind."""
    counts = [np.log1p(odd_ones(getattr(prepared, kind))) for kind in ("pca", "pull", "chi2")]
    means = [getattr(prepared, kind).mean(axis=1) for kind in ALL]
    return np.column_stack([*counts, *means, np.log1p(odd_ones(np.abs(2 * prepared.rates - 1)))])


def _summaries_beside(prepared: Prepared, asked: IntArray) -> FloatArray:
    own = _summaries(prepared, asked)
    return np.hstack([own, prepared.beside_all(own, asked)])


def _trees(leaf: int) -> Model:
    return lambda seed: ExtraTreesClassifier(TREES, min_samples_leaf=leaf, class_weight="balanced", random_state=seed)


def _line(strength: float, components: int | None = None) -> Model:
    def made(seed: int) -> Any:
        fewer = [] if components is None else [PCA(components, random_state=seed)]
        return make_pipeline(
            StandardScaler(), *fewer, LogisticRegression(C=strength, class_weight="balanced", max_iter=2000)
        )

    return made


def _sparse_line(seed: int) -> Any:
    model = LogisticRegression(l1_ratio=1.0, C=0.05, solver="liblinear", class_weight="balanced", random_state=seed)
    return make_pipeline(StandardScaler(), model)


def _boosting(seed: int) -> Any:
    return HistGradientBoostingClassifier(
        max_iter=60, learning_rate=0.08, max_leaf_nodes=6, min_samples_leaf=10, l2_regularization=5.0,
        max_features=0.3, class_weight="balanced", random_state=seed,
    )  # fmt: skip


def _learned(features: Features, model: Model, *, decided: bool = False, halved: bool = False) -> Learner:
    """`decided`: undecided runs are left out of the training. `halved`: they weigh half."""

    def of(prepared: Prepared, asked: IntArray, seed: int) -> FloatArray:
        runs, train = prepared.runs, prepared.train
        train = train[runs.verdict[train] != -1] if decided else train
        x = features(prepared, asked)
        weights = {"sample_weight": np.where(runs.verdict[train] == -1, 0.5, 1.0)} if halved else {}
        fitted = model(seed).fit(x[train], runs.labels[train], **weights)
        return np.asarray(fitted.predict_proba(x[asked])[:, 1])

    return of


def _three_classes(prepared: Prepared, asked: IntArray, seed: int) -> FloatArray:
    x, runs = prepared.runs.filled(*ALL), prepared.runs
    model = _trees(2)(seed).fit(x[prepared.train], runs.verdict[prepared.train])
    return np.asarray(model.predict_proba(x[asked])[:, list(model.classes_).index(1)])


LEARNERS: dict[str, Learner] = {
    "trees of pulls": _learned(_scores(*PULLS), _trees(2)),
    "trees of all": _learned(_scores(*ALL), _trees(2)),
    "trees of all and rates": _learned(_scores(*ALL, "rates"), _trees(2)),
    "trees of ranks": _learned(_ranks("pca", "pull", "chi2", "rates"), _trees(4)),
    "trees of ranks and neighbours": _learned(_ranks_beside, _trees(3)),
    "trees of subdetectors": _learned(_groups, _trees(4)),
    "trees of summaries": _learned(_summaries, _trees(6)),
    "trees of pulls, decided runs": _learned(_scores(*PULLS), _trees(2), decided=True),
    "trees of all, decided runs": _learned(_scores(*ALL), _trees(2), decided=True),
    "trees of all, undecided halved": _learned(_scores(*ALL), _trees(2), halved=True),
    "trees of all, three classes": _three_classes,
    "trees of summaries, decided runs": _learned(_summaries, _trees(6), decided=True),
    "line of pulls": _learned(_scores(*PULLS), _line(0.1, 10)),
    "line of ranks": _learned(_ranks(*ALL), _line(0.01, 15)),
    "sparse line of ranks": _learned(_ranks(*ALL), _sparse_line),
    "line of subdetectors": _learned(_groups, _line(0.03)),
    "line of summaries, decided runs": _learned(_summaries, _line(0.03), decided=True),
    "line of summaries and neighbours, decided runs": _learned(_summaries_beside, _line(0.03), decided=True),
    "boosting": _learned(_scores(*ALL), _boosting),
    "boosting, decided runs": _learned(_scores(*ALL), _boosting, decided=True),
}
