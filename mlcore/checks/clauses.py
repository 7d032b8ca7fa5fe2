"""The clauses of the contract of detectors, each a function that raises ContractBroken."""

from __future__ import annotations

import inspect
import tempfile
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

from mlcore.artifacts import load, save
from mlcore.conditions import Conditions, FloatArray
from mlcore.detectors.base import Detector
from mlcore.errors import BadLabels, IncompatibleBinning, MlcoreError, ShapeError, TooFewData
from mlcore.histograms import HistogramBlock

from .samples import Data, Sample

STRONG_FAULT_AUC = 0.9


class ContractBroken(AssertionError):
    """A detector that does not keep the contract of `mlcore.detectors.base`; says which clause and how."""


def learn(prototype: Detector, sample: Sample, labels: Any = None, **more: Any) -> Detector:
    """A fresh copy of the detector, fitted on the early runs."""
    fitted: Detector = clone(prototype)
    fitted.fit(sample.learn, sample.learn_labels if labels is None else labels, **more)
    return fitted


def _holds(condition: bool, words: str) -> None:
    if not condition:
        raise ContractBroken(words)


def _refuses(error: type[Exception], action: Callable[[], object], what: str) -> None:
    try:
        action()
    except error:
        return
    except Exception as other:
        raise ContractBroken(f"{what}: expected {error.__name__}, got {type(other).__name__}: {other}") from other
    raise ContractBroken(f"{what}: expected {error.__name__}, but it went through.")


def _same(one: FloatArray, two: FloatArray, words: str, *, exactly: bool = False) -> None:
    tolerance = 0.0 if exactly else 1e-4
    scale = np.nanmax(np.abs(one), initial=0.0)
    _holds(
        one.shape == two.shape and bool(np.allclose(one, two, rtol=tolerance, atol=tolerance * scale, equal_nan=True)),
        words,
    )


def _values(data: Data) -> npt.NDArray[Any]:
    return data.counts if isinstance(data, HistogramBlock) else data.values


def _with_values(data: Data, values: npt.NDArray[Any]) -> Data:
    return replace(data, counts=values) if isinstance(data, HistogramBlock) else replace(data, values=values)


def parameters_are_only_stored(prototype: Detector, fitted: Detector, sample: Sample) -> None:
    accepted = inspect.signature(type(prototype).__init__).parameters
    open_ended = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    named = [p for p in accepted.values() if p.name != "self" and p.kind not in open_ended]
    _holds(
        all(p.kind is inspect.Parameter.KEYWORD_ONLY and p.default is not inspect.Parameter.empty for p in named),
        "every parameter must be keyword-only and have a default.",
    )
    marks = {name: object() for name in prototype.get_params(deep=False)}
    made = type(prototype)(**marks)
    _holds(vars(made) == marks, "__init__ must store each parameter as it comes under its own name, and nothing else.")
    before = prototype.get_params(deep=False)
    after = fitted.get_params(deep=False)
    _holds(repr(before) == repr(after), "fit must not change the parameters.")
    learned = set(vars(fitted)) - set(after)
    wrong = sorted(name for name in learned if not name.endswith("_"))
    _holds(not wrong, f"learned attributes end in an underscore; {', '.join(wrong)} do not.")


def cloning_gives_an_unfitted_twin(prototype: Detector, fitted: Detector, sample: Sample) -> None:
    twin = clone(fitted)
    _holds(repr(twin.get_params()) == repr(fitted.get_params()), "a clone has the same parameters.")
    _refuses(NotFittedError, lambda: twin.score(sample.fresh), "score before fit")


def fit_returns_self(prototype: Detector, fitted: Detector, sample: Sample) -> None:
    fresh = clone(prototype)
    _holds(fresh.fit(sample.learn, sample.learn_labels) is fresh, "fit returns self.")


