"""A cell calorimeter with time and energy per hit: spectra of channels, times of read-out units, sampled pulses.

Patterned on the EMCAL of the first seed: cells of many channels with bad ones among them (dead, hot, noisy, wrong gain,
no high energies), read-out units whose level-1 phase may shift by one of the four clock ticks of 25 ns, and pulses
sampled every 100 ns with the response A x (t/tau)^2 exp(2 - 2 t/tau).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlcore.conditions import Conditions, FloatArray, IntArray
from mlcore.histograms import Axis, HistogramBlock

SPECTRUM = Axis.regular("energy", 40, 0.1, 10.1)
TIME = Axis.regular("time", 100, -100.0, 100.0, unit="ns")
TICK = 25.0
#: of the pulse: samples, ns between them, rise in ns, noise in ADC counts
SAMPLES, SPACING, TAU, NOISE = 10, 100.0, 235.0, 2.0
FAULTS = ("dead", "hot", "noisy", "gain", "cut")


@dataclass(frozen=True, eq=False)
class Spectra:
    """`counts` (channels, 40) energies of each channel; `label` 1 for a bad one; `belief` its log-likelihood ratio."""

    counts: FloatArray
    label: IntArray
    belief: FloatArray


def spectra(seed: int, *, channels: int = 3_000, bad: float = 0.04) -> Spectra:
    """Channels with 150 to 800 hits each, falling steeply with energy; gains scatter by 6%, acceptance by 20%."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 83]))
    label = (rng.random(channels) < bad).astype(np.int64)
    hits = 400.0 * (0.6 + 0.8 * np.sin(np.linspace(0, np.pi, channels)) ** 2) * rng.lognormal(0, 0.2, channels)
    gain = rng.lognormal(0.0, 0.06, channels)
    expected = hits[:, None] * _steep(gain)
    kinds = rng.integers(len(FAULTS), size=channels)
    strength = rng.random(channels)
    wrong = np.array([_faulty(FAULTS[k], hits[i], gain[i], strength[i]) for i, k in enumerate(kinds)])
    counts = rng.poisson(np.where(label[:, None] == 1, wrong, expected)).astype(np.float64)
    # The worst that any method must settle: this very fault against none, everything else known.
    belief = (counts * np.log(np.maximum(wrong, 1e-9) / expected) - wrong + expected).sum(axis=1)
    return Spectra(counts, label, belief)


def _steep(gain: FloatArray) -> FloatArray:
    energy = SPECTRUM.centres[None, :] / gain[:, None]
    shape = (energy + 0.3) ** -3.2
    return np.asarray(shape / ((SPECTRUM.centres + 0.3) ** -3.2).sum())


def _faulty(kind: str, hits: float, gain: float, strength: float) -> FloatArray:
    usual = hits * _steep(np.array([gain]))[0]
    place = np.arange(SPECTRUM.bins)
    if kind == "dead":
        return np.asarray(usual * 0.22 * strength + 1e-3)
    if kind == "hot":
        return np.asarray(usual * (3.2 + 4.0 * strength))
    if kind == "noisy":
        centre = 4 + int(25 * strength)
        return np.asarray(usual + hits * 0.25 * np.exp(-0.5 * ((place - centre) / 1.2) ** 2))
    if kind == "gain":
        return np.asarray(hits * _steep(np.array([gain * (0.45 if strength < 0.5 else 2.0)]))[0])
    return np.asarray(np.where(place > 2, usual * 0.05, usual))


@dataclass(frozen=True, eq=False)
class Times:
    """`block` times of one read-out unit per lumisection; `labels` 1 while its phase is off; `belief` log-likelihood
    ratios of a shift of any tick, with the width and the tails known."""

    block: HistogramBlock
    labels: IntArray
    belief: FloatArray


def times(seed: int, *, runs: int = 20, length: int = 60, hits: float = 40.0) -> Times:
    """In a third of the runs the phase is off from somewhere on: a part of the events (those of the other clock
    parity) comes one to three ticks late. Every run begins with an offset of its own of 2 ns."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 89]))
    n = runs * length
    labels, late, tick = np.zeros(n, dtype=np.int64), np.zeros(n), np.ones(n)
    offset = np.repeat(rng.normal(0.0, 2.0, runs), length)
    for run in range(0, runs, 3):
        rows = np.arange(run * length + int(rng.integers(0, length // 2)), (run + 1) * length)
        labels[rows], late[rows], tick[rows] = 1, rng.uniform(0.18, 0.5), rng.choice([-1.0, 1.0, 2.0])
    total = np.maximum(rng.poisson(hits * rng.uniform(0.5, 1.5, n)), 3)
    usual = np.array([arrival(x) for x in offset])
    shifted = np.array([arrival(x + TICK * k) for x, k in zip(offset, tick, strict=True)])
    shape = (1 - late[:, None]) * usual + late[:, None] * shifted
    counts = np.array([rng.multinomial(m, p) for m, p in zip(total, shape, strict=True)], dtype=np.float64)
    ratios = []
    for k in (-1.0, 1.0, 2.0):
        other = np.array([arrival(x + TICK * k) for x in offset])
        ratios += [(counts * np.log((1 - s) + s * other / usual)).sum(axis=1) for s in (0.2, 0.3, 0.45)]
    conditions = Conditions(
        np.repeat(np.arange(600_000, 600_000 + runs), length), np.tile(np.arange(1, length + 1), runs),
        events=total.astype(np.float64),
    )  # fmt: skip
    return Times(HistogramBlock("EMCAL/time", (TIME,), counts, conditions), labels, np.logaddexp.reduce(ratios, axis=0))


def arrival(centre: float) -> FloatArray:
    """Arrival times: 85% in a peak of 5 ns, the rest in tails of 25 ns and a flat floor."""
    t = TIME.centres - centre
    shape = 0.85 * np.exp(-0.5 * (t / 5.0) ** 2) / 5.0 + 0.12 * np.exp(-0.5 * (t / 25.0) ** 2) / 25.0 + 0.0003
    return np.asarray(shape / shape.sum())


@dataclass(frozen=True, eq=False)
class Pulses:
    """`samples` (n, 10) ADC counts with their pedestal taken off; the true `amplitude` in counts and `time` in ns."""

    samples: FloatArray
    amplitude: FloatArray
    time: FloatArray


def pulses(seed: int, *, count: int, led: bool = False) -> Pulses:
    """Amplitudes fall as exp(-A/150) from 20 to 900 counts; those of an LED run, for training, lie around a few levels.

    The response of a channel is 2% slower or quicker than the nominal one.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, 97, int(led)]))
    if led:
        level = rng.choice([30.0, 60.0, 120.0, 240.0, 480.0, 800.0], count)
        amplitude = level * rng.lognormal(0.0, 0.12, count)
    else:
        amplitude = 20.0 - 150.0 * np.log(1.0 - rng.random(count) * (1 - np.exp(-880.0 / 150.0)))
    time = rng.uniform(-40.0, 40.0, count)
    tau = TAU * rng.normal(1.0, 0.02, count)
    samples = amplitude[:, None] * response(time, tau) + rng.normal(0.0, NOISE, (count, SAMPLES))
    return Pulses(samples, amplitude, time)


def response(time: FloatArray, tau: FloatArray | float = TAU) -> FloatArray:
    """(n, 10) pulses of height 1 that begin at 150 ns + time."""
    clock = np.arange(SAMPLES) * SPACING
    since = np.maximum(clock[None, :] - 150.0 - np.asarray(time)[:, None], 0.0) / np.reshape(tau, (-1, 1))
    return np.asarray(since**2 * np.exp(2.0 - 2.0 * since))
