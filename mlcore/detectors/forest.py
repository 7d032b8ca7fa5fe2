"""Isolation forest: odd lumisections are separated from the rest by few random cuts (Liu, Ting and Zhou, 2008)."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import IsolationForest

from mlcore.conditions import FloatArray
from mlcore.features import FeatureTable

from .base import Detector
from .conditioning import Conditioner


class ForestDetector(Detector):
    """Isolation forest on conditioned features. Not for maps: single cells drown in it (see `pulls` and `scan`).

    Parameters
    ----------
    n_estimators : trees.
    sample : lumisections that each tree sees.
    conditioned : take off first what luminosity and pile-up make of each feature.
    random_state : of samples and cuts.
    """

    consumes: ClassVar[Literal["table"]] = "table"

    def __init__(
        self, *, n_estimators: int = 100, sample: int = 256, conditioned: bool = True, random_state: int = 0
    ) -> None:
        self.n_estimators = n_estimators
        self.sample = sample
        self.conditioned = conditioned
        self.random_state = random_state

    def _fit(self, data: FeatureTable, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        self.conditioner_ = Conditioner(conditioned=self.conditioned, by_events=False).fit(data)
        self.forest_ = IsolationForest(
            n_estimators=self.n_estimators,
            max_samples=min(self.sample, len(data)),
            random_state=self.random_state,
        ).fit(self.conditioner_.transform(data), sample_weight=weights)

    def _score(self, data: FeatureTable) -> FloatArray:
        return np.asarray(-self.forest_.score_samples(self.conditioner_.transform(data)), dtype=np.float64)
