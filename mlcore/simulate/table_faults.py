"""Faults of simulated tables: episodes over contiguous lumisections, and what an all-knowing reader would believe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlcore.conditions import Conditions, FloatArray, IntArray
from mlcore.errors import MlcoreError, TooFewData

#: a fault begins and ends within a lumisection, which it fills to a fraction from here to 1
LEAST_FILLED = 0.1
_FILLED = np.append(0.0, np.linspace(LEAST_FILLED, 1.0, 10))


@dataclass(frozen=True)
class FaultLaw:
    """How often faults come, how long they stay and how strong they are.

    Parameters
    ----------
    share : of the lumisections that are bad.
    strength : distance from good of the strongest faults, in standard deviations along the best direction.
    weakest : strength of the weakest, as a fraction of the strongest; levels between are spaced by equal ratios.
    levels : how many strengths there are, each as frequent as another.
    short, to_end : shares of episodes that last some lumisections and that last to the end of the run; the rest goes
        on over the next runs.
    length : mean length of the short ones in lumisections.
    unseen : share of the first and last lumisections of episodes in which nothing is to be seen: people mark a range
        generously. They are bad all the same, in the truth as in the labels that a paper counts with.
    """

    share: float = 0.25
    strength: float = 8.0
    weakest: float = 0.25
    levels: int = 6
    short: float = 0.6
    to_end: float = 0.3
    length: float = 5.0
    unseen: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.share < 1 and 0 < self.weakest <= 1 and self.strength > 0 and self.levels >= 1):
            raise MlcoreError("faults: share and weakest lie between 0 and 1, strength and levels are positive.")
        if self.short < 0 or self.to_end < 0 or self.short + self.to_end > 1 or self.length < 1:
            raise MlcoreError("faults: short and to_end are shares of the episodes, a length is at least 1.")
        if not 0 <= self.unseen < 1:
            raise MlcoreError("faults: unseen is a share of the first and last lumisections, from 0 to below 1.")

    @property
    def strengths(self) -> FloatArray:
        """(levels,) strengths, ascending."""
        return np.asarray(self.strength * np.geomspace(self.weakest, 1.0, self.levels))

    def filled(self, chance: float) -> float:
        """How much of a first or last lumisection a fault fills; `chance` is even between 0 and 1."""
        if chance < self.unseen:
            return 0.0
        return LEAST_FILLED + (1.0 - LEAST_FILLED) * (chance - self.unseen) / (1.0 - self.unseen)

    @property
    def filled_log_share(self) -> FloatArray:
        """(11,) logarithm of how often each of `_FILLED` comes."""
        with np.errstate(divide="ignore"):
            others = len(_FILLED) - 1
            return np.asarray(np.log(np.append(self.unseen, np.full(others, (1.0 - self.unseen) / others))))


@dataclass(frozen=True, eq=False)
class Faults:
    """What is wrong in each of n lumisections.

    Parameters
    ----------
    family : (n,) number of the fault's family, -1 where nothing is wrong.
    strength : (n,) distance from good in standard deviations, 0 where nothing is wrong or nothing can be seen of it.
    episode : (n,) number of the episode, -1 where nothing is wrong.
    """

    family: IntArray
    strength: FloatArray
    episode: IntArray

    @property
    def labels(self) -> IntArray:
        return (self.family >= 0).astype(np.int64)


def plan_faults(conditions: Conditions, families: int, law: FaultLaw, rng: np.random.Generator) -> Faults:
    """Episodes at random places until the share of bad lumisections is reached. Episodes never touch each other.

    Raises TooFewData when there is no place left for them.
    """
    n = len(conditions)
    last_of_run = _last_of_run(conditions)
    family, episode = np.full(n, -1), np.full(n, -1)
    strength = np.zeros(n)
    wanted, number, taken = round(law.share * n), 0, 0
    deal = _Deal.of(families, law, rng)
    for _ in range(20 * n):
        if taken >= wanted:
            return Faults(family, strength, episode)
        first = int(rng.integers(n))
        # A long one that is too long for what is left to do makes way for a short one.
        kind = deal.kind(number) if wanted - taken > 100 else 0.0
        stop = _stop(first, last_of_run, law, kind, rng)
        free = family[max(first - 1, 0) : stop + 1] < 0
        if not free.all() or stop - first > max(wanted - taken, 10) * 1.5:
            continue
        rows = slice(first, stop)
        family[rows], strength[rows] = deal.family(number), law.strengths[deal.level(number)]
        episode[rows] = number
        # Faults do not wait for the clock: the first lumisection is partly good, and the last where it ends by itself.
        strength[first] *= law.filled(deal.first(number))
        if stop - first > 1 and stop <= last_of_run[first]:
            strength[stop - 1] *= law.filled(deal.last(number))
        number, taken = number + 1, taken + stop - first
    raise TooFewData(f"{n} lumisections have no room for faults in {law.share:.0%} of them; take more lumisections.")


@dataclass(frozen=True)
class _Deal:
    """What the episodes of a sample are like, dealt like cards from packs, so that each family, strength and kind comes
    as often as the law says even in a sample of some dozen. Else samples of one law differ a lot in how hard they are.
    """

    families: int
    levels: int
    rng: np.random.Generator
    packs: dict[str, list[IntArray]]

    @classmethod
    def of(cls, families: int, law: FaultLaw, rng: np.random.Generator) -> _Deal:
        return cls(families, law.levels, rng, {})

    def family(self, number: int) -> int:
        return self._card("family", number, self.families)

    def level(self, number: int) -> int:
        return self._card("level", number, self.levels)

    def kind(self, number: int) -> float:
        """From 0 to 1, evenly in every twenty; the same again until the episode has found a place."""
        return (self._card("kind", number, 20) + 0.5) / 20

    def first(self, number: int) -> float:
        return (self._card("first", number, 20) + float(self.rng.random())) / 20

    def last(self, number: int) -> float:
        return (self._card("last", number, 20) + float(self.rng.random())) / 20

    def _card(self, pack: str, number: int, size: int) -> int:
        packs = self.packs.setdefault(pack, [])
        while len(packs) * size <= number:
            packs.append(self.rng.permutation(size))
        return int(packs[number // size][number % size])


def _stop(first: int, last_of_run: IntArray, law: FaultLaw, kind: float, rng: np.random.Generator) -> int:
    """Row after the last one of an episode that begins at `first`; `kind`, 0 to 1, says how it goes on."""
    end = int(last_of_run[first]) + 1
    if kind < law.short:
        return min(first + int(rng.geometric(1.0 / law.length)), end)
    if kind >= law.short + law.to_end:
        # Over the next run, and every other time over the one after it.
        for _ in range(1 + int(rng.random() < 0.5)):
            end = int(last_of_run[end]) + 1 if end < len(last_of_run) else end
    return end


def _last_of_run(conditions: Conditions) -> IntArray:
    """(n,) row of the last lumisection of each one's run. Rows are in order of time."""
    change = np.flatnonzero(np.diff(conditions.run)) if len(conditions) else np.empty(0, dtype=np.int64)
    ends = np.append(change, len(conditions) - 1)
    return np.asarray(ends[np.searchsorted(ends, np.arange(len(conditions)))])


