"""A system model as one object: detectors, classifier, calibration and policy, trained and applied together.

>>> from mlcore.pipeline import SystemConfig, train
>>> model = train(blocks, labels, SystemConfig(system="ECAL"))  # doctest: +SKIP
>>> scores = model.score(fresh_blocks)  # doctest: +SKIP
>>> scores.words(0), scores.reason(0), scores.evidence(0)  # doctest: +SKIP
"""

from __future__ import annotations

from .config import DetectorConfig, SystemConfig, detector_class
from .judged import Judged
from .model import SystemModel
from .scores import Evidence, OddElement, Scores
from .training import train, train_and_judge

__all__ = [
    "DetectorConfig",
    "Evidence",
    "Judged",
    "OddElement",
    "Scores",
    "SystemConfig",
    "SystemModel",
    "detector_class",
    "train",
    "train_and_judge",
]
