"""Supervised trees on tables: histogram boosting and extremely randomised trees, averaged."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import ExtraTreesClassifier

from mlcore.conditions import FloatArray
from mlcore.errors import BadLabels
from mlcore.features import FeatureTable

from .base import Detector
from .binned import BinnedBoosting
from .conditioning import Conditioner


class BoostingDetector(Detector):
    """Log-odds of bad, the mean of two kinds of trees: boosted ones are sharp, randomised ones do not overfit.

    Parameters
    ----------
    max_iter, max_depth, learning_rate : of the boosting.
    n_estimators : randomised trees; 0 leaves them out.
    conditioned : trees see features freed of luminosity and pile-up beside luminosity and pile-up themselves; False
        gives them the raw values, as arXiv:1709.08607 does.
    random_state : of both.

    `weights` say how far labels are believed (or luminosity, as in the paper). Missing values are 0 when conditioned,
    else a branch of their own.
    """

    consumes: ClassVar[Literal["table"]] = "table"
    supervised = True

    def __init__(
        self,
        *,
        max_iter: int = 64,
        max_depth: int | None = 6,
        learning_rate: float = 0.1,
        n_estimators: int = 100,
        conditioned: bool = True,
        random_state: int = 0,
    ) -> None:
        self.max_iter = max_iter
        self.max_depth = max_depth
        self.learning_rate = learning_rate
        self.n_estimators = n_estimators
        self.conditioned = conditioned
        self.random_state = random_state

    def _fit(self, data: FeatureTable, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        assert labels is not None
        if np.unique(labels).size < 2:
            raise BadLabels("both good and bad lumisections are needed among those that can be used.")
        # What luminosity makes of a feature is learned from good lumisections, if there are enough of them.
        good = labels == 0
        self.conditioner_ = Conditioner(conditioned=True, by_events=False).fit(
            data.select(good) if good.sum() >= 10 else data
        )
        x = self._inputs(data)
        self.boosted_ = BinnedBoosting(
            max_iter=self.max_iter,
            max_depth=self.max_depth,
            learning_rate=self.learning_rate,
            min_samples_leaf=5,
            random_state=self.random_state,
        ).fit(x, labels, weights)
        self.randomised_ = None
        if self.n_estimators:
            self.randomised_ = ExtraTreesClassifier(
                self.n_estimators, min_samples_leaf=3, random_state=self.random_state
            ).fit(self._filled(x), labels, sample_weight=weights)

    def _score(self, data: FeatureTable) -> FloatArray:
        x = self._inputs(data)
        odds = self.boosted_.decision_function(x)
        if self.randomised_ is None:
            return odds
        p = np.clip(self.randomised_.predict_proba(self._filled(x))[:, 1], 0.002, 0.998)
        return np.asarray((odds + np.log(p / (1.0 - p))) / 2.0)

    def _inputs(self, data: FeatureTable) -> npt.NDArray[np.float32]:
        if self.conditioned:
            terms = self.conditioner_.terms(data.conditions)[:, 1:3]
            return np.column_stack([self.conditioner_.transform(data), terms]).astype(np.float32)
        return np.asarray(np.where(np.isfinite(data.values), data.values, np.nan), dtype=np.float32)

    @staticmethod
    def _filled(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.asarray(np.nan_to_num(x, nan=0.0), dtype=np.float32)
