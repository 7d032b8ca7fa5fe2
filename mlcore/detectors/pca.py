"""Principal components: what good lumisections have in common, and how far one is from it, by physics object."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from sklearn.utils.extmath import randomized_svd

from mlcore.conditions import FloatArray
from mlcore.features import FeatureTable

from .base import Detector
from .conditioning import Conditioner
from .errors_by_object import ErrorScale

#: name of the part of the error that lies in the space of the components
COMMON = "common"


class PcaDetector(Detector):
    """Project standardised features on the leading components of good lumisections; score by what does not fit.

    Parameters
    ----------
    components : how many; at most as many as there are features, and half as many as lumisections.
    conditioned : take off first what luminosity and pile-up make of each feature and of the errors.
    by_object : standardise the error of each physics object by itself and take a soft maximum; else the mean squared
        error over all features is the score, as in AutoDQM (arXiv:2501.13789).
    random_state : of the decomposition.

    Attributes after `fit`: `components_` (k, f), `groups_` names of physics objects and last the components themselves.
    A missing value counts as what is usual under its conditions.
    """

    consumes: ClassVar[Literal["table"]] = "table"

    def __init__(
        self, *, components: int = 30, conditioned: bool = True, by_object: bool = True, random_state: int = 0
    ) -> None:
        self.components = components
        self.conditioned = conditioned
        self.by_object = by_object
        self.random_state = random_state

    def group_errors(self, table: FeatureTable) -> FloatArray:
        """(n, groups) mean squared error of the features of each object, and last that of the components, in units of
        their variance; in the order of `groups_`."""
        x = self.conditioner_.transform(table)
        amplitude = x @ self.components_.T
        left = x - amplitude @ self.components_
        return np.column_stack([(left**2) @ self.membership_, ((amplitude / self.widths_) ** 2).mean(axis=1)])

    def _fit(self, data: FeatureTable, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        self.conditioner_ = Conditioner(conditioned=self.conditioned, by_events=False).fit(data)
        names = tuple(dict.fromkeys(data.groups))
        self.groups_ = (*names, COMMON)
        self.membership_ = membership(data.groups)
        x = self.conditioner_.transform(data)
        if weights is not None:
            x = x * np.sqrt(weights / weights.mean())[:, None].astype(np.float32)
        count = max(1, min(self.components, x.shape[1], len(x) // 2))
        _, _, found = randomized_svd(x, count, n_iter=3, random_state=self.random_state)
        self.components_ = np.ascontiguousarray(found, dtype=np.float32)
        width = (self.conditioner_.transform(data) @ self.components_.T).std(axis=0)
        self.widths_ = np.maximum(width, 1e-6)
        self.scale_ = ErrorScale().fit(self.group_errors(data), self.conditioner_.terms(data.conditions))

    def _score(self, data: FeatureTable) -> FloatArray:
        errors = self.group_errors(data)
        if self.by_object:
            return self.scale_.scores(errors, self.conditioner_.terms(data.conditions))
        sizes = np.array([data.groups.count(name) for name in self.groups_[:-1]])
        return np.asarray(errors[:, :-1] @ sizes / sizes.sum())


def membership(groups: tuple[str, ...]) -> npt.NDArray[np.float32]:
    """(f, groups) that takes the mean over the features of each object."""
    names = tuple(dict.fromkeys(groups))
    belongs = np.array([[group == name for name in names] for group in groups], dtype=np.float32)
    return np.asarray(belongs / np.maximum(belongs.sum(axis=0), 1.0), dtype=np.float32)
