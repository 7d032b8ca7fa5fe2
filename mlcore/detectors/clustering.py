"""Clusters of good lumisections: detectors run in a few ways, and what belongs to none of them is odd."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans

from mlcore.conditions import FloatArray
from mlcore.features import FeatureTable

from .base import Detector
from .pca import PcaDetector


class ClusteringDetector(Detector):
    """Distance to the nearest cluster of good lumisections, in units of what is usual in that cluster.

    Parameters
    ----------
    clusters : how many; fewer when there are too few lumisections (twenty for each).
    components : principal components in which distances are taken; what they leave out counts as one more.
    conditioned : take off first what luminosity and pile-up make of each feature.
    random_state : of the starts.

    Attributes after `fit`: `kmeans_`, `spread_` (clusters,) median distance of a cluster's own.
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
        points = self._points(data)
        different = len(np.unique(points.round(9), axis=0))
        count = max(1, min(self.clusters, len(points) // 20, different))
        self.kmeans_ = KMeans(count, n_init=4, random_state=self.random_state).fit(points, sample_weight=weights)
        nearest, distance = self._nearest(points)
        usual = [float(np.median(distance[nearest == number])) for number in range(count)]
        self.spread_ = np.maximum(np.nan_to_num(usual, nan=1.0), 1e-9)

    def _score(self, data: FeatureTable) -> FloatArray:
        nearest, distance = self._nearest(self._points(data))
        return np.asarray(distance / self.spread_[nearest])

    def _nearest(self, points: FloatArray) -> tuple[npt.NDArray[np.int64], FloatArray]:
        distances = np.asarray(self.kmeans_.transform(points), dtype=np.float64)
        nearest = np.argmin(distances, axis=1)
        return nearest, distances[np.arange(len(points)), nearest]

    def _points(self, data: FeatureTable) -> FloatArray:
        """(n, components + 1): amplitudes, and the root of the squared error they leave."""
        x = self.space_.conditioner_.transform(data)
        amplitude = x @ self.space_.components_.T
        left = np.sqrt(((x - amplitude @ self.space_.components_) ** 2).sum(axis=1))
        return np.column_stack([amplitude, left]).astype(np.float64)
