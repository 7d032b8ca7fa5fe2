"""Labels that may be wrong: how often, which, and how far each is believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit
from sklearn.base import clone

from .calibration import ProbabilityCalibrator
from .conditions import BoolArray, Conditions, FloatArray
from .errors import BadLabels, MlcoreError, ShapeError, TooFewData
from .evaluate import binary
from .splits import run_folds


def out_of_fold(
    classifier: Any,
    values: npt.ArrayLike,
    labels: npt.ArrayLike,
    conditions: Conditions,
    *,
    folds: int = 5,
    random_state: int = 0,
) -> FloatArray:
    """P(bad) of each lumisection by a scikit-learn classifier that has seen no lumisection of the same run, (n,).

    values : (n, f) features that the classifier can take. Raises BadLabels when a fold leaves one class to learn from.
    """
    x, y = np.asarray(values), binary(labels, len(conditions))
    answer = np.full(y.size, np.nan)
    for train, test in run_folds(conditions, folds, random_state=random_state):
        if np.unique(y[train]).size < 2:
            raise BadLabels("without one fold only one class is left to learn from; use fewer folds or more runs.")
        answer[test] = clone(classifier).fit(x[train], y[train]).predict_proba(x[test])[:, 1]
    return answer


@dataclass(frozen=True, eq=False)
class LabelNoise:
    """What confident learning says of n labels.

    Parameters
    ----------
    good_as_bad, bad_as_good : share of the truly good that is labelled bad, of the truly bad that is labelled good.
    bad_share : share of the truly bad.
    suspicious : (n,) labels that contradict a confident prediction.
    belief : (n,) probability that the label is right, given prediction and noise; 1 where there is no prediction.
    """

    good_as_bad: float
    bad_as_good: float
    bad_share: float
    suspicious: BoolArray
    belief: FloatArray


def label_noise(probability_bad: npt.ArrayLike, labels: npt.ArrayLike) -> LabelNoise:
    """Confident learning (arXiv:1911.00068) for two classes.

    probability_bad : (n,) out-of-fold by run (`out_of_fold`), else a model that learnt a wrong label by heart believes
    it; NaN where there is none. A prediction is confident when it is at least the mean of its class; counts of label
    against confident class give the joint distribution of label and truth. Raises BadLabels when one class has no
    prediction.
    """
    p = np.asarray(probability_bad, dtype=np.float64)
    y = binary(labels, p.size)
    known = ~np.isnan(p)
    if ((p < 0) | (p > 1)).any():
        raise MlcoreError("probabilities lie between 0 and 1; calibrate scores first (mlcore.calibration).")
    if not (known & (y == 0)).any() or not (known & (y == 1)).any():
        raise BadLabels("label noise needs predictions for good and for bad lumisections; all labels are the same.")
    usual_bad, usual_good = p[known & (y == 1)].mean(), (1 - p[known & (y == 0)]).mean()
    says_bad, says_good = known & (p >= usual_bad), known & (1 - p >= usual_good)
    both = says_bad & says_good
    says_bad, says_good = says_bad & (~both | (p >= 0.5)), says_good & (~both | (p < 0.5))
    counts = np.array(
        [[(says & (y == label)).sum() for says in (says_good, says_bad)] for label in (0, 1)], dtype=float
    )
    # The joint has the share of each label that was observed, however many predictions were confident.
    shares = np.array([(known & (y == 0)).sum(), (known & (y == 1)).sum()], dtype=float) / known.sum()
    rows = counts.sum(axis=1, keepdims=True)
    joint = np.where(rows > 0, counts / np.maximum(rows, 1), np.eye(2)) * shares[:, None]
    truth = joint.sum(axis=0)
    good_as_bad = float(joint[1, 0] / truth[0]) if truth[0] > 0 else 0.0
    bad_as_good = float(joint[0, 1] / truth[1]) if truth[1] > 0 else 0.0
    suspicious = (says_bad & (y == 0)) | (says_good & (y == 1))
    # A model that learnt from wrong labels is too timid or too sure; what its answers are worth is seen in the labels.
    shown = ProbabilityCalibrator().fit(p, y).predict(np.where(known, p, 0.5))
    belief = np.where(known, _belief(shown, y == 1, good_as_bad, bad_as_good), 1.0)
    return LabelNoise(good_as_bad, bad_as_good, float(truth[1]), suspicious, belief)


def _belief(p: FloatArray, bad: BoolArray, good_as_bad: float, bad_as_good: float) -> FloatArray:
    """P(label right | features, label): the prediction is of labels, so the noise is first taken out of it."""
    clear = max(1 - good_as_bad - bad_as_good, 1e-3)
    truly_bad = np.clip((p - good_as_bad) / clear, 0.0, 1.0)
    right = np.where(bad, truly_bad * (1 - bad_as_good), (1 - truly_bad) * (1 - good_as_bad))
    wrong = np.where(bad, (1 - truly_bad) * good_as_bad, truly_bad * bad_as_good)
    return np.asarray(np.divide(right, right + wrong, out=np.ones_like(right), where=right + wrong > 0))


def noise_weights(probability_bad: npt.ArrayLike, labels: npt.ArrayLike, *, least: float = 0.0) -> FloatArray:
    """How far each label is believed, (n,) in [least, 1]: weights for training. See `label_noise`."""
    if not 0 <= least <= 1:
        raise MlcoreError("least lies between 0 and 1.")
    return np.maximum(label_noise(probability_bad, labels).belief, least)


@dataclass(frozen=True, eq=False)
class Readers:
    """What several readers' answers say: `probability_bad` (n,), and of each reader `sensitivity` (says bad when it is)
    and `specificity` (says good when it is), (readers,); `bad_share`; `rounds` until nothing changed."""

    probability_bad: FloatArray
    sensitivity: FloatArray
    specificity: FloatArray
    bad_share: float
    rounds: int


def combine_readers(answers: npt.ArrayLike, *, prior: float = 1.0, most_rounds: int = 500) -> Readers:
    """Truth and reliability of readers together, by expectation maximisation (Dawid and Skene 1979).

    answers : (n, readers) 0 good, 1 bad, -1 not read. Readers err independently given the truth, and are right more
    often than not: `prior` counts one right answer of each kind beforehand, which tells a reader from his mirror image.
    A lumisection that nobody read gets the share of bad. Raises TooFewData when nothing was read.
    """
    votes = np.asarray(answers)
    if votes.ndim != 2:
        raise ShapeError(f"answers have shape {votes.shape}; give lumisections x readers.")
    if not np.isin(votes, (-1, 0, 1)).all():
        raise BadLabels("answers are 0 good, 1 bad or -1 not read.")
    if not (votes >= 0).any():
        raise TooFewData("nobody has read anything.")
    read, bad = (votes >= 0).astype(np.float64), (votes == 1).astype(np.float64)
    seen = read.sum(axis=1)
    belief = np.where(seen > 0, bad.sum(axis=1) / np.maximum(seen, 1), bad.sum() / read.sum())
    rounds, change = 0, np.inf
    while change >= 1e-8 and rounds < most_rounds:
        rounds += 1
        share = float(np.clip(belief[seen > 0].mean(), 1e-9, 1 - 1e-9))
        sensitivity = (belief @ bad + prior) / (belief @ read + 1.5 * prior)
        specificity = ((1 - belief) @ (read - bad) + prior) / ((1 - belief) @ read + 1.5 * prior)
        odds = (
            np.log(share / (1 - share))
            + bad @ (np.log(sensitivity) - np.log(1 - specificity))
            + (read - bad) @ (np.log(1 - sensitivity) - np.log(specificity))
        )
        new = expit(odds)
        change = float(np.abs(new - belief).max())
        belief = np.asarray(new)
    return Readers(belief, sensitivity, specificity, share, rounds)
