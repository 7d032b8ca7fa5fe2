"""Predictions with honest errors: an interval that holds what it says, also where data are sparse.

Every regressor here is fitted on X (n, f) and y (n,), predicts (n,), says its own standard deviation with `spread`, and
gives `interval(X, level)`. Those that trust their model alone (dropout, ensembles, bootstrap) are too sure where they
have seen little; `ConformalRegressor` around any of them measures how wrong it is, in dense and in sparse places
apart. `coverage` counts which to believe. Probabilities with errors are in `mlcore.calibration` (Venn-Abers).

Nets (`MCDropoutRegressor`, `EnsembleRegressor`) are in `mlcore.uncertainty.nets`, which imports torch.
"""

from __future__ import annotations

from .bootstrap import BootstrapRegressor
from .conformal import ConformalRegressor
from .intervals import Coverage, IntervalRegressor, coverage

__all__ = ["BootstrapRegressor", "ConformalRegressor", "Coverage", "IntervalRegressor", "coverage"]