def scores_are_one_float_each(prototype: Detector, fitted: Detector, sample: Sample) -> None:
    scores = fitted.score(sample.fresh)
    _holds(scores.dtype == np.float64 and scores.shape == (len(sample.fresh),), "scores are float64 of shape (n,).")
    _holds(not np.isinf(scores).any(), "a score is a number or NaN, never infinite.")
    _holds(float(np.isfinite(scores).mean()) > 0.5, "most ordinary lumisections must get a score.")


def pulls_are_one_for_each_bin(prototype: Detector, fitted: Detector, sample: Sample) -> None:
    """Of detectors that have them: explanations and the memory of past cases ask `pulls` how far off each bin is."""
    asked = getattr(fitted, "pulls", None)
    if asked is not None and isinstance(sample.fresh, HistogramBlock):
        size = np.asarray(asked(sample.fresh)).size
        _holds(size == sample.fresh.flat.size, "`pulls` says one number for each bin; else call it otherwise.")


def odd_regions_lie_in_their_histograms(prototype: Detector, fitted: Detector, sample: Sample) -> None:
    """Of detectors that have them: explanations ask `odd_regions` where it is, one lumisection at a time."""
    asked = getattr(fitted, "odd_regions", None)
    if asked is None or not isinstance(sample.fresh, HistogramBlock):
        return
    missing = sample.fresh.select(np.arange(4))  # a copy
    missing.counts[1] = np.nan
    found = asked(missing)
    _holds(len(found) == 4 and not found[1], "`odd_regions` says a list for each histogram, empty for a missing one.")
    every = [one for each in asked(sample.fresh) for one in each]
    inside = all(len(one.bins) and 0 <= min(one.bins) <= max(one.bins) < sample.fresh.flat.shape[1] for one in every)
    _holds(inside and bool(np.isfinite([one.pull for one in every]).all()),
           "regions have bins of their histogram, and a finite pull.")  # fmt: skip


def higher_is_worse(prototype: Detector, fitted: Detector, sample: Sample) -> None:
    scores = fitted.score(sample.fresh)
    known = np.isfinite(scores)
    area = float(roc_auc_score(sample.fresh_labels[known], scores[known]))
    _holds(area >= STRONG_FAULT_AUC, f"strong faults must score higher than good data; the AUC is {area:.3f}.")


def what_cannot_be_scored_is_nan(prototype: Detector, fitted: Detector, sample: Sample) -> None:
    values = _values(sample.fresh).copy()
    values[3] = np.nan
    if isinstance(sample.data, HistogramBlock):
        values[5] = 0.0
        values[7, ..., 0] = np.nan
        dark = [3, 5, 7]
    else:
        values[5, :4] = np.inf
        dark = [3]
    scores = fitted.score(_with_values(sample.fresh, values))
    _holds(bool(np.isnan(scores[dark]).all()), f"rows {dark} have no data (NaN, or all zero) and must score NaN.")
    _holds(not np.isinf(scores).any(), "infinite features must not become infinite scores.")
    everything = fitted.score(_with_values(sample.fresh, np.full_like(values, np.nan)))
    _holds(bool(np.isnan(everything).all()), "where nothing is known every score is NaN.")


def missing_rows_are_left_out_of_learning(prototype: Detector, fitted: Detector, sample: Sample) -> None:
    values = _values(sample.learn).copy()
    values[::11] = np.nan
    holed = clone(prototype).fit(_with_values(sample.learn, values), sample.learn_labels)
    _holds(float(np.isfinite(holed.score(sample.fresh)).mean()) > 0.5, "holes in the training data must not spread.")


def the_same_state_gives_the_same_scores(prototype: Detector, fitted: Detector, sample: Sample) -> None:
    parameters = prototype.get_params(deep=False)
    seeded = clone(prototype).set_params(random_state=7) if "random_state" in parameters else prototype
    one, two = (learn(seeded, sample).score(sample.fresh) for _ in range(2))
    _same(one, two, "two fits with the same random_state must give the same scores.", exactly=True)
    _same(one, learn(seeded, sample).score(sample.fresh), "scoring must not change the detector.", exactly=True)
    again = fitted.score(sample.fresh)
    _same(again, fitted.score(sample.fresh), "scoring twice must give the same.", exactly=True)


