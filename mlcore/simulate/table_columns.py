"""Which columns a simulated table has: seven statistics of each quantity of each physics object, with their names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mlcore.conditions import BoolArray, FloatArray, IntArray

STATISTICS = ("mean", "std", "q01", "q25", "q50", "q75", "q99")
#: (normal quantile, probability) of the last five of them
_NORMAL = ((-2.3263479, 0.01), (-0.6744898, 0.25), (0.0, 0.5), (0.6744898, 0.75), (2.3263479, 0.99))


@dataclass(frozen=True, eq=False)
class Columns:
    """The columns of a table.

    Parameters
    ----------
    quantities : names of the q quantities, `muons:q80:pt`.
    groups : q names of physics objects.
    kept : (q, statistics) mask of the columns that vary; constant ones are not part of the table.
    statistics : names of the statistics taken of each quantity.
    """

    quantities: tuple[str, ...]
    groups: tuple[str, ...]
    kept: BoolArray
    statistics: tuple[str, ...] = STATISTICS

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the f columns of the table, `muons:q80:pt:mean`."""
        place, statistic = np.nonzero(self.kept)
        if len(self.statistics) == 1:
            return tuple(self.quantities[row] for row in place)
        pairs = zip(place, statistic, strict=True)
        return tuple(f"{self.quantities[row]}:{self.statistics[column]}" for row, column in pairs)

    @property
    def column_groups(self) -> tuple[str, ...]:
        """Physics object of each of the f columns."""
        return tuple(self.groups[row] for row in self.quantity)

    @property
    def quantity(self) -> IntArray:
        """(f,) place of the quantity to which each column belongs."""
        return np.asarray(np.nonzero(self.kept)[0])

    def objects(self) -> tuple[str, ...]:
        """Physics objects in the order in which they come."""
        return tuple(dict.fromkeys(self.groups))


def certification_columns() -> Columns:
    """The 891 columns of arXiv:1709.08607: 267 of muons, 232 of photons, 126 of particle flow, 266 of calorimeter jets.

    The paper sorts the objects of a channel by momentum, takes those at the quantiles 0, 0.2 … 1 and seven statistics
    of each of their quantities over the events of a lumisection, and drops columns that are constant. Which ones
    remained is not written down; the choice here is one that gives the published number in each channel: muons and
    photons have no mass that varies, photons no vertex apart from the hardest, and of what is the same in all events
    of a lumisection only the mean is left.
    """
    six = ("q00", "q20", "q40", "q60", "q80", "q100")
    hard = ("q80", "q100")
    scalars = ("sum:pt", "number", "events", "luminosity")
    plan = {
        "muons": (*_pairs(six, ("eta", "phi", "pt", "vx", "vy", "vz")), *scalars),
        "photons": (*_pairs(six, ("eta", "phi", "pt", "vx", "vy")), "q100:vz", *scalars),
        "particle flow": (*_pairs(hard, ("eta", "phi", "pt", "m", "px", "py", "pz")), *scalars),
        "calorimeter jets": (*_pairs(six, ("eta", "phi", "pt", "m", "vz")), *_pairs(hard, ("vx", "vy")), *scalars),
    }
    columns = _columns(plan)
    for row, name in enumerate(columns.quantities):
        channel, what = name.split(":", 1)
        if channel in ("muons", "photons"):
            if what in ("events", "luminosity"):
                columns.kept[row, 1:] = False
            elif what == "number":
                columns.kept[row, STATISTICS.index("q01")] = False
    return columns


def offline_columns() -> Columns:
    """The 2,807 columns of the offline table (Pol et al., EPJ Conf. 214 (2019) 06008): 401 quantities of jets and of
    what belongs to them, seven statistics each. The division into objects is ours."""
    sizes = {
        "particle-flow jets": 60, "puppi jets": 60, "calorimeter jets": 50, "fat jets": 40, "missing energy": 41,
        "muons": 40, "electrons": 35, "photons": 30, "vertices": 25, "tracks": 20,
    }  # fmt: skip
    return _columns({name: tuple(f"{name[0]}{number:02d}" for number in range(n)) for name, n in sizes.items()})


def tpc_columns() -> Columns:
    """217 quality parameters as of a time-projection chamber (ALICE), one number each, in seven groups of 31."""
    groups = ("dE/dx", "dca", "clusters", "matching", "chi2", "vertex", "momentum")
    plan = {name: tuple(f"p{number:02d}" for number in range(31)) for name in groups}
    return _columns(plan, ("value",))


def _pairs(objects: Iterable[str], quantities: Iterable[str]) -> tuple[str, ...]:
    wanted = tuple(quantities)
    return tuple(f"{one}:{quantity}" for one in objects for quantity in wanted)


def _columns(plan: dict[str, tuple[str, ...]], statistics: tuple[str, ...] = STATISTICS) -> Columns:
    names = tuple(f"{group}:{what}" for group, quantities in plan.items() for what in quantities)
    groups = tuple(group for group, quantities in plan.items() for _ in quantities)
    return Columns(names, groups, np.ones((len(names), len(statistics)), dtype=bool), statistics)


def loadings(statistics: tuple[str, ...]) -> FloatArray:
    """(statistics, 3): how each statistic follows location, width and skewness of what it was taken of."""
    if len(statistics) == 1:
        return np.array([[1.0, 0.0, 0.0]])
    skewed = [(1.0, z, (z * z - 1.0) / 2.0) for z, _ in _NORMAL]
    return np.array([(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), *skewed])


def sampling_covariance(statistics: tuple[str, ...]) -> FloatArray:
    """(statistics, statistics): covariance of the statistics of one sample of a normal quantity, in units of the
    variance of its mean. Exact for large samples: the 1% quantile is 14 times as noisy as the mean."""
    if len(statistics) == 1:
        return np.eye(1)
    z, p = np.array(_NORMAL).T
    density = np.exp(-z * z / 2.0) / np.sqrt(2.0 * np.pi)
    covariance = np.empty((7, 7))
    covariance[0, 0], covariance[0, 1], covariance[1, 1] = 1.0, 0.0, 0.5
    covariance[0, 2:] = 1.0
    covariance[1, 2:] = z / 2.0
    lower, upper = np.minimum.outer(p, p), np.maximum.outer(p, p)
    covariance[2:, 2:] = lower * (1.0 - upper) / np.multiply.outer(density, density)
    return np.triu(covariance) + np.triu(covariance, 1).T
