"""How the parts are combined: a short list fixed beforehand, the choice made inside the training runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlcore.conditions import BoolArray, FloatArray, IntArray

from .folds import of_its_run
from .parts import FOREST, IN_RUN, REFERENCE

#: What a nat of evidence of the reference adds to the probability of the forest, in the way that was ours before.
SHARE = 0.1


@dataclass(frozen=True, eq=False)
class Asked:
    """Parts (n, 6) of lumisections to score, and their runs (n,)."""

    parts: FloatArray
    run: IntArray

    @property
    def beside_run(self) -> FloatArray:
        return np.hstack([self.parts, of_its_run(self.parts, self.run)])


@dataclass(frozen=True, eq=False)
class Known(Asked):
    """The same of training runs, each row by what was learned on the other inner `fold`s, with labels."""

    labels: IntArray
    fold: IntArray

    def select(self, rows: BoolArray) -> Known:
        return Known(self.parts[rows], self.run[rows], self.labels[rows], self.fold[rows])

    @property
    def cut(self) -> bool:
        """Whether parts of one run lie in several folds."""
        return len(np.unique(self.run)) < len(np.unique(np.column_stack([self.run, self.fold]), axis=0))


Way = Callable[[Known, Asked], FloatArray]


def _forest(known: Known, asked: Asked) -> FloatArray:
    return asked.parts[:, FOREST]


def _forest_in_run(known: Known, asked: Asked) -> FloatArray:
    return asked.parts[:, IN_RUN]


def _forest_and_reference(known: Known, asked: Asked) -> FloatArray:
    return np.asarray(1 / (1 + np.exp(-asked.parts[:, FOREST])) + SHARE * asked.parts[:, REFERENCE])


def _ranks(known: Known, asked: Asked) -> FloatArray:
    """Log-odds of the mean share of training rows below, over the parts."""
    below = [
        np.searchsorted(np.sort(given), value) / len(given)
        for given, value in zip(known.parts.T, asked.parts.T, strict=True)
    ]
    share = np.clip(np.mean(below, axis=0), 1e-3, 1 - 1e-3)
    return np.asarray(np.log(share / (1 - share)))


def _line(known: Known, asked: Asked) -> FloatArray:
    return _fitted_line(known.parts, known.labels, asked.parts)


def _line_in_run(known: Known, asked: Asked) -> FloatArray:
    return _fitted_line(known.beside_run, known.labels, asked.beside_run)


def _trees_in_run(known: Known, asked: Asked) -> FloatArray:
    model = ExtraTreesClassifier(50, min_samples_leaf=15, class_weight="balanced", random_state=0)
    bad = model.fit(known.beside_run, known.labels).predict_proba(asked.beside_run)[:, 1]
    return np.asarray(np.log(np.clip(bad, 1e-3, None) / np.clip(1 - bad, 1e-3, None)))


def _mean(*ways: Way) -> Way:
    def of(known: Known, asked: Asked) -> FloatArray:
        return np.asarray(np.mean([way(known, asked) for way in ways], axis=0))

    return of


WAYS: dict[str, Way] = {
    "forest": _forest,
    "forest and reference": _forest_and_reference,
    "mean rank of the parts": _ranks,
    "line of the parts": _line,
    "mean of forest and mean rank": _mean(_forest, _ranks),
}
#: The ways that look at the run of a lumisection on the whole.
WAYS_IN_RUN: dict[str, Way] = {
    "forest in its run": _forest_in_run,
    "line of the parts and of their run": _line_in_run,
    "trees of the parts and of their run": _trees_in_run,
    "mean of both forests and both lines": _mean(_forest, _forest_in_run, _line, _line_in_run),
    "mean of forest in its run, line and trees": _mean(_forest_in_run, _line_in_run, _trees_in_run),
}


@dataclass(frozen=True, eq=False)
class Choice:
    """The way chosen, the sum of AUC and average precision of each, and its scores of the rows it was chosen on."""

    name: str
    merits: dict[str, float]
    scores: FloatArray


def choose(known: Known) -> Choice:
    """The way with the largest sum of AUC and average precision; what a way learns itself, on the other folds again.

    Where parts of one run lie in several folds, a way that looks at the run on the whole would recognise it, and is
    not offered.
    """
    merits, scores = {}, {}
    for name, way in (WAYS if known.cut else WAYS | WAYS_IN_RUN).items():
        score = np.full(len(known.labels), np.nan)
        for held in np.unique(known.fold):
            score[known.fold == held] = way(known.select(known.fold != held), known.select(known.fold == held))
        merits[name] = float(roc_auc_score(known.labels, score) + average_precision_score(known.labels, score))
        scores[name] = score
    best = max(merits, key=lambda name: merits[name])
    return Choice(best, merits, scores[best])


def apply(choice: Choice, known: Known, asked: Asked) -> FloatArray:
    """Log-odds of the rows asked, by the way chosen, learned on all training rows.

    Folds may have chosen differently: a line fitted to the scores it was chosen on puts all on one scale.
    """
    score = (WAYS | WAYS_IN_RUN)[choice.name](known, asked)
    scale = LogisticRegression(class_weight="balanced").fit(choice.scores[:, None], known.labels)
    return np.asarray(scale.decision_function(score[:, None]))


def _fitted_line(given: FloatArray, labels: IntArray, asked: FloatArray) -> FloatArray:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000))
    return np.asarray(model.fit(given, labels).decision_function(asked))
