"""Parts of our score of a real histogram: two forests that know labels, and four measures of oddness that do not."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier, IsolationForest

from mlcore.bench.peers.dinamo_s import dinamo_s_frozen
from mlcore.bench.peers.unlabelled import shapes
from mlcore.conditions import FloatArray, IntArray
from mlcore.detectors.ewma import EwmaReference
from mlcore.histograms import HistogramBlock

from .folds import of_its_run

#: Components of the error, and bins that the forests are given.
COMPONENTS, COARSE = 5, 25
FOREST, IN_RUN, REFERENCE, ERROR, EWMA, ISOLATED = range(6)


def described(block: HistogramBlock) -> FloatArray:
    """Shape in COARSE bins, its first three moments, the share of bins with an entry, and the number of entries."""
    bins, centres = shapes(block), block.axes[0].centres
    x = (centres - centres.mean()) / centres.std()
    mean = bins @ x
    width = np.sqrt(np.maximum(bins @ x**2 - mean**2, 1e-12))
    skew = ((x[None, :] - mean[:, None]) ** 3 * bins).sum(axis=1) / width**3
    coarse = np.add.reduceat(bins, np.arange(0, bins.shape[1], max(1, bins.shape[1] // COARSE)), axis=1)
    return np.column_stack([coarse, mean, width, skew, (bins > 0).mean(axis=1), np.log1p(block.totals)])


def oddness(train: HistogramBlock, labels: IntArray, test: HistogramBlock) -> FloatArray:
    """(n, 3) of `test`, by the good rows of `train`: evidence of our reference, error of a PCA, EWMA of DINAMO-S; all
    as logarithms. Nothing in them is random."""
    reference = EwmaReference(memory=0.999, systematics_memory=0.999, modes=8).fit(train, labels)
    good = train.select(labels == 0)
    bins = shapes(test)
    model = PCA(COMPONENTS, svd_solver="full").fit(shapes(good))
    error = ((bins - model.inverse_transform(model.transform(bins))) ** 2).sum(axis=1)
    ewma = dinamo_s_frozen(good.flat.astype(np.float64), test.flat.astype(np.float64), memory=0.9)
    return np.column_stack([np.log1p(reference.score(test)), np.log(error + 1e-12), np.log(ewma + 1e-12)])


def learned(
    train: HistogramBlock, labels: IntArray, test: HistogramBlock, *, trees: int, seed: int
) -> tuple[FloatArray, FloatArray]:
    """(n, 2) log-odds of forests on what is described, alone and beside the mean of the run; (n, 1) isolation."""
    given, asked = described(train), described(test)
    alone = _odds(given, labels, asked, trees, seed)
    in_run = _odds(
        np.hstack([given, of_its_run(given, train.conditions.run)]),
        labels,
        np.hstack([asked, of_its_run(asked, test.conditions.run)]),
        trees,
        seed,
    )
    lonely = IsolationForest(n_estimators=trees, random_state=seed).fit(shapes(train.select(labels == 0)))
    return np.column_stack([alone, in_run]), -lonely.score_samples(shapes(test))[:, None]


def parts(
    train: HistogramBlock, labels: IntArray, test: HistogramBlock, odd: FloatArray, *, trees: int, seed: int
) -> FloatArray:
    """(n, 6) in the order FOREST, IN_RUN, REFERENCE, ERROR, EWMA, ISOLATED; `odd` is what `oddness` returned."""
    odds, lonely = learned(train, labels, test, trees=trees, seed=seed)
    return np.hstack([odds, odd, lonely])


def _odds(given: FloatArray, labels: IntArray, asked: FloatArray, trees: int, seed: int) -> FloatArray:
    model = ExtraTreesClassifier(
        trees, min_samples_leaf=3, max_features=0.3, class_weight="balanced", random_state=seed
    )
    bad = np.clip(model.fit(given, labels).predict_proba(asked)[:, 1], 1e-3, 1 - 1e-3)
    return np.asarray(np.log(bad / (1 - bad)))