def believe(
    projection: FloatArray, precision: FloatArray, conditions: Conditions, law: FaultLaw, *, context: bool = True
) -> FloatArray:
    """P(bad) of somebody who knows the detector, the run, every family and the law, (n,).

    Parameters
    ----------
    projection : (n, families) of what was seen on each family's direction, d' S^-1 x, for unit strength.
    precision : (n, families) d' S^-1 d.
    conditions : the n lumisections, in order of time.
    context : with what was seen in the other lumisections of the run (forward-backward over good, first lumisection of
        a fault, inside, last one, for each family, strength and kind of episode); else each lumisection by itself.

    Runs are read one by one; that one begins badly is known to happen as often as it does.
    """
    n, families = projection.shape
    levels = law.strengths
    whole = _log_ratio(projection, precision, levels, np.ones(1), np.zeros(1))
    part = _log_ratio(projection, precision, levels, _FILLED, law.filled_log_share)
    chain = _Chain.of(law, conditions, families)
    if not context:
        edges = chain.edge_share
        seen = np.logaddexp(np.log1p(-edges) + whole, np.log(edges) + part).reshape(n, -1)
        top = seen.max(axis=1)
        odds = top + np.log(np.exp(seen - top[:, None]).mean(axis=1)) + np.log(law.share / (1.0 - law.share))
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(odds, -500, 500))))
    # One row per run, padded: the recursions go along lumisections, all runs at once.
    runs, place = np.unique(conditions.run, return_inverse=True)
    first = np.searchsorted(place, np.arange(len(runs)))
    step = np.arange(n) - first[place]
    length = np.bincount(place)
    shape = (len(runs), int(length.max()), families * law.levels)
    table_whole, table_part = np.zeros(shape), np.zeros(shape)
    table_whole[place, step] = np.clip(whole.reshape(n, -1), -300, 300)
    table_part[place, step] = np.clip(part.reshape(n, -1), -300, 300)
    return np.asarray(chain.bad(np.exp(table_whole), np.exp(table_part), length)[place, step])


