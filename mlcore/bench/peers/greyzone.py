"""Automation with a grey zone as published (arXiv:1709.08607 and the notebooks behind it), and its stream.

Labels are 1 for bad as everywhere here; p is the probability of good where the paper's thresholds are meant. Weights
are luminosities. Pollution is the weight of bad among all that was taken as good; loss the weight of good that was
taken as bad among all good; work saved the share of lumisections that were decided without a person.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold

from mlcore.conditions import BoolArray, FloatArray, IntArray
from mlcore.simulate.tables import SimulatedTable

FOLDS, MANUAL_FOLDS = 10, 3
BINS = 31
#: quantiles of the thresholds that keep the limits, from the paper's to the strictest
_QUANTILES = (0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97)

#: (sample, rows labelled, rows seen so far, rows to judge, seed) -> P(good) of the labelled rows from models that have
#: not seen their labels (NaN where there is none), P(good) of the rows to judge
Method = Callable[[SimulatedTable, IntArray, BoolArray, IntArray, int], tuple[FloatArray, FloatArray]]


@dataclass(frozen=True, eq=False)
class Batch:
    """One fold of the stream: what thresholds were made from, and what they were applied to."""

    pool_good: FloatArray
    pool_labels: IntArray
    pool_weights: FloatArray
    good: FloatArray
    labels: IntArray
    weights: FloatArray
    pool: IntArray
    rows: IntArray


@dataclass(frozen=True)
class Outcome:
    """What a pair of thresholds did: true rates over the automatic part of the stream."""

    saved: float
    pollution: float
    loss: float


def published_boosting(seed: int) -> HistGradientBoostingClassifier:  # type: ignore[no-any-unimported]
    """32 to 64 trees of depth 6 to 7 at a learning rate of 0.3, as XGBoost was used; with histograms of 31 bins."""
    return HistGradientBoostingClassifier(
        max_iter=32, max_depth=6, max_leaf_nodes=None, learning_rate=0.3, max_bins=BINS, min_samples_leaf=4,
        l2_regularization=1.0, early_stopping=False, random_state=seed,
    )  # fmt: skip


def published_method(
    drawn: SimulatedTable, pool: IntArray, known: BoolArray, batch: IntArray, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Boosting with luminosity weights on the whole pool; probabilities for the thresholds from 4 of 7 folds."""
    labels, weights = drawn.labels, drawn.conditions.luminosity / drawn.conditions.luminosity.mean()
    values = codes(drawn.table.values, pool)
    held_out = np.full(len(pool), np.nan)
    folds = StratifiedKFold(7, shuffle=True, random_state=seed).split(pool, labels[pool])
    for (train, test), _ in zip(folds, range(4), strict=False):
        rows = pool[train]
        model = published_boosting(seed).fit(values[rows], labels[rows], sample_weight=weights[rows])
        held_out[test] = model.predict_proba(values[pool[test]])[:, 0]
    model = published_boosting(seed).fit(values[pool], labels[pool], sample_weight=weights[pool])
    return held_out, model.predict_proba(values[batch])[:, 0]


def codes(values: FloatArray, pool: IntArray) -> npt.NDArray[np.uint8]:
    """(n, f) bins of every feature, cut at quantiles of the pool. The boosting would make the same, once for each fit,
    and slowly where there are weights."""
    edges = np.quantile(values[pool], np.linspace(0.0, 1.0, BINS + 1)[1:-1], axis=0)
    binned = [np.searchsorted(edges[:, column], values[:, column]) for column in range(values.shape[1])]
    return np.asarray(np.column_stack(binned), dtype=np.uint8)


def thresholds(
    good: FloatArray, labels: IntArray, weights: FloatArray, *, pollution: float, loss: float, quantile: float = 0.03
) -> tuple[float, float]:
    """(t_low, t_high) by the published rule: the low-side quantile of all thresholds whose pollution keeps the limit,
    and the high-side quantile of those whose loss does. Taken as good from t_high, as bad below t_low."""
    use = np.isfinite(good)
    order = np.argsort(good[use], kind="stable")
    p, is_bad, weight = good[use][order], labels[use][order] == 1, weights[use][order]
    first = np.flatnonzero(np.append(True, np.diff(p) > 0))
    bad_from = np.cumsum((weight * is_bad)[::-1])[::-1][first]
    all_from = np.cumsum(weight[::-1])[::-1][first]
    good_below = (np.cumsum(weight * ~is_bad) - weight * ~is_bad)[first]
    levels = p[first]
    high = levels[bad_from <= pollution * all_from]
    low = levels[good_below <= loss * max((weight * ~is_bad).sum(), 1e-12)]
    t_high = float(np.quantile(high, quantile)) if len(high) else np.inf
    return (float(np.quantile(low, 1.0 - quantile)) if len(low) else -np.inf), t_high


