"""Trigger rates forecast from luminosity within the run, aware of prescales: how improbable is what was counted?

Shift crews know that "the rate changed" is nearly always the luminosity or a prescale. So the rate before prescales is
regressed on luminosity and pile-up, brought to the level of the run by what was seen of it so far, and divided by the
prescale; what is left has a distribution of its own per column, and quantiles of it are the forecast.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls
from scipy.special import ndtri

from mlcore.conditions import BoolArray, Conditions, FloatArray, IntArray
from mlcore.errors import MlcoreError, TooFewData
from mlcore.features import PRESCALE, FeatureTable

from .base import Detector
from .residuals import NormalScores, RunFilter, in_order

_LAG = 20


class RatesDetector(Detector):
    """Log-odds that a rate is wrong, from its quantile forecast: columns alone, by group, and all together.

    A column `prescale:NAME` of the table is the prescale of the rate `NAME` at the start of the lumisection; rates
    without one have prescale 1. Where a prescale is another one in the next lumisection, what share of this one is over
    by then is found from the rates that change. Columns need not be rates: any number that follows the conditions will
    do.

    Parameters
    ----------
    prescaled : divide by the prescales; else they are ignored.
    within_run : bring the forecast to the level of the run, from its past lumisections only.
    memory : whether a fault that lasts counts more (past lumisections only).

    Attributes after `fit`: `columns_` k names, `slopes_` (terms, k), `variance_` (3, k), `level_` and `wander_` (k,)
    relative widths of the level of a run and of its step per lumisection. NaN where luminosity or pile-up were known in
    training and are not now.
    """

    consumes: ClassVar[Literal["table"]] = "table"

    def __init__(self, *, prescaled: bool = True, within_run: bool = True, memory: bool = True) -> None:
        self.prescaled = prescaled
        self.within_run = within_run
        self.memory = memory

    def quantiles(self, table: FeatureTable, levels: npt.ArrayLike) -> FloatArray:
        """(n, k, levels) forecasts of the columns in `columns_`, in their own unit, each from the past of its run."""
        wanted = np.asarray(levels, dtype=np.float64)
        if wanted.ndim != 1 or not ((wanted > 0) & (wanted < 1)).all():
            raise MlcoreError("levels are probabilities between 0 and 1.")
        mean, width, _, _ = self._in_run(table)
        mean[~self._known(table.conditions)] = np.nan
        return np.asarray(mean[:, :, None] + width[:, :, None] * self.shape_.inverse(ndtri(wanted))[None, :, :])

    def pulls(self, table: FeatureTable) -> FloatArray:
        """(n, k) normal scores of what was counted: where it lies in its forecast. NaN where it is not known."""
        mean, width, rates, _ = self._in_run(table)
        return self.shape_.transform((rates - mean) / width)

    def _fit(self, data: FeatureTable, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        self.columns_ = tuple(name for name in data.names if not name.startswith(PRESCALE))
        if not self.columns_:
            raise TooFewData("a table of prescales alone has no rates to forecast.")
        self._learn_conditions(data.conditions)
        rates, before, after = self._columns(data)
        known = self._known(data.conditions)
        whole = known & (before == after).all(axis=1)
        rows = whole if whole.sum() >= self.fewest else known
        _, run = np.unique(data.conditions.run[rows], return_inverse=True)
        self.spread_, self.slopes_, self.variance_ = _regressed(
            rates[rows], self._terms(data.conditions)[rows], before[rows], run
        )
        mean, width, _, unit = self._forecast(data)
        off = np.where(rows[:, None], (rates - mean) / unit, np.nan)
        level, wander = self._levels(off, data.conditions)
        groups = tuple(data.groups[data.names.index(name)] for name in self.columns_)
        self.filter_ = RunFilter(memory=self.memory).fit(
            level, wander, _correlation(off * unit / width, data.conditions), groups
        )
        levels, _, _ = self.filter_.follow(off, width / unit, data.conditions)
        for column in range(rates.shape[1]):
            rest = rates[:, column] - mean[:, column] - levels[:, column] * unit[:, column]
            self.variance_[:, column] = _variance(np.abs(mean[rows, column]), rest[rows])
        mean, width, _, unit = self._forecast(data)
        levels, widths, _ = self.filter_.follow(off, width / unit, data.conditions)
        self.shape_ = NormalScores().fit(((off - levels) / widths)[rows])

    def _score(self, data: FeatureTable) -> FloatArray:
        _, _, rates, odds = self._in_run(data)
        odds[~np.isfinite(rates).any(axis=1)] = np.nan
        return odds

    def _learn_conditions(self, conditions: Conditions) -> None:
        middles = []
        for values in (conditions.luminosity, conditions.pileup):
            known = values[np.isfinite(values)]
            middles.append(float(np.median(known)) if len(known) > len(values) / 2 else np.nan)
        self.middles_ = np.asarray(middles)

    def _known(self, conditions: Conditions) -> BoolArray:
        """Rows for which there is a forecast."""
        raw = np.column_stack([conditions.luminosity, conditions.pileup])
        return np.asarray((np.isfinite(raw) | np.isnan(self.middles_)).all(axis=1))

    def _terms(self, conditions: Conditions) -> FloatArray:
        """(n, 5) 1, pile-up, luminosity and products as rates have them, in units of their medians; 1 where unknown."""
        raw = np.column_stack([conditions.luminosity, conditions.pileup])
        unit = np.where(np.abs(self.middles_) > 0, self.middles_, 1.0)
        light, pileup = np.clip(np.where(np.isfinite(raw) & np.isfinite(unit), raw / unit, 1.0), -20.0, 20.0).T
        return np.column_stack([np.ones_like(light), pileup, light, light * pileup, light * pileup**2])

    def _columns(self, table: FeatureTable) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(n, k) rates, NaN where not finite, and prescales at the start and at the end of the lumisection."""
        places = [table.names.index(name) for name in self.columns_]
        rates = np.where(np.isfinite(table.values[:, places]), table.values[:, places], np.nan)
        before = np.ones_like(rates)
        for place, name in enumerate(self.columns_):
            if self.prescaled and PRESCALE + name in table.names:
                given = table.values[:, table.names.index(PRESCALE + name)]
                before[:, place] = np.where(np.isfinite(given) & (given > 0), given, 1.0)
        after, key = before.copy(), table.conditions.key
        order = np.argsort(key, kind="stable")
        next_to = np.flatnonzero(np.diff(key[order]) == 1)
        after[order[next_to]] = before[order[next_to + 1]]
        return rates, before, after

    def _forecast(self, table: FeatureTable) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """(n, k) each: mean and width of what will be seen in a run of the usual level; what was seen, NaN where that
        is not known; and what a relative level is relative to: the mean, or the spread where the mean is about 0."""
        rates, before, after = self._columns(table)
        rates[~self._known(table.conditions)] = np.nan
        raw = self._terms(table.conditions) @ self.slopes_
        change = np.flatnonzero((before != after).any(axis=1))
        effective, doubt = before.copy(), np.zeros_like(raw)
        if len(change):
            effective[change], doubt[change] = _mixed(raw[change], rates[change], before[change], after[change])
        mean = raw / effective
        width = np.sqrt(np.maximum(_evaluated(self.variance_, np.abs(mean)), 1e-24) + doubt**2)
        return mean, width, rates, np.asarray(np.hypot(mean, self.spread_ / effective))

    def _in_run(self, table: FeatureTable) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Mean, width and rates (n, k) at the level of the run, and (n,) log-odds of a fault."""
        mean, width, rates, unit = self._forecast(table)
        levels, widths, odds = self.filter_.follow((rates - mean) / unit, width / unit, table.conditions, self.shape_)
        return mean + levels * unit, widths * unit, rates, odds

    def _levels(self, off: FloatArray, conditions: Conditions) -> tuple[FloatArray, FloatArray]:
        """(k,) twice: widths of the levels of runs and of their steps, from how relative deviations differ one and
        twenty lumisections apart."""
        runs = [off[rows] for rows in in_order(conditions)]
        if not self.within_run or len(runs) < 3:
            return np.zeros(off.shape[1]), np.zeros(off.shape[1])
        bound = 6.0 * np.nan_to_num(1.4826 * _median(np.abs(off)), nan=1.0)
        lag = min(_LAG, max(1, min(len(run) for run in runs) // 2))
        near, far = (
            _mean_square([np.clip(run[k:] - run[:-k], -bound, bound) for run in runs if len(run) > k]) for k in (1, lag)
        )
        wander = (far - near) / max(lag - 1, 1)
        # Half of what all have together: a level that is thought never to move would make every later move a fault.
        wander = (np.maximum(wander, 0.0) + max(float(np.median(wander)), 0.0)) / 2.0
        noise = np.maximum(near - wander, 0.0) / 2.0
        total = _mean_square([np.clip(off, -bound, bound)])
        return np.sqrt(np.maximum(total - noise, 0.0)), np.sqrt(wander)


def _regressed(
    rates: FloatArray, terms: FloatArray, prescale: FloatArray, run: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(k,) spread, (terms, k) slopes of the rate before prescales, (3, k) variance of what is counted."""
    count = rates.shape[1]
    spreads, slopes, variances = np.ones(count), np.zeros((terms.shape[1], count)), np.zeros((3, count))
    variances[0] = 1.0
    for column in range(count):
        rows = np.isfinite(rates[:, column])
        if not rows.any():
            continue
        p = prescale[rows, column]
        y = rates[rows, column] * p
        middle = float(np.median(y))
        spread = max(1.4826 * float(np.median(np.abs(y - middle))), 1e-9 * (1.0 + abs(middle)))
        y = np.clip(y, middle - 20 * spread, middle + 20 * spread)
        spreads[column] = spread
        slopes[:, column], variances[:, column] = _slopes(y, terms[rows], p, run[rows], spread)
    return spreads, slopes, variances


