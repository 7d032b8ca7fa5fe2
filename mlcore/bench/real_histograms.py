"""Table `real-histograms`: labelled per-lumisection histograms of CMS of 2017, whole runs held out.

Ours combines two forests that know the labels of the training runs with four measures of oddness that do not. How they
are combined is chosen among the few ways of `real/stack.py` in folds inside the training runs, once, with seed 0; the
reported seeds move only what is random. The peers learn from the good lumisections of the same training runs; PCA and
autoencoder are set in one of the inner folds. Ours reads a lumisection beside the mean of its run; so that this alone
is not what wins, every peer is shown, and must be beaten, in the same way too. Lumisections without an entry cannot be
scored by any and are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from mlcore.conditions import FloatArray, IntArray
from mlcore.histograms import HistogramBlock
from mlcore.readers import read_ml4dqm_csv
from mlcore.splits import run_folds

from .peers import unlabelled
from .peers.dinamo_s import dinamo_s_frozen
from .peers.real_files import real_files
from .real import stack
from .real.folds import inner_folds, of_its_run
from .real.parts import FOREST, REFERENCE, oddness, parts
from .rows import Peer, Row, Stopwatch, peak_memory_mb

NAME = "real-histograms"
TASKS = (
    ("pixel charge", "chargeInner_PXLayer_1_2017B_medium_train.csv", ("good", "good_pixel")),
    ("main diagonal", "MainDiagonal_2017_random_subset.csv", ("json", "dcsbit")),
)
FOLDS, INNER, TREES, FEWER = 3, 3, 100, 30
#: The quick mode takes every n-th lumisection, fewer trees and the first setting of the autoencoder.
THIN = {"pixel charge": 2, "main diagonal": 5}
METRICS: dict[str, Callable[[IntArray, FloatArray], float]] = {
    "AUC": lambda labels, scores: float(roc_auc_score(labels, scores)),
    "average precision": lambda labels, scores: float(average_precision_score(labels, scores)),
}
OURS, IN_RUN = "ours", ", beside its run"
#: Parts of ours, which are shown but not what is to be beaten.
PARTS = ("our forest alone", "our reference alone")
Scores = dict[str, FloatArray]


@dataclass(frozen=True, eq=False)
class _Fold:
    """One fold of whole runs, and what was decided inside its training runs."""

    train: HistogramBlock
    labels: IntArray
    test: HistogramBlock
    rows: IntArray
    odd: FloatArray
    known: stack.Known
    choice: stack.Choice
    components: int
    net: tuple[tuple[int, ...], int]
    trees: int

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
        block, labels = _read(folder / file, thin=THIN[what] if quick else 1)
        for name in names:
            rows += _rows(f"{what}, label {name}", block, labels[name], chosen, quick=quick)
    return rows


def _read(path: Path, *, thin: int) -> tuple[HistogramBlock, dict[str, IntArray]]:
    (read,) = read_ml4dqm_csv(path)
    rows = np.flatnonzero(read.block.totals > 0)[::thin]
    return read.block.select(rows), {name: values[rows] for name, values in read.labels.items()}


def _rows(task: str, block: HistogramBlock, labels: IntArray, seeds: list[int], *, quick: bool) -> list[Row]:
    measured: dict[str, _Measured] = {}
    begun = Stopwatch()
    folds = list(_folds(block, labels, begun, quick=quick))
    for seed in seeds:
        scores: Scores = {}
        for fold in folds:
            for name, score in _scored(fold, seed, measured):
                scores.setdefault(name, np.full(len(labels), np.nan))[fold.rows] = score
        for name, score in scores.items():
            for metric, of in METRICS.items():
                measured.setdefault(name, _Measured()).figures[metric].append(of(labels, score))
    ways = Counter(fold.choice.name for fold in folds)
    words = "; ".join(f"{name} ({count})" for name, count in ways.items())
    return [_row(task, metric, measured, seeds, (begun.seconds, words)) for metric in METRICS]


def _row(task: str, metric: str, measured: dict[str, _Measured], seeds: list[int], begun: tuple[float, str]) -> Row:
    seconds, chosen = begun
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
        seconds=ours.seconds + seconds,
        peak_memory_mb=peak_memory_mb(),
        peers=peers,
        note=f"{task}: {FOLDS} folds of whole runs. To beat: the best of the four peers, alone or beside the mean of "
        "its run. Ours learns from the labels of the training runs, the peers from their good lumisections. Chosen "
        f"inside the training runs, by fold: {chosen}.",
    )


def _folds(block: HistogramBlock, labels: IntArray, watch: Stopwatch, *, quick: bool) -> Iterator[_Fold]:
    trees, nets = (FEWER, unlabelled.NETS[:1]) if quick else (TREES, unlabelled.NETS)
    for train, test in run_folds(block.conditions, FOLDS):
        head, known = block.select(train), labels[train]
        with watch.running():
            inner = _inner(head, known, trees)
            choice = stack.choose(inner)
            odd = oddness(head, known, block.select(test))
        components, net = unlabelled.best_setting(head, known, next(inner_folds(head.conditions, INNER)), nets)
        yield _Fold(head, known, block.select(test), test, odd, inner, choice, components, net, trees)


def _inner(block: HistogramBlock, labels: IntArray, trees: int) -> stack.Known:
    """Parts of every training row by what was learned on the other inner folds."""
    found: list[tuple[IntArray, FloatArray]] = []
    for fit, held in inner_folds(block.conditions, INNER):
        given, asked = block.select(fit), block.select(held)
        odd = oddness(given, labels[fit], asked)
        found.append((held, parts(given, labels[fit], asked, odd, trees=trees, seed=0)))
    made = np.empty((len(labels), found[0][1].shape[1]))
    fold = np.empty(len(labels), dtype=np.int64)
    for number, (held, values) in enumerate(found):
        made[held], fold[held] = values, number
    return stack.Known(made, block.conditions.run, labels, fold)


def _scored(fold: _Fold, seed: int, measured: dict[str, _Measured]) -> Iterator[tuple[str, FloatArray]]:
    with measured.setdefault(OURS, _Measured()).watch.running():
        values = parts(fold.train, fold.labels, fold.test, fold.odd, trees=fold.trees, seed=seed)
        asked = stack.Asked(values, fold.test.conditions.run)
        score = stack.apply(fold.choice, fold.known, asked)
    yield OURS, score
    yield PARTS[0], values[:, FOREST]
    yield PARTS[1], values[:, REFERENCE]
    for name, peer in PEERS.items():
        with measured.setdefault(name, _Measured()).watch.running():
            score = peer(fold, seed)
        yield name, score
        yield name + IN_RUN, score + of_its_run(score[:, None], asked.run)[:, 0]


def _dinamo(fold: _Fold, seed: int) -> FloatArray:
    score = dinamo_s_frozen(fold.good.flat.astype(np.float64), fold.test.flat.astype(np.float64), memory=0.9)
    return np.asarray(np.log(score + 1e-12))


def _pca(fold: _Fold, seed: int) -> FloatArray:
    return unlabelled.pca(fold.good, fold.test, components=fold.components)


def _isolation_forest(fold: _Fold, seed: int) -> FloatArray:
    return unlabelled.isolation_forest(fold.good, fold.test, trees=fold.trees, seed=seed)


def _autoencoder(fold: _Fold, seed: int) -> FloatArray:
    return unlabelled.autoencoder(fold.good, fold.test, net=fold.net, seed=seed)


PEERS: dict[str, Callable[[_Fold, int], FloatArray]] = {
    "EWMA of DINAMO-S": _dinamo,
    "PCA": _pca,
    "isolation forest": _isolation_forest,
    "autoencoder": _autoencoder,
}
