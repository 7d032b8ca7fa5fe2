"""Faults of systems as channels of physics objects see them: the world of the channel-decomposed network.

The table is the one of arXiv:1709.08607; which system fails is known here and is never told to a method, which learns
from the global label alone (arXiv:1711.07051). A fault of a system can be seen in every channel named with it, and in
no other, which is what that paper assumes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mlcore.conditions import Conditions, FloatArray, IntArray
from mlcore.features import FeatureTable

from .table_columns import certification_columns
from .table_faults import FaultLaw
from .tables import Family, Nature, TableModel, simple_conditions

#: which channels see a system
SYSTEMS: dict[str, tuple[str, ...]] = {
    "muon chambers": ("muons",),
    "electromagnetic calorimeter": ("photons",),
    "particle-flow linking": ("particle flow",),
    "hadronic calorimeter": ("calorimeter jets",),
    "tracker": ("muons", "particle flow"),
    "calorimeter trigger": ("photons", "calorimeter jets"),
    "beam conditions": ("muons", "photons", "particle flow", "calorimeter jets"),
}


@dataclass(frozen=True)
class ChannelRecipe:
    """How faults come, how good times vary, how many kinds of fault a system has."""

    law: FaultLaw = field(
        default_factory=lambda: FaultLaw(strength=55.0, weakest=0.15, short=0.9, to_end=0.1, length=8.0)
    )
    nature: Nature = field(default_factory=lambda: Nature(run=0.45))
    variants: int = 2


#: Mostly short episodes, so that each system fails often enough in a fifth of the runs. The strength is set on seeds
#: 0-4 so that the published network has a global AUC of 0.96: 0.956 here, with 0.940 to 0.967.
RECIPE = ChannelRecipe()


@dataclass(frozen=True, eq=False)
class ChannelSample:
    """A table with its truth.

    Parameters
    ----------
    table : what a method may see. labels : (n,) 1 for bad, of whatever system: all that it may learn from.
    system : (n,) place in `SYSTEMS` of the one that fails, -1 for none.
    belief, alone : (n,) P(bad) of somebody who knows everything but that; see `SimulatedTable`.
    """

    table: FeatureTable
    labels: IntArray
    system: IntArray
    belief: FloatArray
    alone: FloatArray

    @property
    def conditions(self) -> Conditions:
        return self.table.conditions


def channel_table(seed: int, *, lumisections: int = 12_000, recipe: ChannelRecipe = RECIPE) -> ChannelSample:
    """About so many lumisections of whole runs, a quarter of them bad."""
    detector, beam, course = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
    families = tuple(
        Family(f"{system} {number}", seen) for system, seen in SYSTEMS.items() for number in range(recipe.variants)
    )
    model = TableModel(certification_columns(), families, recipe.nature, detector)
    drawn = model.draw(simple_conditions(lumisections, beam), recipe.law, course)
    system = np.where(drawn.faults.family < 0, -1, drawn.faults.family // recipe.variants)
    return ChannelSample(drawn.table, drawn.labels, system, drawn.belief, drawn.alone)


def named_by(badness: FloatArray, objects: tuple[str, ...]) -> FloatArray:
    """(n, systems) how well the channels that see a fault are those of each system: the logarithm of the probability
    that exactly its channels do. badness : (n, objects) probability that a channel sees a fault."""
    p = np.clip(badness, 1e-6, 1.0 - 1e-6)
    found = np.empty((len(p), len(SYSTEMS)))
    for place, seen in enumerate(SYSTEMS.values()):
        inside = np.isin(objects, seen)
        found[:, place] = np.log(p[:, inside]).sum(axis=1) + np.log(1.0 - p[:, ~inside]).sum(axis=1)
    return found
