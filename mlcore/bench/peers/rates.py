"""What is usual for trigger rates: a band around the ratio to luminosity, running means, quantile regression."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor

from mlcore.conditions import FloatArray
from mlcore.detectors.residuals import in_order
from mlcore.features import PRESCALE, FeatureTable

#: quantiles of good rates for a table: (n, k, levels)
Forecast = Callable[[FeatureTable], FloatArray]
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
_RUNNING = 10


def columns(table: FeatureTable, *, prescales: bool = False) -> FloatArray:
    """(n, k) rates, or their prescales."""
    return table.values[:, [place for place, name in enumerate(table.names) if name.startswith(PRESCALE) == prescales]]


def ratio_band(good: FeatureTable, *, prescaled: bool) -> Forecast:
    """A fixed band around the rate per luminosity, after the recorded prescales or without them."""

    def unit(table: FeatureTable) -> FloatArray:
        by = columns(table, prescales=True) if prescaled else 1.0
        return table.conditions.luminosity[:, None] / by

    band = np.quantile(columns(good) / unit(good), LEVELS, axis=0).T
    return lambda table: unit(table)[:, :, None] * band[None]


def running_mean(good: FeatureTable) -> Forecast:
    """The mean of the last ten lumisections of the run, and how far the next usually is from it."""

    def means(table: FeatureTable) -> FloatArray:
        found, rates = np.empty_like(columns(table)), columns(table)
        for rows in in_order(table.conditions):
            for place, row in enumerate(rows):
                past = rows[max(0, place - _RUNNING) : place]
                found[row] = rates[past].mean(axis=0) if len(past) else rates[row]
        return found

    band = np.quantile(columns(good) / np.maximum(means(good), 1e-9), LEVELS, axis=0).T
    return lambda table: means(table)[:, :, None] * band[None]


def quantile_boosting(good: FeatureTable, *, prescaled: bool, rounds: int, random_state: int) -> Forecast:
    """Boosted quantile regression on luminosity and pile-up, and on the recorded prescale where asked."""

    def inputs(table: FeatureTable, column: int) -> FloatArray:
        known = [table.conditions.luminosity, table.conditions.pileup]
        return np.column_stack([*known, *([columns(table, prescales=True)[:, column]] if prescaled else [])])

    rates = columns(good)
    models = [
        [
            HistGradientBoostingRegressor(
                loss="quantile", quantile=level, max_iter=rounds, max_leaf_nodes=15, early_stopping=False,
                random_state=random_state,
            ).fit(inputs(good, column), rates[:, column])
            for level in LEVELS
        ]
        for column in range(rates.shape[1])
    ]  # fmt: skip

    def forecast(table: FeatureTable) -> FloatArray:
        return np.stack(
            [
                np.column_stack([one.predict(inputs(table, column)) for one in each])
                for column, each in enumerate(models)
            ],
            axis=1,
        )

    return forecast


def worst_column(forecast: Forecast, table: FeatureTable) -> FloatArray:
    """(n,) how far the worst rate lies from its median, in units of the distance of its outer quantiles."""
    found = forecast(table)
    width = np.maximum(found[:, :, -1] - found[:, :, 0], 1e-9)
    return np.asarray((np.abs(columns(table) - found[:, :, 2]) / width).max(axis=1))
