"""A trained system model: from histograms to scores, verdicts, evidence and stretches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator

from mlcore.calibration import ProbabilityCalibrator
from mlcore.conditions import BoolArray, Conditions, FloatArray, IntArray
from mlcore.detectors.base import Detector
from mlcore.detectors.ensemble import Ensemble
from mlcore.errors import MlcoreError
from mlcore.evaluate import GOOD, UNSCORED, UNSURE
from mlcore.explain import CaseLibrary, OddBin, PastCase, by_object, odd_bins, odd_regions, tree_contributions
from mlcore.features import FeatureTable
from mlcore.selective import SelectivePolicy
from mlcore.stretches import Stretch, stretches

from .config import SystemConfig
from .inputs import TABLE, Data, Inputs, gather
from .judged import Judged
from .layer import Layer, chosen, columns
from .scores import WORDS, Evidence, Scores
from .signature import knows_bins, names_regions, signature

#: a family is suggested when it gets at least this share of the votes
SURE_OF_FAMILY = 0.4
#: stretches of a model that knows no bad data: 1 in 100 and 1 in 10,000 good lumisections look as odd
ODD_STRETCH = (1 - 1e-2, 1 - 1e-4)


class SystemModel:
    """One system's model, made by `mlcore.pipeline.train`, stored by `mlcore.artifacts.save`.

    Attributes
    ----------
    config : the `SystemConfig` it was trained with.
    layer_ : detectors and their common scale. robust_ : their combination without labels.
    classifier_ : the supervised step, None when unsupervised; columns_ : what it sees.
    calibrator_, policy_ : P(bad) and verdicts; None when labels did not suffice.
    needed_ : elements without which nothing is automatic.
    families_, family_trees_, cases_ : suspected defects and similar past cases.
    judged_ : what copies of it said of the last runs before they had learned from them, where the final one has; None
        where it never saw them.
    metrics_, guarantee_, fingerprint_, lineage_, notes_ : what is known of it, for the manifest.
    """

    layer_: Layer
    robust_: Ensemble
    classifier_: Detector | None
    columns_: list[str]
    calibrator_: ProbabilityCalibrator | None
    policy_: SelectivePolicy | None
    needed_: tuple[str, ...]
    families_: list[str]
    family_trees_: BaseEstimator | None  # type: ignore[no-any-unimported]  # scikit-learn has no types
    cases_: CaseLibrary
    # Models that were stored before there was such a thing have none.
    judged_: Judged | None = None
    fingerprint_: str

    def __init__(self, config: SystemConfig) -> None:
        self.config = config
        self.classifier_ = None
        self.columns_ = []
        self.calibrator_ = None
        self.policy_ = None
        self.families_ = []
        self.family_trees_ = None
        self.metrics_: dict[str, Any] = {}
        self.guarantee_: dict[str, Any] = {}
        self.lineage_: dict[str, Any] = {}
        self.notes_: list[str] = []

    def score(self, blocks: Sequence[Data], *, conditions: Conditions | None = None) -> Scores:
        """Score lumisections from their histograms and features.

        `conditions` names the lumisections that need an answer, with what is known of them; without it, all that any
        input has. Those without data are unscored. Elements that the model does not know are not looked at; elements
        with other axes than in training count as missing. Whole runs should be given, as neighbours are context.
        """
        inputs = gather(blocks, conditions)
        found = self.score_inputs(inputs)
        if np.array_equal(inputs.order, np.arange(len(inputs))):
            return found
        back = np.argsort(inputs.order, kind="stable")
        return _reordered(found, back)

    def score_stream(self, runs: Iterable[Sequence[Data]]) -> Iterator[Scores]:
        """Score any number of runs one after the other; only one is in memory at a time."""
        for blocks in runs:
            yield self.score(blocks)

    def score_inputs(self, inputs: Inputs) -> Scores:
        """The same for inputs that are aligned and in order of time already."""
        return self.score_scaled(inputs, self.layer_.scaled(inputs))

    def score_scaled(self, inputs: Inputs, scaled: FloatArray) -> Scores:
        """The same once the detectors have answered."""
        complete, enough = self.coverage(scaled)
        score = np.full(len(inputs), np.nan)
        if enough.any():
            score[enough] = self._score(scaled, inputs)[enough]
        scored = enough & np.isfinite(score)
        p = self.probability_of(score)
        verdict = self.verdicts(score, p, complete, scored)
        family, sure = self._family(inputs, scaled, (verdict != GOOD) & scored, p)
        return Scores(
            conditions=inputs.conditions,
            score=score,
            probability=p,
            verdict=verdict,
            complete=complete,
            family=family,
            family_probability=sure,
            elements=scaled,
            members=tuple((member.name, member.element, member.group) for member in self.layer_.members),
            stretches=tuple(self._stretches(score, p, inputs.conditions)),
            model=self,
            inputs=inputs,
        )

    def coverage(self, scaled: FloatArray) -> tuple[BoolArray, BoolArray]:
        """(n,) whether all needed elements were scored, and whether enough of them for a score at all."""
        if not self.needed_:
            known = np.asarray(np.isfinite(scaled).any(axis=1))
            return known, known
        there = np.column_stack(
            [
                np.isfinite(scaled[:, [member.element == name for member in self.layer_.members]]).any(axis=1)
                for name in self.needed_
            ]
        )
        share = there.mean(axis=1)
        return np.asarray(there.all(axis=1)), np.asarray((share >= self.config.required) & (share > 0))

    def _score(self, scaled: FloatArray, inputs: Inputs) -> FloatArray:
        if self.classifier_ is None:
            return self.robust_.score(score_table(scaled, inputs.conditions))
        return np.asarray(self.classifier_.score(self.table(scaled, inputs)))

    def table(self, scaled: FloatArray, inputs: Inputs) -> FeatureTable:
        """What the classifier sees."""
        everything = columns(
            scaled,
            summaries_of(self.robust_, scaled, inputs.conditions),
            self.layer_,
            inputs,
            windows=self.config.windows,
            shapes=self.config.shape_features,
            wanted=self.columns_,
        )
        return chosen(everything, self.columns_)

    def probability_of(self, score: FloatArray) -> FloatArray:
        """(n,) P(bad) of scores; NaN without a score or when the model has never seen bad data."""
        if self.calibrator_ is None:
            return np.full(score.shape, np.nan)
        return np.asarray(self.calibrator_.predict(score), dtype=np.float64)

    def decision_scale(self, score: FloatArray, p: FloatArray) -> FloatArray:
        """What the policy decides on: P(bad), or without a calibration the share of good data that looks less odd."""
        return p if self.calibrator_ is not None else 1.0 - 10.0 ** -np.maximum(score, 0.0)

    def verdicts(self, score: FloatArray, p: FloatArray, complete: BoolArray, scored: BoolArray) -> Any:
        """(n,) int8 verdicts: unsure unless the policy says good or bad of something complete."""
        found = np.full(len(score), UNSURE, dtype=np.int8)
        if self.policy_ is not None:
            decided = self.policy_.decide(np.where(complete & scored, self.decision_scale(score, p), np.nan))
            found = np.where(decided == UNSCORED, UNSURE, decided).astype(np.int8)
        found[~scored] = UNSCORED
        return found

    @property
    def no_policy_(self) -> str:
        """Why there is no policy, to follow "unsure, and"."""
        if self.classifier_ is None:
            return "the model was trained without bad labels, so nothing is automatic."
        return "no label was confirmed in the latest runs, so there is no guarantee."

    def lacking(self, elements: FloatArray) -> list[str]:
        """Needed elements without a score, from one row of `Scores.elements`."""
        there = {
            member.element
            for member, value in zip(self.layer_.members, elements.tolist(), strict=True)
            if value == value  # noqa: PLR0124  # not NaN
        }
        return [name for name in self.needed_ if name not in there]

    def _family(
        self, inputs: Inputs, scaled: FloatArray, wanted: BoolArray, p: FloatArray
    ) -> tuple[npt.NDArray[np.str_], FloatArray]:
        """Suspected defect of what may be bad: not good, and more likely bad than bad is rare."""
        width = max([len(name) for name in self.families_] or [1])
        family, sure = np.full(len(scaled), "", dtype=f"U{width}"), np.full(len(scaled), np.nan)
        rows = np.flatnonzero(wanted & ~(p < self.config.stretch[0]))
        if self.family_trees_ is None or not rows.size:
            return family, sure
        votes = self.family_trees_.predict_proba(signature(self.layer_, inputs, scaled, rows))
        best = votes.argmax(axis=1)
        top = votes[np.arange(rows.size), best]
        names = np.asarray(self.families_)[self.family_trees_.classes_[best]]
        family[rows] = np.where(top >= SURE_OF_FAMILY, names, "")
        sure[rows] = np.where(top >= SURE_OF_FAMILY, top, np.nan)
        return family, sure

    def _stretches(self, score: FloatArray, p: FloatArray, conditions: Conditions) -> list[Stretch]:
        low, high = self.config.stretch if self.calibrator_ is not None else ODD_STRETCH
        values = self.decision_scale(score, p)
        return stretches(
            values, conditions, low=low, high=high, shortest=self.config.shortest, bridge=self.config.bridge
        )

    def evidences(self, scores: Scores, rows: Sequence[int], *, features: bool = False) -> list[Evidence]:
        """See `Scores.evidences`."""
        if not len(rows):
            return []
        keys = scores.inputs.conditions.key
        order = np.argsort(keys, kind="stable")
        places = order[np.searchsorted(keys, scores.conditions.key[list(rows)], sorter=order)]
        few = scores.inputs.select(places)
        near = self._similar(scores, few, np.asarray(rows, dtype=np.int64))
        seen = self.layer_.seen_in_table(few)
        found = []
        for place, row in enumerate(rows):
            odd = scores.odd_elements(row)
            values = scores.elements[row : row + 1]
            total, names = by_object(np.maximum(np.nan_to_num(values, nan=0.0) - 0.5, 0.0), self.layer_.groups)
            share = total[0] / max(float(total[0].sum()), 1e-12)
            objects = {name: float(part) for name, part in zip(names, share, strict=True)}
            found.append(Evidence(
                run=int(scores.conditions.run[row]),
                lumisection=int(scores.conditions.lumisection[row]),
                verdict=WORDS[int(scores.verdict[row])],
                reason=scores.reason(row),
                elements=odd,
                bins=tuple(bin_ for element in odd[:3] for bin_ in self.odd_bins(few, element.element, place)),
                objects=named_in_table(objects, {name: float(part[place]) for name, part in seen.items()}),
                features=self._features(scores, int(places[place])) if features else {},
                cases=near.get(place, ()),
            ))  # fmt: skip
        return found

    def _similar(self, scores: Scores, few: Inputs, rows: IntArray) -> dict[int, tuple[PastCase, ...]]:
        """By place in `rows`, cases that look alike; for all rows at once, since what a bin should hold costs by call.
        Where nothing could be measured there are none."""
        values = scores.elements[rows]
        seen = np.flatnonzero(np.isfinite(values).any(axis=1))
        if not seen.size:
            return {}
        looks = signature(self.layer_, few.select(seen), values[seen], np.arange(seen.size))
        near = self.cases_.nearest(looks, not_runs=scores.conditions.run[rows[seen]])
        return {int(place): tuple(cases) for place, cases in zip(seen, near, strict=True)}

    def odd_bins(self, inputs: Inputs, element: str, row: int) -> list[OddBin]:
        """The oddest bins of one lumisection in one element, by the detector that knows what each bin should hold;
        where none does, the regions that detectors of regions find odd."""
        block = inputs.blocks.get(element)
        if block is None or block.missing[row]:
            return []
        if block.axes != self.layer_.axes.get(element):
            return []
        one = block.select(slice(row, row + 1))
        knower = knows_bins(self.layer_, element)
        return odd_bins(knower, one)[0] if knower else odd_regions(names_regions(self.layer_, element), one)[0]

    def _features(self, scores: Scores, at: int) -> dict[str, float]:
        """SHAP values of the classifier for one lumisection, the largest ten."""
        trees = _trees(self.classifier_)
        # Neighbours are context, so the run is taken whole.
        run = np.flatnonzero(scores.inputs.conditions.run == scores.inputs.conditions.run[at])
        part = scores.inputs.select(run)
        table = self.table(self.layer_.scaled(part), part)
        one = table.select(run == at)
        # Some classifiers put columns of their own (luminosity, pile-up) behind those of the table.
        inside = getattr(self.classifier_, "_inputs", None)
        seen = one.values if inside is None else inside(one)
        values = tree_contributions(trees, seen)[0][: len(table.names)]
        order = np.argsort(-np.abs(values), kind="stable")[:10]
        return {table.names[place]: float(values[place]) for place in order}


def _trees(classifier: Detector | None) -> Any:
    """The tree ensemble of scikit-learn inside a classifier. Raises MlcoreError when there is none."""
    for name, value in (vars(classifier) if classifier is not None else {}).items():
        if name.endswith("_") and isinstance(value, BaseEstimator) and hasattr(value, "predict_proba"):
            return value
    raise MlcoreError("features can be explained for classifiers of trees only; this model has none.")


def named_in_table(objects: dict[str, float], seen: dict[str, float]) -> dict[str, float]:
    """Shares of the physics objects, that of the table of features divided among the objects that see something."""
    total = sum(value for value in seen.values() if np.isfinite(value))
    if TABLE not in objects or not total > 0:
        return objects
    named = {name: share for name, share in objects.items() if name != TABLE}
    for name, value in seen.items():
        if np.isfinite(value):
            named[name] = named.get(name, 0.0) + objects[TABLE] * value / total
    return named


def summaries_of(robust: Ensemble, scaled: FloatArray, conditions: Conditions) -> FloatArray:
    """(n, 2) the two summaries of all detectors, on the common scale."""
    return robust.summaries(score_table(scaled, conditions))


def score_table(scaled: FloatArray, conditions: Conditions) -> FeatureTable:
    names = tuple(f"score {place}" for place in range(scaled.shape[1]))
    return FeatureTable(scaled, names, names, conditions)


def policy_weights(conditions: Conditions) -> FloatArray | None:
    """Luminosity; what is not known counts as typical; None when none is."""
    known = np.isfinite(conditions.luminosity)
    if not known.any() or not np.nanmax(conditions.luminosity) > 0:
        return None
    return np.where(known, np.maximum(conditions.luminosity, 0.0), np.median(conditions.luminosity[known]))


def _reordered(scores: Scores, back: npt.NDArray[np.int64]) -> Scores:
    """The same in another order of rows: `back[i]` is the row that comes at place i."""
    from dataclasses import replace

    place = np.empty_like(back)
    place[back] = np.arange(len(back))
    moved = {
        name: getattr(scores, name)[back]
        for name in ("score", "probability", "verdict", "complete", "family", "family_probability", "elements")
    }
    found = tuple(
        replace(one, rows=tuple(int(place[row]) for row in one.rows), peak=int(place[one.peak]))
        for one in scores.stretches
    )
    return replace(scores, conditions=scores.conditions.select(back), stretches=found, **moved)