def stream(
    drawn: SimulatedTable, method: Method, seed: int, *, limit: float, automatic: int = FOLDS - MANUAL_FOLDS
) -> list[Batch]:
    """Ten stratified shuffled folds one after another. Three are labelled by hand; of each later one only what lies in
    the grey zone of the published rule at `limit` is labelled and joins the pool. Folds four to ten are returned, or
    only the first `automatic` of them."""
    labels, weights = drawn.labels, drawn.conditions.luminosity
    cut = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    folds = [test for _, test in cut.split(labels, labels)]
    pool, known = np.concatenate(folds[:MANUAL_FOLDS]), np.zeros(len(labels), dtype=bool)
    known[pool] = True
    batches: list[Batch] = []
    for batch in folds[MANUAL_FOLDS : MANUAL_FOLDS + automatic]:
        known[batch] = True
        held_out, judged = method(drawn, pool, known, batch, seed)
        batches.append(Batch(held_out, labels[pool], weights[pool], judged, labels[batch], weights[batch], pool, batch))
        low, high = thresholds(held_out, labels[pool], weights[pool], pollution=limit, loss=limit)
        pool = np.concatenate([pool, batch[(judged < high) & (judged >= low)]])
    return batches


def outcome(batches: Sequence[Batch], cuts: Sequence[tuple[float, float]]) -> Outcome:
    """True rates when each batch is cut at its (t_low, t_high); where both apply nobody has decided."""
    saved = taken = polluted = lost = healthy = count = 0.0
    for batch, (low, high) in zip(batches, cuts, strict=True):
        good, bad = batch.good >= high, batch.good < low
        good, bad = good & ~bad, bad & ~good
        saved, count = saved + float((good | bad).sum()), count + len(good)
        taken, healthy = taken + batch.weights[good].sum(), healthy + batch.weights[batch.labels == 0].sum()
        polluted += batch.weights[good & (batch.labels == 1)].sum()
        lost += batch.weights[bad & (batch.labels == 0)].sum()
    return Outcome(saved / count, polluted / max(taken, 1e-12), lost / max(healthy, 1e-12))


def at_true_rates(batches: Sequence[Batch], rate: float) -> Outcome:
    """The most work that the published rule saves while the true pollution and the true loss both are at most `rate`.

    A limit on what was held out does not give that rate on what comes: the limits (and, below one error, the quantile)
    are moved until it does. Each side is moved by itself.
    """
    rules = [(limit, 0.03) for limit in np.geomspace(20 * rate, rate / 20, 60)] + [(0.0, q) for q in _QUANTILES]
    best: list[FloatArray] = []
    for side in (0, 1):
        chosen = np.full(len(batches), -np.inf if side == 0 else np.inf)
        for limit, quantile in rules:
            cuts = np.array([
                thresholds(b.pool_good, b.pool_labels, b.pool_weights, pollution=limit, loss=limit, quantile=quantile)
                for b in batches
            ])  # fmt: skip
            only = np.column_stack([cuts[:, 0], np.full(len(cuts), np.inf)]) if side == 0 else cuts.copy()
            if side == 1:
                only[:, 0] = -np.inf
            got = outcome(batches, [(low, high) for low, high in only])
            if (got.loss if side == 0 else got.pollution) <= rate:
                chosen = cuts[:, side]
                break
        best.append(chosen)
    return outcome(batches, list(zip(best[0].tolist(), best[1].tolist(), strict=True)))


def best_work_saved(bad: FloatArray, labels: IntArray, weights: FloatArray, rate: float) -> float:
    """The most that any pair of thresholds on these probabilities of bad saves at that true pollution and true loss,
    chosen by somebody who knows all labels."""
    is_bad = labels == 1
    rising = np.argsort(bad, kind="stable")
    polluted = np.cumsum((weights * is_bad)[rising]) / np.cumsum(weights[rising])
    falling = rising[::-1]
    lost = np.cumsum((weights * ~is_bad)[falling]) / max((weights * ~is_bad).sum(), 1e-12)
    most = [int(np.flatnonzero(rates <= rate)[-1]) + 1 if (rates <= rate).any() else 0 for rates in (polluted, lost)]
    return min(1.0, sum(most) / len(labels))
