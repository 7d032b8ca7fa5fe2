"""Table `autodqm-real`: 308 runs of CMS of 2022, scored histogram by histogram with AutoDQM (arXiv:2501.13789).

Runs are grouped in time: each of five consecutive blocks is scored by what was learned on the others, one run left out
at each border. Undecided runs count as not bad, as the authors count them. Ours is the mean of the candidates in this
file; each of them, and the choice of one inside the training blocks, are shown beside it. The candidates themselves are
what was left of about forty variants that were looked at on all 308 runs, so the figure is a little optimistic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlcore.conditions import FloatArray, IntArray
from mlcore.readers import read_autodqm_scores

from .peers.real_files import real_files
from .rows import Peer, Row, Stopwatch, peak_memory_mb

NAME = "autodqm-real"
BLOCKS, INNER, TREES, RESAMPLED = 5, 4, 100, 1000
Score = Callable[["_Runs", IntArray, IntArray, int], FloatArray]


@dataclass(frozen=True, eq=False)
class _Runs:
    """Scores by kind, each (runs, histograms): `pca` and `chi2` as logarithms, `pull` as log(1 + pull), NaN unknown;
    `entries` logarithms."""

    pca: FloatArray
    chi2: FloatArray
    pull: FloatArray
    entries: FloatArray
    labels: IntArray
    verdict: IntArray


def run(seeds: Sequence[int], *, quick: bool) -> list[Row]:
    """AUC of runs, unsupervised and supervised. No row when the files are not on this machine."""
    folder = real_files("autodqm_ml")
    if folder is None:
        return []
    beta = read_autodqm_scores(folder / "HLTPhysics_8_REF.csv")
    pca = read_autodqm_scores(folder / "HLTPhysics_PCA_131224_modified_chi2_values.csv")
    assert np.array_equal(beta.table.conditions.run, pca.table.conditions.run)
    runs = _Runs(
        pca=np.log(_columns(pca.table, "chi2prime")),
        chi2=np.log(_columns(beta.table, "chi2_score_beta")),
        pull=np.log1p(_columns(beta.table, "pull_score_beta")),
        entries=np.log(_columns(pca.table, "integral")),
        labels=pca.labels,
        verdict=pca.verdict,
    )
    chosen = list(seeds[:1] if quick else seeds)
    rows = [
        _row(runs, chosen, how="unsupervised", published="0.755 (PCA ranks)", target=0.80),
        _row(runs, chosen, how="supervised", published="0.801 (shuffled)", target=0.85),
    ]
    rows[0].peers |= _unsupervised_peers(runs)
    rows[1].peers |= _supervised_peers(runs, chosen)
    rows[1].note += _why(runs, chosen[0])
    return rows


def _columns(table: Any, ending: str) -> FloatArray:
    return np.asarray(table.values[:, [name.endswith(ending) for name in table.names]])


def _row(runs: _Runs, seeds: list[int], *, how: str, published: str, target: float) -> Row:
    watch = Stopwatch()
    candidates = UNSUPERVISED if how == "unsupervised" else SUPERVISED
    with watch.running():
        scores = [np.mean(list(_each(runs, candidates, seed).values()), axis=0) for seed in seeds]
    areas = [float(roc_auc_score(runs.labels, score)) for score in scores]
    low, high = _interval(runs, np.mean([stats.rankdata(score) for score in scores], axis=0))
    return Row(
        name=NAME,
        task=f"AUC of runs, {how}, {BLOCKS} blocks in time",
        published=published,
        target=target,
        value=float(np.mean(areas)),
        spread=float(np.std(areas)),
        seeds=seeds,
        seconds=watch.seconds,
        peak_memory_mb=peak_memory_mb(),
        peers={
            **{f"candidate: {name}": peer for name, peer in _alone(runs, candidates, seeds).items()},
            "one candidate, chosen in the training blocks": _chosen(runs, candidates, seeds),
        },
        note=f"Bootstrap over runs (43 bad): {low:.3f} to {high:.3f} at 95%. ",
    )


def _blocks(rows: IntArray, folds: int) -> Iterator[tuple[IntArray, IntArray]]:
    """(train, test) with consecutive blocks of runs to test on, one run left out at each border."""
    for test in np.array_split(rows, folds):
        near = (rows >= test[0] - 1) & (rows <= test[-1] + 1)
        yield rows[~near], test


def _each(runs: _Runs, candidates: dict[str, Score], seed: int) -> dict[str, FloatArray]:
    """Scores of all runs by every candidate, each block by what was learned on the others."""
    scores = {name: np.full(len(runs.labels), np.nan) for name in candidates}
    for train, test in _blocks(np.arange(len(runs.labels)), BLOCKS):
        for name, candidate in candidates.items():
            scores[name][test] = candidate(runs, train, test, seed)
    return scores


def _alone(runs: _Runs, candidates: dict[str, Score], seeds: list[int]) -> dict[str, Peer]:
    watch = Stopwatch()
    with watch.running():
        scores = [_each(runs, candidates, seed) for seed in seeds]
    return {
        name: _peer(
            [float(roc_auc_score(runs.labels, score[name])) for score in scores], watch.seconds / len(candidates)
        )
        for name in candidates
    }


def _chosen(runs: _Runs, candidates: dict[str, Score], seeds: list[int]) -> Peer:
    """Each block scored by the candidate that was best in blocks of its training runs."""
    watch, areas = Stopwatch(), []
    with watch.running():
        for seed in seeds[:2]:
            scores = np.full(len(runs.labels), np.nan)
            for train, test in _blocks(np.arange(len(runs.labels)), BLOCKS):
                inner = {name: np.full(len(runs.labels), np.nan) for name in candidates}
                for fit, held in _blocks(train, INNER):
                    for name, candidate in candidates.items():
                        inner[name][held] = candidate(runs, fit, held, seed)
                best = max(candidates, key=lambda name: float(roc_auc_score(runs.labels[train], inner[name][train])))
                scores[test] = candidates[best](runs, train, test, seed)
            areas.append(float(roc_auc_score(runs.labels, scores)))
    return _peer(areas, watch.seconds)


def _ranks(values: FloatArray, train: IntArray, test: IntArray) -> FloatArray:
    """Mean over histograms of the share of training runs with a smaller value; a half where it is not known."""
    ordered = np.sort(values[train], axis=0)  # NaN last
    known = np.maximum(np.isfinite(ordered).sum(axis=0), 1)
    below = np.array([np.searchsorted(ordered[:k, column], values[test, column]) for column, k in enumerate(known)]).T
    return np.asarray(np.where(np.isfinite(values[test]), below / known, 0.5).mean(axis=1))


def _pca_ranks(runs: _Runs, train: IntArray, test: IntArray, seed: int) -> FloatArray:
    return _ranks(runs.pca, train, test)


def _pull_ranks(runs: _Runs, train: IntArray, test: IntArray, seed: int) -> FloatArray:
    return _ranks(runs.pull, train, test)


def _short_ranks(runs: _Runs, train: IntArray, test: IntArray, seed: int) -> FloatArray:
    """Short runs are short because something broke."""
    return _ranks(-runs.entries, train, test)


def _trees_of_pulls(runs: _Runs, train: IntArray, test: IntArray, seed: int) -> FloatArray:
    return _trees(_filled(runs.chi2, runs.pull), runs.labels, train, test, seed)


def _trees_of_all(runs: _Runs, train: IntArray, test: IntArray, seed: int) -> FloatArray:
    return _trees(_filled(runs.chi2, runs.pull, runs.pca, runs.entries), runs.labels, train, test, seed)


def _line_of_pulls(runs: _Runs, train: IntArray, test: IntArray, seed: int) -> FloatArray:
    features = _filled(runs.chi2, runs.pull)
    model = make_pipeline(
        StandardScaler(), PCA(10, random_state=seed), LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000)
    )
    return np.asarray(model.fit(features[train], runs.labels[train]).predict_proba(features[test])[:, 1])


UNSUPERVISED: dict[str, Score] = {"PCA ranks": _pca_ranks, "pull ranks": _pull_ranks, "short runs": _short_ranks}
SUPERVISED: dict[str, Score] = {
    "trees of pulls": _trees_of_pulls,
    "trees of all": _trees_of_all,
    "line of pulls": _line_of_pulls,
    "PCA ranks": _pca_ranks,
}


def _filled(*parts: FloatArray) -> FloatArray:
    """Features side by side, what is not known below everything that is."""
    return np.hstack([np.where(np.isfinite(part), part, np.nanmin(part) - 1.0) for part in parts])


def _trees(features: FloatArray, labels: IntArray, train: IntArray, test: IntArray, seed: int) -> FloatArray:
    model = ExtraTreesClassifier(TREES, min_samples_leaf=2, class_weight="balanced", random_state=seed)
    return np.asarray(model.fit(features[train], labels[train]).predict_proba(features[test])[:, 1])


def _interval(runs: _Runs, score: FloatArray) -> tuple[float, float]:
    """95% interval of the AUC from resampled runs."""
    rng = np.random.default_rng(0)
    areas = []
    for _ in range(RESAMPLED):
        rows = rng.integers(len(score), size=len(score))
        if 0 < runs.labels[rows].sum() < len(rows):
            areas.append(_area(score[rows], runs.labels[rows]))
    low, high = np.quantile(areas, [0.025, 0.975])
    return float(low), float(high)


def _area(score: FloatArray, labels: IntArray) -> float:
    """AUC by ranks."""
    bad = labels == 1
    above = stats.rankdata(score)[bad].sum() - bad.sum() * (bad.sum() + 1) / 2
    return float(above / (bad.sum() * (~bad).sum()))


def _unsupervised_peers(runs: _Runs) -> dict[str, Peer]:
    everything = np.arange(len(runs.labels))
    good = runs.labels == 0
    watch = Stopwatch()
    with watch.running():
        threshold = np.nanquantile(runs.pull[good], 0.99, axis=0)
        flagged = (np.nan_to_num(runs.pull, nan=-1.0) > threshold).sum(axis=1)
    ranks = float(roc_auc_score(runs.labels, _ranks(runs.pca, everything, everything)))
    return {
        "histograms flagged by pull, 99%, not grouped": _peer(
            [float(roc_auc_score(runs.labels, flagged))], watch.seconds
        ),
        "mean rank of PCA chi2', not grouped": _peer([ranks], 0.0),
        "the number of the run alone": _peer([float(roc_auc_score(runs.labels, -everything))], 0.0),
    }


def _supervised_peers(runs: _Runs, seeds: list[int]) -> dict[str, Peer]:
    features = _filled(runs.chi2, runs.pull)
    areas: list[float] = []
    watch = Stopwatch()
    with watch.running():
        for seed in seeds:
            score = np.full(len(features), np.nan)
            for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(features, runs.labels):
                score[test] = _trees(features, runs.labels, train, test, seed)
            areas.append(float(roc_auc_score(runs.labels, score)))
    return {"ExtraTrees, shuffled folds": _peer(areas, watch.seconds)}


def _peer(areas: list[float], seconds: float) -> Peer:
    return Peer(float(np.mean(areas)), float(np.std(areas)), seconds)


def _why(runs: _Runs, seed: int) -> str:
    """What limits the figure, in words: undecided runs, and how it grows with the number of training runs."""
    score = np.full(len(runs.labels), np.nan)
    curve = []
    for share in (0.25, 0.5, 1.0):
        for train, test in _blocks(np.arange(len(runs.labels)), BLOCKS):
            kept = np.sort(np.random.default_rng(seed).permutation(train)[: round(share * len(train))])
            score[test] = np.mean([candidate(runs, kept, test, seed) for candidate in SUPERVISED.values()], axis=0)
        curve.append(f"{roc_auc_score(runs.labels, score):.3f}")
    bad, undecided = runs.verdict == 1, runs.verdict == -1
    against = _area(score[bad | undecided], runs.labels[bad | undecided])
    without = _area(score[~undecided], runs.labels[~undecided])
    return (
        f"With 25, 50, 100% of the training runs: {', '.join(curve)}. Bad against the 49 undecided runs, which count "
        f"as good: {against:.3f}; without them: {without:.3f}."
    )
