"""From squared errors by physics object to one score: what is usual is taken off, under the conditions at hand."""

from __future__ import annotations

from typing import Self

import numpy as np

from mlcore.conditions import FloatArray

_LEAST = 1e-12


class ErrorScale:
    """How large errors usually are: mean of their logarithm as a linear function of the conditions, and its spread.

    Errors of a reconstruction follow luminosity even when features were freed of it, because noise does (an open
    problem in EPJ Conf. 214 (2019) 06008). Given the terms of the conditions, they no longer do.
    """

    def fit(self, errors: FloatArray, terms: FloatArray) -> Self:
        """errors (n, groups) of good lumisections, terms (n, k) of their conditions."""
        logs = np.log(errors + _LEAST)
        gram = terms.T @ terms + 1e-3 * len(terms) * np.diag([0.0] + [1.0] * (terms.shape[1] - 1))
        self.slopes_ = np.linalg.solve(gram + 1e-9 * np.eye(len(gram)), terms.T @ logs)
        rest = logs - terms @ self.slopes_
        middle = np.median(rest, axis=0)
        self.slopes_[0] += middle
        # From the upper half only: scores are about what is too large.
        self.spread_ = np.maximum(np.quantile(rest - middle, 0.84, axis=0), 1e-6)
        return self

    def pulls(self, errors: FloatArray, terms: FloatArray) -> FloatArray:
        """(n, groups) standard deviations above what is usual."""
        return np.asarray((np.log(errors + _LEAST) - terms @ self.slopes_) / self.spread_)

    def scores(self, errors: FloatArray, terms: FloatArray) -> FloatArray:
        """(n,) soft maximum over the objects: one that is far off counts, and several that are a little off add up."""
        return np.asarray(np.logaddexp.reduce(self.pulls(errors, terms), axis=1))
