"""Table `autodqm-real`: 308 runs of CMS of 2022, scored histogram by histogram with AutoDQM (arXiv:2501.13789).

Runs are grouped in time: each of five consecutive blocks is scored by what was learned on the others, one run left out
at each border. Undecided runs count as not bad, as the authors count them. Ours is the mean of the BEST candidates of
`real/run_oddness.py` (no label) or `real/run_learners.py`, as they were ordered in four blocks inside the training runs
of each block, once, with seed 0. The lists keep what was tried, good or not; docs/mlcore.md says what is not in them.
"Unsupervised" means that no candidate learns from a label; the order is that of their AUC in the training runs.

What the labels are limits what any reader of these histograms can reach. Beside the lists of CMS of 2022 (golden and
DCS-only, ../shared/data) one sees that "bad" is the verdict of the whole experiment, not of the trigger that made these
histograms: 36 of the 43 have no lumisection in the golden list, whatever the reason. "Undecided" are runs of that list,
98% of their lumisections good, that are merely short (17 to 81 lumisections under DCS, the good 80 and more): good runs
with few entries, which look like the short ones among the bad. Reading the length beside the scores (ranks among runs
of similar length, entries per lumisection) was tried and did not help: 0.71 to 0.73 where the plain ranks give 0.76.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy import stats
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import StratifiedKFold

from mlcore.conditions import FloatArray

from .peers.real_files import real_files
from .real.nested import SUPERVISED, UNSUPERVISED, Chosen, Family, area, by_the_best, choose
from .real.runs import Runs, ranks, read_runs
from .rows import Peer, Row, Stopwatch, peak_memory_mb

NAME = "autodqm-real"
BLOCKS, INNER, RESAMPLED = 5, 4, 1000
#: How many candidates are averaged: with 26 to 41 bad runs to choose on, one AUC is known to about 0.045, and most of
#: the differences between them are smaller. The figures with fewer are shown beside it.
BEST, FEWER = 10, (1, 3, 5)


def run(seeds: Sequence[int], *, quick: bool) -> list[Row]:
    """AUC of runs, unsupervised and supervised. No row when the files are not on this machine."""
    folder = real_files("autodqm_ml")
    if folder is None:
        return []
    runs = read_runs(folder)
    chosen = list(seeds[:1] if quick else seeds)
    blocks = (2, 2) if quick else (BLOCKS, INNER)
    rows = [
        _row(runs, chosen, UNSUPERVISED, ("unsupervised", "0.755 (PCA ranks)", 0.80), blocks=blocks),
        _row(runs, chosen, SUPERVISED, ("supervised", "0.801 (shuffled)", 0.85), blocks=blocks),
    ]
    rows[0].peers |= _unsupervised_peers(runs)
    rows[1].peers |= _supervised_peers(runs, chosen)
    return rows


def _row(runs: Runs, seeds: list[int], family: Family, what: tuple[str, str, float], *, blocks: tuple[int, int]) -> Row:
    how, published, target = what
    watch = Stopwatch()
    with watch.running():
        found = choose(runs, family, outer=blocks[0], inner=blocks[1])
        scores = [by_the_best(runs, found, family, best=BEST, seed=seed) for seed in seeds]
    areas = [area(score, runs.labels) for score in scores]
    return Row(
        name=NAME,
        task=f"AUC of runs, {how}, {blocks[0]} blocks in time",
        published=published,
        target=target,
        value=float(np.mean(areas)),
        spread=float(np.std(areas)),
        seeds=seeds,
        seconds=watch.seconds,
        peak_memory_mb=peak_memory_mb(),
        peers={_named(best): _with_fewer(runs, found, family, best, seeds) for best in FEWER},
        note=_why(runs, found, family, np.mean([stats.rankdata(score) for score in scores], axis=0), seeds[0]),
    )


def _named(best: int) -> str:
    return "the best candidate alone" if best == 1 else f"mean of the best {best} candidates"


def _with_fewer(runs: Runs, found: list[Chosen], family: Family, best: int, seeds: list[int]) -> Peer:
    watch = Stopwatch()
    with watch.running():
        scores = [by_the_best(runs, found, family, best=best, seed=seed) for seed in seeds]
    return _peer([area(score, runs.labels) for score in scores], watch.seconds)


def _why(runs: Runs, found: list[Chosen], family: Family, score: FloatArray, seed: int) -> str:
    """What limits the figure, in words."""
    low, high = _interval(runs, score)
    bad, undecided = runs.verdict == 1, runs.verdict == -1
    within = [area(score[one.test], runs.labels[one.test]) for one in found]
    curve = [
        area(by_the_best(runs, found, family, best=BEST, seed=seed, share=share), runs.labels)
        for share in (0.25, 0.5, 1.0)
    ]
    firsts = Counter(one.order[0] for one in found)
    inside = [one.areas[one.order[0]] for one in found]
    names = ", ".join(f"{name} (neighbours {weight:g}, {count})" for (name, weight), count in firsts.items())
    return (
        f"{len(family.candidates)} candidates, ordered inside the training runs of each block; the best there, by "
        f"block: {names}, with {min(inside):.3f} to {max(inside):.3f}. What limits it: {bad.sum()} bad runs, so the "
        f"bootstrap interval over runs is {low:.3f} to {high:.3f} at 95%; bad against the {undecided.sum()} undecided "
        f"runs, which count as good: {area(score[bad | undecided], runs.labels[bad | undecided]):.3f}, on the "
        f"{(~undecided).sum()} decided runs alone: {area(score[~undecided], runs.labels[~undecided]):.3f}; within one "
        f"block of time: {np.nanmean(within):.3f} in the mean. With 25, 50, 100% of the training runs: "
        f"{', '.join(f'{value:.3f}' for value in curve)}."
    )


def _interval(runs: Runs, score: FloatArray) -> tuple[float, float]:
    """95% interval of the AUC from resampled runs."""
    rng = np.random.default_rng(0)
    areas = []
    for _ in range(RESAMPLED):
        rows = rng.integers(len(score), size=len(score))
        areas.append(area(score[rows], runs.labels[rows]))
    low, high = np.nanquantile(areas, [0.025, 0.975])
    return float(low), float(high)


def _unsupervised_peers(runs: Runs) -> dict[str, Peer]:
    everything = np.arange(len(runs.labels))
    good = runs.labels == 0
    watch = Stopwatch()
    with watch.running():
        threshold = np.nanquantile(runs.pull[good], 0.99, axis=0)
        flagged = (np.nan_to_num(runs.pull, nan=-1.0) > threshold).sum(axis=1)
    mean = ranks(runs.pca, everything).mean(axis=1)
    return {
        "histograms flagged by pull, 99%, not grouped": _peer([area(flagged, runs.labels)], watch.seconds),
        "mean rank of PCA chi2', not grouped": _peer([area(mean, runs.labels)], 0.0),
        "the number of the run alone": _peer([area(-everything.astype(np.float64), runs.labels)], 0.0),
    }


def _supervised_peers(runs: Runs, seeds: list[int]) -> dict[str, Peer]:
    """The published figure again: neighbours in time on both sides of the split."""
    features = runs.filled("chi2", "pull")
    areas: list[float] = []
    watch = Stopwatch()
    with watch.running():
        for seed in seeds:
            score = np.full(len(features), np.nan)
            for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(features, runs.labels):
                model = ExtraTreesClassifier(100, min_samples_leaf=2, class_weight="balanced", random_state=seed)
                score[test] = model.fit(features[train], runs.labels[train]).predict_proba(features[test])[:, 1]
            areas.append(area(score, runs.labels))
    return {"ExtraTrees, shuffled folds": _peer(areas, watch.seconds)}


def _peer(areas: list[float], seconds: float) -> Peer:
    return Peer(float(np.mean(areas)), float(np.std(areas)), seconds)
