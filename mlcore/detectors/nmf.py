"""Non-negative factors of good histograms; what they cannot add up to is an anomaly."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from mlcore.conditions import FloatArray
from mlcore.detectors.base import Detector
from mlcore.histograms import HistogramBlock

Floats = npt.NDArray[np.floating[Any]]


class NonNegativeFactors(Detector):
    """Each normalised histogram as a sum of a few non-negative ones, learned from good lumisections.

    The score is the mean of the `worst` largest squared residuals, each relative to what good lumisections show in that
    bin: a bin that always fluctuates does not count more than a quiet one.

    Parameters
    ----------
    components : number of factors.
    worst : number of largest residuals averaged.
    iterations : at most so many steps of the factorisation; good histograms hardly differ, so few are needed.
    random_state : of the start of the factorisation.

    Attributes
    ----------
    factors_ : the fitted scikit-learn NMF. spread_ : (bins,) mean squared residual of good lumisections.

    Source: the pixel NMF of the CMS tracker (CMS DP-2024/070; five components, ten largest residuals).
    """

    consumes: ClassVar[Literal["block", "table"]] = "block"

    def __init__(
        self, *, components: int = 5, worst: int = 10, iterations: int = 60, random_state: int | None = 0
    ) -> None:
        self.components = components
        self.worst = worst
        self.iterations = iterations
        self.random_state = random_state

    def residuals(self, block: HistogramBlock) -> Floats:
        """(n, *bins) observed minus rebuilt share of each bin, in standard deviations of good lumisections at the same
        number of entries; NaN where the histogram is missing or empty."""
        check_is_fitted(self, "layout_")
        found = np.full((len(block), int(np.prod(block.bins))), np.nan)
        usable = self._usable(block)
        if usable.any():
            found[usable] = self._residuals(block.select(usable))
        return found.reshape(len(block), *block.bins)

    def _fit(self, data: HistogramBlock, labels: npt.NDArray[np.int64] | None, weights: FloatArray | None) -> None:
        shares, totals = _shares(data)
        believed = np.ones(len(data)) if weights is None else weights / weights.max()
        components = min(self.components, *shares.shape)
        self.factors_ = NMF(
            components, init="nndsvda", max_iter=self.iterations, tol=1e-3, random_state=self.random_state
        )
        with warnings.catch_warnings():
            # The number of steps is chosen, not hoped for.
            warnings.simplefilter("ignore", ConvergenceWarning)
            # The sum of squares weighs a row by the square of its length.
            self.factors_.fit(shares * np.sqrt(believed)[:, None])
        rebuilt = _rebuilt(self.factors_, shares)
        squared = (shares - rebuilt) ** 2 * totals[:, None]
        # Shares of n entries scatter by 1/n, so squares are kept per entry; never 0, for bins that never had one.
        self.spread_ = np.maximum(np.average(squared, axis=0, weights=believed), 1e-3)

    def _residuals(self, data: HistogramBlock) -> FloatArray:
        shares, totals = _shares(data)
        return np.asarray((shares - _rebuilt(self.factors_, shares)) * np.sqrt(totals[:, None] / self.spread_))

    def _score(self, data: HistogramBlock) -> FloatArray:
        squared = self._residuals(data) ** 2
        worst = min(self.worst, squared.shape[1])
        return np.asarray(np.partition(squared, -worst, axis=1)[:, -worst:].mean(axis=1))


def _shares(data: HistogramBlock) -> tuple[FloatArray, FloatArray]:
    """(n, bins) counts relative to the average bin, and (n,) entries per bin."""
    entries = data.totals / data.flat.shape[1]
    return data.flat.astype(np.float64) / entries[:, None], entries


def _rebuilt(factors: Any, shares: FloatArray) -> FloatArray:
    """Each row alone, by a fixed number of multiplicative steps: scikit-learn's stops when all rows together have
    settled, which makes the score of one lumisection depend on the others."""
    basis = factors.components_.astype(np.float64) + 1e-12
    gram, moment = basis @ basis.T, shares @ basis.T
    mixed = np.linalg.lstsq(gram, moment.T, rcond=None)[0].T
    mixed = np.maximum(mixed, 1e-3 * moment / np.maximum(np.diag(gram), 1e-30))
    for _ in range(60):
        mixed *= moment / np.maximum(mixed @ gram, 1e-30)
    return np.asarray(mixed @ basis)
