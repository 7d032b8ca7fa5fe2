"""Training a system model in order of time, so that nothing judges what it has learned from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import ExtraTreesClassifier

from mlcore.calibration import ProbabilityCalibrator
from mlcore.conditions import BoolArray, Conditions, FloatArray, IntArray
from mlcore.detectors.base import check_weights
from mlcore.detectors.ensemble import Ensemble
from mlcore.errors import BadLabels, ShapeError, TooFewData
from mlcore.evaluate import auc, average_precision, confusion, reliability
from mlcore.explain import CaseLibrary, kept_cases
from mlcore.selective import SelectivePolicy
from mlcore.splits import chronological

from .config import SystemConfig
from .inputs import TABLE, Data, Inputs, check_rows, gather, same_rows
from .judged import Judged
from .layer import columns, fit_layer, folded_scores, forward_scores
from .model import SystemModel, policy_weights, score_table, summaries_of
from .signature import signature
from .teaching import Taught, Teacher

#: fewest bad lumisections for doubting a majority of bad labels, for a calibration, for a family
FEWEST_BAD, FEWEST_BAD_TO_CALIBRATE, FEWEST_OF_FAMILY = 10, 10, 8
#: share of bad labels from which they are looked at with suspicion
MOSTLY = 0.5
#: past cases that a model remembers
CASES = 3000


def train(
    blocks: Sequence[Data],
    labels: npt.ArrayLike | None = None,
    config: SystemConfig | None = None,
    *,
    weights: npt.ArrayLike | None = None,
    confirmed: npt.ArrayLike | None = None,
    stands_for: npt.ArrayLike | None = None,
    families: npt.ArrayLike | None = None,
    conditions: Conditions | None = None,
    lineage: dict[str, Any] | None = None,
) -> SystemModel:
    """Train a system model.

    Whole runs are dealt in order of time into four parts (`config.shares`): the detectors learn from the first; the
    classifier from the first two, where every run is scored by detectors that have not seen it; the third calibrates
    its probabilities; from the last, that nothing else has seen, the policy gets its thresholds and guarantee.

    Parameters
    ----------
    blocks : HistogramBlock, one per element, and FeatureTable.
    labels : (n,) 0 good, 1 bad, NaN for lumisections that nobody has labelled; None when nothing is labelled. Row by
        row those of `conditions`, or of the inputs, which then must all have the same lumisections in the same order.
    weights : (n,) how far each label is believed, see `mlcore.labels`.
    confirmed : (n,) which labels may be used for the guarantee; all that there are when None.
    stands_for : (n,) how many lumisections each label stands for in guarantee and figures, 1 / probability of having
        been asked for (`AuditSample.probability`); 1 when None.
    families : (n,) name of the defect family of bad lumisections, empty where not known.
    lineage : anything about where the data come from; goes into the manifest.

    Without bad labels the model is unsupervised: it scores and finds stretches, and everything is unsure.
    Raises TooFewData, BadLabels, ShapeError.
    """
    return train_and_judge(
        blocks, labels, config, weights=weights, confirmed=confirmed, stands_for=stands_for, families=families,
        conditions=conditions, lineage=lineage,
    )[0]  # fmt: skip


def train_and_judge(
    blocks: Sequence[Data],
    labels: npt.ArrayLike | None = None,
    config: SystemConfig | None = None,
    *,
    weights: npt.ArrayLike | None = None,
    confirmed: npt.ArrayLike | None = None,
    stands_for: npt.ArrayLike | None = None,
    families: npt.ArrayLike | None = None,
    conditions: Conditions | None = None,
    lineage: dict[str, Any] | None = None,
) -> tuple[SystemModel, Judged]:
    """`train`, and what the model says of the last part: what it can be compared with another model on."""
    config = config or SystemConfig()
    if conditions is None and labels is not None and not same_rows(blocks):
        raise ShapeError("the inputs have different lumisections; give `conditions`, to which the labels belong.")
    inputs = gather(blocks, conditions)
    told = _Told.of(inputs, labels, weights, confirmed, families, stands_for)
    return _Training(inputs, told, config, lineage or {}).run()


class _Told:
    """What people said of each lumisection, in the order of the inputs."""

    def __init__(  # aligned columns of one table
        self,
        y: FloatArray,
        weights: FloatArray,
        confirmed: BoolArray,
        families: npt.NDArray[np.str_],
        stands_for: FloatArray | None,
    ) -> None:
        self.y, self.weights, self.confirmed, self.families = y, weights, confirmed, families
        self.stands_for = stands_for

    @classmethod
    def of(  # noqa: PLR0917  # aligned columns of one table
        cls, inputs: Inputs, labels: Any, weights: Any, confirmed: Any, families: Any, stands_for: Any = None
    ) -> _Told:
        n, order = len(inputs), inputs.order
        y = np.full(n, np.nan) if labels is None else np.asarray(labels, dtype=np.float64)
        check_rows("labels", y, n)
        if not np.isin(y[~np.isnan(y)], (0, 1)).all():
            raise BadLabels(f"labels are 0, 1, or NaN for not labelled; found {np.unique(y)[:5].tolist()}.")
        believed = check_weights(weights, n)
        sure = ~np.isnan(y) if confirmed is None else np.asarray(confirmed, dtype=bool)
        names = np.full(n, "") if families is None else np.asarray(families).astype(str)
        check_rows("confirmed", sure, n)
        check_rows("families", names, n)
        trust = np.ones(n) if believed is None else believed
        many = check_weights(stands_for, n)
        return cls(
            y[order], trust[order], (sure & ~np.isnan(y))[order], names[order], None if many is None else many[order]
        )

    def counted(self, conditions: Conditions, rows: Any) -> FloatArray | None:
        """What each of these lumisections counts in rates: its luminosity, as often as it stands for others."""
        lumi = policy_weights(conditions)
        if self.stands_for is None:
            return lumi
        return np.asarray(self.stands_for[rows] * (1.0 if lumi is None else lumi))


class _Training:
    """One training, step by step; the model is complete after `run`."""

    def __init__(self, inputs: Inputs, told: _Told, config: SystemConfig, lineage: dict[str, Any]) -> None:
        self.inputs, self.told, self.config = inputs, told, config
        self.parts = chronological(inputs.conditions, config.shares, gap=config.gap)
        self.model = SystemModel(config)
        self.model.lineage_ = {**lineage, **_lineage(inputs, self.parts, told)}
        trust = told.weights if told.stands_for is None else np.concatenate([told.weights, told.stands_for])
        self.model.fingerprint_ = fingerprint(inputs, told.y, trust, told.families, config)

    def run(self) -> tuple[SystemModel, Judged]:
        model, told = self.model, self.told
        self._distrust()
        self._detectors()
        rows = np.flatnonzero(self.parts[0] | self.parts[1])
        good = rows[told.y[rows] != 1]
        model.robust_ = Ensemble(mode="robust").fit(score_table(self.scaled[good], self.inputs.conditions.select(good)))
        self._classifier(rows)
        everything = np.arange(len(self.inputs))
        self._library(everything if self.learns_on else rows)
        judged = self._judge()
        if self.learns_on:
            model.judged_ = judged
            model.lineage_["final"] = _step(self.inputs, np.ones(len(everything), dtype=bool), told)
            self._use(self.teacher.teach(everything) or self.taught)
        return model, judged

    def _detectors(self) -> None:
        """Scores by detectors that have not seen the run, their scale, and the final copies."""
        config, told, model, inputs = self.config, self.told, self.model, self.inputs
        given = (inputs, config.detectors, told.y, told.weights)
        first = np.flatnonzero(self.parts[0])
        state = config.random_state
        early = (inputs.select(first), config.detectors, told.y[first], told.weights[first])
        model.layer_ = fit_layer(*(given if config.refresh else early), random_state=state)
        titles = model.layer_.titles
        if config.refresh:
            raw = forward_scores(
                *given, titles, first=self.parts[0], refresh=config.refresh, gap=config.gap, random_state=state
            )
        else:
            raw = model.layer_.raw(inputs)
        raw[first] = np.nan
        if len(np.unique(inputs.conditions.run[first])) >= 2:
            raw[first] = folded_scores(*early, titles, folds=config.folds, random_state=state)
        # Good lumisections of the second part set the scale; the parts that judge have no say in it.
        model.layer_.scale.fit(raw[self.parts[1] & (told.y != 1)])
        self.scaled = model.layer_.scale.transform(raw)
        model.notes_ = list(model.layer_.notes)
        learn = self.parts[0] | self.parts[1]
        model.needed_ = config.elements or tuple(
            name for name in model.layer_.elements if inputs.present(name)[learn].mean() > 0.9
        )
        without = [name for name in config.elements if name not in model.layer_.elements]
        if without:
            raise TooFewData(f"no detector could be fitted on {', '.join(without)}, which the configuration needs.")

    def _distrust(self) -> None:
        """Where most is labelled bad, detectors that know no labels must agree that this is the odder part."""
        told, config, early = self.told, self.config, self.parts[0]
        known = np.flatnonzero(~np.isnan(told.y) & early)
        bad = told.y[known] == 1
        if min(bad.sum(), (~bad).sum()) < FEWEST_BAD or bad.mean() < MOSTLY:
            return
        unlabelled = np.full(len(told.y), np.nan)
        configs = [one for one in config.detectors if not one.build(0).supervised]
        part = self.inputs.select(np.flatnonzero(early))
        layer = fit_layer(part, configs, unlabelled[early], told.weights[early], random_state=config.random_state)
        table = score_table(layer.raw(self.inputs.select(known)), self.inputs.conditions.select(known))
        area = auc(Ensemble(mode="robust").fit(table).score(table), told.y[known].astype(np.int64))
        if not area > 0.5:
            raise BadLabels(
                f"{bad.mean():.0%} are labelled bad, and they look more ordinary than the others (AUC {area:.2f} of "
                "detectors that know no labels): are the labels swapped? 0 is good, 1 is bad."
            )

    def _classifier(self, rows: IntArray) -> None:
        """The supervised step, with out-of-fold scores of its own for when the third part is too small to calibrate."""
        model, config, told = self.model, self.config, self.told
        # Where the final one learns from everything, copies of it learn on from piece to piece.
        seen = np.arange(len(self.inputs)) if config.promise == "all" else rows
        part, scaled = self.inputs.select(seen), self.scaled[seen]
        table = columns(
            scaled, summaries_of(model.robust_, scaled, part.conditions), model.layer_, part,
            windows=config.windows, shapes=config.shape_features,
        )  # fmt: skip
        self.teacher = Teacher(table, told.y[seen], told.weights[seen], config)
        here = np.flatnonzero(np.isin(seen, rows) & self.teacher.known)
        self.taught = self.teacher.teach(here)
        self.folded, self.folded_rows = (np.empty(0), np.empty(0), np.empty(0)), np.empty(0, dtype=np.int64)
        if self.taught is None:
            model.notes_.append("no classifier was trained: too few bad or good labels, or none was wanted.")
            return
        known = seen[here]
        self.folded = self.teacher.folded(here, self.taught.columns), told.y[known], told.weights[known]
        self.folded_rows = known
        self._use(self.taught)

    def _use(self, taught: Taught | None) -> None:
        assert taught is not None
        self.model.classifier_, self.model.columns_ = taught.detector, taught.columns

    @property
    def learns_on(self) -> bool:
        """Whether the final classifier learns from everything, and copies that have not are what is judged."""
        return self.taught is not None and self.config.promise == "all"

    def _library(self, rows: IntArray) -> None:
        """Past cases, and the classifier of families among the bad."""
        model, told, conditions = self.model, self.told, self.inputs.conditions
        kept = rows[kept_cases(told.y[rows] == 1, np.asarray(np.isfinite(self.scaled[rows]).any(axis=1)), CASES)]
        looks = signature(model.layer_, self.inputs, self.scaled, kept)
        bad, families = told.y[kept] == 1, told.families[kept]
        model.cases_ = CaseLibrary().fit(looks, conditions.select(kept), bad, families)
        names, counts = np.unique(families[bad], return_counts=True)
        model.families_ = [str(name) for name, n in zip(names, counts, strict=True) if name and n >= FEWEST_OF_FAMILY]
        model.family_trees_ = None
        if len(model.families_) >= 2:
            wanted = np.flatnonzero(bad & np.isin(families, model.families_))
            config = self.config
            trees = ExtraTreesClassifier(
                config.family_trees, min_samples_leaf=2, class_weight="balanced", random_state=config.random_state
            )
            model.family_trees_ = trees.fit(
                looks[wanted],
                np.searchsorted(model.families_, families[wanted]),
                sample_weight=np.maximum(told.weights[kept][wanted], 1e-6),
            )

    def _judge(self) -> Judged:
        """Calibration on the third part, policy and figures on the last."""
        model, told, conditions = self.model, self.told, self.inputs.conditions
        third, last = (np.flatnonzero(part) for part in self.parts[2:])
        rows = np.concatenate([third, last])
        score, complete = self._honest(rows)
        here = np.arange(len(rows)) < len(third)
        model.calibrator_ = self._calibrator(score[here], told.y[third], told.weights[third])
        p = model.probability_of(score)
        if not self.learns_on:
            self._promise(rows[~here], score[~here], complete[~here])
        else:
            before, _ = model.coverage(self.scaled[self.folded_rows])
            honest = np.concatenate([self.folded[0], score])
            self._promise(np.concatenate([self.folded_rows, rows]), honest, np.concatenate([before, complete]))
        verdict = model.verdicts(score, p, complete, np.isfinite(score))[~here]
        judged = Judged(conditions.select(last), told.y[last], score[~here], p[~here], verdict)
        model.metrics_ = _metrics(judged, told.counted(judged.conditions, last))
        return judged

    def _honest(self, rows: IntArray) -> tuple[FloatArray, BoolArray]:
        """(rows,) scores of the later parts by what has not seen them, and where all that is needed was there."""
        # All are scored as one, as in use: lumisections see their neighbours of the same run, and runs lie whole in
        # one part.
        if self.taught is None or not self.learns_on:
            answer = self.model.score_scaled(self.inputs.select(rows), self.scaled[rows])
            return answer.score, answer.complete
        complete, enough = self.model.coverage(self.scaled[rows])
        return np.where(enough, self.teacher.forward(rows, self.taught), np.nan), complete

    def _promise(self, rows: IntArray, score: FloatArray, complete: BoolArray) -> None:
        """Thresholds and guarantee from what is confirmed of these rows, whose scores nobody has learned from."""
        model, told, config = self.model, self.told, self.config
        model.policy_ = None
        sure = told.confirmed[rows]
        if not sure.any():
            return
        rows, score, complete = rows[sure], score[sure], complete[sure]
        conditions = self.inputs.conditions.select(rows)
        policy = SelectivePolicy(
            pollution=config.pollution,
            loss=config.loss,
            confidence=config.confidence,
            enough=config.enough,
            least=config.least,
        )
        # What is not complete is not decided automatically, so it has no part in the promise either.
        decided = np.where(complete, model.decision_scale(score, model.probability_of(score)), np.nan)
        model.policy_ = policy.fit(
            decided, told.y[rows].astype(np.int64), conditions.run, weights=told.counted(conditions, rows)
        )
        model.guarantee_ = model.policy_.report_

    def _calibrator(self, score: FloatArray, y: FloatArray, weights: FloatArray) -> ProbabilityCalibrator | None:
        """From the third part, with the classifier's out-of-fold scores if that has too few bad; None without any."""
        out, target, trust = self.folded
        known = ~np.isnan(y) & np.isfinite(score)
        s, t, w = score[known], y[known], weights[known]
        if (t == 1).sum() < FEWEST_BAD_TO_CALIBRATE or (t == 0).sum() < FEWEST_BAD_TO_CALIBRATE:
            usable = np.isfinite(out)
            s, t, w = (np.concatenate(pair) for pair in ((s, out[usable]), (t, target[usable]), (w, trust[usable])))
        if (t == 1).sum() < FEWEST_BAD_TO_CALIBRATE or (t == 0).sum() < FEWEST_BAD_TO_CALIBRATE:
            return None
        calibrator: ProbabilityCalibrator = ProbabilityCalibrator().fit(s, t.astype(np.int64), weights=w)
        return calibrator


