"""What a histogram should look like under given conditions, with an uncertainty per bin.

Each bin's share of the histogram is regressed on pile-up, number of events and age, where wished on luminosity and the
length of the run as well; slopes are shrunk towards none by
what all bins say together (empirical Bayes), so a bin with few hits borrows from the others. Weights fall for counts
that do not fit, so that a training sample with some bad lumisections in it still gives the healthy histogram. What
fluctuates more than Poisson is measured per bin and given as a variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from mlcore.conditions import BoolArray, Conditions, FloatArray
from mlcore.errors import IncompatibleBinning, ShapeError, TooFewData
from mlcore.histograms import HistogramBlock

Floats = npt.NDArray[np.floating[Any]]

COLUMNS = ("pileup", "pileup²", "luminosity", "log events", "time")
#: what a shape may depend on besides: luminosity at the same pile-up (more bunches, or a better live time), and how
#: long the run had lasted by then, as the logarithm of the lumisection's number
FURTHER = ("luminosity / pileup", "run length")
FEWEST = 5
ROWS_PER_COLUMN = 12
#: standardised conditions are not believed further away than this from what was trained on
FARTHEST = 4.0
#: a count further than this from the expectation teaches nothing
REJECT = 4.5
ROUNDS = 4


@dataclass(frozen=True, eq=False)
class Prediction:
    """Expected counts (n, *bins), and the variance (n, *bins) of that mean from everything but Poisson's law."""

    mean: Floats
    variance: Floats


