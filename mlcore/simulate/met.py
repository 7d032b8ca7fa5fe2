"""Missing momentum over lumisections: its significance and the scalar sum, which share what differs between runs.

A noisier calorimeter or another gain moves both histograms together and is no fault. Faults move one of them, or both
against each other, and last a few lumisections.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mlcore.conditions import Conditions, FloatArray, IntArray
from mlcore.errors import MlcoreError
from mlcore.histograms import Axis, HistogramBlock

from .shape_faults import ChargeScaleStep, GainShift, Spike
from .shapes import ClusterMultiplicity, DetectorState, MetSignificance

SIGNIFICANCE = MetSignificance(element="JetMET/METSig", per_event=5.0)
SUM = ClusterMultiplicity(
    element="JetMET/SumET",
    axis=Axis.regular("sum", 100, 0.0, 6_000.0, unit="GeV"),
    physics_object="met",
    per_event=5.0,
    per_collision=38.0,
)
#: what can go wrong, and in which element it shows
FAULTS = (
    "hot jets",  # significance
    "energy scale",  # sum
    "noise without energy",  # significance: as in a noisy run, but the sum is that of a quiet one
    "energy without noise",  # sum: as in a noisy run, but the significance is that of a quiet one
    "spike",  # one bin of the significance
)


@dataclass(frozen=True)
class MetLaw:
    """How runs differ and how strong faults are.

    Parameters
    ----------
    runs, length : of so many lumisections each.
    wobble : how much runs differ, in units of `DetectorState.jittered`.
    strength : of the strongest fault. levels : strengths as shares of it, each as frequent.
    """

    runs: int = 100
    length: int = 40
    wobble: float = 3.0
    strength: float = 1.1
    levels: tuple[float, ...] = (0.5, 0.63, 0.8, 1.0)

    def __post_init__(self) -> None:
        if self.runs < 1 or self.length < 1 or not self.strength > 0 or not all(0 < one <= 1 for one in self.levels):
            raise MlcoreError("met: runs, length and strength are positive, levels lie above 0 and up to 1.")


@dataclass(frozen=True, eq=False)
class MetRuns:
    """Both elements with their truth.

    Parameters
    ----------
    blocks : significance and sum on the same n lumisections. fault : (n,) place in `FAULTS`, -1 for none.
    strength : (n,) of the fault as a share of the strongest.
    log_odds : (n,) of somebody who knows the state of every run and all faults; no method can order better by a
        lumisection alone.
    """

    blocks: tuple[HistogramBlock, HistogramBlock]
    fault: IntArray
    strength: FloatArray
    log_odds: FloatArray

    @property
    def conditions(self) -> Conditions:
        return self.blocks[0].conditions

    @property
    def labels(self) -> IntArray:
        return (self.fault >= 0).astype(np.int64)


def met_runs(seed: int, *, law: MetLaw | None = None) -> MetRuns:
    """Runs in order of time, about a fifth of the lumisections with a fault."""
    law = law or MetLaw()
    beam, detector, course, dice = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4))
    conditions = _conditions(law, beam)
    state = DetectorState.nominal(conditions).jittered(conditions, detector, size=law.wobble)
    state = replace(state, dose=np.zeros(len(conditions)))
    fault, strength = _episodes(len(conditions), law, course)
    expected = _expected(conditions, state, fault, strength, law)
    blocks = tuple(
        model.draw(conditions, dice, expected=mean, state=state)
        for model, mean in zip((SIGNIFICANCE, SUM), expected, strict=True)
    )
    odds = _log_odds([np.asarray(block.counts, dtype=np.float64) for block in blocks], conditions, state, law)
    return MetRuns((blocks[0], blocks[1]), fault, strength, odds)


def _conditions(law: MetLaw, rng: np.random.Generator) -> Conditions:
    """Every run begins at a pile-up of its own, which decays."""
    n = law.runs * law.length
    hours = np.tile(np.arange(law.length) / 60.0, law.runs)
    start, lifetime = rng.uniform(30.0, 60.0, law.runs), rng.uniform(8.0, 15.0, law.runs)
    pileup = np.repeat(start, law.length) * np.exp(-hours / np.repeat(lifetime, law.length))
    return Conditions(
        run=np.repeat(np.arange(380_001, 380_001 + law.runs), law.length),
        lumisection=np.tile(np.arange(1, law.length + 1), law.runs),
        luminosity=4.5 * pileup,
        pileup=pileup,
        events=rng.poisson(1_200.0 * pileup / 45.0).astype(np.float64),
        time=1.7e9 + 60.0 * np.arange(n, dtype=np.float64),
    )


def _episodes(n: int, law: MetLaw, rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """Faults of some lumisections each, families and strengths in turn."""
    fault, strength = np.full(n, -1), np.zeros(n)
    first, number = int(rng.integers(8, 20)), 0
    while first < n - 15:
        rows = slice(first, first + 1 + int(rng.geometric(0.25)))
        fault[rows] = number % len(FAULTS)
        strength[rows] = law.levels[number // len(FAULTS) % len(law.levels)]
        first, number = rows.stop + int(rng.geometric(1.0 / 18.0)) + 2, number + 1
    return fault, strength


def _expected(
    conditions: Conditions, state: DetectorState, fault: IntArray, strength: FloatArray, law: MetLaw
) -> tuple[FloatArray, FloatArray]:
    """Mean counts of both elements with these faults."""
    size, rng = law.strength * strength, np.random.default_rng(0)  # none of these faults throws dice
    noise = [
        replace(state, material=state.material * np.where(fault == FAULTS.index(name), 1.0 + by * size, 1.0))
        for name, by in (("noise without energy", 1.2), ("energy without noise", 1.0))
    ]
    significance, total = SIGNIFICANCE.expected(conditions, state=noise[0]), SUM.expected(conditions, state=noise[1])
    for level in np.unique(strength[strength > 0]).tolist():
        now = strength == level
        hot = GainShift(axis=SIGNIFICANCE.axis, strength=level, size=law.strength, share=0.25)
        significance = hot.apply(significance, now & (fault == FAULTS.index("hot jets")), rng)
        spike = Spike(axis=SIGNIFICANCE.axis, strength=level, bin=8, share=0.04 * law.strength)
        significance = spike.apply(significance, now & (fault == FAULTS.index("spike")), rng)
        step = ChargeScaleStep(axis=SUM.axis, strength=level, size=0.08 * law.strength)
        total = step.apply(total, now & (fault == FAULTS.index("energy scale")), rng)
    return significance, total


def _log_odds(counts: list[FloatArray], conditions: Conditions, state: DetectorState, law: MetLaw) -> FloatArray:
    """(n,) log of how much likelier the counts are under some fault than without, every kind and level alike."""
    n = len(conditions)
    good = _expected(conditions, state, np.full(n, -1), np.zeros(n), law)
    ratios = []
    for number in range(len(FAULTS)):
        for level in law.levels:
            bad = _expected(conditions, state, np.full(n, number), np.full(n, level), law)
            ratio = np.zeros(n)
            for seen, usual, wrong in zip(counts, good, bad, strict=True):
                share = np.log(np.maximum(wrong, 1e-9) / np.maximum(usual, 1e-9))
                ratio += (seen * share - wrong + usual).sum(axis=1)
            ratios.append(ratio)
    return np.asarray(np.logaddexp.reduce(ratios, axis=0) - np.log(len(ratios)))