def input_is_left_as_it_was(prototype: Detector, fitted: Detector, sample: Sample) -> None:
    def frozen(data: Data) -> bytes:
        parts = [_values(data), *(getattr(data.conditions, column.name) for column in fields(Conditions))]
        return b"".join(np.ascontiguousarray(part).tobytes() for part in parts)

    labels, weights = sample.learn_labels.copy(), np.linspace(0.5, 1.0, len(sample.learn))
    learn, fresh = sample.learn, sample.fresh
    before = (frozen(learn), frozen(fresh), labels.tobytes(), weights.tobytes())
    clone(prototype).fit(learn, labels, weights=weights).score(fresh)
    after = (frozen(learn), frozen(fresh), labels.tobytes(), weights.tobytes())
    _holds(before == after, "fit and score must not change what they are given.")


def labels_of_every_kind_are_read_alike(prototype: Detector, fitted: Detector, sample: Sample) -> None:
    """Integers, floats, booleans and a plain list; and anything that is neither 0 nor 1 is refused."""
    y = sample.learn_labels
    expected = learn(prototype, sample).score(sample.fresh)
    for kind in (y.astype(np.float64), y.astype(bool), y.tolist()):
        _same(expected, learn(prototype, sample, kind).score(sample.fresh), "labels mean the same as int, float, bool.")
    third = y.copy()
    third[0] = 2
    unknown = y.astype(np.float64)
    unknown[0] = np.nan
    for wrong, words in ((third, "a third label"), (unknown, "a label that is NaN"), (-y, "a label of -1")):
        _refuses(BadLabels, lambda wrong=wrong: learn(prototype, sample, wrong), words)  # type: ignore[misc]
    _refuses(ShapeError, lambda: learn(prototype, sample, y[:-1]), "too few labels")
    if prototype.supervised:
        _refuses(BadLabels, lambda: clone(prototype).fit(sample.learn), "no labels for a supervised detector")
        _refuses(BadLabels, lambda: learn(prototype, sample, np.zeros_like(y)), "one class for a supervised detector")
    else:
        _refuses(TooFewData, lambda: learn(prototype, sample, np.ones_like(y)), "only bad lumisections")
        clone(prototype).fit(sample.learn.select(y == 0))


def bad_weights_are_refused(prototype: Detector, fitted: Detector, sample: Sample) -> None:
    n = len(sample.learn)
    for wrong in (np.full(n, -1.0), np.zeros(n), np.full(n, np.nan), np.ones(n - 1)):
        _refuses(ShapeError, lambda wrong=wrong: learn(prototype, sample, weights=wrong), "bad weights")  # type: ignore[misc]


def other_data_are_refused(prototype: Detector, fitted: Detector, sample: Sample) -> None:
    fresh = sample.fresh
    if isinstance(fresh, HistogramBlock):
        factors = (2, *(1 for _ in fresh.axes[1:]))
        _refuses(IncompatibleBinning, lambda: fitted.score(fresh.rebin(*factors)), "another binning")
        _refuses(IncompatibleBinning, lambda: fitted.score(replace(fresh, element="Other")), "another element")
    else:
        renamed = replace(fresh, names=("renamed", *fresh.names[1:]))
        _refuses(IncompatibleBinning, lambda: fitted.score(renamed), "another feature")
    _refuses(MlcoreError, lambda: fitted.score(_values(fresh)), "a bare array")
    _refuses(
        MlcoreError, lambda: clone(prototype).fit(_values(fresh), sample.fresh_labels), "a bare array to learn from"
    )


