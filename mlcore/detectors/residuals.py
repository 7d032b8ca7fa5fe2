"""What is left of a forecast: its distribution as normal scores, and the odds that a fault has begun and not ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import numpy as np
from scipy.special import ndtri

from mlcore.conditions import Conditions, FloatArray, IntArray

_KNOTS = 101
#: normal scores are at most so large
LARGEST = 15.0
#: a single deviation moves the level of a run as if it were at most so many standard deviations
_CLIP = 3.0
#: how far the level follows even what looks like a fault: it might be a new level
_LEAST_TRUST = 0.01


class NormalScores:
    """The distribution of each column as a monotone curve to the standard normal, linear beyond what was seen.

    Attributes after `fit`: `knots_` (101, k) quantiles, `normal_` (101,) those of the normal.
    """

    def fit(self, values: FloatArray) -> Self:
        """values (n, k), NaN where not known. A column that is never known, or constant, keeps its own unit."""
        probability = np.clip(np.linspace(0.0, 1.0, _KNOTS), 0.002, 0.998)
        self.normal_ = np.asarray(ndtri(probability))
        self.knots_ = np.repeat(self.normal_[:, None], values.shape[1], axis=1)
        for column in range(values.shape[1]):
            known = values[np.isfinite(values[:, column]), column]
            if len(known) >= 10 and np.ptp(known) > 1e-9:
                # Even a constant stretch must leave the curve rising.
                rising = 1e-6 * np.ptp(known) * np.linspace(-1.0, 1.0, _KNOTS)
                self.knots_[:, column] = np.quantile(known, probability) + rising
        return self

    def transform(self, values: FloatArray) -> FloatArray:
        """(n, k) normal scores, at most `LARGEST` in size; NaN stays."""
        columns = [_line(values[:, place], self.knots_[:, place], self.normal_) for place in range(values.shape[1])]
        return np.clip(np.column_stack(columns), -LARGEST, LARGEST)

    def inverse(self, normal: FloatArray) -> FloatArray:
        """(k, levels) values whose normal scores these are."""
        return np.stack([_line(normal, self.normal_, knots) for knots in self.knots_.T])


def _line(x: FloatArray, known: FloatArray, image: FloatArray) -> FloatArray:
    """Linear interpolation; outside at the mean slope of the outer half, so that a short last step decides nothing."""
    inside = np.interp(x, known, image)
    middle = len(known) // 2
    for end, beyond in ((0, np.minimum(x - known[0], 0.0)), (-1, np.maximum(x - known[-1], 0.0))):
        slope = (image[end] - image[middle]) / (known[end] - known[middle])
        inside = inside + beyond * slope
    return np.asarray(inside)


def in_order(conditions: Conditions) -> Iterator[IntArray]:
    """Rows of each run in the order of its lumisections."""
    order = np.argsort(conditions.key, kind="stable").astype(np.int64)
    edges = np.flatnonzero(np.diff(conditions.run[order])) + 1
    yield from (rows for rows in np.split(order, edges) if len(rows))


class RunFilter:
    """Levels of a run and faults in it, lumisection by lumisection, from the past only.

    A Kalman filter follows the level of every column together with how sure it is; a filter of Markov holds the odds of
    each fault (a column alone, a group, all; up or down; three sizes). While a fault is likely the level stands still.

    Parameters
    ----------
    birth, end : probability per lumisection that a fault begins, and that it ends.
    sizes : of faults, in standard deviations of one lumisection.
    memory : whether faults are known to last; else each lumisection is judged alone.
    """

    def __init__(
        self, *, birth: float = 0.01, end: float = 0.1, sizes: tuple[float, ...] = (3.0, 5.0, 8.0), memory: bool = True
    ) -> None:
        self.birth = birth
        self.end = end
        self.sizes = sizes
        self.memory = memory

    def fit(self, level: FloatArray, wander: FloatArray, correlation: FloatArray, groups: tuple[str, ...]) -> Self:
        """level, wander (k,) relative widths of the level of a run and of its step; correlation (k, k) of the noise."""
        self.level_, self.wander_ = level, wander
        self.correlation_ = 0.97 * correlation + 0.03 * np.eye(len(correlation))
        names = [name for name in dict.fromkeys(groups) if 1 < groups.count(name) < len(groups)]
        belongs = [np.array([group == name for group in groups], dtype=float) for name in names]
        self.directions_ = np.vstack([np.eye(len(groups)), *belongs, np.ones(len(groups))])
        return self

    def follow(
        self, relative: FloatArray, noise: FloatArray, conditions: Conditions, shape: NormalScores | None = None
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Level before each lumisection and the width of what is then seen, both (n, k); (n,) log-odds of any fault.

        relative (n, k) : deviations from what is usual, NaN where unknown; noise (n, k) : their widths within a run.
        shape : of deviations in units of their width; without it faults are not looked for.
        """
        levels, widths, found = np.zeros_like(noise), np.zeros_like(noise), np.zeros(len(noise))
        for rows in in_order(conditions):
            level, doubt = np.zeros(noise.shape[1]), np.diag(self.level_**2)
            odds = np.full(2 * len(self.directions_) * len(self.sizes), np.log(self.birth if self.memory else 1.0))
            for row in rows:
                known = np.isfinite(relative[row])
                scatter = self.correlation_ * np.outer(noise[row], noise[row])
                inverse = np.linalg.inv(doubt + scatter + np.diag(np.where(known, 0.0, 1e6 * noise[row] ** 2)))
                levels[row] = level
                widths[row] = np.sqrt(doubt.diagonal() + noise[row] ** 2)
                off = np.where(known, relative[row] - level, 0.0)
                trust = 1.0
                if shape is not None:
                    off = shape.transform((off / widths[row])[None])[0] * known * widths[row]
                    odds, found[row] = self._step(odds, self._ratios(inverse, off))
                    trust = max(1.0 / (1.0 + np.exp(min(found[row], 50.0))), _LEAST_TRUST)
                if trust < 0.99:
                    inverse = np.linalg.inv(
                        doubt + scatter / trust + np.diag(np.where(known, 0.0, 1e6 * noise[row] ** 2))
                    )
                gain = doubt @ inverse
                level = level + gain @ np.clip(off, -_CLIP * widths[row], _CLIP * widths[row])
                doubt = doubt - gain @ doubt + np.diag(self.wander_**2)
        return levels, widths, found

    def _ratios(self, inverse: FloatArray, off: FloatArray) -> FloatArray:
        """(faults,) log-likelihood ratio of each fault to none."""
        seen = self.directions_ @ inverse
        along = seen @ off / np.sqrt(np.maximum((seen * self.directions_).sum(axis=1), 1e-300))
        sizes = np.asarray(self.sizes)
        each = np.concatenate([sign * along[:, None] * sizes - sizes**2 / 2 for sign in (1.0, -1.0)])
        return np.asarray(each.ravel())

    def _step(self, before: FloatArray, ratio: FloatArray) -> tuple[FloatArray, float]:
        odds = before + ratio
        if not self.memory:
            return before, _log_mean(odds)
        past = np.exp(np.minimum(odds, 50.0))
        return np.log((self.birth + (1 - self.end) * past) / (1 - self.birth + self.end * past)), _log_mean(odds)


def _log_mean(values: FloatArray) -> float:
    most = float(values.max())
    return most + float(np.log(np.exp(values - most).mean()))
