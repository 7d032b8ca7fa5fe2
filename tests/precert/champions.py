"""Champions that know more than a score: small models of rates, signals and elements, with runs to ask about."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from certifier.accounts.models import System
from certifier.precert import services
from certifier.precert.models import ModelVersion
from certifier.runs.models import Dataset
from mlcore.artifacts import save
from mlcore.pipeline import SystemConfig, train
from mlcore.simulate import trigger_runs
from tests.training import other_systems
from tests.training.other_systems import Taken

FEW = ("Trigger/L1_MU20", "Trigger/L1_EM3", "Trigger/HLT_mu")
# As little as makes a model.
SMALL: dict[str, Any] = {
    "classifier": "none", "refresh": 0, "folds": 2, "gap": 0, "shape_features": False, "shares": [0.4, 0.3, 0.1, 0.2],
}  # fmt: skip


def champion(system: System, taken: Taken, detector: dict[str, Any]) -> tuple[ModelVersion, Dataset]:
    """A model of these runs, which are all there, and the newest of them."""
    (dataset, _), *_ = other_systems.live(system, taken, left=1)
    config = SystemConfig.from_json({**SMALL, "system": system.code, "detectors": [detector]})
    folder = Path(tempfile.mkdtemp()) / "model"
    save(train(list(taken.blocks), taken.labels, config), folder)
    version = services.register_version(actor=None, system=system, folder=folder)
    services.promote(actor=None, version=version, reason="The only one there is.")
    return version, dataset


def few_rates() -> Taken:
    """Five rates in a dozen short runs."""
    drawn = trigger_runs.rate_runs(2, runs=14, length=20)
    blocks = [block for block in trigger_runs.as_elements(drawn.table) if block.element.startswith(FEW)]
    return Taken(blocks, drawn.labels)
