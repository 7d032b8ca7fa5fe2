"""Features freed of what pile-up makes of them, along a smooth curve, in units of what differs between neighbours."""

from __future__ import annotations

from typing import Self

import numpy as np

from mlcore.conditions import Conditions, FloatArray
from mlcore.errors import TooFewData
from mlcore.features import FeatureTable

#: a residual counts at most so many units
FARTHEST = 15.0
#: rounds of least squares; what is far off counts less in the later ones
_ROUNDS = 3


class SmoothConditioner:
    """Every feature as a natural cubic spline in pile-up (luminosity, where pile-up is not known).

    A line or a parabola, as in `Conditioner`, does not follow the bins of a histogram that moves across them. Residuals
    are in units of the difference between lumisections that follow each other in a run: noise, and not what makes
    runs differ. Noise falls with the root of the number of events.

    Parameters
    ----------
    knots : of the spline; fewer where there are few lumisections.

    Attributes after `fit`: `knots_`, `slopes_`, `noise_` (f,) of each feature, 0 for one that says nothing.
    """

    def __init__(self, *, knots: int = 7) -> None:
        self.knots = knots

    def fit(self, table: FeatureTable) -> Self:
        """Learn from lumisections taken as good. Raises TooFewData with fewer than ten."""
        if len(table) < 10:
            raise TooFewData(f"{len(table)} lumisections are too few to know how features depend on conditions.")
        x = _condition(table.conditions)
        known = x[np.isfinite(x)]
        self.middle_ = float(known.mean()) if known.size else 0.0
        self.width_ = float(known.std()) if known.size and known.std() > 0 else 1.0
        events = table.conditions.events[table.conditions.events > 0]
        self.events_ = float(events.mean()) if events.size else 1.0
        wanted = int(min(self.knots, max(2, len(table) // 20)))
        places = (known - self.middle_) / self.width_ if known.size else np.zeros(1)
        self.knots_ = np.unique(np.quantile(places, np.linspace(0.02, 0.98, wanted)))
        values = np.where(np.isfinite(table.values), table.values, np.nan)
        seen = np.isfinite(values)
        self.centre_ = np.array([np.median(column[there]) if there.any() else 0.0 for column, there in _both(values)])
        filled = np.where(seen, values - self.centre_, 0.0)
        with np.errstate(over="ignore", invalid="ignore"):
            spread = np.array([_spread(column[there]) for column, there in _both(values)])
        alive = np.isfinite(spread) & (spread > 1e-9 * (1e-6 + np.abs(self.centre_)))
        self.rough_ = np.where(alive, spread, np.inf)
        self.slopes_ = self._regressed(np.clip(filled / self.rough_, -20.0, 20.0), table.conditions)
        self.noise_ = np.ones(len(alive))
        rest = self._rest(table)
        self.noise_ = np.where(alive, np.maximum(_noise(rest, table.conditions), 1e-6), 0.0)
        return self

    def transform(self, table: FeatureTable) -> FloatArray:
        """(n, f) residuals in units of noise, bounded; 0 where a value is missing or says nothing."""
        rest = self._rest(table)
        rest = np.where(self.noise_ > 0, rest / np.where(self.noise_ > 0, self.noise_, 1.0), 0.0)
        return np.asarray(np.clip(np.nan_to_num(rest, nan=0.0), -FARTHEST, FARTHEST))

    def terms(self, conditions: Conditions) -> FloatArray:
        """(n, 3): 1, the condition and its square, standardised and bounded; what is not known counts as average."""
        x = self._standard(conditions)
        return np.column_stack([np.ones(len(x)), x, x**2 - 1.0])

    def _standard(self, conditions: Conditions) -> FloatArray:
        x = (_condition(conditions) - self.middle_) / self.width_
        return np.asarray(np.clip(np.nan_to_num(x, nan=0.0), -5.0, 5.0))

    def _design(self, conditions: Conditions) -> FloatArray:
        """(n, knots) natural cubic spline: linear beyond the outer knots."""
        x, knots = self._standard(conditions), self.knots_
        columns = [np.ones_like(x), x]
        if len(knots) > 2:
            last = _bent(x, knots[-2], knots[-1])
            columns += [_bent(x, knot, knots[-1]) - last for knot in knots[:-2]]
        return np.column_stack(columns)

    def _regressed(self, values: FloatArray, conditions: Conditions) -> FloatArray:
        design = self._design(conditions)
        gram = design.T @ design + 1e-6 * len(design) * np.eye(design.shape[1])
        left: FloatArray = values
        slopes: FloatArray = np.zeros((design.shape[1], values.shape[1]))
        for _ in range(_ROUNDS):
            slopes = np.asarray(np.linalg.solve(gram, design.T @ left))
            rest = values - design @ slopes
            bound = 4.0 * np.maximum(1.4826 * np.median(np.abs(rest), axis=0), 0.25 * rest.std(axis=0) + 1e-9)
            left = np.asarray(design @ slopes + np.clip(rest, -bound, bound), dtype=np.float64)
        return np.asarray(slopes)

    def _rest(self, table: FeatureTable) -> FloatArray:
        values = np.where(np.isfinite(table.values), table.values, np.nan)
        with np.errstate(over="ignore", invalid="ignore"):
            rough = np.clip((values - self.centre_) / self.rough_, -1e6, 1e6)
        ratio = np.where(table.conditions.events > 0, table.conditions.events / self.events_, 1.0)
        precision = np.clip(np.sqrt(np.nan_to_num(ratio, nan=1.0)), 0.25, 4.0)
        return np.asarray((rough - self._design(table.conditions) @ self.slopes_) * precision[:, None])


def _condition(conditions: Conditions) -> FloatArray:
    known = np.isfinite(conditions.pileup)
    if known.any() or not np.isfinite(conditions.luminosity).any():
        return conditions.pileup
    return conditions.luminosity


def _bent(x: FloatArray, knot: float, last: float) -> FloatArray:
    return np.asarray((np.maximum(x - knot, 0.0) ** 3 - np.maximum(x - last, 0.0) ** 3) / max(last - knot, 1e-9))


def _both(values: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
    return [(column, np.isfinite(column)) for column in values.T]


def _spread(known: FloatArray) -> float:
    if not known.size:
        return float("nan")
    low, high = np.quantile(known, [0.1, 0.9])
    return float(high - low) / 2.56 if high > low else float(known.std())


def _noise(rest: FloatArray, conditions: Conditions) -> FloatArray:
    """(f,) from differences of lumisections that follow each other, where there are enough; else the whole spread."""
    order = np.argsort(conditions.key, kind="stable")
    step = np.diff(conditions.key[order]) == 1
    whole = np.nan_to_num(np.sqrt(_mean_square(rest - _mean(rest))), nan=1.0)
    if step.sum() < 20:
        return whole
    differences = np.diff(rest[order], axis=0)[step]
    found = np.sqrt(_mean_square(np.clip(differences, -8.0 * whole, 8.0 * whole)) / 2.0)
    return np.asarray(np.where(found > 0.05 * whole, found, whole))


def _mean(values: FloatArray) -> FloatArray:
    known = np.isfinite(values)
    return np.asarray(np.where(known, values, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))


def _mean_square(values: FloatArray) -> FloatArray:
    return _mean(np.asarray(values) ** 2)
