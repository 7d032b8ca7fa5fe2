"""Two small models, really trained: of LAR, which has seen enough to promise something, and of PIXEL, which has not.

They learn from a season before the demo's runs, which the same simulator draws with faults of the same kind and
which is not kept; what they are asked about are the histograms in the demo's storage.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from certifier.accounts.models import System, User
from certifier.precert import services
from certifier.precert.models import ModelVersion
from certifier.precert.scoring import Scorer
from certifier.precert.selectors import models_of
from certifier.precert.unscored import unscored
from mlcore.conditions import Conditions
from mlcore.histograms import HistogramBlock
from mlcore.simulate.map_faults import MapFault
from mlcore.simulate.shape_faults import ShapeFault, Spike, TruncatedHistogram

from . import histograms, people, world
from .histograms import occupancy_of_cells, shapes_of_elements

if TYPE_CHECKING:
    from mlcore.pipeline import SystemModel

SEED: Final = 2017
CORRUPT, NOISE, OFF = "LAR_DATACORRUPT", "LAR_EMECA_NOISEBURST", "PIXEL_BARREL_STANDBY"
# The season before: so many runs of so many lumisections, numbered before the demo's first.
FIRST_RUN, LENGTH = 348_001, 60
RUNS: Final = {"LAR": 50, "PIXEL": 24}
LIMIT, CONFIDENCE = 0.05, 0.95


@dataclass(frozen=True)
class Season:
    """What a model learns from: blocks, and row by row labels and families."""

    blocks: Sequence[HistogramBlock]
    labels: Any
    families: Any


def load_models() -> None:
    """Train, register, promote, let a coordinator decide what the models' word is worth, and score. Once."""
    if any(each.standing.acts for each in models_of()):
        return
    chi = User.objects.get(username=people.COORDINATOR)
    for code in RUNS:
        system = System.objects.get(code=code)
        first = _register(system, train(code, seed=SEED))
        services.promote(actor=chi, version=first, reason="The first model of the season.")
    lar = System.objects.get(code="LAR")
    services.set_mode(
        actor=chi, system=lar, mode="auto", reason="Ada looked at four weeks of its verdicts; 2 of 3,100 were wrong."
    )
    scorer = Scorer()
    for each in sorted(unscored(), key=lambda each: each.version.pk):
        scorer.score(each.version, each.dataset)


def _register(system: System, model: SystemModel) -> ModelVersion:
    from mlcore.artifacts import save

    with tempfile.TemporaryDirectory(prefix="certifier-demo-") as place:
        manifest = save(model, Path(place) / "model")
        return services.register_version(
            actor=None, system=system, folder=Path(place) / "model", digest=manifest.digest
        )


def train(code: str, *, seed: int) -> SystemModel:
    """The model of a system, from a season of its own."""
    from mlcore.pipeline import DetectorConfig, SystemConfig
    from mlcore.pipeline import train as train_model

    season = draw(code, seed)
    config = SystemConfig(
        system=code,
        detectors=(DetectorConfig("pulls", axes=1), DetectorConfig("pulls", axes=2)),
        # A classifier would take ten seconds, and this detector's faults show without one.
        classifier="none",
        pollution=LIMIT,
        loss=LIMIT,
        confidence=CONFIDENCE,
        random_state=seed,
    )
    lineage = {"labels": "as simulated", "season": f"{RUNS[code]} simulated runs from {FIRST_RUN} on"}
    return train_model(list(season.blocks), season.labels, config, families=season.families, lineage=lineage)


def draw(code: str, seed: int) -> Season:
    """Runs of a season with faults in some lumisections, as the demo's detector fills them."""
    rng = np.random.default_rng([SEED, seed])
    conditions = _conditions(code)
    families = _families(code, rng)
    blocks = []
    for shape in shapes_of_elements():
        if histograms.SYSTEM_OF[shape.element] == code:
            expected = shape.expected(conditions)
            for name, fault in _shape_faults(shape.element, shape.axis, rng):
                expected = fault.apply(expected, np.flatnonzero(families == name), rng)
            blocks.append(shape.draw(conditions, rng, expected=expected))
    if code == "LAR":
        occupancy = occupancy_of_cells()
        boards = np.zeros(occupancy.geometry.bins, dtype=bool)
        boards[3:10, 9:12] = True
        lost = MapFault("two boards lost", boards, 0.8)
        expected = lost.apply(occupancy.expected(conditions), np.flatnonzero(families == CORRUPT), rng)
        blocks.append(occupancy.draw(conditions, rng, expected=expected))
    return Season(blocks, (families != "").astype(int), families)


def _conditions(code: str) -> Conditions:
    """Luminosity and pile-up of runs like the demo's, by which fills they were taken in."""
    fills = [fill for fill in world.FILLS if fill.stable_minutes > LENGTH]
    taken = [
        world.make_run(fills[place % len(fills)], FIRST_RUN + place, 20 + 97 * place % 400, LENGTH)
        for place in range(RUNS[code])
    ]
    recorded = np.concatenate([run.recorded for run in taken])
    return Conditions(
        run=np.repeat([run.number for run in taken], LENGTH),
        lumisection=np.tile(np.arange(1, LENGTH + 1), len(taken)),
        luminosity=recorded,
        pileup=np.concatenate([run.pileup for run in taken]),
        events=recorded * histograms.EVENTS_PER_INV_NB,
    )


def _families(code: str, rng: np.random.Generator) -> Any:
    """(n,) which defect a lumisection has: a stretch in every third run, and for LAR single noise bursts in all."""
    found = np.full((RUNS[code], LENGTH), "", dtype="U32")
    for place in range(RUNS[code]):
        if code == "LAR":
            found[place, rng.random(LENGTH) < 0.03] = NOISE
        if place % 3 == 0:
            start = int(rng.integers(3, LENGTH - 20))
            found[place, start : start + int(rng.integers(5, 16))] = CORRUPT if code == "LAR" else OFF
    return found.ravel()


def _shape_faults(element: str, axis: Any, rng: np.random.Generator) -> list[tuple[str, ShapeFault]]:
    faults: dict[str, list[tuple[str, ShapeFault]]] = {
        "LAr/EMBA/cellEnergy": [
            (CORRUPT, TruncatedHistogram(axis=axis, fraction=0.32, strength=0.5)),
            (CORRUPT, Spike(axis=axis, bin=29, share=0.04)),
        ],
        "LAr/EMBA/cellTime": [(CORRUPT, Spike(axis=axis, bin=36, share=0.03))],
        "LAr/EMECA/cellTime": [(NOISE, Spike(axis=axis, bin=31, share=0.0062))],
        "Pixel/BarrelLayer1/charge": [(OFF, TruncatedHistogram(axis=axis, fraction=0.5, strength=0.6))],
    }
    return faults.get(element, [])
