"""The contract test of detectors: `check_detector(cls_or_instance)` passes quietly or says which clause is broken.

Use it on a detector of your own before you put it into a system model.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from mlcore.detectors.base import Detector
from mlcore.errors import ShapeError

from .clauses import CLAUSES, ContractBroken, learn
from .samples import Sample, samples

__all__ = ["CLAUSES", "ContractBroken", "Sample", "check_detector", "samples"]


def check_detector(detector: type[Detector] | Detector, *, seed: int = 0) -> list[str]:
    """Try a detector on every clause of the contract, on each kind of input it takes.

    Parameters
    ----------
    detector : a subclass of `Detector`, tried with its default parameters, or an unfitted instance, tried with its own.
    seed : of the data it is tried on.

    Returns the names of the clauses tried. Raises ContractBroken at the first that is broken.
    """
    prototype = cast("Detector", detector() if isinstance(detector, type) else detector)
    tried = []
    taken = 0
    for sample in samples(prototype.consumes, fewest=prototype.fewest, seed=seed):
        with _clause(prototype, "learns from what it takes", sample):
            fitted = _fit_or_none(prototype, sample)
        if fitted is None:
            continue
        taken += 1
        for name, clause in CLAUSES.items():
            with _clause(prototype, name, sample):
                clause(prototype, fitted, sample)
            tried.append(name)
    if not taken:
        raise ContractBroken(
            f"{type(prototype).__name__} takes neither histograms nor maps; which blocks does it take?"
        )
    return sorted(set(tried))


@contextmanager
def _clause(prototype: Detector, name: str, sample: Sample) -> Iterator[None]:
    """Whatever goes wrong inside is the clause broken, warnings of numpy among it."""
    where = f"{type(prototype).__name__} on {sample.name}: clause “{name}” is broken"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            yield
    except ContractBroken as problem:
        raise ContractBroken(f"{where}. {problem}") from None
    except Exception as problem:
        raise ContractBroken(f"{where} by {type(problem).__name__}: {problem}") from problem


def _fit_or_none(prototype: Detector, sample: Sample) -> Detector | None:
    """None when the detector says (ShapeError) that it does not take inputs of so many axes."""
    try:
        return learn(prototype, sample)
    except ShapeError:
        return None
