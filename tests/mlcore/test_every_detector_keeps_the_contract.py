"""Every detector in mlcore/detectors is found by being there, and keeps the contract of mlcore/detectors/base.py."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import pytest

import mlcore.detectors
from mlcore.checks import CLAUSES, check_detector
from mlcore.detectors.base import Detector

# The contract is about behaviour, not about the last digit: whatever counts rounds is tried with few of them.
BRIEF = {"epochs": 15, "max_iter": 15, "n_estimators": 15, "folds": 2}
# A product over three lumisections hides the first two of an episode, as it is meant to.
BY_NAME = {
    "ConvAutoencoder": {"epochs": 2, "window": 1, "channels": 4, "batch": 48},
    "LayerCnn": {"epochs": 6, "members": 1},
}


def _detectors() -> list[type[Detector]]:
    found = set()
    for module in pkgutil.iter_modules(mlcore.detectors.__path__):
        for thing in vars(importlib.import_module(f"mlcore.detectors.{module.name}")).values():
            if inspect.isclass(thing) and issubclass(thing, Detector) and hasattr(thing, "consumes"):
                found.add(thing)
    return sorted((one for one in found if not one.__name__.startswith("_")), key=lambda one: one.__name__)


@pytest.mark.parametrize("detector", _detectors(), ids=lambda detector: detector.__name__)
def test_it_keeps_every_clause(detector: type[Detector]) -> None:
    named = detector().get_params(deep=False)
    wanted = {**BRIEF, **BY_NAME.get(detector.__name__, {})}
    brief = detector(**{name: value for name, value in wanted.items() if name in named})
    assert check_detector(brief) == sorted(CLAUSES)
