"""Features as they differ from what luminosity and pile-up make of them, in units of their own spread."""

from __future__ import annotations

from typing import Self

import numpy as np

from mlcore.conditions import Conditions, FloatArray
from mlcore.errors import TooFewData
from mlcore.features import FeatureTable

#: a residual counts at most this many standard deviations: one broken number must not decide alone
CLIP = 6.0


class Conditioner:
    """Regress every feature on powers of luminosity and pile-up, robustly; standardise what remains.

    Parameters
    ----------
    conditioned : regress on the conditions; else only the mean is taken off. Unknown conditions count as average ones.
    by_events : the spread may grow with the inverse root of the number of events, as sampling noise does.

    Attributes after `fit`: `scale_` (f,) spread of each feature, 0 for one that is constant or never known.
    """

    def __init__(self, *, conditioned: bool = True, by_events: bool = True) -> None:
        self.conditioned = conditioned
        self.by_events = by_events

    def fit(self, table: FeatureTable) -> Self:
        """Learn from lumisections taken as good. Raises TooFewData with fewer than ten."""
        if len(table) < 10:
            raise TooFewData(f"{len(table)} lumisections are too few to know how features depend on conditions.")
        raw = np.column_stack([table.conditions.luminosity, table.conditions.pileup])
        known = np.isfinite(raw)
        count = np.maximum(known.sum(axis=0), 1)
        self._middle = np.where(known, raw, 0.0).sum(axis=0) / count
        width = np.sqrt(np.where(known, (raw - self._middle) ** 2, 0.0).sum(axis=0) / count)
        self._width = np.where(width > 0, width, 1.0)
        events = table.conditions.events[np.isfinite(table.conditions.events)]
        self._events = float(events.mean()) if len(events) else 1.0
        values = np.where(np.isfinite(table.values), table.values, np.nan)
        with np.errstate(over="ignore", invalid="ignore"):
            low, self._centre, high = _nan_quantiles(values, (0.1, 0.5, 0.9))
            spread = (high - low) / 2.56
            rough = np.sqrt(_nan_mean((values - self._centre) ** 2))
        self._rough = np.where(spread > 0, spread, rough)
        alive = np.isfinite(self._rough) & (self._rough > 1e-12 * (1.0 + np.abs(self._centre)))
        self._rough = np.where(alive, self._rough, 1.0)
        self._centre = np.where(alive, self._centre, 0.0)
        self.alive_ = alive
        design = self.terms(table.conditions)
        left = self._first(values)
        # Two rounds: outliers of the first are pulled in before the second.
        gram = design.T @ design + 1e-6 * len(design) * np.eye(design.shape[1])
        self._slopes = np.linalg.solve(gram, design.T @ left)
        left = design @ self._slopes + self._clipped(left - design @ self._slopes)
        self._slopes = np.linalg.solve(gram, design.T @ left)
        rest = left - design @ self._slopes
        if self.by_events:
            rest *= self._precision(table.conditions)[:, None]
        self.scale_ = np.where(alive, np.maximum(rest.std(axis=0), 1e-9), 0.0)
        return self

    def transform(self, table: FeatureTable) -> FloatArray:
        """(n, f) float32 residuals in standard deviations, clipped; 0 where a value is missing or says nothing."""
        rest = self._first(np.where(np.isfinite(table.values), table.values, np.nan), missing=np.nan)
        rest -= self.terms(table.conditions) @ self._slopes
        if self.by_events:
            rest *= self._precision(table.conditions)[:, None]
        rest = np.where(self.scale_ > 0, rest / np.where(self.scale_ > 0, self.scale_, 1.0), 0.0)
        return np.asarray(np.clip(np.nan_to_num(rest, nan=0.0), -CLIP, CLIP), dtype=np.float32)

    def terms(self, conditions: Conditions) -> FloatArray:
        """(n, 1 or 6): 1, luminosity, pile-up, their squares and product, standardised and bounded."""
        one = np.ones((len(conditions), 1))
        if not self.conditioned:
            return one
        raw = np.column_stack([conditions.luminosity, conditions.pileup])
        x = np.clip(np.nan_to_num((raw - self._middle) / self._width, nan=0.0, posinf=0.0, neginf=0.0), -5.0, 5.0)
        return np.column_stack([one, x, x**2, x[:, :1] * x[:, 1:]])

    def _first(self, values: FloatArray, missing: float = 0.0) -> FloatArray:
        """Roughly standardised values, bounded before any sum is taken."""
        rough = np.clip((values - self._centre) / self._rough, -20.0, 20.0)
        rough[:, ~self.alive_] = 0.0
        return np.asarray(np.where(np.isnan(rough), missing, rough))

    def _clipped(self, rest: FloatArray) -> FloatArray:
        bound = 4.0 * np.maximum(rest.std(axis=0), 1e-9)
        return np.asarray(np.clip(rest, -bound, bound))

    def _precision(self, conditions: Conditions) -> FloatArray:
        """(n,) root of the number of events relative to the average, between a quarter and 2; 1 where unknown."""
        ratio = np.where(conditions.events > 0, conditions.events / self._events, np.nan)
        return np.asarray(np.clip(np.sqrt(np.where(np.isfinite(ratio), ratio, 1.0)), 0.25, 2.0))


def _nan_quantiles(values: FloatArray, levels: tuple[float, ...]) -> list[FloatArray]:
    """Quantiles of columns over what is known, NaN where nothing is; by sorting once, which is quick and silent."""
    ordered = np.sort(values.T, axis=1)
    known = np.isfinite(values).sum(axis=0)
    places = [np.maximum(np.ceil(q * known).astype(np.int64) - 1, 0) for q in levels]
    return [np.asarray(ordered[np.arange(values.shape[1]), place]) for place in places]


def _nan_mean(values: FloatArray) -> FloatArray:
    known = np.isfinite(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))
