"""The blind audit: which automatic verdicts go to an expert, and what their answers prove about the rest.

Experts see mostly the grey zone, so what they say of it tells nothing about what was decided without them. A small
random share of automatic verdicts is therefore shown to an expert who does not see the verdict. Their answers feed a
bound that may be looked at after every run, for years, without losing its confidence (anytime-valid, by betting:
arXiv:2010.09686), and that treats a run as one bet, because the errors of a run come together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .conditions import BoolArray, Conditions, FloatArray, IntArray
from .errors import MlcoreError, ShapeError
from .evaluate import BAD, GOOD, UNSURE, binary

RATES = np.concatenate([np.geomspace(1e-5, 0.6, 200), [1.0]])  # rates at which bets are placed
STAKES = np.geomspace(0.004, 0.9, 10)  # share of what may be lost at most in one run


@dataclass(frozen=True, eq=False)
class AuditSample:
    """`chosen` (n,) which lumisections an expert looks at; `probability` (n,) with which each was to be chosen, NaN for
    those without an automatic verdict. An estimate that weights each answer by 1 / probability is unbiased."""

    chosen: BoolArray
    probability: FloatArray


def choose_audit(
    verdicts: npt.ArrayLike,
    conditions: Conditions,
    *,
    share: float = 0.03,
    weights: npt.ArrayLike | None = None,
    seed: int = 0,
) -> AuditSample:
    """A random `share` of the automatic verdicts (0 good, 1 bad), the same for the same seed whenever it is asked.

    A lumisection is chosen by a hash of (seed, run, number) alone: neither the order of the rows nor what else is asked
    about changes the answer, so a lumisection cannot be asked about until it is left out. The probability is half even
    and half in proportion to the weight (luminosity), since rates are of luminosity. Raises MlcoreError for a share
    outside (0, 1].
    """
    verdict = np.asarray(verdicts)
    if verdict.shape != (len(conditions),):
        raise ShapeError(f"{len(conditions)} lumisections, but verdicts of shape {verdict.shape}.")
    if not 0 < share <= 1:
        raise MlcoreError(f"share is {share}; audit a part of the automatic verdicts, usually 0.02 to 0.05.")
    weight = np.ones(verdict.size) if weights is None else np.asarray(weights, dtype=np.float64)
    if weight.shape != verdict.shape or not np.isfinite(weight).all() or (weight < 0).any():
        raise ShapeError("weights must be one finite number from 0 per lumisection.")
    automatic = (verdict == GOOD) | (verdict == BAD)
    mean = weight[automatic].mean() if automatic.any() else 1.0
    relative = weight / mean if mean > 0 else np.ones(verdict.size)
    probability = np.where(automatic, np.minimum(share * (1 + relative) / 2, 1.0), np.nan)
    return AuditSample(automatic & (_uniform(conditions.key, seed) < probability), probability)


def _uniform(keys: IntArray, seed: int) -> FloatArray:
    """Numbers in [0, 1) that look random but depend on key and seed only (two rounds of a 64-bit mixer)."""
    mixed = keys.astype(np.uint64) ^ np.uint64((seed * 0x9E3779B97F4A7C15) % 2**64)
    for _ in range(2):
        mixed = mixed + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return np.asarray((mixed >> np.uint64(11)).astype(np.float64) / 2.0**53)


@dataclass(frozen=True, eq=False)
class AuditBounds:
    """After each run of the stream, in the order of the runs: what is proved so far. `lower` and `upper` hold
    for all runs at once with the confidence that was asked for, each by itself."""

    run: IntArray
    estimate: FloatArray
    lower: FloatArray
    upper: FloatArray


def rate_bounds(
    wrong: npt.ArrayLike,
    runs: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    *,
    confidence: float = 0.95,
    largest_run: float | None = None,
) -> AuditBounds:
    """Anytime-valid lower and upper bound on a weighted error rate from a stream of runs.

    Parameters
    ----------
    wrong : (n,) 1 where the audited verdict was wrong, else 0.
    runs : (n,) run of each; runs are taken by number. Give only runs whose audit is complete: a run is one bet, and a
        bet is not looked at before it is decided.
    weights : (n,) what each answer stands for (luminosity / probability of having been chosen).
    largest_run : weight that one run may have at most; a heavier one counts as this much. By default twice the median
        weight of the runs. Chosen from weights, never from answers.

    For each possible rate m somebody bets in every run that the weighted errors exceed m times the weight, staking a
    fixed part of what can be lost; if m is true the capital is a martingale, and reaches 1 / (1 - confidence) with
    probability 1 - confidence at most, ever. The capital is a mixture over stakes. Nothing is assumed about errors
    within a run; between runs, that they are m on average given the past.
    """
    label, run = np.asarray(wrong), np.asarray(runs)
    label = binary(label, label.size)
    weight = np.ones(label.size) if weights is None else np.asarray(weights, dtype=np.float64)
    if run.shape != label.shape or weight.shape != label.shape or label.ndim != 1:
        raise ShapeError(f"{label.size} answers, runs of shape {run.shape}, weights of shape {weight.shape}.")
    if not np.isfinite(weight).all() or (weight < 0).any():
        raise ShapeError("weights must be finite numbers from 0.")
    if not 0 < confidence < 1:
        raise MlcoreError("a confidence lies between 0 and 1.")
    names, place = np.unique(run, return_inverse=True)
    total = np.bincount(place, weight, minlength=names.size).astype(np.float64)
    errors = np.bincount(place, weight * label, minlength=names.size).astype(np.float64)
    kept = total > 0
    names, total, errors = names[kept], total[kept], errors[kept]
    if not names.size:
        nothing = np.empty(0)
        return AuditBounds(names.astype(np.int64), nothing, nothing, nothing)
    most = 2 * float(np.median(total)) if largest_run is None else largest_run
    shrink = np.minimum(1.0, most / total) / most
    size, part = total * shrink, errors * shrink  # both within [0, 1]
    lower, upper = _by_betting(part, size, confidence)
    return AuditBounds(names.astype(np.int64), np.cumsum(part) / np.cumsum(size), lower, upper)


def _by_betting(part: FloatArray, size: FloatArray, confidence: float) -> tuple[FloatArray, FloatArray]:
    """Running bounds from errors and sizes of runs, both (runs,) within [0, 1], errors not above sizes."""
    enough = -np.log(1 - confidence) + np.log(STAKES.size)
    lower, upper = np.zeros(part.size), np.ones(part.size)
    stakes = {"above": STAKES / RATES[:, None], "below": np.broadcast_to(-STAKES, (RATES.size, STAKES.size))}
    capital = {side: np.zeros((RATES.size, STAKES.size)) for side in stakes}  # logarithms, by rate and stake
    for first in range(0, part.size, 128):
        rows = slice(first, first + 128)
        gain = part[rows, None] - RATES * size[rows, None]
        proved = {}
        for side, stake in stakes.items():
            path = capital[side] + np.cumsum(np.log1p(np.maximum(gain[:, :, None] * stake, -0.999999)), axis=0)
            capital[side] = path[-1]
            top = path.max(axis=2)
            total = top + np.log(np.exp(path - top[:, :, None]).sum(axis=2))
            proved[side] = np.maximum.accumulate(total >= enough, axis=0)
        # Whoever wins against one rate wins more against a rate further out, so what is excluded has no gaps.
        excluded_below, excluded_above = proved["above"].sum(axis=1), proved["below"].sum(axis=1)
        lower[rows] = np.where(excluded_below > 0, RATES[np.maximum(excluded_below - 1, 0)], 0.0)
        upper[rows] = np.where(excluded_above > 0, RATES[np.minimum(RATES.size - excluded_above, RATES.size - 1)], 1.0)
    return np.maximum.accumulate(lower), np.minimum.accumulate(upper)


@dataclass(frozen=True)
class AuditDecision:
    """Whether automation goes on, and why in words. `estimate`, `lower`, `upper` as of the last run; `bounds` as of
    each."""

    stop: bool
    reason: str
    side: str
    limit: float
    audited: int
    runs: int
    estimate: float
    lower: float
    upper: float
    bounds: AuditBounds


def decide_pollution(
    verdicts: npt.ArrayLike,
    truth: npt.ArrayLike,
    runs: npt.ArrayLike,
    *,
    limit: float,
    probability: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> AuditDecision:
    """Does automation go on, given audited verdicts "good" and what the expert said (0 good, 1 bad)?

    All arrays are (n,), audited lumisections only, of runs whose audit is complete; `probability` as `choose_audit`
    told. Other verdicts than good do not count here.
    """
    verdict, p, weight = _audited(verdicts, probability, weights)
    here = verdict == GOOD
    label = binary(truth, verdict.size)
    bounds = rate_bounds(label[here], np.asarray(runs)[here], weight[here] / p[here], confidence=confidence)
    return _decide("pollution", limit, confidence, int(here.sum()), bounds)


def decide_loss(
    verdicts: npt.ArrayLike,
    truth: npt.ArrayLike,
    runs: npt.ArrayLike,
    *,
    limit: float,
    probability: npt.ArrayLike,
    weights: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> AuditDecision:
    """The same for loss: called bad among what is good. Counts audited verdicts and the grey zone (verdict unsure,
    probability 1, labelled anyway); only rows that the expert calls good."""
    verdict, p, weight = _audited(verdicts, probability, weights)
    here = (binary(truth, verdict.size) == 0) & np.isin(verdict, (GOOD, BAD, UNSURE))
    bounds = rate_bounds(
        (verdict[here] == BAD).astype(np.int64),
        np.asarray(runs)[here],
        weight[here] / p[here],
        confidence=confidence,
    )
    return _decide("loss", limit, confidence, int((here & (verdict != UNSURE)).sum()), bounds)


def _audited(
    verdicts: npt.ArrayLike, probability: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[IntArray, FloatArray, FloatArray]:
    verdict, p = np.asarray(verdicts).astype(np.int64), np.asarray(probability, dtype=np.float64)
    weight = np.ones(verdict.size) if weights is None else np.asarray(weights, dtype=np.float64)
    if p.shape != verdict.shape or weight.shape != verdict.shape:
        raise ShapeError(f"{verdict.size} verdicts, probabilities of shape {p.shape}, weights of shape {weight.shape}.")
    if not ((p > 0) & (p <= 1)).all():
        raise MlcoreError("the probability of having been chosen lies above 0 and up to 1 for whatever was audited.")
    return verdict, p, weight


def _decide(side: str, limit: float, confidence: float, audited: int, bounds: AuditBounds) -> AuditDecision:
    if not 0 < limit < 1:
        raise MlcoreError(f"a limit lies between 0 and 1, not {limit}.")
    runs = int(bounds.run.size)
    if not runs:
        words = f"No verdict has been audited yet: nothing is known about {side}."
        return AuditDecision(False, words, side, limit, audited, 0, float("nan"), 0.0, 1.0, bounds)
    estimate, lower, upper = float(bounds.estimate[-1]), float(bounds.lower[-1]), float(bounds.upper[-1])
    seen = f"{audited} audited verdicts of {runs} run{'' if runs == 1 else 's'}: {side} is {estimate:.2%}"
    if lower > limit:
        words = (
            f"Stop. {seen}, and with {confidence:.1%} confidence above {lower:.2%}; the limit is {limit:.2%}. "
            "Review what was decided since the calibration, then calibrate anew."
        )
    elif estimate > limit:
        words = f"{seen}, above the limit of {limit:.2%}, but that may still be chance. Look soon."
    else:
        words = f"{seen}, within the limit of {limit:.2%} (proved so far: below {upper:.2%})."
    return AuditDecision(lower > limit, words, side, limit, audited, runs, estimate, lower, upper, bounds)