def too_few_are_refused(prototype: Detector, fitted: Detector, sample: Sample) -> None:
    for few in {0, 1, prototype.fewest - 1} & set(range(prototype.fewest)):
        rows = np.linspace(0, len(sample.learn) - 1, few).astype(int)
        labels = np.arange(len(rows)) % 2
        error = BadLabels if prototype.supervised and few < 2 else TooFewData
        _refuses(
            error,
            lambda rows=rows, labels=labels: clone(prototype).fit(sample.learn.select(rows), labels),  # type: ignore[misc]
            f"learning from {few} lumisections",
        )
    empty, one = sample.fresh.select(slice(0, 0)), sample.fresh.select(slice(2, 3))
    _holds(fitted.score(empty).shape == (0,), "no lumisections give no scores, and no error.")
    _holds(fitted.score(one).shape == (1,), "one lumisection gives one score.")


def data_without_content_are_survived(prototype: Detector, fitted: Detector, sample: Sample) -> None:
    """All-zero histograms teach nothing; constant ones may be refused, but only with a typed error."""
    learn, y = sample.learn, sample.learn_labels
    if isinstance(learn, HistogramBlock):
        empty = _with_values(learn, np.zeros_like(learn.counts))
        _refuses(TooFewData, lambda: clone(prototype).fit(empty, y), "learning from all-zero histograms")
    constant = _with_values(learn, np.broadcast_to(_values(learn)[:1], _values(learn).shape).copy())
    try:
        scores = clone(prototype).fit(constant, y).score(constant)
    except MlcoreError:
        return
    _holds(not np.isinf(scores).any(), "constant data must not give infinite scores.")


def unknown_conditions_are_survived(prototype: Detector, fitted: Detector, sample: Sample) -> None:
    """Neither luminosity nor pile-up nor events nor time known: a score without them, NaN, or a typed refusal."""
    bare = Conditions(run=sample.data.conditions.run, lumisection=sample.data.conditions.lumisection)
    blind = replace(sample, data=replace(sample.data, conditions=bare))
    scores = fitted.score(blind.fresh)
    _holds(not np.isinf(scores).any(), "unknown conditions must not give infinite scores.")
    try:
        learn(prototype, blind).score(blind.fresh)
    except MlcoreError:
        return


def the_order_of_other_runs_does_not_matter(prototype: Detector, fitted: Detector, sample: Sample) -> None:
    run = sample.fresh.conditions.run
    rows = np.concatenate([np.flatnonzero(run == number) for number in np.unique(run)[::-1]])
    moved = np.empty(len(run))
    moved[rows] = fitted.score(sample.fresh.select(rows))
    _same(fitted.score(sample.fresh), moved, "the same lumisections in another order of runs must score the same.")


def saved_and_loaded_it_scores_the_same(prototype: Detector, fitted: Detector, sample: Sample) -> None:
    with tempfile.TemporaryDirectory() as folder:
        manifest = save(fitted, Path(folder) / "model", classes=(type(fitted),))
        loaded = load(Path(folder) / "model", digest=manifest.digest, classes=(type(fitted),))
    _holds(repr(loaded.get_params()) == repr(fitted.get_params()), "parameters must survive saving and loading.")
    _same(
        fitted.score(sample.fresh), loaded.score(sample.fresh), "a loaded detector must score the same.", exactly=True
    )
    _same(
        fitted.score(sample.learn), loaded.score(sample.learn), "a loaded detector must score the same.", exactly=True
    )


CLAUSES: dict[str, Callable[[Detector, Detector, Sample], None]] = {
    clause.__name__.replace("_", " "): clause
    for clause in (
        parameters_are_only_stored,
        cloning_gives_an_unfitted_twin,
        fit_returns_self,
        scores_are_one_float_each,
        pulls_are_one_for_each_bin,
        odd_regions_lie_in_their_histograms,
        higher_is_worse,
        what_cannot_be_scored_is_nan,
        missing_rows_are_left_out_of_learning,
        the_same_state_gives_the_same_scores,
        input_is_left_as_it_was,
        labels_of_every_kind_are_read_alike,
        bad_weights_are_refused,
        other_data_are_refused,
        too_few_are_refused,
        data_without_content_are_survived,
        unknown_conditions_are_survived,
        the_order_of_other_runs_does_not_matter,
        saved_and_loaded_it_scores_the_same,
    )
}
