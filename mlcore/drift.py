"""Have the data changed? Tests whose unit is the run, so that lumisections that are alike do not count as evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import ks_2samp, mannwhitneyu
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier

from .conditions import BoolArray, FloatArray, IntArray
from .errors import IncompatibleBinning, MlcoreError, ShapeError, TooFewData
from .evaluate import auc
from .features import FeatureTable

FEWEST_RUNS = 5


@dataclass(frozen=True, eq=False)
class FeatureDrift:
    """Of each of f features: population stability index `psi` (0.1 some, 0.25 much), `p_value`, `drifted` after
    Benjamini and Hochberg, and `kind` of change: its place or its width. NaN where a feature is not known."""

    names: tuple[str, ...]
    psi: FloatArray
    p_value: FloatArray
    drifted: BoolArray
    kind: tuple[Literal["place", "width", ""], ...]

    def in_words(self, most: int = 5) -> str:
        if not self.drifted.any():
            return f"None of {len(self.names)} features has drifted."
        first = np.argsort(np.where(self.drifted, -np.nan_to_num(self.psi), 1.0), kind="stable")[:most]
        named = ", ".join(f"{self.names[f]} ({self.kind[f]}, PSI {self.psi[f]:.2f})" for f in first if self.drifted[f])
        return f"{int(self.drifted.sum())} of {len(self.names)} features have drifted: {named}."


def feature_drift(reference: FeatureTable, current: FeatureTable, *, false_discoveries: float = 0.05) -> FeatureDrift:
    """Which features have another distribution now than in the reference sample.

    Each run gives one median and one interquartile range per feature; a Kolmogorov-Smirnov test compares those of the
    reference runs with those of the current ones (the smaller p-value of the two, doubled). With lumisections as the
    unit every feature would have "drifted", as runs differ. `false_discoveries` is the share of false alarms among the
    alarms. Raises IncompatibleBinning for other features, TooFewData for fewer than 5 runs on a side.
    """
    if reference.names != current.names:
        raise IncompatibleBinning("the two tables have different features; compare tables of the same columns.")
    _enough_runs(reference.conditions.run, current.conditions.run)
    features = len(reference.names)
    psi, p_value = np.full(features, np.nan), np.full(features, np.nan)
    kinds: list[Literal["place", "width", ""]] = []
    before, after = _run_shapes(reference), _run_shapes(current)
    for f in range(features):
        ps = [_ks(before[what][:, f], after[what][:, f]) for what in (0, 1)]
        known = [p for p in ps if not np.isnan(p)]
        kinds.append("" if not known else "place" if ps[0] == min(known) else "width")
        p_value[f] = min(1.0, len(known) * min(known)) if known else np.nan
        psi[f] = stability_index(reference.values[:, f], current.values[:, f])
    return FeatureDrift(reference.names, psi, p_value, benjamini_hochberg(p_value, false_discoveries), tuple(kinds))


def _known(values: FloatArray) -> FloatArray:
    """Infinite features are as good as none, here as in the detectors."""
    return np.where(np.isfinite(values), values, np.nan)


def _run_shapes(table: FeatureTable) -> tuple[FloatArray, FloatArray]:
    """Median and interquartile range of each feature in each run, (runs, f) both; NaN where a run knows none."""
    order = np.argsort(table.conditions.run, kind="stable")
    _, starts = np.unique(table.conditions.run[order], return_index=True)
    medians, widths = [], []
    for values in np.split(_known(table.values[order]), starts[1:]):
        # Sorted by hand, NaN last: numpy's NaN quantiles are slow by the column and warn about empty ones.
        ordered = np.sort(values, axis=0)
        known = (~np.isnan(ordered)).sum(axis=0)
        quarters = [_quantile(ordered, known, q) for q in (0.25, 0.5, 0.75)]
        medians.append(quarters[1])
        widths.append(quarters[2] - quarters[0])
    return np.asarray(medians), np.asarray(widths)


def _quantile(ordered: FloatArray, known: IntArray, q: float) -> FloatArray:
    place = np.maximum(known - 1, 0) * q
    low = np.floor(place).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(known - 1, 0))
    columns = np.arange(ordered.shape[1])
    a, b = ordered[low, columns], ordered[high, columns]
    return np.where(known > 0, a + (place - low) * (b - a), np.nan)


def _ks(before: FloatArray, after: FloatArray) -> float:
    x, y = before[~np.isnan(before)], after[~np.isnan(after)]
    if min(x.size, y.size) < FEWEST_RUNS or np.ptp(np.concatenate([x, y])) == 0:
        return float("nan")
    return float(ks_2samp(x, y, method="auto").pvalue)


def stability_index(reference: npt.ArrayLike, current: npt.ArrayLike, *, bins: int = 10) -> float:
    """Population stability index between two samples, in bins of equal share of the reference; NaN if one is empty.

    A size of change, not a test: it does not know how many lumisections are really independent.
    """
    x, y = (np.asarray(a, dtype=np.float64) for a in (reference, current))
    x, y = x[np.isfinite(x)], y[np.isfinite(y)]
    if not x.size or not y.size:
        return float("nan")
    edges = np.unique(np.quantile(x, np.linspace(0, 1, bins + 1)[1:-1]))
    shares = [
        (np.bincount(np.searchsorted(edges, a, side="right"), minlength=edges.size + 1) + 0.5) / (a.size + 0.5 * bins)
        for a in (x, y)
    ]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def benjamini_hochberg(p_values: npt.ArrayLike, false_discoveries: float = 0.05) -> BoolArray:
    """Which of many tests are called so that at most this share of the calls is false; NaN is never called."""
    p = np.asarray(p_values, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    passed = np.flatnonzero(p[order] <= false_discoveries * np.arange(1, order.size + 1) / max(order.size, 1))
    called = np.zeros(p.size, dtype=bool)
    if passed.size:
        called[order[: passed[-1] + 1]] = True
    return called


@dataclass(frozen=True)
class TwoSample:
    """`auc` with which a classifier tells current from reference lumisections of runs it has not seen (0.5: it cannot),
    `p_value` by run, `drifted` when that is below the level asked for."""

    auc: float
    p_value: float
    drifted: bool


def two_sample(
    reference: FeatureTable,
    current: FeatureTable,
    *,
    classifier: Any = None,
    folds: int = 5,
    level: float = 0.01,
    random_state: int = 0,
) -> TwoSample:
    """Classifier two-sample test (arXiv:1610.06545), out of fold by run: finds changes of several features together.

    The classifier is a small forest of random trees when none is given. Each run answers with its mean score,
    and a rank test compares runs. Raises IncompatibleBinning, TooFewData.
    """
    if reference.names != current.names:
        raise IncompatibleBinning("the two tables have different features; compare tables of the same columns.")
    _enough_runs(reference.conditions.run, current.conditions.run)
    values = _known(np.vstack([reference.values, current.values]))
    known = np.isfinite(reference.values).any(axis=0) & np.isfinite(current.values).any(axis=0)
    if not known.any():
        raise TooFewData("no feature is known in both samples; there is nothing to compare.")
    values = values[:, known]
    is_current = np.repeat([0, 1], [len(reference), len(current)])
    _, run = np.unique(
        np.column_stack([np.concatenate([reference.conditions.run, current.conditions.run]), is_current]),
        axis=0,
        return_inverse=True,
    )
    run = np.asarray(run).reshape(-1)
    of_run = np.zeros(int(run.max()) + 1, dtype=np.int64)
    of_run[run] = is_current
    fold = _dealt_evenly(of_run, folds, np.random.default_rng(random_state))[run]
    model = classifier or ExtraTreesClassifier(60, min_samples_leaf=20, random_state=random_state)
    score = np.empty(is_current.size)
    for number in range(folds):
        test = fold == number
        score[test] = clone(model).fit(values[~test], is_current[~test]).predict_proba(values[test])[:, 1]
    means = np.bincount(run, score) / np.bincount(run)
    p = float(mannwhitneyu(means[of_run == 1], means[of_run == 0], alternative="greater").pvalue)
    return TwoSample(auc(score, is_current), p, p < level)


def _dealt_evenly(of_run: IntArray, folds: int, rng: np.random.Generator) -> IntArray:
    fold = np.empty(of_run.size, dtype=np.int64)
    for side in (0, 1):
        members = rng.permutation(np.flatnonzero(of_run == side))
        fold[members] = np.arange(members.size) % folds
    return fold


@dataclass(frozen=True, eq=False)
class Change:
    """A stream of runs watched for a lasting change. `statistic` (runs,) rises while the change lasts; `alarm` is the
    first run above the threshold, None when there is none; `started` is where the rise began."""

    run: IntArray
    value: FloatArray
    statistic: FloatArray
    alarm: int | None
    started: int | None
    direction: Literal["up", "down", ""]


def watch(
    values: npt.ArrayLike,
    runs: npt.ArrayLike,
    reference_runs: npt.ArrayLike,
    *,
    method: Literal["cusum", "page-hinkley"] = "cusum",
    slack: float = 0.5,
    threshold: float = 8.0,
) -> Change:
    """Watch the mean of `values` (scores, or 0 and 1 for overturned verdicts) of each run.

    Parameters
    ----------
    values, runs : (n,) per lumisection; NaN left out.
    reference_runs : runs that are known to be in order; they say what is usual and how much runs differ. They are not
        watched.
    slack : change that does not count; threshold : of the accumulated change; both in standard deviations between
        reference runs. 0.5 and 8 alarm in fewer than one of 1,000 runs when nothing changes.

    "cusum" is Page's cumulative sum against the mean of the reference, "page-hinkley" against the running mean of what
    was watched, which follows slow changes. Raises TooFewData for fewer than 5 reference runs, MlcoreError for infinite
    values.
    """
    value, run = np.asarray(values, dtype=np.float64), np.asarray(runs)
    if value.shape != run.shape or value.ndim != 1:
        raise ShapeError(f"values of shape {value.shape}, runs of shape {run.shape}.")
    if method not in ("cusum", "page-hinkley"):
        raise MlcoreError(f"method is {method!r}; there are cusum and page-hinkley.")
    if np.isinf(value).any():
        raise MlcoreError("values are infinite; NaN is the way to say that a lumisection has none.")
    kept = ~np.isnan(value)
    names, place = np.unique(run[kept], return_inverse=True)
    means = np.bincount(place, value[kept], minlength=names.size) / np.bincount(place, minlength=names.size)
    usual = np.isin(names, np.asarray(reference_runs))
    if int(usual.sum()) < FEWEST_RUNS:
        raise TooFewData(f"{int(usual.sum())} reference runs, at least {FEWEST_RUNS} say what is usual.")
    centre, width = float(means[usual].mean()), float(means[usual].std(ddof=1))
    # A reference in which nothing ever happened has no width: then the smallest that a rate can show counts.
    width = width if width > 0 else 1.0 / np.sqrt(max(int(kept.sum()), 1))
    names, means = names[~usual].astype(np.int64), means[~usual]
    z = (means - centre) / (width * np.sqrt(1 + 1 / int(usual.sum())))
    if method == "page-hinkley" and z.size:
        z = z - np.concatenate([[0.0], (np.cumsum(z) / np.arange(2, z.size + 2))[:-1]])
    up, up_from = _accumulate(z - slack)
    down, down_from = _accumulate(-z - slack)
    statistic = np.maximum(up, down)
    passed = np.flatnonzero(statistic > threshold)
    if not passed.size:
        return Change(names, means, statistic, None, None, "")
    first = int(passed[0])
    rising = up[first] >= down[first]
    start = int(names[(up_from if rising else down_from)[first]])
    return Change(names, means, statistic, int(names[first]), start, "up" if rising else "down")


def _accumulate(steps: FloatArray) -> tuple[FloatArray, IntArray]:
    """The cumulative sum that starts again whenever it falls below zero, and where it last started."""
    total = np.concatenate([[0.0], np.cumsum(steps)])
    lowest = np.minimum.accumulate(total)
    at_lowest = np.maximum.accumulate(np.where(total <= lowest, np.arange(total.size), 0))
    return (total - lowest)[1:], np.minimum(at_lowest[1:], max(steps.size - 1, 0)).astype(np.int64)


def _enough_runs(reference: IntArray, current: IntArray) -> None:
    for what, run in (("reference", reference), ("current", current)):
        if np.unique(run).size < FEWEST_RUNS:
            raise TooFewData(
                f"the {what} sample has {np.unique(run).size} runs; {FEWEST_RUNS} are the least to compare."
            )
