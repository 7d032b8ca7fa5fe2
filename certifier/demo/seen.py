"""What the demo's other systems have in common: a run's lumisections with collisions, and which of them are meant."""

from __future__ import annotations

from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from certifier.lumi import LumiSet
from mlcore.conditions import Conditions

SEED: Final = 40_055
EVENTS_PER_INV_NB: Final = 14.0


class TakenRun(Protocol):
    """A run of the season or of the demo's world, with one value per lumisection."""

    @property
    def number(self) -> int: ...
    @property
    def recorded(self) -> Any: ...
    @property
    def pileup(self) -> Any: ...


def collided(run: TakenRun) -> Conditions:
    """The lumisections with collisions to fill anything."""
    rows = np.flatnonzero(np.asarray(run.recorded) * EVENTS_PER_INV_NB >= 1.0)
    return Conditions(
        run=np.full(len(rows), run.number), lumisection=rows + 1, luminosity=run.recorded[rows],
        pileup=run.pileup[rows], events=run.recorded[rows] * EVENTS_PER_INV_NB,
    )  # fmt: skip


def rows_of(conditions: Conditions, where: LumiSet) -> npt.NDArray[np.intp]:
    return np.flatnonzero(where.to_mask(int(conditions.lumisection.max()))[conditions.lumisection - 1])