def _log_ratio(
    projection: FloatArray, precision: FloatArray, levels: FloatArray, filled: FloatArray, log_share: FloatArray
) -> FloatArray:
    """(n, families, levels) log of how much likelier the sight is under a fault than without, over how full it was."""
    total = np.full((*projection.shape, len(levels)), -np.inf)
    for fraction, share in zip(filled, log_share, strict=True):
        strength = fraction * levels
        term = projection[..., None] * strength - 0.5 * precision[..., None] * strength**2
        total = np.logaddexp(total, term + share)
    return total


@dataclass(frozen=True)
class _Chain:
    """States of a lumisection: good, or of each family and strength: short first, short inside, short last, long first,
    long inside (a long one ends with the run)."""

    begin: float
    begin_run_bad: float
    short: float
    leave: float
    edge_share: float

    @classmethod
    def of(cls, law: FaultLaw, conditions: Conditions, families: int) -> _Chain:
        runs = len(np.unique(conditions.run))
        mean_run = len(conditions) / runs
        over_runs = 1.0 - law.short - law.to_end
        mean = law.short * law.length + (1.0 - law.short) * mean_run / 2 + over_runs * 1.5 * mean_run
        episodes = law.share * len(conditions) / mean
        begin = episodes / (len(conditions) * (1.0 - law.share))
        return cls(
            begin=min(begin, 0.5),
            begin_run_bad=min(0.5, over_runs * 1.5 * episodes / runs),
            short=law.short,
            leave=1.0 / law.length,
            edge_share=min(0.9, (1.0 + law.short) / mean),
        )

    def bad(self, whole: FloatArray, part: FloatArray, length: IntArray) -> FloatArray:
        """(runs, steps) P(bad) from likelihood ratios of shape (runs, steps, states of one phase)."""
        runs, steps, kinds = whole.shape
        scale = np.ones((runs, steps))
        good = np.empty((runs, steps))
        state = np.zeros((5, runs, kinds))
        healthy = np.zeros(runs)
        for step in range(steps):
            if step == 0:
                state[4] = self.begin_run_bad / kinds
                healthy[:] = 1.0 - self.begin_run_bad
                state[0], state[3] = self._began(healthy, kinds)
                healthy *= 1.0 - self.begin
            else:
                state, healthy = self._forward(state, healthy, kinds)
            for phase, seen in enumerate((part, whole, part, part, whole)):
                state[phase] *= seen[:, step]
            total = healthy + state.sum(axis=(0, 2))
            state /= total[None, :, None]
            healthy = healthy / total
            scale[:, step], good[:, step] = total, healthy
        return 1.0 - good * self._backward(whole, part, scale, length)

    def _began(self, healthy: FloatArray, kinds: int) -> tuple[FloatArray, FloatArray]:
        new = np.broadcast_to((healthy * self.begin / kinds)[:, None], (len(healthy), kinds))
        return new * self.short, new * (1.0 - self.short)

    def _forward(self, state: FloatArray, healthy: FloatArray, kinds: int) -> tuple[FloatArray, FloatArray]:
        first, inside, last, long_first, long_inside = state
        later = np.empty_like(state)
        later[0], later[3] = self._began(healthy, kinds)
        # A short episode has length 1 with probability `leave`, 2 with (1 - leave) leave, and so on.
        stay = (1.0 - self.leave) * first
        later[1] = (1.0 - self.leave) * (stay + inside)
        later[2] = self.leave * (stay + inside)
        later[4] = long_first + long_inside
        return later, healthy * (1.0 - self.begin) + self.leave * first.sum(axis=1) + last.sum(axis=1)

    def _backward(self, whole: FloatArray, part: FloatArray, scale: FloatArray, length: IntArray) -> FloatArray:
        """(runs, steps) how much likelier the rest of the run is when this lumisection is good than on average."""
        runs, steps, kinds = whole.shape
        healthy = np.ones((runs, steps))
        now, after = np.ones((5, runs, kinds)), np.ones(runs)
        for step in range(steps - 2, -1, -1):
            seen_part, seen_whole = (
                part[:, step + 1] / scale[:, step + 1, None],
                whole[:, step + 1] / scale[:, step + 1, None],
            )
            ahead = now * np.stack([seen_part, seen_whole, seen_part, seen_part, seen_whole])
            well = after / scale[:, step + 1]
            began = self.short * ahead[0].mean(axis=1) + (1.0 - self.short) * ahead[3].mean(axis=1)
            goes_on = (1.0 - self.leave) * ahead[1] + self.leave * ahead[2]
            earlier = np.empty_like(now)
            earlier[0] = self.leave * well[:, None] + (1.0 - self.leave) * goes_on
            earlier[1] = goes_on
            earlier[2] = well[:, None]
            earlier[3] = earlier[4] = ahead[4]
            good = (1.0 - self.begin) * well + self.begin * began
            inside = step < length - 1
            now = np.where(inside[None, :, None], earlier, 1.0)
            after = np.where(inside, good, 1.0)
            healthy[:, step] = after
        return healthy
