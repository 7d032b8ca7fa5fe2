"""A net whose score says nothing about luminosity: it learns against an adversary that tries to tell it."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from mlcore.conditions import Conditions, FloatArray, IntArray
from mlcore.decorrelate import AdversarialClassifier, FlatScore
from mlcore.errors import BadLabels, TooFewData
from mlcore.features import FeatureTable
from mlcore.splits import run_folds

from .base import Detector
from .conditioning import Conditioner

#: fewest rows from which a net learns against an adversary, and good ones that tell what is usual
_FEWEST, _GOOD = 50, 20
#: steps of training that a small sample takes as well, in however many epochs
_STEPS = 60
#: of a feature's spread, what must be left of it without luminosity
_EXPLAINED = 1e-3
#: standard deviations of luminosity and pile-up that nets tell apart: farther out they would guess
_FARTHEST = 2.0


class Decorrelated(Detector):
    """Log-odds of bad by nets that are punished for what an adversary can tell of the luminosity from their answer, on
    the scale of what good lumisections of the same luminosity get.

    What is certified by it is no choice of luminosity: good lumisections score alike whether there was much of it or
    little, also where bad ones are more frequent at one end. Two nets learn from a half of the runs each (of a run that
    is alone, its beginning and its end); what good lumisections score is learned from the half that the net has not
    seen, and the mean of both is the score.

    Parameters
    ----------
    strength : of the adversary; 0 is a plain net, and the scale alone is left.
    hidden : widths of each net. epochs, batch_size, learning_rate : of its training (Adam); of a small sample there are
        as many epochs as 60 steps take.
    bins : of luminosity in which it is asked what good lumisections usually score.
    conditioned : features are first freed of what luminosity and pile-up make of them, and the nets see these two
        beside them: an adversary costs least where little is left to hide.
    random_state : of start and order.

    Against the luminosity of `conditions`, in inverse nanobarn; against the pile-up where no luminosity is known. A
    lumisection of which it is not known counts as one of median luminosity, a feature that is not known as the median
    of those learned from.

    Attributes after `fit`: `against_` luminosity or pileup, `typical_` its median, `parts_` nets with their scales.
    Source: arXiv:1611.01046 for the adversary; scale and conditioning are our own (`mlcore.bench.decorrelation`).
    """

    consumes: ClassVar[Literal["table"]] = "table"
    supervised = True
    # Each half of the runs teaches a net by itself.
    fewest = 2 * _FEWEST

    def __init__(
        self,
        *,
        strength: float = 1.0,
        hidden: tuple[int, ...] = (64, 64),
        epochs: int = 6,
        batch_size: int = 64,
        learning_rate: float = 2e-3,
        bins: int = 15,
        conditioned: bool = True,
        random_state: int = 0,
    ) -> None:
        self.strength = strength
        self.hidden = hidden
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.bins = bins
        self.conditioned = conditioned
        self.random_state = random_state

    def _fit(self, data: FeatureTable, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        assert labels is not None
        if np.unique(labels).size < 2:
            raise BadLabels("both good and bad lumisections are needed among those that can be used.")
        self.against_, self.typical_ = _known_of(data.conditions)
        good = labels == 0
        # What luminosity makes of a feature is learned from good lumisections, if there are enough of them.
        self.conditioner_ = Conditioner(conditioned=self.conditioned, by_events=False).fit(
            data.select(good) if good.sum() >= 10 else data
        )
        known = np.isfinite(data.values)
        freed = np.ma.masked_array(self.conditioner_.transform(data), ~known)
        self.usual_ = np.asarray(np.ma.median(freed, axis=0).filled(0.0), dtype=np.float64)  # type: ignore[no-untyped-call]
        believed = np.ones(len(labels)) if weights is None else weights
        self.parts_ = self._learned(data.conditions, self._inputs(data), labels, believed)

    def _score(self, data: FeatureTable) -> FloatArray:
        inputs, nuisance = self._inputs(data), self._nuisance(data.conditions)
        found = [flat.transform(net.decision_function(inputs), nuisance) for net, flat in self.parts_]
        return np.asarray(np.mean(found, axis=0))

    def _learned(
        self, conditions: Conditions, inputs: FloatArray, labels: npt.NDArray[np.int64], weights: FloatArray
    ) -> list[tuple[AdversarialClassifier, FlatScore]]:
        """Nets, each of one half, and what good lumisections of the other half score by it. A half that has too few of
        one kind teaches none."""
        nuisance, parts = self._nuisance(conditions), []
        for learn, ask in _halves(conditions):
            usual = ask[(labels[ask] == 0) & (weights[ask] > 0)]
            taught = labels[learn][weights[learn] > 0]
            if len(taught) < _FEWEST or np.unique(taught).size < 2 or len(usual) < _GOOD:
                continue
            net = self._net(len(learn)).fit(inputs[learn], labels[learn], nuisance[learn], weights[learn])
            flat = FlatScore(bins=self.bins).fit(net.decision_function(inputs[usual]), nuisance[usual])
            parts.append((net, flat))
        if not parts:
            raise TooFewData(
                f"Decorrelated: neither half of the runs has {_FEWEST} lumisections, good and bad ones among them, and "
                f"the other {_GOOD} good ones; label more runs."
            )
        return parts

    def _net(self, rows: int) -> AdversarialClassifier:
        return AdversarialClassifier(
            strength=self.strength,
            hidden=self.hidden,
            epochs=max(self.epochs, -(-_STEPS // -(-rows // self.batch_size))),
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            random_state=self.random_state,
        )

    def _inputs(self, data: FeatureTable) -> FloatArray:
        """(n, f + 2) features as they differ from what is usual, and luminosity and pile-up; all known."""
        freed = np.where(np.isfinite(data.values), self.conditioner_.transform(data), self.usual_)
        # Of what luminosity explains as a whole only rounding is left, blown up.
        freed *= self.conditioner_.scale_ > _EXPLAINED
        if not self.conditioned:
            return freed
        terms = self.conditioner_.terms(data.conditions)[:, 1:3]
        return np.column_stack([freed, np.clip(terms, -_FARTHEST, _FARTHEST)])

    def _nuisance(self, conditions: Conditions) -> FloatArray:
        """(n,) what the score shall say nothing about."""
        values = getattr(conditions, self.against_)
        return np.where(np.isfinite(values), values, self.typical_)


def _known_of(conditions: Conditions) -> tuple[str, float]:
    """What the score is held against, and its median. Raises TooFewData."""
    for name in ("luminosity", "pileup"):
        values = getattr(conditions, name)
        if np.isfinite(values).any():
            return name, float(np.median(values[np.isfinite(values)]))
    raise TooFewData(
        f"Decorrelated needs luminosity, or pile-up, and of none of {len(conditions)} lumisections either is known; "
        "send it with the runs, or choose a classifier that does without."
    )


def _halves(conditions: Conditions) -> list[tuple[IntArray, IntArray]]:
    """(learn, ask) row indices, by run; of a run that is alone its beginning and its end."""
    if np.unique(conditions.run).size > 1:
        return list(run_folds(conditions, 2))
    first, last = np.array_split(np.argsort(conditions.lumisection, kind="stable"), 2)
    return [(first, last), (last, first)]
