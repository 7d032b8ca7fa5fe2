"""A small detector and a real model of it: two histograms per lumisection, two kinds of fault, in a second or two.

Everything is drawn by mlcore.simulate and trained by mlcore.pipeline; nothing here pretends to be a model.
"""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from certifier.accounts.models import System, User
from certifier.lumi import LumiSet
from certifier.monitoring import services as monitoring
from certifier.monitoring.models import Element
from certifier.precert import services
from certifier.precert.models import ModelVersion, Scoring
from certifier.precert.scoring import score_dataset
from certifier.runs import services as runs
from certifier.runs.models import Dataset, Run
from mlcore.conditions import Conditions
from mlcore.histograms import Axis, HistogramBlock
from mlcore.simulate.shape_faults import Spike
from mlcore.simulate.shapes import ClusterCharge, Timing

RUN, BEFORE = 350479, 350440
EXPRESS, BULK = "express_express", "physics_Main"
NOISE, CORRUPT = "LAR_NOISEBURST", "LAR_DATACORRUPT"
TIME = Axis.regular("time", 20, -12.0, 12.0, label="cell time", unit="ns")
ENERGY = Axis.regular("energy", 20, 0.0, 20.0, label="cell energy", unit="GeV")
MODELS = (
    Timing(element="LAr/cellTime", axis=TIME, physics_object="calorimeter", resolution=1.4),
    ClusterCharge(element="LAr/cellEnergy", axis=ENERGY, physics_object="calorimeter", most_probable=4.5, lifetime=3e3),
)
ELEMENTS = tuple(model.element for model in MODELS)
# Which histogram shows it, and where.
FAULTS = {NOISE: (MODELS[0], 15), CORRUPT: (MODELS[1], 14)}
RUNS_TO_LEARN, LENGTH = 40, 30
# With which it calls some lumisections good, some bad, and is not sure of others.
LIMITS: dict[str, Any] = {"pollution": 0.06, "loss": 0.04, "confidence": 0.8}


def luminosity(lumisections: int) -> Any:
    return np.linspace(120.0, 80.0, lumisections)


def histograms(
    run: int = RUN,
    lumisections: int = 40,
    *,
    noise: str = "",
    corrupt: str = "",
    strength: float = 0.08,
    only: str = "",
    seed: int = 1,
) -> list[HistogramBlock]:
    """Both histograms of a run, with faults where they are named; `only` some of the lumisections."""
    recorded = luminosity(lumisections)
    numbers = np.arange(1, lumisections + 1)
    known = {"luminosity": recorded, "pileup": recorded / 2.5}
    conditions = Conditions(run=np.full(lumisections, run), lumisection=numbers, **known)
    filled = replace(conditions, events=recorded * 20)
    rng = np.random.default_rng([seed, run])
    kept = LumiSet.parse(only, lumisections).to_mask(lumisections) if only else np.ones(lumisections, dtype=bool)
    blocks = []
    for model in MODELS:
        expected = model.expected(filled)
        for name, where in ((NOISE, noise), (CORRUPT, corrupt)):
            faulty, place = FAULTS[name]
            if faulty is model and where:
                rows = np.flatnonzero(LumiSet.parse(where, lumisections).to_mask(lumisections))
                expected = Spike(axis=model.axis, bin=place, share=strength).apply(expected, rows, rng)
        drawn = replace(model.draw(filled, rng, expected=expected), conditions=conditions)
        blocks.append(drawn.select(kept))
    return blocks


@functools.cache
def model_folder(another: int = 0) -> Path:
    """An artifact of a model that certifies; `another` number is another artifact of the same model."""
    from mlcore.artifacts import save

    folder = _new_folder()
    save(model(), folder, lineage={**model().lineage_, "note": f"training {another}"})
    return folder


@functools.cache
def knowing_folder() -> Path:
    """An artifact of a model that also suspects which defect it is. It takes a second longer to load."""
    from mlcore.artifacts import save

    folder = _new_folder()
    save(_trained(knowing=True, **LIMITS), folder)
    return folder