class Reference(BaseEstimator):  # type: ignore[misc,no-any-unimported]  # scikit-learn has no types
    """The expected histogram of one element given its conditions.

    Parameters
    ----------
    columns : which conditions the shape may depend on, of COLUMNS and FURTHER; those that are not known or do not vary
        are left out, and luminosity by itself is used only where pile-up is not known.
    most : largest number of training counts (lumisections x bins) looked at; more lumisections are thinned evenly.

    Attributes
    ----------
    layout_ : axes and element it was fitted on.
    bins_ : shape of a histogram.
    columns_ : the conditions in use, in order.
    coefficients_ : (1 + columns, bins) share of the histogram per bin, linear in the standardised conditions.
    uncertainty_ : (1 + columns, bins) variances of the coefficients.
    dispersion_ : (bins,) excess over Poisson of a bin relative to `excess_` (per count, per count squared).
    yield_ : coefficients of log(total / events), or empty when events are not known; `yield_spread_` its scatter beyond
        Poisson's.
    typical_total_ : the median total, for when neither a total nor events are known.

    Raises TooFewData when fewer than five histograms have entries.
    """

    def __init__(self, *, columns: tuple[str, ...] = COLUMNS, most: int = 6_000_000) -> None:
        self.columns = columns
        self.most = most

    def fit(self, block: HistogramBlock, weights: npt.ArrayLike | None = None) -> Self:
        """Learn from mostly good lumisections. `weights` (n,) say how far each is believed."""
        usable, believed = _usable(block, weights)
        rows = np.flatnonzero(usable)
        if rows.size < FEWEST:
            raise TooFewData(
                f"{block.element}: {rows.size} histograms with entries; a reference needs at least {FEWEST}."
            )
        allowed = max(self.most // int(np.prod(block.bins)), 200)
        rows = rows[np.unique(np.linspace(0, rows.size - 1, min(allowed, rows.size)).astype(int))]
        counts = np.asarray(block.flat[rows], dtype=np.float32)
        conditions, trust = block.conditions.select(rows), believed[rows]
        self.layout_ = (block.element, *block.axes)
        self.bins_ = block.bins
        self._fit_columns(conditions)
        self._fit_shape(counts, self._design(conditions)[0], trust)
        self._fit_yield(counts, conditions, trust)
        return self

    def predict(self, conditions: Conditions, *, totals: npt.ArrayLike | None = None) -> Prediction:
        """Expected histograms and their systematic variances, both (n, *bins).

        `totals` (n,) are the entries to be spread over the bins. Without them they follow from the number of events
        and pile-up as in training; where events are not known either, the typical total of the training sample is
        taken, with the scatter that it had. Conditions that are not known widen the variance.
        """
        check_is_fitted(self, "layout_")
        if totals is None:
            total, relative = self.expected_totals(conditions)
        else:
            total, relative = np.asarray(totals, dtype=np.float64), np.zeros(len(conditions))
            if total.shape != (len(conditions),):
                raise ShapeError(f"totals have shape {total.shape}, expected ({len(conditions)},).")
        mean, variance = self.spread(conditions, total)
        if relative.any():
            variance = variance + (relative.astype(np.float32)[:, None] * mean) ** 2
        return Prediction(mean.reshape(-1, *self.bins_), variance.reshape(-1, *self.bins_))

    def expected_totals(self, conditions: Conditions) -> tuple[FloatArray, FloatArray]:
        """(n,) entries that a histogram should have, and (n,) their relative standard deviation."""
        check_is_fitted(self, "layout_")
        total = np.full(len(conditions), self.typical_total_)
        relative = np.full(len(conditions), self.typical_spread_)
        if self.yield_.size:
            design, unknown = self._design(conditions)
            known = conditions.events > 0
            fitted = np.exp(np.clip(design @ self.yield_, -50.0, 50.0))
            total[known] = conditions.events[known] * fitted[known]
            wider = np.sqrt(self.yield_spread_**2 + unknown @ self.yield_**2)
            relative[known] = wider[known]
            total[conditions.events == 0] = 0.0
        return total, relative

    def totals_of(self, block: HistogramBlock) -> FloatArray:
        """(n,) entries of each histogram as they would be without the bins that do not fit: the median over groups of
        bins of observed over expected, then the sum over the bins that agree with it. NaN for a missing histogram."""
        self._check_layout(block)
        return self._totals(block, self._of_one(block.conditions)[0])

    def against(self, block: HistogramBlock) -> tuple[Floats, Floats, FloatArray]:
        """What a block is held against: mean and systematic variance of each bin, as `spread` gives them for the totals
        of the histograms themselves, and those totals (n,), `totals_of` it."""
        self._check_layout(block)
        shape, doubt = self._of_one(block.conditions)
        totals = self._totals(block, shape)
        mean, variance = self._scaled(shape, doubt, np.maximum(totals, 0.5))
        return mean, variance, totals

    def spread(self, conditions: Conditions, totals: FloatArray) -> tuple[Floats, Floats]:
        """Mean and systematic variance, (n, number of bins), of histograms with these totals; flat and in single
        precision, for those who measure many."""
        return self._scaled(*self._of_one(conditions), totals)

    def _check_layout(self, block: HistogramBlock) -> None:
        check_is_fitted(self, "layout_")
        if (block.element, *block.axes) != self.layout_:
            raise IncompatibleBinning(f"{block.element}: the reference has other axes; fit a new one.")

    def _totals(self, block: HistogramBlock, shape: Floats) -> FloatArray:
        totals = np.full(len(block), np.nan)
        present = np.flatnonzero(~block.missing)
        if present.size:
            counts = np.asarray(block.flat[present], dtype=np.float32)
            totals[present] = _robust_totals(counts, shape[present], self.dispersion_ * self.excess_[0])
        return totals

    def _of_one(self, conditions: Conditions) -> tuple[Floats, Floats]:
        """Mean, and the variance from what the coefficients are not known, of histograms whose total is one."""
        design, unknown = self._design(conditions)
        mean = design.astype(np.float32) @ self.coefficients_.astype(np.float32)
        np.maximum(mean, self.floor_, out=mean)
        doubt = (design**2).astype(np.float32) @ self.uncertainty_.astype(np.float32)
        if unknown.any():
            doubt += unknown.astype(np.float32) @ (self.coefficients_**2).astype(np.float32)
        return mean, doubt

    def _scaled(self, shape: Floats, doubt: Floats, totals: FloatArray) -> tuple[Floats, Floats]:
        scale = totals.astype(np.float32)[:, None]
        mean, variance = shape * scale, doubt * scale**2
        linear, square = (np.asarray(self.dispersion_ * part, dtype=np.float32) for part in self.excess_)
        variance += mean * (linear + square * mean)
        return mean, variance

    def _fit_columns(self, conditions: Conditions) -> None:
        """Choose conditions that are mostly known and vary, as many as the rows can carry, and their scales."""
        raw = _raw_columns(conditions)
        chosen: list[str] = []
        centres: list[float] = []
        scales: list[float] = []
        for name in self.columns:
            values = raw[name][np.isfinite(raw[name])]
            if name == "luminosity" and "pileup" in chosen:
                continue
            if values.size < max(0.5 * len(conditions), 2) or len(chosen) >= len(conditions) // ROWS_PER_COLUMN - 1:
                continue
            centre, scale = float(np.median(values)), float(np.std(values))
            if scale > 1e-6 * max(abs(centre), 1e-12):
                chosen.append(name)
                centres.append(centre)
                scales.append(scale)
        if "pileup²" in chosen and "pileup" not in chosen:
            place = chosen.index("pileup²")
            del chosen[place], centres[place], scales[place]
        self.columns_ = tuple(chosen)
        self.centres_, self.scales_ = np.asarray(centres), np.asarray(scales)

    def _design(self, conditions: Conditions) -> tuple[FloatArray, FloatArray]:
        """(n, 1 + columns) standardised conditions after a 1, and the same with 1 where one is not known."""
        raw = _raw_columns(conditions)
        design = np.ones((len(conditions), 1 + len(self.columns_)))
        unknown = np.zeros_like(design)
        for place, name in enumerate(self.columns_, start=1):
            values = (raw[name] - self.centres_[place - 1]) / self.scales_[place - 1]
            if name == "pileup²":
                # Measured from the centre of pile-up, so that it is not the same column again.
                first = self.columns_.index("pileup")
                values = ((raw["pileup"] - self.centres_[first]) / self.scales_[first]) ** 2 - 1.0
            unknown[:, place] = ~np.isfinite(values)
            design[:, place] = np.clip(np.nan_to_num(values, nan=0.0), -FARTHEST, FARTHEST)
        return design, unknown

    def _fit_shape(self, counts: Floats, design: FloatArray, trust: FloatArray) -> None:
        """Alternate between totals, weights, coefficients and dispersion; four rounds change nothing any more."""
        bins, columns = counts.shape[1], design.shape[1]
        start = _first_shape(counts, trust)
        self.floor_ = np.float32(0.5 / max(float(counts.sum(dtype=np.float64)), 1.0))
        self.coefficients_: FloatArray = np.zeros((columns, bins))
        self.coefficients_[0] = start
        self.uncertainty_: FloatArray = np.zeros((columns, bins))
        self.dispersion_, self.excess_ = np.ones(bins), np.zeros(2)
        for _ in range(ROUNDS):
            shape = self._shape(design)
            totals = _robust_totals(counts, shape, self.dispersion_ * self.excess_[0])
            mean = shape * totals.astype(np.float32)[:, None]
            kept = self._kept(counts, mean, trust)
            self._regress(counts, totals, design, kept)
            shape = self._shape(design)
            self._disperse(counts, shape * totals.astype(np.float32)[:, None], kept, columns)
        total = self.coefficients_[0].sum()
        self.coefficients_ /= total
        self.uncertainty_ /= total**2

    def _shape(self, design: FloatArray) -> Floats:
        return np.asarray(np.maximum(design @ self.coefficients_, self.floor_).astype(np.float32))

    def _kept(self, counts: Floats, mean: Floats, trust: FloatArray) -> Floats:
        """Weight of each count: that of its lumisection, falling to 0 (Tukey's biweight) as it stops fitting."""
        linear, square = (np.asarray(self.dispersion_ * part, dtype=np.float32) for part in self.excess_)
        variance = mean * (1.0 + linear + square * mean)
        pull = (counts - mean) / np.sqrt(np.maximum(variance, 0.5))
        if not self.excess_.any():
            # Nothing is known of the dispersion yet: the middle half of each bin tells its width.
            pull /= np.maximum(np.quantile(np.abs(pull), 0.5, axis=0) / 0.6745, 1.0)
        inside = np.clip(1.0 - (pull / (2 * REJECT)) ** 2, 0.0, None) ** 2
        inside[np.abs(pull) > REJECT] = 0.0
        return np.asarray(inside * trust.astype(np.float32)[:, None])

    def _regress(self, counts: Floats, totals: FloatArray, design: FloatArray, kept: Floats) -> None:
        """Weighted least squares of counts / total on the design for all bins at once, slopes shrunk."""
        columns = design.shape[1]
        pairs = (design[:, :, None] * design[:, None, :]).reshape(len(design), -1)
        weight = kept * totals.astype(np.float32)[:, None]
        gram: FloatArray = (weight.T @ pairs.astype(np.float32)).astype(np.float64).reshape(-1, columns, columns)
        moment = ((kept * counts).T @ design.astype(np.float32)).astype(np.float64)
        gram += 1e-9 * np.maximum(gram[:, :1, :1], 1e-30) * np.eye(columns)
        level = np.maximum(moment[:, 0] / gram[:, 0, 0], float(self.floor_))
        noise = level * (1.0 + self.dispersion_ * (self.excess_[0] + self.excess_[1] * level * float(totals.mean())))
        free = np.linalg.solve(gram, moment[:, :, None])[:, :, 0]
        error = noise[:, None] * np.diagonal(np.linalg.inv(gram), axis1=1, axis2=2)
        precision = np.zeros((len(level), columns))
        if columns > 1:
            # Spread of relative slopes over the bins beyond their errors: how far a slope may be believed.
            weights = np.minimum(level[:, None] ** 2 / np.maximum(error, 1e-300), 1e12)[:, 1:]
            relative = (free[:, 1:] / level[:, None]) ** 2 - error[:, 1:] / level[:, None] ** 2
            wide = np.maximum((weights * relative).sum(axis=0) / weights.sum(axis=0), 1e-10)
            precision[:, 1:] = noise[:, None] / (wide * level[:, None] ** 2)
        gram = np.asarray(gram + precision[:, :, None] * np.eye(columns))
        self.coefficients_ = np.asarray(np.linalg.solve(gram, moment[:, :, None])[:, :, 0].T, dtype=np.float64)
        self.uncertainty_ = np.asarray(noise * np.diagonal(np.linalg.inv(gram), axis1=1, axis2=2).T)

    def _disperse(self, counts: Floats, mean: Floats, kept: Floats, columns: int) -> None:
        """Excess over Poisson as a x mean + b x mean², shared, times an amplitude per bin that is shrunk towards 1."""
        freedom = len(counts) / max(len(counts) - columns, 1)
        beyond = freedom * (counts - mean) ** 2 - mean
        safe = np.maximum(mean, 0.05)
        # Relative to what a variance estimate itself scatters by, about the variance squared; the variance is the one
        # that all bins share, or a bin that is wild would lose its say in how wild bins are.
        linear, square = (np.float32(part) for part in self.excess_)
        weight = kept / (safe * (1.0 + linear + square * safe)) ** 2
        sums = [
            float((weight * one).sum(dtype=np.float64))
            for one in (mean**2, mean**3, mean**4, beyond * mean, beyond * mean**2)
        ]
        self.excess_ = _not_negative(sums)
        shared = (self.excess_[0] + self.excess_[1] * mean) * mean
        top, bottom = ((weight * shared * part).sum(axis=0, dtype=np.float64) for part in (beyond, shared))
        # As much trust in what all bins share as in about 10 lumisections of this one.
        prior = 10.0 * np.median(bottom) / max(len(counts), 1) + 1e-12
        self.dispersion_ = np.clip((top + prior) / (bottom + prior), 0.01, 50.0)
        # A channel that is dead does not fluctuate as the others do: a few hits in it are already odd.
        self.dispersion_[counts.sum(axis=0) < 5] = 0.01

    def _fit_yield(self, counts: Floats, conditions: Conditions, trust: FloatArray) -> None:
        """How many entries an event gives, as a function of conditions, and how much that scatters."""
        design, _ = self._design(conditions)
        shape = self._shape(design)
        totals = np.maximum(_robust_totals(counts, shape, self.dispersion_ * self.excess_[0]), 0.5)
        self.typical_total_ = float(np.median(totals))
        self.typical_spread_ = float(np.std(np.log(totals)))
        known = np.asarray(conditions.events > 0)
        self.yield_, self.yield_spread_ = np.empty(0), 0.0
        if known.sum() < FEWEST:
            return
        x, y = design[known], np.log(totals[known] / conditions.events[known])
        self.yield_ = np.zeros(x.shape[1])
        self.yield_[0] = np.median(y)
        ridge = 1e-6 * known.sum() * np.eye(x.shape[1])
        for _ in range(2 * ROUNDS):
            residual = y - x @ self.yield_
            spread = float(np.median(np.abs(residual)) / 0.6745) + 1e-6
            weight = np.where(np.abs(residual) < REJECT * spread, trust[known], 0.0)
            self.yield_ = np.linalg.solve((x * weight[:, None]).T @ x + ridge, (x * weight[:, None]).T @ y)
        self.yield_spread_ = float(np.sqrt(max(spread**2 - float(np.median(1 / totals[known])), 1e-8)))


def _usable(block: HistogramBlock, weights: npt.ArrayLike | None) -> tuple[BoolArray, FloatArray]:
    believed = np.ones(len(block)) if weights is None else np.asarray(weights, dtype=np.float64)
    if believed.shape != (len(block),):
        raise ShapeError(f"{block.element}: weights have shape {believed.shape}, expected ({len(block)},).")
    usable = ~block.missing & (block.totals > 0) & (believed > 0)
    return np.asarray(usable), believed / max(float(believed.max(initial=0.0)), 1e-300)


def _raw_columns(conditions: Conditions) -> dict[str, FloatArray]:
    with np.errstate(divide="ignore", invalid="ignore"):
        events = np.where(conditions.events > 0, np.log(conditions.events), np.nan)
        per_pileup = np.where(conditions.pileup > 0, conditions.luminosity / conditions.pileup, np.nan)
    return {
        "pileup": conditions.pileup,
        "pileup²": conditions.pileup**2,
        "luminosity": conditions.luminosity,
        "log events": events,
        "time": conditions.time,
        "luminosity / pileup": per_pileup,
        "run length": np.log(conditions.lumisection),
    }


def _first_shape(counts: Floats, trust: FloatArray) -> FloatArray:
    """Shares before anything is known: the median where there are counts enough for one, else the mean."""
    share = counts / counts.sum(axis=1, keepdims=True)
    middle = np.median(share, axis=0).astype(np.float64)
    mean = np.average(counts, axis=0, weights=trust) / np.average(counts.sum(axis=1), weights=trust)
    first = np.where(np.median(counts, axis=0) >= 5, middle, mean)
    return np.asarray(first / first.sum())


def _robust_totals(counts: Floats, shape: Floats, linear: FloatArray) -> FloatArray:
    """(n,) totals from the bins that agree with each other; `shape` (n, bins) sums to about 1 per row."""
    bins = counts.shape[1]
    entries = float(np.median(counts.sum(axis=1, dtype=np.float64)))
    groups = int(np.clip(min(bins, 64, entries / 30), 1, bins))
    starts = np.linspace(0, bins, groups, endpoint=False).astype(int)
    observed, usual = np.add.reduceat(counts, starts, axis=1), np.add.reduceat(shape, starts, axis=1)
    worth = usual > 0.1 * usual.mean(axis=1, keepdims=True)
    ratio = np.where(worth, observed / np.where(worth, usual, 1.0), np.nan)
    total = medians(ratio, worth.sum(axis=1)).astype(np.float64)
    total = np.where(total > 0, total, counts.sum(axis=1) / shape.sum(axis=1))
    most = (REJECT**2 * (1.0 + np.maximum(linear, 0.0))).astype(np.float32)
    for _ in range(2):
        mean = shape * total.astype(np.float32)[:, None]
        agree = ((counts - mean) ** 2 < most * np.maximum(mean, 1.0)).astype(np.float32)
        inside, sums = np.einsum("ij,ij->i", shape, agree), np.einsum("ij,ij->i", counts, agree)
        total = np.where(inside > 0.1, sums / np.maximum(inside, 1e-12), total)
    return np.asarray(total, dtype=np.float64)


def medians(values: Floats, known: npt.NDArray[np.intp]) -> Floats:
    """(n,) medians of rows, of which `known` values are numbers and the others NaN: as `np.nanmedian`, which takes many
    times as long for rows that are short."""
    ordered, row = np.sort(values, axis=1), np.arange(len(values))
    low, high = np.maximum(known - 1, 0) // 2, np.minimum(known // 2, values.shape[1] - 1)
    return np.asarray((ordered[row, low] + ordered[row, high]) / 2)


def _not_negative(sums: list[float]) -> FloatArray:
    """Least squares of two coefficients that may not be negative, from the sums xx, xy, yy, xz, yz."""
    xx, xy, yy, xz, yz = sums
    determinant = xx * yy - xy**2
    if determinant > 1e-9 * xx * yy:
        both = np.array([xz * yy - yz * xy, yz * xx - xz * xy]) / determinant
        if (both >= 0).all():
            return both
    one, other = max(xz / max(xx, 1e-300), 0.0), max(yz / max(yy, 1e-300), 0.0)
    return np.array([one, 0.0]) if one * xz >= other * yz else np.array([0.0, other])
