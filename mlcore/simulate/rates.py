"""Trigger rates: level-1 items and the high-level chains behind them.

A level-1 item fires at R = bunches x (a mu + b mu^2) + floor + c x background, divided by its prescale, which changes
with the prescale step and with the weekly menu. What is counted in a lumisection scatters more than Poisson: negative
binomial with r = 200, about 7%. The chains behind an item share its excess, because they see the same events; that is
the tree from level 1 to the high level of arXiv:2010.05531.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mlcore.conditions import FloatArray
from mlcore.features import FeatureTable

from .machine import MOST_BUNCHES
from .streams import Streams
from .year import Year

ELEMENT = "Trigger/rates"
#: shape of the negative binomial: variance = mean + mean^2 / r
DISPERSION = 200.0


class Item(NamedTuple):
    """A level-1 item. Rates in Hz at 2,400 bunches; `steps` are prescales at the six steps of a fill."""

    name: str
    linear: float
    quadratic: float
    floor: float
    background: float
    steps: tuple[float, ...] = (1.0,) * 6


class Chain(NamedTuple):
    """A chain of the high level: the share of its seed's events that it keeps at pile-up 40, and how that grows."""

    name: str
    seed: str
    share: float
    pileup_slope: float
    steps: tuple[float, ...] = (1.0,) * 6


ITEMS = (
    Item("L1_EM22VHI", 380.0, 2.2, 5.0, 0.0),
    Item("L1_EM3", 9_000.0, 40.0, 60.0, 0.0, (600.0, 500.0, 400.0, 300.0, 220.0, 150.0)),
    Item("L1_MU20", 230.0, 0.3, 12.0, 40.0),
    Item("L1_2MU6", 90.0, 0.9, 2.0, 6.0, (1.0, 1.0, 1.0, 1.0, 1.0, 1.0)),
    Item("L1_TAU60", 70.0, 1.1, 3.0, 0.0),
    Item("L1_J100", 62.0, 0.15, 4.0, 0.0),
    Item("L1_XE50", 18.0, 1.6, 6.0, 4.0),
    Item("L1_MBTS", 2.0e5, 0.0, 200.0, 150.0, (40_000.0, 34_000.0, 29_000.0, 25_000.0, 21_000.0, 17_000.0)),
)
CHAINS = (
    Chain("HLT_e26_tight", "L1_EM22VHI", 0.0055, 0.10),
    Chain("HLT_g140_loose", "L1_EM22VHI", 0.0016, 0.05),
    Chain("HLT_2e17", "L1_EM22VHI", 0.0007, 0.15),
    Chain("HLT_e5_etcut", "L1_EM3", 0.030, 0.0, (4.0, 4.0, 3.0, 3.0, 2.0, 2.0)),
    Chain("HLT_mu26_iso", "L1_MU20", 0.019, 0.05),
    Chain("HLT_mu50", "L1_MU20", 0.0042, 0.02),
    Chain("HLT_2mu10", "L1_2MU6", 0.012, 0.12),
    Chain("HLT_2mu6_bJpsi", "L1_2MU6", 0.034, 0.10),
    Chain("HLT_tau160", "L1_TAU60", 0.0060, 0.20),
    Chain("HLT_j420", "L1_J100", 0.012, 0.05),
    Chain("HLT_6j70", "L1_J100", 0.0075, 0.55),
    Chain("HLT_xe110", "L1_XE50", 0.026, 0.75),
    Chain("HLT_mb_sptrk", "L1_MBTS", 0.50, 0.0),
)
NAMES = tuple(item.name for item in ITEMS) + tuple(chain.name for chain in CHAINS)
_SEED = [next(place for place, item in enumerate(ITEMS) if item.name == chain.seed) for chain in CHAINS]
#: for each column the level-1 item whose events it counts
PARENT = np.asarray([*range(len(ITEMS)), *_SEED])


@dataclass(frozen=True, eq=False)
class TriggerRates:
    """Rates of the year's menus. Menus differ by a few per cent in what a chain keeps, and support chains get other
    prescales every week."""

    streams: Streams

    def expected(self, year: Year, rows: npt.NDArray[Any] | slice) -> FloatArray:
        """(rows, items and chains) rates in Hz while the read-out is live, in the order of `NAMES`."""
        pileup = year.conditions.pileup[rows][:, None]
        bunches = year.fills.bunches[year.fill_place[rows]][:, None] / MOST_BUNCHES
        step, menu = year.prescale[rows], year.menu[rows]
        background = year.background[rows][:, None]
        linear, quadratic, floor, halo = (
            np.asarray([getattr(item, name) for item in ITEMS])
            for name in ("linear", "quadratic", "floor", "background")
        )
        first = bunches * (linear * pileup + quadratic * pileup**2) + floor + halo * background
        first /= np.asarray([item.steps for item in ITEMS]).T[step]
        first *= self._weekly("items", len(ITEMS), 0.02)[menu]
        share = np.asarray([chain.share for chain in CHAINS])
        slope = np.asarray([chain.pileup_slope for chain in CHAINS])
        kept = share * np.maximum(1.0 + slope * (pileup - 40.0) / 40.0, 0.05)
        kept = kept / np.asarray([chain.steps for chain in CHAINS]).T[step]
        second = first[:, _SEED] * kept * self._weekly("chains", len(CHAINS), 0.04)[menu]
        return np.hstack([first, second])

    def _weekly(self, what: str, columns: int, width: float) -> FloatArray:
        """(weeks, columns) factors of the weekly menus; three menus in ten touch a given item."""
        rng = self.streams.of("rates", what)
        change = rng.normal(0.0, width, (64, columns)) * (rng.random((64, columns)) < 0.3)
        return np.asarray(np.exp(np.cumsum(change, axis=0) * 0.7))

    def draw(
        self, year: Year, rows: npt.NDArray[Any] | slice, rng: np.random.Generator, *, expected: FloatArray
    ) -> FeatureTable:
        """Counted rates in Hz, one column per item or chain; NaN where the read-out was never live."""
        seconds = (year.live[rows] * year.lumisection_seconds)[:, None]
        excess = rng.gamma(DISPERSION, 1.0 / DISPERSION, (len(expected), len(ITEMS)))
        counts = rng.poisson(expected * seconds * excess[:, PARENT])
        rates = np.where(seconds > 0, counts / np.where(seconds > 0, seconds, 1.0), np.nan)
        return FeatureTable(rates, NAMES, tuple(ITEMS[place].name for place in PARENT), year.conditions.select(rows))
