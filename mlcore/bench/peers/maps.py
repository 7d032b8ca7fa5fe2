"""Peers on occupancy maps, each written from where it was published."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import numpy as np
import numpy.typing as npt

from mlcore.conditions import FloatArray
from mlcore.detectors.conv_autoencoder import ConvAutoencoder
from mlcore.histograms import HistogramBlock

Floats = npt.NDArray[np.floating[Any]]

#: of PyOD, on maps divided by their own mean; those that finish in seconds
OUTLIER_MODELS = ("IForest", "KNN", "PCA", "HBOS")


def ring_ratio(counts: Floats) -> Floats:
    """Counts over the mean of their phi ring, (n, eta, phi). The rival cut of the deployed ECAL monitoring calls a
    channel hot above 100 with at least 20 entries; it does not look for silent ones (arXiv:2309.10157, code)."""
    ring = counts.mean(axis=2, keepdims=True)
    return np.asarray(np.where(counts >= 20, counts / np.maximum(ring, 1e-9), 0.0))


def loss_product(deviations: Floats, window: int = 3) -> Floats:
    """The time correction of the deployed monitoring: (groups x window, *bins) squared deviations to the product over
    each group, (groups, *bins)."""
    groups = deviations.reshape(-1, window, *deviations.shape[1:])
    return np.asarray(groups.prod(axis=1))


class FirstStudy:
    """The two autoencoders of the first study of the ECAL barrel and their OR (N. Dev, CMS machine learning forum, 28
    February 2018): maps of mean 0 and deviation 1, and maps of logarithms over their largest value."""

    def __init__(self, *, epochs: int, random_state: int) -> None:
        common: dict[str, Any] = {"network": "pooled", "spatial": False, "window": 1, "reduce": "mean", "batch": 8}
        self.models = [
            ConvAutoencoder(preprocessing=kind, epochs=epochs, random_state=random_state, **common)
            for kind in ("standard", "log")
        ]

    def fit(self, block: HistogramBlock) -> FirstStudy:
        self.usual = [np.sort(model.fit(block).score(block)) for model in self.models]
        return self

    def score(self, block: HistogramBlock) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Mean loss of each model, and of the OR: the more unusual of both, in ranks among the training maps and,
        beyond them, by how much the largest is exceeded."""
        scores = [model.score(block) for model in self.models]
        ranks = [
            np.searchsorted(usual, score) / len(usual) + np.maximum(score / usual[-1] - 1.0, 0.0)
            for usual, score in zip(self.usual, scores, strict=True)
        ]
        return scores[0], scores[1], np.maximum(ranks[0], ranks[1])


def outlier_scores(
    train: HistogramBlock, tests: list[HistogramBlock], *, random_state: int
) -> dict[str, list[FloatArray]]:
    """Scores of PyOD's models, none when PyOD is not installed: it comes with the development requirements."""
    if importlib.util.find_spec("pyod") is None:
        return {}
    components = min(30, len(train) - 1)
    more: dict[str, dict[str, Any]] = {"IForest": {"random_state": random_state}, "PCA": {"n_components": components}}
    x = _shares(train)
    parts = [_shares(test) for test in tests]
    found = {}
    for name in OUTLIER_MODELS:
        model = getattr(importlib.import_module(f"pyod.models.{name.lower()}"), name)(**more.get(name, {})).fit(x)
        scores = model.decision_function(np.concatenate(parts))
        found[f"PyOD {name}"] = np.split(scores, np.cumsum([len(part) for part in parts])[:-1])
    return found


def _shares(block: HistogramBlock) -> FloatArray:
    flat = block.flat.astype(np.float64)
    return np.asarray(flat / flat.mean(axis=1, keepdims=True))


def false_discovery(score: Floats, truth: npt.NDArray[np.bool_], detection: float = 0.99) -> float:
    """False tagged channels over all tagged ones at the threshold that tags this share of the faulty ones
    (arXiv:2309.10157): both (n, *bins)."""
    faulty = np.sort(score[truth])
    # A little is added because 1 - 0.9 is not quite 0.1.
    tagged = score >= faulty[int((1.0 - detection) * len(faulty) + 1e-9)]
    return float((tagged & ~truth).sum() / tagged.sum())