def _lineage(inputs: Inputs, parts: tuple[BoolArray, ...], told: _Told) -> dict[str, Any]:
    names = ("detectors", "classifier", "calibration", "guarantee")
    return {name: _step(inputs, part, told) for name, part in zip(names, parts, strict=True)}


def _step(inputs: Inputs, part: BoolArray, told: _Told) -> dict[str, int]:
    runs, y = inputs.conditions.run[part], told.y[part]
    return {
        "first_run": int(runs.min()),
        "last_run": int(runs.max()),
        "runs": len(np.unique(runs)),
        "lumisections": int(part.sum()),
        "bad": int((y == 1).sum()),
        "good": int((y == 0).sum()),
        "confirmed": int(told.confirmed[part].sum()),
    }


def fingerprint(
    inputs: Inputs, labels: FloatArray, weights: FloatArray, families: npt.NDArray[np.str_], config: SystemConfig
) -> str:
    """Changes when anything that a training depends on changes: data, conditions, labels, weights, configuration."""
    digest = hashlib.sha256(json.dumps(config.as_json(), sort_keys=True, default=str).encode())
    parts: list[Any] = [labels, weights, np.char.encode(families, "utf-8"), inputs.conditions.key]
    parts += [getattr(inputs.conditions, name) for name in ("luminosity", "pileup", "events", "time")]
    for name, block in sorted(inputs.blocks.items()):
        digest.update(name.encode())
        parts += [*(axis.edges for axis in block.axes), block.counts]
    if inputs.table is not None:
        digest.update(json.dumps([TABLE, inputs.table.names]).encode())
        parts.append(inputs.table.values)
    for part in parts:
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def _metrics(judged: Judged, weights: FloatArray | None) -> dict[str, Any]:
    """Figures on the last part, that nothing but the policy has seen."""
    rows, y = ~np.isnan(judged.label), judged.label
    said: dict[str, Any] = {"lumisections": int(rows.sum()), "bad": int(np.nansum(y[rows]))}
    said["scored"] = float(np.isfinite(judged.score[rows]).mean()) if rows.any() else float("nan")
    if not rows.any() or np.nansum(y[rows]) in (0, rows.sum()):
        return said
    truth, lumi = y[rows].astype(np.int64), None if weights is None else weights[rows]
    said["auc"] = auc(judged.score[rows], truth, lumi)
    said["average_precision"] = average_precision(judged.score[rows], truth, lumi)
    if np.isfinite(judged.probability[rows]).any():
        said["calibration_error"] = reliability(judged.probability[rows], truth, lumi).error
    table = confusion(judged.verdict[rows], truth, lumi)
    return {**said, "pollution": table.pollution, "loss": table.loss, "automatic": table.automatic}
