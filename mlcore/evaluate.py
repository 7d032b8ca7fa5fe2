"""How good scores and verdicts are: areas, confusion, reliability, learning curves, grey-zone curves, intervals.

Scores: higher = worse, NaN = cannot score; rows without a score are left out and never counted as right. Labels:
0 good, 1 bad. Weights: usually the luminosity of the lumisection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .conditions import FloatArray, IntArray
from .errors import BadLabels, MlcoreError, ShapeError, TooFewData

GOOD, BAD, UNSURE, UNSCORED = 0, 1, 2, 3


@dataclass(frozen=True, eq=False)
class Scored:
    """Rows that belong together and were checked: score, label, run, weight. `left_out` rows had no score."""

    score: FloatArray
    label: IntArray
    run: IntArray
    weight: FloatArray
    left_out: int

    def __len__(self) -> int:
        return int(self.score.size)

    def select(self, rows: npt.NDArray[Any]) -> Scored:
        return Scored(self.score[rows], self.label[rows], self.run[rows], self.weight[rows], self.left_out)


def scored(
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    runs: npt.ArrayLike | None = None,
    weights: npt.ArrayLike | None = None,
) -> Scored:
    """Check and align n scores, labels, runs and weights; drop rows without a score or of weight 0.

    Without runs every row is a run of its own; without weights every weight is 1. Raises ShapeError for lengths that
    disagree or weights that are negative or not finite, MlcoreError for infinite scores, BadLabels for labels other
    than 0 and 1.
    """
    score = np.asarray(scores, dtype=np.float64)
    if score.ndim != 1:
        raise ShapeError(f"scores have shape {score.shape}; give one number per lumisection.")
    n = score.size
    label = binary(labels, n)
    run = np.arange(n) if runs is None else np.asarray(runs)
    weight = np.ones(n) if weights is None else np.asarray(weights, dtype=np.float64)
    if run.shape != (n,) or weight.shape != (n,):
        raise ShapeError(f"{n} scores, but runs of shape {run.shape} and weights of shape {weight.shape}.")
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise ShapeError("weights must be finite numbers from 0; leave out lumisections of unknown luminosity.")
    if np.isinf(score).any():
        raise MlcoreError("scores are infinite; NaN is the way to say that a lumisection could not be scored.")
    _, run = np.unique(run, return_inverse=True)
    keep = ~np.isnan(score) & (weight > 0)
    return Scored(score[keep], label[keep], run[keep].astype(np.int64), weight[keep], int(np.isnan(score).sum()))


def binary(labels: npt.ArrayLike, n: int) -> IntArray:
    """Labels as (n,) int64 of 0 and 1. Raises ShapeError, BadLabels."""
    y = np.asarray(labels)
    if y.shape != (n,):
        raise ShapeError(f"labels have shape {y.shape}, expected ({n},).")
    if y.size and not np.isin(y, (0, 1)).all():
        found = np.unique(y.astype(np.float64))[:5].tolist()
        raise BadLabels(f"labels must be 0 (good) or 1 (bad); found {found}. Leave out what nobody has labelled.")
    return y.astype(np.int64)


def auc(scores: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """Weighted area under the ROC curve: how often a bad lumisection scores above a good one, ties counting half.

    NaN when there is only one class."""
    rows = scored(scores, labels, weights=weights)
    _, place = np.unique(rows.score, return_inverse=True)
    bad = np.bincount(place, rows.weight * rows.label, minlength=1)
    good = np.bincount(place, rows.weight * (1 - rows.label), minlength=1)
    if not bad.sum() > 0 or not good.sum() > 0:
        return float("nan")
    below = np.cumsum(good) - good
    return float((bad * (below + good / 2)).sum() / (bad.sum() * good.sum()))


def precision_recall(
    scores: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Precision and recall of "bad when score >= threshold" for every distinct threshold, from the highest down.

    Three arrays of the same length: precision, recall, threshold. Raises BadLabels when nothing is bad.
    """
    rows = scored(scores, labels, weights=weights)
    values, place = np.unique(-rows.score, return_inverse=True)
    bad = np.cumsum(np.bincount(place, rows.weight * rows.label, minlength=values.size))
    flagged = np.cumsum(np.bincount(place, rows.weight, minlength=values.size))
    if not bad.size or not bad[-1] > 0:
        raise BadLabels("precision and recall need bad lumisections; there are none among those that have a score.")
    return bad / flagged, bad / bad[-1], -values


