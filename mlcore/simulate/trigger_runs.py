"""Trigger rates of whole runs: luminosity that decays, prescales that step down with it, faults with known truth.

Items and chains are those of `mlcore.simulate.rates`. Each run has levels of its own (menus, thresholds and beam differ
a little) that wander slowly. Rates are counted in windows of their own clock, so a prescale step falls *within* a
lumisection: the recorded prescale is the one at its start. That is what makes alarms at every step so easy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from mlcore.conditions import BoolArray, Conditions, FloatArray, IntArray
from mlcore.features import PRESCALE, PRESCALE_OF, FeatureTable
from mlcore.histograms import Axis, HistogramBlock

from .machine import MOST_BUNCHES, instantaneous, pileup_in_fill
from .rates import CHAINS, DISPERSION, ITEMS, NAMES, PARENT

SECONDS = 60.0
#: factor on the rate while something is wrong
STRENGTHS = (0.6, 0.75, 1.3, 1.6)
#: widths of the level of a column in a run, of its step from one lumisection to the next, of the luminosity's reading
LEVEL, WANDER, READING = 0.06, 0.003, 0.01
#: faults that begin per lumisection, and their mean length
BIRTH, LENGTH = 0.012, 8.0


class Fault(NamedTuple):
    """Which columns are wrong, and by which factor."""

    columns: tuple[int, ...]
    factor: float


def faults() -> tuple[Fault, ...]:
    """An item with all chains behind it, or a chain alone, at each strength."""
    places = [tuple(np.flatnonzero(item == PARENT).tolist()) for item in range(len(ITEMS))]
    places += [(len(ITEMS) + chain,) for chain in range(len(CHAINS))]
    return tuple(Fault(place, strength) for place in places for strength in STRENGTHS)


@dataclass(frozen=True, eq=False)
class RateRuns:
    """Runs of rates.

    Parameters
    ----------
    table : rates in Hz by `NAMES`, then their prescales by `PRESCALE` + name.
    labels : (n,) 1 while a fault lasts.
    steps : (n,) a prescale step falls within this lumisection.
    belief : (n,) log-odds of a fault given everything up to this lumisection and all that only the generator knows
        (expected rates, levels, strengths, lengths): no method that looks at the past can rank better.
    """

    table: FeatureTable
    labels: IntArray
    steps: BoolArray
    belief: FloatArray


def rate_runs(seed: int, *, runs: int, length: int = 120) -> RateRuns:
    """Runs of `length` lumisections, each with a fill of its own."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 71]))
    known = faults()
    parts = [_run(rng, number, length, known) for number in range(runs)]
    conditions = Conditions.concatenate([part[0] for part in parts])
    values, labels, steps, belief = (np.concatenate([part[k] for part in parts]) for k in range(1, 5))
    groups = tuple(ITEMS[place].name for place in PARENT)
    names = (*NAMES, *(PRESCALE + name for name in NAMES))
    return RateRuns(FeatureTable(values, names, groups * 2, conditions), labels.astype(np.int64), steps > 0, belief)


def rates_of(conditions: Conditions, rng: np.random.Generator, *, factor: FloatArray | None = None) -> FeatureTable:
    """Rates and prescales of a run of which luminosity and pile-up are known, lumisections of a minute.

    factor (n, items and chains) : on the rates, where something is wrong. The prescales follow the pile-up down, as for
    a full machine, from its largest value on.
    """
    pileup = np.maximum(conditions.pileup, 1e-6)
    bunches = conditions.luminosity / (SECONDS * instantaneous(pileup, 1))
    ahead = np.maximum.accumulate(pileup[::-1])[::-1]
    before = _prescales(ahead, MOST_BUNCHES)
    after = np.vstack([before[1:], before[-1:]])
    share = rng.uniform(0.1, 0.9, (len(pileup), 1))
    level = rng.normal(0.0, LEVEL, len(NAMES)) + np.cumsum(rng.normal(0.0, WANDER, before.shape), axis=0)
    expected = _raw(pileup, bunches[:, None]) * np.exp(level) * (share / before + (1.0 - share) / after) * SECONDS
    excess = rng.gamma(DISPERSION, 1.0 / DISPERSION, (len(pileup), len(ITEMS)))[:, PARENT]
    counts = rng.poisson(expected * excess * (1.0 if factor is None else factor))
    groups = tuple(ITEMS[place].name for place in PARENT)
    names = (*NAMES, *(PRESCALE + name for name in NAMES))
    return FeatureTable(np.hstack([counts / SECONDS, before]), names, groups * 2, conditions)


def as_elements(table: FeatureTable, *, folder: str = "Trigger") -> list[HistogramBlock]:
    """The columns as monitoring elements of one bin, as `mlcore.features.quantities` reads them: `Trigger/L1_EM3`, and
    `Trigger/L1_EM3/prescale` where it ever changes; a prescale that is not there is 1."""
    found = []
    for place, name in enumerate(table.names):
        is_prescale, of = name.startswith(PRESCALE), name.removeprefix(PRESCALE)
        values = table.values[:, place]
        if is_prescale and (values == 1.0).all():
            continue
        axis = Axis("prescale", np.array([0.0, 1.0])) if is_prescale else Axis("rate", np.array([0.0, 1.0]), unit="Hz")
        element = f"{folder}/{of}{PRESCALE_OF}" if is_prescale else f"{folder}/{of}"
        found.append(
            HistogramBlock(element, (axis,), values[:, None], table.conditions, physics_object=table.groups[place])
        )
    return found


