"""Code sizes of an autoencoder, found by Optuna on runs not learned from. Loads optuna and torch when used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .conditions import FloatArray
from .detectors.base import check_labels
from .errors import MlcoreError, TooFewData
from .features import FeatureTable
from .splits import run_folds


@dataclass(frozen=True)
class CodeSizes:
    """What was found: `hidden` for the detector, its `error`, and every trial as (hidden, error), the best first."""

    hidden: tuple[int, int]
    error: float
    trials: tuple[tuple[tuple[int, int], float], ...]

    def as_json(self) -> dict[str, Any]:
        trials = [{"hidden": list(hidden), "error": error} for hidden, error in self.trials]
        return {"hidden": list(self.hidden), "error": self.error, "trials": trials}


def code_sizes(
    table: FeatureTable,
    labels: npt.ArrayLike | None = None,
    *,
    trials: int = 20,
    folds: int = 3,
    widths: tuple[int, int] = (4, 64),
    codes: tuple[int, int] = (1, 8),
    slack: float = 0.03,
    epochs: int = 30,
    random_state: int = 0,
) -> CodeSizes:
    """Widths of `ElementsAutoencoder` that rebuild best what it has not seen.

    Every trial is judged on whole runs that it has not learned from. Noise is added to what goes in and taken off what
    must come out, so that a wide code gains nothing by copying noise: what counts is what lumisections have in common.
    Of all trials whose error is within `slack` of the best, the narrowest code is taken: a wider one rebuilds faults
    better than it rebuilds good lumisections.

    Parameters
    ----------
    table : see `ElementsAutoencoder`. labels : (n,) 0 good, 1 bad; bad ones are left out.
    trials : of Optuna's tree-structured Parzen estimator. folds : of runs. epochs : of each trial.
    widths, codes : smallest and largest of the first and of the second layer.

    Raises TooFewData when there are fewer runs than folds, MlcoreError for ranges that are none.
    """
    import optuna

    if trials < 1 or not (1 <= widths[0] <= widths[1] and 1 <= codes[0] <= codes[1]):
        raise MlcoreError("code sizes: at least one trial, and ranges from a smaller to a larger number.")
    y = check_labels(labels, len(table), both=False)
    good = table if y is None else table.select(y == 0)
    if len(np.unique(good.conditions.run)) < folds:
        raise TooFewData(f"{len(np.unique(good.conditions.run))} good runs cannot be dealt into {folds} folds.")
    known: dict[tuple[int, int], float] = {}

    def objective(trial: Any) -> float:
        hidden = (
            int(trial.suggest_int("width", *widths, log=True)),
            int(trial.suggest_int("code", *codes, log=codes[0] < codes[1])),
        )
        if hidden not in known:
            known[hidden] = held_out_error(good, hidden, folds=folds, epochs=epochs, random_state=random_state)
        return known[hidden]

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=random_state))
        study.optimize(objective, n_trials=trials)
    finally:
        optuna.logging.set_verbosity(before)
    ordered = tuple(sorted(known.items(), key=lambda one: one[1]))
    near = [one for one in ordered if one[1] <= (1.0 + slack) * ordered[0][1]]
    hidden, error = min(near, key=lambda one: (one[0][1], one[1]))
    return CodeSizes(hidden, error, ordered)


def held_out_error(good: FeatureTable, hidden: tuple[int, ...], *, folds: int, epochs: int, random_state: int) -> float:
    """Mean squared error on the runs of each fold by an autoencoder that learned from the others; 2 is noise alone."""
    from .detectors.elements_autoencoder import ElementsAutoencoder

    errors = []
    for train, test in run_folds(good.conditions, folds, random_state=random_state):
        detector = ElementsAutoencoder(hidden=hidden, epochs=epochs, random_state=random_state).fit(good.select(train))
        errors.append(float(_coupled_error(detector, good.select(test), random_state).mean()))
    return float(np.mean(errors))


def _coupled_error(detector: Any, table: FeatureTable, random_state: int) -> FloatArray:
    """(n,) what is rebuilt from x + z against x - z, z being noise of the size that x has: their noises are
    independent of each other."""
    import torch

    x = detector.conditioner_.transform(table)
    z = np.random.default_rng(random_state).standard_normal(x.shape)
    given = torch.from_numpy(detector.conditioner_.terms(table.conditions)[:, 1:].astype(np.float32))
    with torch.no_grad():
        made = detector.net_(torch.from_numpy((x + z).astype(np.float32)), given).numpy()
    return np.asarray(((made - (x - z)) ** 2).mean(axis=1))
