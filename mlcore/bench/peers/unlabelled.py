"""Methods that learn what good histograms look like and know no bad one: the peers on real histograms."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from mlcore.conditions import FloatArray, IntArray
from mlcore.features import FeatureTable
from mlcore.histograms import HistogramBlock

#: Widths of the layers and epochs among which the autoencoder is set.
NETS: tuple[tuple[tuple[int, ...], int], ...] = (((32, 8), 40), ((16, 3), 40), ((64, 16), 80))
#: Numbers of components among which the PCA is set.
COMPONENTS = (2, 5, 15)


def shapes(block: HistogramBlock) -> FloatArray:
    return np.asarray(block.flat / block.totals[:, None])


def pca(good: HistogramBlock, asked: HistogramBlock, *, components: int) -> FloatArray:
    """Log of the squared error of a PCA."""
    model = PCA(components, svd_solver="full").fit(shapes(good))
    bins = shapes(asked)
    return np.asarray(np.log(((bins - model.inverse_transform(model.transform(bins))) ** 2).sum(axis=1) + 1e-12))


def isolation_forest(good: HistogramBlock, asked: HistogramBlock, *, trees: int, seed: int) -> FloatArray:
    model = IsolationForest(n_estimators=trees, random_state=seed).fit(shapes(good))
    return -np.asarray(model.score_samples(shapes(asked)))


def autoencoder(
    good: HistogramBlock, asked: HistogramBlock, *, net: tuple[tuple[int, ...], int], seed: int
) -> FloatArray:
    """Log of the mean squared error of a dense autoencoder on standardised shapes."""
    from mlcore.detectors.autoencoder import AutoencoderDetector

    model = AutoencoderDetector(
        hidden=net[0],
        epochs=net[1],
        batch_size=256,
        learning_rate=3e-3,
        conditioned=False,
        by_object=False,
        random_state=seed,
    )
    return np.asarray(np.log(model.fit(_table(good)).score(_table(asked)) + 1e-12))


def best_setting(
    block: HistogramBlock,
    labels: IntArray,
    fold: tuple[IntArray, IntArray],
    nets: tuple[tuple[tuple[int, ...], int], ...] = NETS,
) -> tuple[int, tuple[tuple[int, ...], int]]:
    """The number of components and the net with the largest AUC on the held rows of the training runs: the peers are
    set with labels that they then do not see."""
    fit, held = fold
    good, asked, truth = block.select(fit[labels[fit] == 0]), block.select(held), labels[held]
    if truth.min() == truth.max():
        return COMPONENTS[1], nets[0]
    components = max(COMPONENTS, key=lambda k: float(roc_auc_score(truth, pca(good, asked, components=k))))
    if len(nets) == 1:
        return components, nets[0]
    net = max(nets, key=lambda one: float(roc_auc_score(truth, autoencoder(good, asked, net=one, seed=0))))
    return components, net


def _table(block: HistogramBlock) -> FeatureTable:
    names = tuple(f"bin {number}" for number in range(block.bins[0]))
    return FeatureTable(shapes(block), names, ("shape",) * len(names), block.conditions)