def _slopes(y: FloatArray, x: FloatArray, p: FloatArray, run: IntArray, spread: float) -> tuple[FloatArray, FloatArray]:
    """(terms,) and (3,): weighted least squares, outliers pulled in, each run with a level of its own.

    Without levels the regression would explain the levels of a few unusual runs by luminosity.
    """
    weight, target, level, found = np.ones(len(y)) / spread**2, y, 0.0, np.zeros(x.shape[1])
    for _ in range(4):
        unit = np.zeros(len(y)) if level <= 0 else np.hypot(x @ found, spread)
        inner = np.bincount(run, weight * unit**2) + (1.0 / level**2 if level > 0 else 1.0)
        along = np.column_stack([np.bincount(run, weight * unit * term) for term in x.T])
        gram = (x * weight[:, None]).T @ x - (along / inner[:, None]).T @ along
        right = x.T @ (weight * target) - along.T @ (np.bincount(run, weight * unit * target) / inner)
        found = np.linalg.solve(gram + 1e-8 * np.trace(gram) * np.eye(len(gram)), right)
        mean = x @ found
        variance = _variance(np.abs(mean / p), (y - mean) / p)
        width = np.sqrt(_evaluated(variance, np.abs(mean / p))) * p
        target = mean + np.clip(y - mean, -4 * width, 4 * width)
        weight = 1.0 / width**2
        relative = (target - mean) / np.hypot(mean, spread)
        size = np.maximum(np.bincount(run), 1)
        means = np.bincount(run, relative) / size
        within = float(np.mean((relative - means[run]) ** 2))
        between = float(np.mean(means[np.bincount(run) > 0] ** 2)) - within / float(size.mean())
        level = float(np.sqrt(max(between, 0.0))) if len(size) > 4 else 0.0
    return found, variance


