"""A small detector whose runs experts have signed: what a training of a few seconds learns from.

Histograms are those of tests.precert.world, sent as any others are; defects, signatures and decisions go through the
services that people's pages call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from certifier.accounts.models import System, User
from certifier.defects import services as defects
from certifier.defects.models import Defect
from certifier.monitoring import services as monitoring
from certifier.monitoring.models import Element
from certifier.ops.models import Trigger
from certifier.precert.models import ModelVersion
from certifier.review import services as review
from certifier.runs import services as runs
from certifier.runs.models import Run
from certifier.training.attempt import attempt
from certifier.training.models import Training
from certifier.training.services import Asked
from tests.precert import world as precert
from tests.precert.world import CORRUPT, NOISE

FIRST, LENGTH = 350_001, 24
# Quick, and with limits that some hundred lumisections can prove.
RECIPE: dict[str, Any] = {
    "*": {
        "detectors": [{"name": "pulls", "parameters": {}, "elements": ["*"], "axes": 1}],
        "classifier": "none",
        "shares": [0.3, 0.2, 0.1, 0.4],
        "gap": 0,
        "refresh": 1,
        "pollution": 0.1,
        "loss": 0.1,
        "confidence": 0.8,
        "fewest_runs": 6,
        "first_auc": 0.6,
    }
}


def define(system: System) -> dict[str, Defect]:
    known = {row.name: row for row in Defect.objects.filter(system=system)}
    new = [
        defects.NewDefect(name=name, system=system, intolerable=True) for name in (NOISE, CORRUPT) if name not in known
    ]
    made = defects.define_defects(actor=None, definitions=new) if new else []
    return known | {row.name: row for row in made}


def season(
    system: System, runs_: int = 30, *, first: int = FIRST, signed: bool = True, strength: float = 0.05
) -> list[Run]:
    """Runs with a stretch of noise or corruption each, recorded and signed by an expert."""
    define(system)
    rng = np.random.default_rng([7, first])
    found = []
    for number in range(first, first + runs_):
        start = int(rng.integers(2, LENGTH - 7))
        name = (NOISE, CORRUPT)[number % 2]
        found.append(run(system, number, {name: f"{start}-{start + 4}"}, signed=signed, strength=strength))
    return found


def run(
    system: System,
    number: int,
    faults: dict[str, str] | None = None,
    *,
    recorded: dict[str, str] | None = None,
    signed: bool = True,
    strength: float = 0.05,
    **shown: Any,
) -> Run:
    """A run in whose histograms `faults` can be seen; `recorded` is what the expert saw of them, all by default."""
    faults = faults or {}
    send(system, number, strength=strength, **_shown(faults), **shown)
    row = Run.objects.get(number=number)
    for name, where in (faults if recorded is None else recorded).items():
        record(row, name, where)
    if signed:
        sign(row, system)
    return row


def _shown(faults: dict[str, str]) -> dict[str, Any]:
    return {{NOISE: "noise", CORRUPT: "corrupt"}[name]: where for name, where in faults.items()}


def send(system: System, number: int, lumisections: int = LENGTH, **faults: Any) -> None:
    """The run, its luminosity and its histograms."""
    runs.put_run(actor=None, run=number, facts={"lumisections": lumisections})
    recorded = precert.luminosity(lumisections)
    columns = {"recorded_inv_nb": recorded.tolist(), "pileup": (recorded / 2.5).tolist()}
    runs.put_lumisections(actor=None, run=number, columns=columns)
    runs.put_dataset(actor=None, run=number, name=precert.EXPRESS, stage="express")
    blocks = precert.histograms(number, lumisections, **faults)
    monitoring.ingest(actor=None, run=number, dataset=precert.EXPRESS, blocks=blocks)
    for element in Element.objects.filter(path__in=precert.ELEMENTS, system=None):
        monitoring.change_element(actor=None, element=element, system=system.code)


def record(row: Run, name: str, where: str, *, present: bool = True, actor: User | None = None) -> None:
    new = defects.NewEntry(run=row.number, defect=name, lumisections=where, present=present)
    defects.record_entries(actor=actor, entries=[new], source="page")


def sign(row: Run, system: System, actor: User | None = None) -> None:
    review.sign_off(actor=actor, run=row, system=system, stage="express")


def train(system: System, *, trigger: Trigger = Trigger.COMMAND) -> Training:
    return attempt(Asked(system, trigger))


def numbers(versions: Iterable[ModelVersion | None]) -> Sequence[int | None]:
    return [version.number if version else None for version in versions]
