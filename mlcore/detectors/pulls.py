"""How far each bin is from what was expected, in standard deviations that mean what they say."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from scipy import special
from sklearn.utils.validation import check_is_fitted

from mlcore.conditions import FloatArray
from mlcore.detectors.base import Detector
from mlcore.histograms import HistogramBlock
from mlcore.reference import Reference

Floats = npt.NDArray[np.floating[Any]]

#: below this many expected counts the distribution is so lopsided that tail probabilities are worked out
FEW = 4.0
#: counts looked at together, so that memory does not grow with the number of lumisections
AT_ONCE = 1_000_000


def pulls_of(counts: Floats, mean: Floats, variance: Floats) -> Floats:
    """Normal deviates of counts given their expectation and its systematic variance; same shape as `counts`.

    Counts whose mean itself fluctuates are taken as negative binomial, which is Poisson's law where nothing but hits
    does. The signed root of the deviance, corrected for skewness (Pierce and Schafer 1986), is nearly normal far into
    both tails: an empty bin is far less likely than as many hits too many are. Below four expected hits that come one
    by one, tail probabilities are used, halving that of the count itself, so that the pull of a bin that can only be
    empty or not is small, never large, when it is empty.
    """
    spread = np.maximum(variance / mean, 1e-6)
    shape = mean / spread
    beyond = counts - mean
    # In log1p both terms keep their relative precision, also where shape is so large that this is Poisson's law.
    deviance = counts * np.log1p(np.maximum(beyond / mean, -0.9999999))
    deviance -= (counts + shape) * np.log1p(np.maximum(beyond / (mean + shape), -0.9999999))
    root = np.sqrt(np.maximum(2.0 * deviance, 0.0))
    skewness = np.minimum((1.0 + 2.0 * spread) / np.sqrt(mean * (1.0 + spread)), 2.0)
    pulls = np.where(beyond < 0, -root, root) + skewness / 6.0
    sparse = (mean < FEW) & (spread < 0.5)
    if sparse.any():
        pulls[sparse] = _sparse_pulls((mean / (1.0 + spread))[sparse], counts[sparse] / mean[sparse], pulls[sparse])
    return np.asarray(pulls)


def _sparse_pulls(effective: Floats, ratio: Floats, otherwise: Floats) -> Floats:
    k = effective.astype(np.float64)
    hits = k * ratio
    # Empty bins take no incomplete gamma function; of the others only the smaller tail is worked out. Half the
    # probability of the count itself is added: as Q(h + 1) = Q(h) + P(count), one function is enough for each tail.
    below = np.exp(-k) / 2
    some = np.flatnonzero(hits > 0)
    h, m = np.maximum(hits[some], 1e-12), k[some]
    half = np.exp(h * np.log(m) - m - special.gammaln(h + 1)) / 2
    below[some] = special.gammaincc(h, m) + half
    deviate = special.ndtri(below)
    high = np.flatnonzero(below[some] >= 0.5)
    above = special.gammainc(h[high] + 1, m[high]) + half[high]
    deviate[some[high]] = -special.ndtri(above)
    return np.where(np.abs(deviate) < 7.0, deviate, otherwise)


class Pulls(Detector):
    """Calibrated Poisson pulls against a reference that follows the conditions.

    The score is -log10 of a probability: how often a good lumisection shows something as odd, by its largest pull
    (corrected for how many bins were looked at), by the sum of its squared pulls, or by its number of entries given its
    number of events. Each of the three is calibrated by what the training sample shows.

    Parameters
    ----------
    statistic : `max`, `chi2`, or `combined`: the most significant of them and of the entries, for three looks.
    columns : conditions that the reference may follow, see `Reference`.

    Attributes
    ----------
    reference_ : the fitted `Reference`.
    largest_ : location and width of the largest and of minus the smallest pull of good lumisections (Gumbel), (2, 2).
    chi2_ : location and width of the logarithm of the mean squared pull.

    Source: the largest pull corrected for the number of bins, beside chi2, is the statistic of AutoDQM
    (arXiv:2501.13789), there against single runs; the reference and its calibration are our own.
    """

    consumes: ClassVar[Literal["block", "table"]] = "block"

    def __init__(
        self,
        *,
        statistic: Literal["max", "chi2", "combined"] = "combined",
        columns: tuple[str, ...] = ("pileup", "pileup²", "luminosity", "log events", "time"),
    ) -> None:
        self.statistic = statistic
        self.columns = columns

    def pulls(self, block: HistogramBlock) -> Floats:
        """(n, *bins) pulls; NaN for lumisections without this histogram or without entries."""
        check_is_fitted(self, "layout_")
        found = np.full((len(block), int(np.prod(block.bins))), np.nan, dtype=np.float32)
        usable = np.flatnonzero(self._usable(block))
        for rows in _chunks(usable, found.shape[1]):
            found[rows] = self._pulls(block.select(rows))[0]
        return found.reshape(len(block), *block.bins)

    def _pulls(self, block: HistogramBlock) -> tuple[Floats, FloatArray]:
        """Flat pulls against the reference scaled to each histogram's own robust total, and those totals."""
        mean, variance, totals = self.reference_.against(block)
        return pulls_of(np.asarray(block.flat, dtype=np.float32), mean, variance), totals

    def _fit(self, data: HistogramBlock, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        self.reference_ = Reference(columns=self.columns).fit(data, weights)
        largest, chi2, _ = self._summaries(data)
        self.largest_ = np.stack([gumbel_law(side) for side in largest])
        low, middle, high = np.quantile(np.log(chi2), [0.25, 0.5, 0.75])
        self.chi2_ = np.array([middle, max((high - low) / 1.349, 1e-3)])

    def _score(self, data: HistogramBlock) -> FloatArray:
        largest, chi2, entries = self._summaries(data)
        # Too many and too few are two looks, each with its own null: fluctuations upwards are larger.
        sides = [gumbel_log_tail(side, *law) for side, law in zip(largest, self.largest_, strict=True)]
        one = of_several(np.minimum(*sides), 2)
        two = special.log_ndtr(-(np.log(chi2) - self.chi2_[0]) / self.chi2_[1])
        if self.statistic == "max":
            log_p = one
        elif self.statistic == "chi2":
            log_p = two
        else:
            three = np.nan_to_num(np.log(2) + special.log_ndtr(-np.abs(entries)), nan=0.0)
            log_p = of_several(np.minimum(np.minimum(one, two), np.minimum(three, 0.0)), 3)
        return np.asarray(-log_p / np.log(10))

    def _summaries(self, data: HistogramBlock) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Largest and minus the smallest pull (2, n), mean squared pull, and pull of the entries (NaN where events are
        not known)."""
        largest, chi2, totals = np.empty((2, len(data))), np.empty(len(data)), np.empty(len(data))
        for rows in _chunks(np.arange(len(data)), int(np.prod(data.bins))):
            pulls, totals[rows] = self._pulls(data.select(rows))
            largest[0, rows], largest[1, rows] = pulls.max(axis=1), -pulls.min(axis=1)
            chi2[rows] = np.einsum("ij,ij->i", pulls, pulls) / pulls.shape[1]
        usual, relative = self.reference_.expected_totals(data.conditions)
        variance = (relative * usual) ** 2 + np.maximum(usual, 0.5)
        entries = (totals - usual) / np.sqrt(variance)
        known = (data.conditions.events > 0) & (self.reference_.yield_.size > 0)
        return largest, np.maximum(chi2, 1e-12), np.where(known, entries, np.nan)


def gumbel_law(largest: FloatArray) -> FloatArray:
    """Location and width of Gumbel's law from the quartiles, which a few bad lumisections do not move."""
    low, middle, high = np.quantile(largest, [0.25, 0.5, 0.75])
    # Half its mass lies below location + 0.3665 width, the quarters are 1.5725 widths apart.
    width = max((high - low) / 1.5725, 0.05)
    return np.array([middle - 0.3665 * width, width])


def gumbel_log_tail(values: FloatArray, location: float, width: float) -> FloatArray:
    """log P(largest of many >= value) under Gumbel's law."""
    beyond = (values - location) / width
    small = np.exp(-np.clip(beyond, -3.0, 700.0))
    # For a small tail the probability is `small` itself, and its logarithm is known without rounding.
    return np.asarray(np.where(beyond > 20.0, -beyond, np.log(-np.expm1(-small))))


def of_several(log_p: FloatArray, looks: int) -> FloatArray:
    """log of the probability that the smallest of `looks` independent probabilities is as small as this."""
    p = np.exp(np.maximum(log_p, -30.0))
    several = np.log(-np.expm1(looks * np.log1p(-np.minimum(p, 1 - 1e-16))))
    return np.asarray(np.where(log_p < -30.0, log_p + np.log(looks), several))


def _chunks(rows: npt.NDArray[np.int64], bins: int) -> list[npt.NDArray[np.int64]]:
    step = max(AT_ONCE // bins, 1)
    return [rows[start : start + step] for start in range(0, len(rows), step)]
