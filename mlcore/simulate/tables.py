"""Tables of features per lumisection that look like those of published work, with everything known about them.

A column is one statistic (mean, width, quantile …) of one quantity of one physics object. It follows luminosity and
pile-up, drifts over the year, differs from run to run, moves together with its neighbours and has the sampling noise
that its statistic must have. Faults move the quantities of some objects and leave the others alone. All of this is
normal before each quantity gets its unit, so that what an all-knowing reader would believe can be computed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mlcore.conditions import Conditions, FloatArray, IntArray
from mlcore.errors import MlcoreError, ShapeError
from mlcore.features import FeatureTable

from .table_columns import Columns, certification_columns, loadings, offline_columns, sampling_covariance, tpc_columns
from .table_faults import FaultLaw, Faults, believe, plan_faults

SECONDS = 60.0
#: columns at a time when noise is drawn, which bounds the memory of a draw
_ROWS = 4096


@dataclass(frozen=True)
class Nature:
    """How a table varies when nothing is wrong, in units of the sampling noise of a mean over an average lumisection.

    Parameters
    ----------
    response : to luminosity and pile-up.
    drift : over the whole sample, and steps in it.
    run : of a run against another; makes lumisections of one run alike.
    noise : common to many quantities, new in each lumisection, in `factors` independent ways.
    sampling : power of the number of events with which the noise falls, 0.5 for counting.
    reach : least and largest share of the quantities of an object that a fault moves.
    glitch : probability that some harmless quantity of a lumisection is far off.
    missing : probability that a number is missing.
    """

    response: float = 2.0
    drift: float = 0.5
    run: float = 0.5
    noise: float = 1.0
    factors: int = 16
    sampling: float = 0.5
    reach: tuple[float, float] = (0.05, 0.5)
    glitch: float = 0.02
    missing: float = 0.0


@dataclass(frozen=True, eq=False)
class SimulatedTable:
    """A table with its truth.

    Parameters
    ----------
    table : what a method may see.
    labels : (n,) 1 where a fault is present, however little.
    faults : what it is, how strong, which episode.
    belief : (n,) P(bad) of somebody who knows the detector, the state of each run, the families of faults and how
        they come and go; no method can order lumisections better.
    alone : (n,) the same when every lumisection is judged by itself.
    """

    table: FeatureTable
    labels: IntArray
    faults: Faults
    belief: FloatArray
    alone: FloatArray

    @property
    def conditions(self) -> Conditions:
        return self.table.conditions


@dataclass(frozen=True)
class Family:
    """A kind of fault: its name and the physics objects in which it can be seen."""

    name: str
    visible_in: tuple[str, ...]


class TableModel:
    """What the columns of a table do, in good times and under each family of faults.

    Parameters
    ----------
    columns : the columns.
    families : the kinds of faults.
    nature : how the table varies when nothing is wrong.
    rng : fixes the detector: how quantities respond, vary together and move under faults.
    """

    def __init__(
        self, columns: Columns, families: tuple[Family, ...], nature: Nature, rng: np.random.Generator
    ) -> None:
        unknown = {name for family in families for name in family.visible_in} - set(columns.objects())
        if not families or unknown:
            raise MlcoreError(f"families of faults are needed, visible in objects of the table; unknown: {unknown}.")
        self.columns, self.families, self.nature = columns, families, nature
        self._loadings = loadings(columns.statistics)
        self._root = np.linalg.cholesky(sampling_covariance(columns.statistics))
        self.response = self._spread(5, rng, nature.response)
        self.drifts = self._spread(6, rng, nature.drift)
        self.run_factors = self._spread(10, rng, nature.run)
        self.noise = self._spread(nature.factors, rng, nature.noise)
        quantities = len(columns.quantities)
        self._units = np.exp(rng.normal(0.0, 1.5, quantities))
        self._middles = rng.normal(0.0, 3.0, quantities) * self._units
        self._skewed = rng.random(quantities) < 0.4
        directions = np.stack([self._direction(family, rng) for family in families])
        solved = np.linalg.solve(self._covariance(), directions.T).T
        size = np.sqrt((directions * solved).sum(axis=1))[:, None]
        #: (families, f) what a fault of strength 1 adds to each column, and the same seen through the noise
        self.directions, self.filters = directions / size, solved / size

    def draw(
        self, conditions: Conditions, law: FaultLaw, rng: np.random.Generator, *, faults: Faults | None = None
    ) -> SimulatedTable:
        """A table of these lumisections, which are in order of time.

        `faults` plants given ones (from a year that has them already); else they are drawn from `law`. What is
        believed assumes the law in both cases. Raises ShapeError when faults and conditions differ in number.
        """
        if faults is None:
            faults = plan_faults(conditions, len(self.families), law, rng)
        if faults.family.shape != (len(conditions),):
            raise ShapeError(f"faults: {faults.family.size} lumisections, conditions have {len(conditions)}.")
        table, projection, precision = self.see(conditions, faults, rng)
        both = [believe(projection, precision, conditions, law, context=context) for context in (True, False)]
        return SimulatedTable(table, faults.labels, faults, both[0], both[1])

    def see(
        self, conditions: Conditions, faults: Faults, rng: np.random.Generator
    ) -> tuple[FeatureTable, FloatArray, FloatArray]:
        """The table with these faults in it; and of each family, for somebody who knows the detector and the run, what
        was seen along its direction d' S^-1 x and how precisely d' S^-1 d, both (n, families)."""
        spread = noise_scale(conditions, self.nature.sampling)[:, None]
        seen = self._noise(len(conditions), rng) * spread
        seen += np.where(faults.family < 0, 0.0, faults.strength)[:, None] * self.directions[faults.family]
        projection = (seen @ self.filters.T) / spread**2
        precision = np.repeat(1.0 / spread**2, len(self.families), axis=1)
        seen += self._circumstances(conditions, rng)
        self._disturb(seen, rng)
        table = FeatureTable(self._in_units(seen), self.columns.names, self.columns.column_groups, conditions)
        return table, projection, precision

    def _spread(self, ways: int, rng: np.random.Generator, size: float) -> FloatArray:
        """(ways, f): random directions in location, width and skewness of the quantities, rms `size` over all ways.

        Objects take part in each way to their own degree, and widths and skewness move less than locations.
        """
        objects = np.array([self.columns.objects().index(group) for group in self.columns.groups])
        degree = rng.gamma(0.7, 1.0, (ways, len(self.columns.objects())))[:, objects]
        moves = rng.standard_normal((ways, len(objects), 3)) * np.array([1.0, 0.5, 0.25])
        columns = np.einsum("wqm,sm->wqs", moves * degree[..., None], self._loadings)[:, self.columns.kept]
        return np.asarray(columns * size / np.sqrt(np.mean((columns**2).sum(axis=0))))

    def _direction(self, family: Family, rng: np.random.Generator) -> FloatArray:
        """(f,) what the family does: some quantities of the objects in which it is visible, each its own way."""
        possible = np.flatnonzero(np.isin(self.columns.groups, family.visible_in))
        share = np.exp(rng.uniform(*np.log(self.nature.reach)))
        hit = rng.choice(possible, size=max(2, round(share * len(possible))), replace=False)
        moves = np.zeros((len(self.columns.groups), 3))
        moves[hit] = rng.standard_normal((len(hit), 3)) * np.array([1.0, 0.7, 0.3])
        return np.asarray((moves @ self._loadings.T)[self.columns.kept])

    def _covariance(self) -> FloatArray:
        """(f, f) of the noise of one lumisection with the average number of events."""
        covariance = self.noise.T @ self.noise
        block = self._root @ self._root.T
        quantity = self.columns.quantity
        statistic = np.nonzero(self.columns.kept)[1]
        for shift in range(len(self.columns.statistics)):
            row = np.arange(len(quantity) - shift)
            row = row[quantity[row] == quantity[row + shift]]
            covariance[row, row + shift] += block[statistic[row], statistic[row + shift]]
            if shift:
                covariance[row + shift, row] += block[statistic[row + shift], statistic[row]]
        return np.asarray(covariance)

    def _noise(self, n: int, rng: np.random.Generator) -> FloatArray:
        """(n, f) what differs from lumisection to lumisection, of average events."""
        made = np.empty((n, len(self.columns.quantity)))
        shape = self.columns.kept.shape
        for start in range(0, n, _ROWS):
            rows = min(_ROWS, n - start)
            sampled = rng.standard_normal((rows, *shape), dtype=np.float32) @ self._root.T.astype(np.float32)
            common = rng.standard_normal((rows, len(self.noise)))
            made[start : start + rows] = sampled[:, self.columns.kept] + common @ self.noise
        return made

    def _circumstances(self, conditions: Conditions, rng: np.random.Generator) -> FloatArray:
        """(n, f) luminosity, pile-up, drift and the state of the run: what is different but not wrong."""
        shift = response_terms(conditions) @ self.response
        runs, place = np.unique(conditions.run, return_inverse=True)
        shift += drift_terms(len(conditions), len(self.drifts), rng) @ self.drifts
        of_run = rng.standard_normal((len(runs), len(self.run_factors))) @ self.run_factors
        shift += of_run[place]
        return np.asarray(shift)

    def _disturb(self, seen: FloatArray, rng: np.random.Generator) -> None:
        """Harmless oddities, in place: a quantity far off, numbers missing."""
        odd = np.flatnonzero(rng.random(len(seen)) < self.nature.glitch)
        quantity = rng.integers(len(self.columns.quantities), size=len(odd))
        size = rng.normal(0.0, 10.0, len(odd))
        seen[odd] += size[:, None] * (self.columns.quantity[None, :] == quantity[:, None])
        if self.nature.missing > 0:
            seen[rng.random(seen.shape) < self.nature.missing] = np.nan

    def _in_units(self, seen: FloatArray) -> FloatArray:
        """The table in the units of its quantities; energies are not symmetric about their middle."""
        quantity = self.columns.quantity
        np.exp(seen * 0.1, where=self._skewed[quantity], out=seen)
        seen *= self._units[quantity]
        seen += self._middles[quantity]
        return seen


def noise_scale(conditions: Conditions, power: float = 0.5) -> FloatArray:
    """(n,) noise of each lumisection relative to one with the average number of events, at most 4 times as much."""
    events = np.where(np.isfinite(conditions.events), conditions.events, 0.0)
    if not (events > 0).any():
        return np.ones(len(conditions))
    return np.asarray(np.minimum((events[events > 0].mean() / np.maximum(events, 1.0)) ** power, 4.0))


def response_terms(conditions: Conditions) -> FloatArray:
    """(n, 5) standardised luminosity and pile-up, their squares and their product; 0 where unknown."""
    both = []
    for values in (conditions.luminosity, conditions.pileup):
        known = np.isfinite(values)
        middle, width = (values[known].mean(), values[known].std()) if known.any() else (0.0, 1.0)
        both.append(np.where(known, values - middle, 0.0) / (width or 1.0))
    x, y = both
    return np.column_stack([x, y, 0.3 * x**2, 0.3 * y**2, 0.3 * x * y])


def drift_terms(n: int, ways: int, rng: np.random.Generator) -> FloatArray:
    """(n, ways) slow courses over a sample: half of them waves, half of them steps, each with rms about 1."""
    t = np.linspace(0.0, 1.0, n)[:, None]
    waves = np.sqrt(2.0) * np.sin(2 * np.pi * (rng.uniform(0.5, 2.0, ways) * t + rng.random(ways)))
    steps = np.where(t > rng.uniform(0.1, 0.9, ways), 1.0, -1.0) * rng.choice([-1.0, 1.0], ways)
    return np.asarray(np.where(np.arange(ways) % 2, steps, waves))


def simple_conditions(lumisections: int, rng: np.random.Generator) -> Conditions:
    """Whole runs of 60 to 200 lumisections, about as many in all as asked for, in fills whose luminosity decays."""
    lengths = rng.integers(60, 201, size=max(1, lumisections // 60))
    lengths = lengths[: max(1, int(np.searchsorted(np.cumsum(lengths), lumisections, side="right")))]
    run = np.repeat(350_000 + np.cumsum(rng.integers(1, 9, size=len(lengths))), lengths)
    number = np.concatenate([np.arange(1, length + 1) for length in lengths])
    # One to three runs make a fill.
    fill_of_run = np.cumsum(rng.random(len(lengths)) < 0.5)
    fill = np.repeat(fill_of_run, lengths)
    first = np.searchsorted(fill, fill)
    hours = (np.arange(len(run)) - first) * SECONDS / 3600
    fills = int(fill.max()) + 1
    lifetime, start = rng.uniform(8.0, 15.0, fills), 55.0 * np.exp(0.05 * rng.standard_normal(fills))
    bunches = rng.uniform(0.6, 1.0, fills)
    pileup = start[fill] * np.exp(-hours / lifetime[fill])
    luminosity = pileup * bunches[fill] * 4.5 * SECONDS / 60.0
    events = rng.poisson(1200.0 * pileup / 40.0 * bunches[fill]).astype(np.float64)
    time = 1.65e9 + np.arange(len(run)) * SECONDS + 2 * 3600.0 * fill
    return Conditions(run=run, lumisection=number, luminosity=luminosity, pileup=pileup, events=events, time=time)


def families_of(columns: Columns, variants: int = 4) -> tuple[Family, ...]:
    """Faults in each object alone, in neighbouring pairs and in all of them, `variants` of each."""
    objects = columns.objects()
    pairs = [objects[place : place + 2] for place in range(len(objects) - 1)]
    seen = [(name,) for name in objects] + pairs + [objects]
    return tuple(Family(f"{' + '.join(names)} {number}", tuple(names)) for names in seen for number in range(variants))


@dataclass(frozen=True)
class Recipe:
    """A kind of world: how faults come, how good times vary, how many faults of each kind there are."""

    law: FaultLaw
    nature: Nature = field(default_factory=Nature)
    variants: int = 4


#: Set on seeds 0-4 with 12,000 lumisections by running the published stream of arXiv:1709.08607 in full on all five,
#: and at five other settings on one to four of them. It saves 0.793 at true rates of 0.5% (0.836 0.803 0.818 0.770
#: 0.740; published 80%) and 0.233 at 0.05% (0.215 to 0.255; published 20%). Weak faults and unseen first and last
#: lumisections make the second figure collapse.
CERTIFICATION = Recipe(FaultLaw(strength=53.0, weakest=0.15, unseen=0.05), Nature(run=0.45), variants=2)
#: Set on seeds 0-4 with 16,000 lumisections by training the published autoencoder until it had converged: it has a mean
#: AUC of 0.978 (0.961 0.987 0.970 0.991 0.983; published 0.978), and 0.975 at a strength of 70. No long episodes: one
#: of them would be half of the bad lumisections that are judged, of which there are 31 to 76.
OFFLINE = Recipe(
    FaultLaw(share=0.02, strength=76.0, weakest=0.4, short=1.0, to_end=0.0, length=4.0),
    Nature(run=0.3, drift=0.15, sampling=0.05),
    variants=1,
)
TPC = Recipe(FaultLaw(share=0.1), Nature(factors=12, missing=0.05), variants=2)


def certification_table(
    seed: int, *, lumisections: int = 26_000, conditions: Conditions | None = None, recipe: Recipe = CERTIFICATION
) -> SimulatedTable:
    """The table of arXiv:1709.08607: 891 features in four channels, 25% bad."""
    return _draw(certification_columns(), recipe, seed, lumisections, conditions)


def offline_table(
    seed: int, *, lumisections: int = 16_000, conditions: Conditions | None = None, recipe: Recipe = OFFLINE
) -> SimulatedTable:
    """The table of Pol et al. (EPJ Conf. 214 (2019) 06008): 2,807 features of ten objects, 2% bad."""
    return _draw(offline_columns(), recipe, seed, lumisections, conditions)


def tpc_table(
    seed: int, *, lumisections: int = 3_000, conditions: Conditions | None = None, recipe: Recipe = TPC
) -> SimulatedTable:
    """217 quality parameters as of a time-projection chamber, 12 common factors, 5% of the numbers missing."""
    return _draw(tpc_columns(), recipe, seed, lumisections, conditions)


def _draw(
    columns: Columns, recipe: Recipe, seed: int, lumisections: int, conditions: Conditions | None
) -> SimulatedTable:
    detector, beam, course = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
    model = TableModel(columns, families_of(columns, recipe.variants), recipe.nature, detector)
    return model.draw(simple_conditions(lumisections, beam) if conditions is None else conditions, recipe.law, course)