def _variance(mean: FloatArray, rest: FloatArray) -> FloatArray:
    """(3,) a, b, c from 0 with variance = a + b mean + c mean^2: electronics, counting, what scatters by itself."""
    known = np.isfinite(rest)
    if not known.any():
        return np.array([1.0, 0.0, 0.0])
    mean, rest = mean[known], rest[known]
    size = float(np.median(np.abs(rest))) * 1.4826
    least = 1e-12 * (1.0 + float(mean.max())) ** 2
    bound = 5.0 * max(size, float(np.sqrt(least)))
    square = np.clip(rest, -bound, bound) ** 2
    unit = max(float(mean.mean()), 1e-12)
    design = np.column_stack([np.ones_like(mean), mean / unit, (mean / unit) ** 2])
    expected = np.full(len(mean), float(square.mean()) + least)
    for _ in range(2):
        found, _ = nnls(design / expected[:, None], square / expected)
        expected = np.maximum(design @ found, 0.1 * float(square.mean()) + least)
    found[0] += least
    return np.asarray(found / unit ** np.arange(3))


def _evaluated(variance: FloatArray, mean: FloatArray) -> FloatArray:
    return np.asarray(variance[0] + variance[1] * mean + variance[2] * mean**2)


def _mixed(raw: FloatArray, rates: FloatArray, before: FloatArray, after: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Effective prescales where they change, and how far the mean is in doubt.

    The share of the lumisection before the step is a median over the rates that change, so one wrong rate does not
    choose it.
    """
    first, second = raw / before, raw / after
    moved = np.where(before != after, first - second, np.nan)
    share = (rates - second) / np.where(np.abs(moved) > 0, moved, np.nan)
    share = np.clip(
        np.array([np.median(one[np.isfinite(one)]) if np.isfinite(one).any() else 0.5 for one in share]), 0, 1
    )
    effective = 1.0 / (share[:, None] / before + (1.0 - share[:, None]) / after)
    many = np.maximum(np.isfinite(moved).sum(axis=1, keepdims=True), 1)
    return effective, np.nan_to_num(0.15 / np.sqrt(many) * np.abs(moved))


def _median(values: FloatArray) -> FloatArray:
    return np.array([np.median(one[np.isfinite(one)]) if np.isfinite(one).any() else np.nan for one in values.T])


def _mean_square(parts: list[FloatArray]) -> FloatArray:
    """(k,) over what is known; 0 where nothing is."""
    values = np.vstack(parts) if parts else np.zeros((0, 0))
    known = np.isfinite(values)
    return np.asarray((np.where(known, values, 0.0) ** 2).sum(axis=0) / np.maximum(known.sum(axis=0), 1))


def _correlation(pulls: FloatArray, conditions: Conditions) -> FloatArray:
    """(k, k) of what is left from one lumisection to the next, which levels do not touch."""
    steps = np.vstack([np.diff(np.clip(pulls[rows], -5, 5), axis=0) for rows in in_order(conditions)])
    steps = steps[np.isfinite(steps).any(axis=1)]
    if len(steps) < 2:
        return np.eye(pulls.shape[1])
    centred = np.nan_to_num(steps)
    width = np.sqrt((centred**2).mean(axis=0))
    scaled = centred / np.where(width > 0, width, 1.0)
    found = scaled.T @ scaled / len(scaled)
    np.fill_diagonal(found, 1.0)
    return np.asarray(found)