@functools.cache
def timid_folder() -> Path:
    """An artifact of a model that has seen too little to promise so much."""
    from mlcore.artifacts import save

    folder = _new_folder()
    save(_trained(pollution=0.0005, loss=0.0005, confidence=0.99), folder)
    return folder


@functools.cache
def _home() -> Path:
    home = Path(tempfile.mkdtemp(prefix="certifier-models-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    return home


def _new_folder() -> Path:
    return Path(tempfile.mkdtemp(dir=_home())) / "model"


@functools.cache
def model() -> Any:
    return _trained(**LIMITS)


def _trained(*, knowing: bool = False, **limits: Any) -> Any:
    from mlcore.pipeline import DetectorConfig, SystemConfig, train

    rng = np.random.default_rng(5)
    parts: list[list[HistogramBlock]] = []
    labels, families = [], []
    for number in range(RUNS_TO_LEARN):
        start, strength = int(rng.integers(2, LENGTH - 7)), float(rng.uniform(0.0005, 0.008))
        name = (NOISE, CORRUPT)[number % 2]
        where = f"{start}-{start + 5}"
        fault = {"noise": where} if name == NOISE else {"corrupt": where}
        parts.append(histograms(1000 + number, LENGTH, strength=strength, seed=2, **fault))
        bad = LumiSet.parse(where).to_mask(LENGTH)
        labels.append(bad.astype(int))
        families.append(np.where(bad, name, ""))
    config = SystemConfig(
        system="LAR",
        detectors=(DetectorConfig("pulls", axes=1),),
        classifier="none",
        shares=(0.3, 0.2, 0.1, 0.4),
        gap=0,
        folds=2,
        **limits,
    )
    joined = [HistogramBlock.concatenate(list(blocks)) for blocks in zip(*parts, strict=True)]
    return train(joined, np.concatenate(labels), config, families=np.concatenate(families) if knowing else None)


# --- in the program -------------------------------------------------------------------------------------------


def take(
    number: int = RUN,
    lumisections: int = 40,
    *,
    system: System,
    dataset: str = EXPRESS,
    stage: str = "express",
    **faults: Any,
) -> Dataset:
    """A run with its luminosity, and its histograms in a dataset."""
    runs.put_run(actor=None, run=number, facts={"lumisections": lumisections, "period": "L", "fill": 6688})
    recorded = luminosity(lumisections)
    columns = {"recorded_inv_nb": recorded.tolist(), "pileup": (recorded / 2.5).tolist()}
    runs.put_lumisections(actor=None, run=number, columns=columns)
    runs.put_dataset(actor=None, run=number, name=dataset, stage=stage)
    send(number, lumisections, system=system, dataset=dataset, **faults)
    return Dataset.objects.select_related("run").get(run__number=number, name=dataset)


def send(number: int = RUN, lumisections: int = 40, *, system: System, dataset: str = EXPRESS, **faults: Any) -> None:
    """Histograms of a run that is known."""
    blocks = histograms(number, lumisections, **faults)
    monitoring.ingest(actor=None, run=number, dataset=dataset, blocks=blocks)
    for element in Element.objects.filter(path__in=ELEMENTS, system=None):
        monitoring.change_element(actor=None, element=element, system=system.code)


def register(system: System, another: int = 0, *, folder: Path | None = None) -> ModelVersion:
    return services.register_version(actor=None, system=system, folder=folder or model_folder(another))


def champion(system: System, another: int = 0, *, actor: User | None = None) -> ModelVersion:
    version = register(system, another)
    services.promote(actor=actor, version=version, reason="The first that can be asked.")
    return version


def score(version: ModelVersion, dataset: Dataset) -> Scoring:
    return score_dataset(version, dataset)


def run_named(number: int = RUN) -> Run:
    return Run.objects.get(number=number)
