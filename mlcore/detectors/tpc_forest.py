"""Many parameters, few components, a forest: classes of quality for chunks of runs, as the ALICE TPC assigns them."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.covariance import ledoit_wolf
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.utils.validation import check_is_fitted

from mlcore.conditions import FloatArray, IntArray
from mlcore.errors import BadLabels, IncompatibleBinning, ShapeError, TooFewData
from mlcore.features import FeatureTable
from mlcore.quality_classes import Human, Quality, share_decided
from mlcore.splits import run_folds

from .base import Detector, check_weights
from .conditioning import Conditioner

_CLASSES = 3


class TpcForest(Detector):
    """Definitely good, good, definitely bad, or undecided; the score is the log-odds of definitely bad.

    Parameters are freed of what luminosity does to them, brought to units in which good chunks vary alike in every
    direction, and reduced to the components in which all chunks differ most. What makes good chunks differ from each
    other is then small, and faults are what is left. Randomised trees decide.

    Parameters
    ----------
    components : kept of the parameters, 26 as published.
    n_estimators : trees.
    accuracy : a class is assigned where, in runs that were not learned from, so many assignments are right.
    folds : of runs, to find out how sure that is.
    random_state : of the trees.

    `fit` takes labels of two kinds (good is definitely good); `fit_classes` the classes of people.

    Attributes after `fit`: `confidence_` how sure the trees must be for a class to be assigned, `decided_` the share
    that they then decided of the runs that were not learned from.
    Source: K. Deja, ALICE workshop on machine learning and quality control, December 2018: components of the
    parameters as they are, and a forest (`mlcore.bench.peers.tpc`). Conditioning and units are our own.
    """

    consumes: ClassVar[Literal["table"]] = "table"
    supervised = True

    def __init__(
        self,
        *,
        components: int = 26,
        n_estimators: int = 200,
        accuracy: float = 0.95,
        folds: int = 4,
        random_state: int = 0,
    ) -> None:
        self.components = components
        self.n_estimators = n_estimators
        self.accuracy = accuracy
        self.folds = folds
        self.random_state = random_state

    def fit_classes(self, data: FeatureTable, human: npt.ArrayLike, *, weights: npt.ArrayLike | None = None) -> Self:
        """Learn from what people wrote, (n,) of `Human`; rows where nothing is set teach nothing.

        Raises BadLabels for other numbers and when there is only one class, TooFewData, ShapeError.
        """
        self._check_kind(data)
        wrote, trust = np.asarray(human), check_weights(weights, len(data))
        if wrote.shape != (len(data),):
            raise ShapeError(f"classes have shape {wrote.shape}, expected ({len(data)},).")
        if not np.isin(wrote, [int(one) for one in Human]).all():
            raise BadLabels("classes of people are 0 nominal, 1 limited, 2 unusable, 3 not set.")
        told = self._usable(data) & (wrote != Human.NOT_SET)
        if int(told.sum()) < self.fewest:
            raise TooFewData(f"TpcForest: {int(told.sum())} chunks with a class, at least {self.fewest} are needed.")
        self.layout_ = data.names
        self._learn(data.select(told), wrote[told].astype(np.int64), None if trust is None else trust[told])
        return self

    def probabilities(self, data: FeatureTable) -> FloatArray:
        """(n, 3) of definitely good, good, definitely bad; NaN for a chunk of which nothing is known."""
        check_is_fitted(self, "layout_")
        self._check_kind(data)
        if data.names != self.layout_:
            raise IncompatibleBinning("TpcForest: these are other parameters than those it was fitted on.")
        found = np.full((len(data), _CLASSES), np.nan)
        usable = self._usable(data)
        if usable.any():
            found[usable] = self.model_.probabilities(data.select(usable))
        return found

    def classes(self, data: FeatureTable) -> IntArray:
        """(n,) a `Quality` each, undecided where the trees are not sure enough."""
        found = self.probabilities(data)
        sure = np.where(np.isnan(found), -np.inf, found).max(axis=1)
        best = np.nan_to_num(found).argmax(axis=1)
        return np.asarray(np.where(sure >= self.confidence_, best, int(Quality.UNDECIDED)))

    def _fit(self, data: FeatureTable, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        assert labels is not None
        self._learn(data, labels * int(Quality.DEFINITELY_BAD), weights)

    def _learn(self, data: FeatureTable, classes: IntArray, weights: FloatArray | None) -> None:
        if np.unique(classes).size < 2:
            raise BadLabels("chunks of at least two classes are needed; all are the same.")
        self.model_ = self._model().fit(data, classes, weights)
        found, known = self._unseen(data, classes, weights)
        self.decided_, self.confidence_ = share_decided(found[known], classes[known], self.accuracy)

    def _unseen(
        self, data: FeatureTable, classes: IntArray, weights: FloatArray | None
    ) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
        """Probabilities of runs by trees that have not seen them, and for which rows there are any."""
        found, known = np.zeros((len(data), _CLASSES)), np.zeros(len(data), dtype=bool)
        folds = min(self.folds, len(np.unique(data.conditions.run)))
        for train, test in run_folds(data.conditions, folds, random_state=self.random_state) if folds > 1 else ():
            if np.unique(classes[train]).size < 2:
                continue
            model = self._model().fit(data.select(train), classes[train], None if weights is None else weights[train])
            found[test], known[test] = model.probabilities(data.select(test)), True
        return found, known

    def _model(self) -> _Model:
        return _Model(self.components, self.n_estimators, self.random_state)

    def _score(self, data: FeatureTable) -> FloatArray:
        bad = np.clip(self.model_.probabilities(data)[:, Quality.DEFINITELY_BAD], 1e-3, 1.0 - 1e-3)
        return np.asarray(np.log(bad / (1.0 - bad)))


class _Model:
    """Conditioning, units, components and trees, fitted together."""

    def __init__(self, components: int, n_estimators: int, random_state: int) -> None:
        self.components, self.n_estimators, self.random_state = components, n_estimators, random_state

    def fit(self, data: FeatureTable, classes: IntArray, weights: FloatArray | None) -> Self:
        good = classes == int(Quality.DEFINITELY_GOOD)
        usual = data.select(good) if good.sum() >= max(10, len(data) // 10) else data
        self.conditioner = Conditioner(by_events=False).fit(usual)
        residual = self.conditioner.transform(usual).astype(np.float64)
        self.middle = residual.mean(axis=0)
        width, axes = np.linalg.eigh(ledoit_wolf(residual)[0])
        # A parameter that never varies has no unit, and stays away.
        kept = width > 1e-9 * max(float(width[-1]), 1e-12)
        if not kept.any():
            raise TooFewData("TpcForest: no parameter varies; there is nothing to learn from.")
        self.units = axes[:, kept] / np.sqrt(width[kept])
        alike = (self.conditioner.transform(data) - self.middle) @ self.units
        self.turn = np.linalg.svd(alike - alike.mean(axis=0), full_matrices=False)[2][: self.components].T
        trees = ExtraTreesClassifier(self.n_estimators, min_samples_leaf=2, random_state=self.random_state)
        self.trees = trees.fit(alike @ self.turn, classes, sample_weight=weights)
        return self

    def probabilities(self, data: FeatureTable) -> FloatArray:
        found = np.zeros((len(data), _CLASSES))
        x = (self.conditioner.transform(data) - self.middle) @ self.units @ self.turn
        found[:, self.trees.classes_] = self.trees.predict_proba(x)
        return found
