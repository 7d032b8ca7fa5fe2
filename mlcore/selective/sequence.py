"""The fixed sequence: thresholds from the safest outwards, with what each would have got wrong, run by run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlcore.conditions import BoolArray, FloatArray, IntArray
from mlcore.evaluate import Scored

from .bounds import design_effect, kish, upper_bound
from .likeness import Smoothing, expected_design_effect, likeness, per_run, smoothed_design_effect

LUMPS = 2.0  # of errors that do not end the walk while they could not be told from the limit
ONE_BY_ONE = 64  # the first thresholds are looked at after every error, later ones in steps of 2% of the errors


@dataclass(frozen=True, eq=False)
class Sequence:
    """g thresholds of one side, the safest first.

    Parameters
    ----------
    threshold : (g,) good when below (pollution), bad when above (loss).
    errors : (g,) wrong lumisections inside, in units of effective lumisections.
    n : (g,) effective lumisections among which they are counted (Kish).
    design_effect : (g,) smoothed design effect, not falling outwards; measured_effect : (g,) as measured at each
        threshold itself, NaN where it cannot be.
    rate : (g,) observed weighted error rate.
    share : (g,) share of the luminosity that lies inside.
    sensible : (g,) where most of what is called so was labelled so; nothing is certified elsewhere, since a limit on
        loss alone would let a model call good lumisections bad and nothing else.
    """

    threshold: FloatArray
    errors: FloatArray
    n: FloatArray
    design_effect: FloatArray
    measured_effect: FloatArray
    rate: FloatArray
    share: FloatArray
    sensible: BoolArray

    def bounds(self, confidence: float) -> FloatArray:
        """Upper confidence bound on the error rate at each threshold."""
        return upper_bound(self.errors, self.n, self.design_effect, confidence=confidence)

    def certify(self, limit: float, confidence: float, least: float = 0.0, enough: float = 1.0) -> int:
        """Place of the outermost threshold that is proved to err at a rate below `limit`; -1 for none. Where
        `enough` of the luminosity lies inside several, the innermost: what is proved of all of them holds for each.

        Walks outwards, from the first threshold inside which `least` of the luminosity lies, and stops at the first
        that fails. As long as so few lumisections are inside that even two lumps of errors (of D each) could not be
        told from the limit, a threshold fails only when it has more than that: a handful among the surest, far below
        the limit among all, would end the walk before it has begun. A stricter limit never walks further.
        """
        if not self.threshold.size:
            return -1
        bound = self.bounds(confidence)
        allowed = upper_bound(LUMPS * self.design_effect, self.n, self.design_effect, confidence=confidence)
        tested = self.share >= least
        failed = tested & (bound > np.maximum(limit, allowed))
        stop = int(np.argmax(failed)) if failed.any() else failed.size
        passed = np.flatnonzero((bound[:stop] <= limit) & self.sensible[:stop] & tested[:stop])
        if not passed.size:
            return -1
        suffice = passed[self.share[passed] >= enough]
        return int(suffice[0]) if suffice.size else int(passed[-1])


def loss_sequence(rows: Scored, smoothing: Smoothing) -> Sequence:
    """Thresholds from above downwards; an error is a good lumisection above, among all good ones."""
    good = np.flatnonzero(rows.label == 0)
    order = good[np.argsort(-rows.score[good], kind="stable")]
    score, weight = rows.score[order], rows.weight[order]
    starts = np.flatnonzero(np.diff(score, prepend=np.inf))  # first row of each distinct probability
    places = starts[_steps(starts)]
    runs = _runs(rows)
    member = np.searchsorted(places, np.arange(order.size), side="right")  # inside from this place of the list on
    errors = _by_run(rows.run[order], member, weight, runs, places.size)
    sizes = np.bincount(rows.run[order], weight, minlength=runs).astype(np.float64)
    n = np.full(places.size, kish(weight))
    bad = np.flatnonzero(rows.label == 1)
    bad = bad[np.argsort(rows.score[bad], kind="stable")]
    from_above = np.append(np.cumsum(rows.weight[bad][::-1])[::-1], 0.0)
    caught = from_above[np.searchsorted(rows.score[bad], score[places], side="right")]
    sensible = caught > errors.sum(axis=0)
    alike = likeness(score, rows.run[order], runs)
    expected = expected_design_effect(errors.sum(axis=0) / weight.sum(), per_run(sizes, kish(weight)), alike)
    by_run = errors, np.broadcast_to(sizes[:, None], errors.shape)
    share = (errors.sum(axis=0) + caught) / rows.weight.sum()
    return _sequence(score[places], by_run, n, (share, sensible), expected, smoothing=smoothing)


def pollution_sequence(rows: Scored, smoothing: Smoothing) -> Sequence:
    """Thresholds from below upwards; an error is a bad lumisection below, among all below.

    The bad lumisection at which a threshold stands is counted as one more error, because the thresholds are chosen
    there and the stretch of good ones before it looks cleaner than it is.
    """
    order = np.argsort(rows.score, kind="stable")
    score, weight, bad = rows.score[order], rows.weight[order], rows.label[order] == 1
    values = np.unique(score[bad])
    below = np.searchsorted(score, values, side="left")  # rows strictly below each bad probability
    places = below[_steps(np.searchsorted(score[bad], values, side="left"))]
    values = values[_steps(np.searchsorted(score[bad], values, side="left"))]
    runs = _runs(rows)
    member = np.searchsorted(places, np.arange(order.size), side="right")
    errors = _by_run(rows.run[order], member, weight * bad, runs, places.size)
    sizes = _by_run(rows.run[order], member, weight, runs, places.size)
    squares = np.append(0.0, np.cumsum(weight**2))[places]
    with np.errstate(divide="ignore", invalid="ignore"):
        n = np.where(squares > 0, sizes.sum(axis=0) ** 2 / squares, 0.0)
    sensible = errors.sum(axis=0) < sizes.sum(axis=0) / 2
    # Errors are bad lumisections that score low: how alike they are is seen among the bad ones.
    all_bad = np.bincount(rows.run[order][bad], weight[bad], minlength=runs).astype(np.float64)
    alike = likeness(score[bad], rows.run[order][bad], runs)
    missed = errors.sum(axis=0) / all_bad.sum()
    expected = expected_design_effect(missed, per_run(all_bad, kish(weight[bad])), alike)
    share = sizes.sum(axis=0) / weight.sum()
    return _sequence(values, (errors, sizes), n, (share, sensible), expected, smoothing=smoothing, more=1.0)


def _sequence(
    threshold: FloatArray,
    by_run: tuple[FloatArray, FloatArray],
    n: FloatArray,
    inside: tuple[FloatArray, BoolArray],
    expected: FloatArray,
    *,
    smoothing: Smoothing,
    more: float = 0.0,
) -> Sequence:
    errors, total = by_run[0].sum(axis=0), by_run[1].sum(axis=0)
    rate = np.divide(errors, total, out=np.zeros_like(total), where=total > 0)
    measured = design_effect(*by_run, n)
    effect = smoothed_design_effect(measured, rate * n, expected, len(by_run[0]), smoothing)
    return Sequence(threshold, rate * n + more, n, effect, measured, rate, *inside)


def _steps(counts: IntArray) -> IntArray:
    """Which of the thresholds, that have `counts` errors inside, are looked at."""
    last = int(counts[-1]) if counts.size else 0
    wanted = list(range(ONE_BY_ONE))
    while wanted[-1] < last:
        wanted.append(int(wanted[-1] * 1.02) + 1)
    return np.unique(np.minimum(np.searchsorted(counts, wanted), max(counts.size - 1, 0))) if counts.size else counts


def _runs(rows: Scored) -> int:
    return int(rows.run.max()) + 1 if len(rows) else 0


def _by_run(run: IntArray, member: IntArray, weight: FloatArray, runs: int, steps: int) -> FloatArray:
    """(runs, steps) weight of the rows of each run that are inside at each threshold."""
    flat = np.bincount(run * (steps + 1) + member, weight, minlength=runs * (steps + 1))
    return np.asarray(np.cumsum(flat.reshape(runs, steps + 1)[:, :steps], axis=1))
