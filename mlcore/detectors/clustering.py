"""Clusters of good lumisections: detectors run in a few ways, and what belongs to none of them is odd."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans

from mlcore.conditions import FloatArray
from mlcore.features import FeatureTable

from .base import Detector
from .errors_by_object import ErrorScale
from .pca import PcaDetector


class ClusteringDetector(Detector):
    """Distance to the nearest cluster of good lumisections, in units of what is usual in that cluster, and what the
    components leave out of it: each against what is usual under the conditions, joined by a soft maximum.

    The rest is no coordinate of the clusters: components vary a hundred times as much as its length does, and a fault
    that lies outside of them would be lost.

    Parameters
    ----------
    clusters : how many; fewer when there are too few lumisections (twenty for each).
    components : principal components in which distances are taken.
    conditioned : take off first what luminosity and pile-up make of each feature.
    random_state : of the starts.

    Attributes after `fit`: `kmeans_`, `spread_` (clusters,) median distance of a cluster's own, `scale_` what is
    usual of both.
    """

    consumes: ClassVar[Literal["table"]] = "table"

    def __init__(
        self, *, clusters: int = 8, components: int = 20, conditioned: bool = True, random_state: int = 0
    ) -> None:
        self.clusters = clusters
        self.components = components
        self.conditioned = conditioned
        self.random_state = random_state

    def _fit(self, data: FeatureTable, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        space = PcaDetector(
            components=self.components, conditioned=self.conditioned, by_object=False, random_state=self.random_state
        )
        self.space_ = space.fit(data, weights=weights)
        points, _ = self._points(data)
        different = len(np.unique(points.round(9), axis=0))
        count = max(1, min(self.clusters, len(points) // 20, different))
        self.kmeans_ = KMeans(count, n_init=4, random_state=self.random_state).fit(points, sample_weight=weights)
        nearest, distance = self._nearest(points)
        usual = [float(np.median(distance[nearest == number])) for number in range(count)]
        self.spread_ = np.maximum(np.nan_to_num(usual, nan=1.0), 1e-9)
        self.scale_ = ErrorScale().fit(self._errors(data), self._terms(data))

    def _score(self, data: FeatureTable) -> FloatArray:
        return self.scale_.scores(self._errors(data), self._terms(data))

    def _errors(self, data: FeatureTable) -> FloatArray:
        """(n, 2): squared distance to the nearest cluster in its units, and the squared error of the components."""
        points, left = self._points(data)
        nearest, distance = self._nearest(points)
        return np.column_stack([(distance / self.spread_[nearest]) ** 2, left])

    def _terms(self, data: FeatureTable) -> FloatArray:
        return self.space_.conditioner_.terms(data.conditions)

    def _nearest(self, points: FloatArray) -> tuple[npt.NDArray[np.int64], FloatArray]:
        distances = np.asarray(self.kmeans_.transform(points), dtype=np.float64)
        nearest = np.argmin(distances, axis=1)
        return nearest, distances[np.arange(len(points)), nearest]

    def _points(self, data: FeatureTable) -> tuple[FloatArray, FloatArray]:
        """(n, components) amplitudes, and the (n,) mean squared error they leave."""
        x = self.space_.conditioner_.transform(data)
        amplitude = x @ self.space_.components_.T
        left = ((x - amplitude @ self.space_.components_) ** 2).mean(axis=1)
        return amplitude.astype(np.float64), left.astype(np.float64)