def average_precision(scores: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float:
    """Weighted average precision: precision summed over the steps of recall. NaN when nothing is bad."""
    try:
        precision, recall, _ = precision_recall(scores, labels, weights)
    except BadLabels:
        if not np.isin(np.asarray(labels), (0, 1)).all():
            raise
        return float("nan")
    return float((precision * np.diff(recall, prepend=0.0)).sum())


@dataclass(frozen=True)
class Confusion:
    """Weights of each verdict by truth, and the rates that the policy speaks of."""

    good_as_good: float
    good_as_bad: float
    good_unsure: float
    bad_as_good: float
    bad_as_bad: float
    bad_unsure: float
    unscored: float

    @property
    def pollution(self) -> float:
        """Bad among what was called good; 0 when nothing was."""
        called = self.bad_as_good + self.good_as_good
        return self.bad_as_good / called if called else 0.0

    @property
    def loss(self) -> float:
        """Called bad among the good; 0 when there is no good."""
        good = self.good_as_good + self.good_as_bad + self.good_unsure
        return self.good_as_bad / good if good else 0.0

    @property
    def automatic(self) -> float:
        """Share of everything, unscored included, that was decided: the work saved."""
        decided = self.good_as_good + self.good_as_bad + self.bad_as_good + self.bad_as_bad
        total = decided + self.good_unsure + self.bad_unsure + self.unscored
        return decided / total if total else 0.0


def confusion(verdicts: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Confusion:
    """Verdicts 0 good, 1 bad, 2 unsure, 3 unscored (as `SelectivePolicy.decide` gives them) against the truth."""
    verdict = np.asarray(verdicts)
    label = binary(labels, verdict.size)
    weight = np.ones(verdict.size) if weights is None else np.asarray(weights, dtype=np.float64)
    if verdict.ndim != 1 or weight.shape != verdict.shape:
        raise ShapeError(f"verdicts of shape {verdict.shape}, weights of shape {weight.shape}.")
    if not np.isin(verdict, (GOOD, BAD, UNSURE, UNSCORED)).all():
        raise MlcoreError("verdicts are 0 good, 1 bad, 2 unsure or 3 unscored.")
    table = np.zeros((2, 4))
    np.add.at(table, (label, verdict.astype(np.int64)), weight)
    good, bad = table.tolist()
    return Confusion(good[GOOD], good[BAD], good[UNSURE], bad[GOOD], bad[BAD], bad[UNSURE], good[3] + bad[3])


@dataclass(frozen=True, eq=False)
class Reliability:
    """Predicted against observed share of bad in bins of equal weight; `error` is their mean distance (ECE)."""

    predicted: FloatArray
    observed: FloatArray
    weight: FloatArray
    error: float


def reliability(
    probability_bad: npt.ArrayLike, labels: npt.ArrayLike, weights: npt.ArrayLike | None = None, *, bins: int = 10
) -> Reliability:
    """How far probabilities can be believed. Raises TooFewData without a scored row."""
    rows = scored(probability_bad, labels, weights=weights)
    if not len(rows):
        raise TooFewData("no lumisection has a probability; there is no reliability to show.")
    order = np.argsort(rows.score, kind="stable")
    share = (np.cumsum(rows.weight[order]) - rows.weight[order] / 2) / rows.weight.sum()
    place = np.minimum((share * bins).astype(np.int64), bins - 1)
    weight = np.bincount(place, rows.weight[order], minlength=bins).astype(np.float64)
    used = weight > 0
    predicted = np.bincount(place, (rows.weight * rows.score)[order], minlength=bins)[used] / weight[used]
    observed = np.bincount(place, (rows.weight * rows.label)[order], minlength=bins)[used] / weight[used]
    error = float((weight[used] * np.abs(predicted - observed)).sum() / weight.sum())
    return Reliability(predicted, observed, weight[used], error)


@dataclass(frozen=True, eq=False)
class GreyZone:
    """Work saved at limits: `saved` by lumisections, `saved_luminosity` by weight, with the two thresholds."""

    limit: float
    t_good: float
    t_bad: float
    saved: float
    saved_luminosity: float


def grey_zone(
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    *,
    pollution: float = 0.005,
    loss: float = 0.005,
) -> GreyZone:
    """The least work at which pollution and loss, measured on these very rows, stay within their limits.

    Thresholds are chosen with the truth known, so this is the best that a ranking can reach on these rows, and no
    estimate of what a policy will do: that is `SelectivePolicy`. The curve of arXiv:1709.08607 is of this kind.
    """
    rows = scored(scores, labels, weights=weights)
    if not len(rows):
        raise TooFewData("no lumisection has a score; there is no work to save.")
    order = np.argsort(rows.score, kind="stable")
    score, weight, bad = rows.score[order], rows.weight[order], (rows.weight * rows.label)[order]
    last = np.append(np.flatnonzero(np.diff(score)), score.size - 1)  # last row of each distinct score
    called, wrong = np.cumsum(weight)[last], np.cumsum(bad)[last]
    within = np.flatnonzero(wrong <= pollution * called * (1 + 1e-12))
    upto = int(last[within[-1]]) + 1 if within.size else 0
    # Summed from above, so that nothing but bad lumisections above is exactly no loss.
    good_from = np.append(np.cumsum((weight - bad)[::-1])[::-1], 0.0)
    starts = np.append(0, last + 1)
    start = int(starts[np.flatnonzero(good_from[starts] <= loss * good_from[0] * (1 + 1e-12))[0]])
    start, upto = (start, upto) if start >= upto else (upto, upto)
    decided = upto + score.size - start
    luminosity = (weight[:upto].sum() + weight[start:].sum()) / weight.sum()
    t_good = float(score[upto]) if upto < score.size else float(np.nextafter(score[-1], np.inf))
    t_bad = float(score[start - 1]) if start > 0 else float(np.nextafter(score[0], -np.inf))
    total = score.size + rows.left_out
    return GreyZone(max(pollution, loss), t_good, t_bad, decided / total, float(luminosity))


def grey_zone_curve(
    scores: npt.ArrayLike,
    labels: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    *,
    limits: Sequence[float] = (0.0, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02),
) -> list[GreyZone]:
    """`grey_zone` at each limit, the same for pollution and for loss."""
    return [grey_zone(scores, labels, weights, pollution=limit, loss=limit) for limit in limits]


def learning_curve(
    train_and_score: Callable[[IntArray], float],
    runs: npt.ArrayLike,
    *,
    shares: Sequence[float] = (0.1, 0.2, 0.4, 0.7, 1.0),
    repeats: int = 3,
    random_state: int = 0,
) -> list[tuple[int, float, float]]:
    """(number of runs, mean, standard deviation) of `train_and_score(rows)` on growing samples of whole runs.

    `train_and_score` gets the row indices to learn from and answers a figure measured on data of its own. Raises
    TooFewData without a run.
    """
    run = np.asarray(runs)
    known = np.unique(run)
    if not known.size:
        raise TooFewData("a learning curve needs runs to learn from.")
    rng = np.random.default_rng(random_state)
    curve = []
    for share in shares:
        count = max(1, round(share * known.size))
        values = [
            train_and_score(np.flatnonzero(np.isin(run, rng.permutation(known)[:count])))
            for _ in range(repeats if count < known.size else 1)
        ]
        curve.append((count, float(np.mean(values)), float(np.std(values))))
    return curve


def interval_over_runs(
    figure: Callable[[IntArray], float],
    runs: npt.ArrayLike,
    *,
    confidence: float = 0.95,
    repeats: int = 200,
    random_state: int = 0,
) -> tuple[float, float, float]:
    """(value, lower, upper) of `figure(rows)` by drawing whole runs with replacement: see `intervals_over_runs`."""
    (found,) = intervals_over_runs(
        lambda rows: [figure(rows)], runs, confidence=confidence, repeats=repeats, random_state=random_state
    )
    return found


def intervals_over_runs(
    figures: Callable[[IntArray], Sequence[float]],
    runs: npt.ArrayLike,
    *,
    confidence: float = 0.95,
    repeats: int = 200,
    random_state: int = 0,
) -> list[tuple[float, float, float]]:
    """(value, lower, upper) of each figure that `figures(rows)` answers, by drawing whole runs with replacement.

    Lumisections of a run resemble each other, so an interval from single lumisections would be far too narrow. All
    figures see the same draws, so a difference of two is answered as a third. Draws for which a figure is not defined
    (NaN) are left out; raises TooFewData for fewer than two runs.
    """
    run = np.asarray(runs)
    _, place = np.unique(run, return_inverse=True)
    count = int(place.max()) + 1 if place.size else 0
    if count < 2:
        raise TooFewData("an interval over runs needs at least two runs.")
    order = np.argsort(place, kind="stable").astype(np.int64)
    members: list[IntArray] = np.split(order, np.cumsum(np.bincount(place))[:-1])
    rng = np.random.default_rng(random_state)
    drawn = np.array(
        [figures(np.concatenate([members[r] for r in rng.integers(0, count, count)])) for _ in range(repeats)],
        dtype=np.float64,
    )
    tail = (1 - confidence) / 2
    found = []
    for value, draws in zip(figures(np.arange(run.size)), drawn.T, strict=True):
        values = draws[~np.isnan(draws)]
        low, high = np.quantile(values, (tail, 1 - tail)) if values.size else (float("nan"), float("nan"))
        found.append((float(value), float(low), float(high)))
    return found
