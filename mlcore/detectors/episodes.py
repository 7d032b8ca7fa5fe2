"""A supervised detector that knows that defects last: it learns what whole episodes look like, and reads a lumisection
together with its neighbours of the same run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, solve_triangular
from scipy.special import logsumexp
from sklearn.model_selection import StratifiedKFold

from mlcore.conditions import Conditions, FloatArray, IntArray
from mlcore.errors import BadLabels, TooFewData
from mlcore.features import FeatureTable
from mlcore.splits import run_folds

from .base import Detector
from .binned import BinnedBoosting
from .conditioning import Conditioner

#: neighbours on either side that are read together with a lumisection; the last is the whole run
WINDOWS = (0, 1, 3, 10, 10_000)
#: an episode may come again weaker or stronger
_STRENGTHS = (0.5, 1.0, 1.5)
#: lumisections of one run are alike: more than this many do not say more
_INDEPENDENT = 8
Folds = Sequence[tuple[IntArray, IntArray]]


class EpisodeFeatures:
    """How much each lumisection, alone and with its neighbours, looks like episodes that were labelled bad.

    Features are freed of luminosity and pile-up, then whitened with the shrunk covariance of good lumisections. The
    mean of each contiguous episode of bad ones is a template; templates are cleaned by keeping the directions that they
    share. A lumisection gets, for each window of neighbours: the log-likelihood ratio of any template against good, the
    largest projection on one, its distance in the shared directions, and its distance in all directions.

    Parameters
    ----------
    shrinkage : share of the covariance that is replaced by its diagonal.
    directions : at most so many are kept.
    windows : neighbours on either side that are read together with a lumisection.

    Attributes after `fit`: `templates_` (episodes, k), `directions_` (k, f).
    """

    def __init__(self, *, shrinkage: float = 0.05, directions: int = 60, windows: tuple[int, ...] = WINDOWS) -> None:
        self.shrinkage = shrinkage
        self.directions = directions
        self.windows = windows

    def fit(self, table: FeatureTable, labels: IntArray) -> Self:
        """Rows grouped by run and in order of time. Raises TooFewData with fewer than ten good or one bad."""
        good, bad = labels == 0, labels == 1
        if good.sum() < 10 or not bad.any():
            raise TooFewData("at least ten good lumisections and a bad one are needed to learn episodes.")
        self.conditioner_ = Conditioner().fit(table.select(good))
        x = self.conditioner_.transform(table)
        self.middle_ = x[good].mean(axis=0)
        self.whitening_ = _whitening(x[good], self.shrinkage)
        _, episode = np.unique(episodes(table.conditions, labels)[bad], return_inverse=True)
        size = np.bincount(episode)
        seen = ((x[bad] - self.middle_) @ self.whitening_.T).astype(np.float64)
        means = np.zeros((len(size), seen.shape[1]))
        np.add.at(means, episode, seen)
        means /= size[:, None]
        _, strength, found = np.linalg.svd(means * np.sqrt(size)[:, None], full_matrices=False)
        # A direction of pure noise has about the median strength: most episodes say nothing new.
        shared = int((strength**2 > 2.0 * np.median(strength**2) + 1.0).sum())
        kept = max(min(5, len(strength)), min(shared, self.directions))
        self.directions_ = found[:kept].astype(np.float32)
        # The mean of few lumisections is too long by its noise, one unit for each direction and lumisection.
        short = means @ found[:kept].T
        length = np.maximum((short**2).sum(axis=1), 1e-9)
        short *= np.maximum(0.0, 1.0 - kept / (size * length))[:, None]
        clear = (short**2).sum(axis=1) > 1.0
        if not clear.any():
            clear[np.argmax(length)] = True
            short[clear] = (means @ found[:kept].T)[clear]
        self.templates_ = short[clear]
        self.log_share_ = np.log(size[clear] / size[clear].sum())
        return self

    def transform(self, table: FeatureTable) -> FloatArray:
        """(n, 4 * windows). Rows grouped by run and in order of time; neighbours are the rows that are there."""
        white = (self.conditioner_.transform(table) - self.middle_) @ self.whitening_.T
        place = white @ self.directions_.T
        distance = (white**2).mean(axis=1, keepdims=True)
        square = np.maximum((self.templates_**2).sum(axis=1), 1e-9)
        columns = []
        for width in self.windows:
            mean, count = window_mean(np.hstack([place, distance]), table.conditions.run, width)
            inner, worth = mean[:, :-1] @ self.templates_.T, np.minimum(count, _INDEPENDENT)[:, None]
            ratios = [
                logsumexp(worth * (size * inner - 0.5 * size**2 * square) + self.log_share_, axis=1)
                for size in _STRENGTHS
            ]
            columns += [
                logsumexp(ratios, axis=0),
                (inner / np.sqrt(square)).max(axis=1),
                (mean[:, :-1] ** 2).sum(axis=1) * count,
                mean[:, -1] * np.sqrt(count),
            ]
        return np.column_stack(columns)


class EpisodeDetector(Detector):
    """Log-odds of bad from `EpisodeFeatures`, cross-fitted: every part of the model is judged on what it has not seen.

    Parameters
    ----------
    folds : of the cross-fitting, over whole runs; with too few runs over lumisections.
    shrinkage, directions, windows : see EpisodeFeatures; windows of (0,) judge every lumisection by itself.
    max_iter : trees of the small boosting that joins the features.
    random_state : of folds and trees.

    Attributes after `fit`: `held_out_` (n,) log-odds of the training rows, each from models that have not seen its run
    (NaN for rows that could not be used): what calibration and thresholds should be made from.

    A lumisection is scored together with the others of its run that are in the same call.
    """

    consumes: ClassVar[Literal["table"]] = "table"
    supervised = True
    fewest = 40

    def __init__(
        self,
        *,
        folds: int = 5,
        shrinkage: float = 0.05,
        directions: int = 60,
        windows: tuple[int, ...] = WINDOWS,
        max_iter: int = 60,
        random_state: int = 0,
    ) -> None:
        self.folds = folds
        self.shrinkage = shrinkage
        self.directions = directions
        self.windows = windows
        self.max_iter = max_iter
        self.random_state = random_state

    def _fit(self, data: FeatureTable, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        assert labels is not None
        self.held_out_ = self.fit_among(data, labels, np.arange(len(data)), weights=weights)

    def fit_among(
        self,
        table: FeatureTable,
        labels: IntArray,
        labelled: IntArray,
        *,
        weights: FloatArray | None = None,
        folds: Folds | None = None,
    ) -> FloatArray:
        """Learn from some rows of a table, the others being there as neighbours only; log-odds held out of those rows.

        `labels` and `weights` are (n,), used at `labelled` only. `folds` are (train, test) places within `labelled`.
        """
        return self._learn(table, labels, labelled, weights, folds)[0]

    def judge_among(
        self,
        table: FeatureTable,
        labels: IntArray,
        labelled: IntArray,
        *,
        weights: FloatArray | None = None,
        folds: Folds | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        """What `fit_among` gives and what `score(table)` would give then, with half of the work."""
        held_out, features = self._learn(table, labels, labelled, weights, folds)
        odds = [self.joint_.decision_function(one) for one in features]
        return held_out, np.asarray(np.mean(odds, axis=0)[in_time(table.conditions)[1]])

    def _learn(
        self, table: FeatureTable, labels: IntArray, labelled: IntArray, weights: FloatArray | None, folds: Folds | None
    ) -> tuple[FloatArray, list[FloatArray]]:
        """Log-odds held out, and what each part makes of every row in order of time."""
        y = labels[labelled]
        w = np.ones(len(labelled)) if weights is None else weights[labelled]
        dealt = list(folds if folds is not None else self._folds(table.conditions.select(labelled), y))
        order, back = in_time(table.conditions)
        ordered, place = table.select(order), back[labelled]
        self.layout_ = table.names
        self.parts_: list[EpisodeFeatures] = []
        made, features = [], np.zeros((len(labelled), 4 * len(self.windows)))
        for train, test in dealt:
            rows = np.sort(place[train])
            part = EpisodeFeatures(shrinkage=self.shrinkage, directions=self.directions, windows=self.windows)
            part.fit(ordered.select(rows), labels[order][rows])
            made.append(part.transform(ordered))
            features[test] = made[-1][place[test]]
            self.parts_.append(part)
        held_out = np.full(len(labelled), np.nan)
        for train, test in dealt:
            held_out[test] = self._joined(features[train], y[train], w[train]).decision_function(features[test])
        self.joint_ = self._joined(features, y, w)
        return held_out, made

    def _score(self, data: FeatureTable) -> FloatArray:
        order, back = in_time(data.conditions)
        ordered = data.select(order)
        odds = [self.joint_.decision_function(part.transform(ordered)) for part in self.parts_]
        return np.asarray(np.mean(odds, axis=0)[back])

    def _joined(self, features: FloatArray, y: IntArray, w: FloatArray) -> BinnedBoosting:
        return BinnedBoosting(
            max_iter=self.max_iter, max_depth=4, learning_rate=0.1, min_samples_leaf=20, random_state=self.random_state
        ).fit(features, y, w)

    def _folds(self, conditions: Conditions, y: IntArray) -> Iterator[tuple[IntArray, IntArray]]:
        """By run where every fold then has both kinds to learn from, else over lumisections."""
        if len(np.unique(conditions.run)) >= 2 * self.folds:
            dealt = list(run_folds(conditions, self.folds, random_state=self.random_state))
            if all(_enough(y[train]) for train, _ in dealt):
                return iter(dealt)
        count = min(self.folds, int(np.bincount(y, minlength=2).min()))
        if count < 2:
            raise BadLabels("at least two good and two bad lumisections that can be used are needed.")
        cut = StratifiedKFold(count, shuffle=True, random_state=self.random_state)
        return iter(list(cut.split(y, y)))


def episodes(conditions: Conditions, labels: IntArray) -> IntArray:
    """(n,) number of the stretch of equal labels to which each row belongs; a new run begins a new one. Rows in order
    of time."""
    begins = np.append(True, (np.diff(conditions.run) != 0) | (np.diff(labels) != 0))
    return np.asarray(np.cumsum(begins) - 1)


def in_time(conditions: Conditions) -> tuple[IntArray, IntArray]:
    """Order by run and lumisection, and the place of each row in that order."""
    order = np.argsort(conditions.key, kind="stable")
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return order, back


def window_mean(values: FloatArray, run: IntArray, width: int) -> tuple[FloatArray, IntArray]:
    """Mean over the rows up to `width` before and after within the run, (n, k), and of how many, (n,). Rows by run."""
    if width == 0:  # exactly itself, which differences of sums are not
        return np.asarray(values, dtype=np.float64), np.ones(len(values), dtype=np.int64)
    total = np.vstack([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=np.float64)])
    row = np.arange(len(values))
    start = np.maximum(row - width, np.searchsorted(run, run))
    stop = np.minimum(row + width + 1, np.searchsorted(run, run, side="right"))
    count = stop - start
    return np.asarray((total[stop] - total[start]) / count[:, None]), np.asarray(count)


def _whitening(x: npt.NDArray[np.float32], shrinkage: float) -> npt.NDArray[np.float32]:
    """(f, f) that makes good lumisections white."""
    covariance = np.cov(x.T, dtype=np.float64).reshape(x.shape[1], x.shape[1])
    own = np.diag(covariance).copy()
    shrunk = (1.0 - shrinkage) * covariance
    shrunk[np.diag_indices_from(shrunk)] += shrinkage * np.where(own > 0, own, 1.0) + 1e-6
    root = cholesky(shrunk, lower=True)
    return np.asarray(solve_triangular(root, np.eye(len(root)), lower=True), dtype=np.float32)


def _enough(y: IntArray) -> bool:
    return bool((y == 0).sum() >= 10 and (y == 1).any())