def _run(
    rng: np.random.Generator, number: int, length: int, known: tuple[Fault, ...]
) -> tuple[Conditions, FloatArray, IntArray, IntArray, FloatArray]:
    minutes = np.arange(length, dtype=np.float64)
    hours = (minutes + 0.5) / 60.0 * rng.uniform(2.0, 4.0)  # a run is every n-th minute of a fill
    start = rng.uniform(34.0, 58.0)
    levelled = rng.uniform(0.0, 3.0) * (rng.random() < 0.5)
    pileup = pileup_in_fill(hours, start=start, lifetime=rng.uniform(8, 15), levelled=levelled, phase=rng.random())
    bunches = rng.choice([1_200, 1_800, 2_100, MOST_BUNCHES], p=[0.1, 0.1, 0.2, 0.6])
    before = _prescales(pileup, bunches)
    after = np.vstack([before[1:], before[-1:]])
    share = rng.uniform(0.1, 0.9, (length, 1))  # of the lumisection that is over when prescales change
    seen = share / before + (1.0 - share) / after
    level = rng.normal(0.0, LEVEL, len(NAMES)) + np.cumsum(rng.normal(0.0, WANDER, (length, len(NAMES))), axis=0)
    expected = _raw(pileup, bunches) * np.exp(level) * seen * SECONDS
    state = _states(rng, length, len(known))
    factor = np.ones_like(expected)
    for row in np.flatnonzero(state >= 0):
        factor[row, list(known[state[row]].columns)] = known[state[row]].factor
    excess = rng.gamma(DISPERSION, 1.0 / DISPERSION, (length, len(ITEMS)))[:, PARENT]
    counts = rng.poisson(expected * factor * excess)
    luminosity = instantaneous(pileup, bunches) * SECONDS * rng.normal(1.0, READING, length)
    conditions = Conditions(
        run=np.full(length, 400_000 + number), lumisection=np.arange(1, length + 1), luminosity=luminosity,
        pileup=pileup * rng.normal(1.0, READING / 2, length), time=1.7e9 + 86_400.0 * number + SECONDS * minutes,
    )  # fmt: skip
    changed = np.any(before != after, axis=1)
    belief = _belief(counts, expected, known)
    return conditions, np.hstack([counts / SECONDS, before]), (state >= 0).astype(int), changed.astype(int), belief


def _raw(pileup: FloatArray, bunches: int | FloatArray) -> FloatArray:
    """(n, columns) rates in Hz before any prescale."""
    mu = pileup[:, None]
    linear, quadratic, floor = (np.asarray([item[k] for item in ITEMS], dtype=float) for k in (1, 2, 3))
    first = bunches / MOST_BUNCHES * (linear * mu + quadratic * mu**2) + floor
    share, slope = (np.asarray([chain[k] for chain in CHAINS], dtype=float) for k in (2, 3))
    seed = PARENT[len(ITEMS) :]
    kept = share * np.maximum(1.0 + slope * (mu - 40.0) / 40.0, 0.05)
    return np.asarray(np.hstack([first, first[:, seed] * kept]))


def _prescales(pileup: FloatArray, bunches: int) -> FloatArray:
    """(n, columns) prescale at the start of each lumisection: six steps down as the luminosity falls."""
    intensity = pileup * bunches / (58.0 * MOST_BUNCHES)
    step = np.searchsorted(-np.asarray([0.85, 0.72, 0.6, 0.48, 0.36]), -np.minimum.accumulate(intensity))
    own = np.asarray([item.steps for item in ITEMS]).T[step]
    behind = np.asarray([chain.steps for chain in CHAINS]).T[step]
    return np.asarray(np.hstack([own, own[:, PARENT[len(ITEMS) :]] * behind]))


def _states(rng: np.random.Generator, length: int, kinds: int) -> IntArray:
    """(n,) which fault lasts, -1 for none: begins with BIRTH, ends with 1 / LENGTH, a chain of Markov."""
    state = np.full(length, -1, dtype=np.int64)
    now = -1
    for row in range(length):
        if now >= 0 and rng.random() < 1.0 / LENGTH:
            now = -1
        elif now < 0 and rng.random() < BIRTH:
            now = int(rng.integers(kinds))
        state[row] = now
    return state


def _belief(counts: IntArray, expected: FloatArray, known: tuple[Fault, ...]) -> FloatArray:
    """(n,) log-odds of any fault given counts so far: the forward filter of the Markov chain, exact."""
    ratio = np.zeros((len(counts), len(known) + 1))
    for place, fault in enumerate(known):
        group = np.flatnonzero(PARENT[fault.columns[0]] == PARENT)
        mean, seen = expected[:, group].sum(axis=1), counts[:, group].sum(axis=1)
        wrong = expected[:, list(fault.columns)].sum(axis=1)
        lost = mean + (fault.factor - 1.0) * wrong
        ratio[:, place + 1] = counts[:, list(fault.columns)].sum(axis=1) * np.log(fault.factor) - (
            seen + DISPERSION
        ) * np.log((lost + DISPERSION) / (mean + DISPERSION))
    now = np.full(len(known) + 1, -np.inf)
    now[0] = 0.0
    belief = np.empty(len(counts))
    for row in range(len(counts)):
        good = np.logaddexp(now[0] + np.log(1 - BIRTH), logsumexp(now[1:]) - np.log(LENGTH))
        bad = np.logaddexp(now[1:] + np.log(1 - 1 / LENGTH), now[0] + np.log(BIRTH / len(known)))
        now = np.concatenate([[good], bad]) + ratio[row]
        now -= logsumexp(now)
        belief[row] = logsumexp(now[1:]) - now[0]
    return belief
