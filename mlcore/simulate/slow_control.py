"""A pulsed signal of slow control: the current of a pulsed magnet, read once a second, as a machine repeats its cycles.

A supercycle of pulses of different height and length repeats without end. Its period is no whole number of seconds and
wanders with the mains, every pulse comes a little early or late, heights follow a supply that sags and recovers. Each
run begins somewhere in the supercycle.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlcore.conditions import Conditions, FloatArray, IntArray
from mlcore.histograms import Axis, HistogramBlock

ELEMENT = "SlowControl/pulsed magnet"
#: seconds in a lumisection, one reading each
SECONDS = 60
#: mean length of a cycle in seconds
CYCLE = 21.37
#: height in A, flat top in seconds, of each pulse of the supercycle
PULSES = ((1.0, 6.0), (0.45, 3.0), (1.0, 6.0), (0.7, 9.0), (0.0, 0.0), (0.85, 4.0), (0.45, 3.0))
RISE, FALL, IDLE, CURRENT = 1.6, 2.2, 0.12, 4_000.0
#: of the reading, of the height of a pulse (both relative), of the start of a pulse in seconds
NOISE, HEIGHT, JITTER = 0.002, 0.002, 0.02
#: of the length of cycles, relative
WANDER = 0.008


@dataclass(frozen=True, eq=False)
class SlowControl:
    """`block` holds a reading in A per second of each lumisection; `labels` are 1 while something is wrong; `limit` is
    the root mean square of what cannot be known before it happens: noise, jitter and heights of single pulses."""

    block: HistogramBlock
    labels: IntArray
    limit: float


def slow_control(seed: int, *, runs: int, length: int = 40, faulty: bool = False) -> SlowControl:
    """Runs of `length` lumisections. With `faulty` every run has a stretch with one of four faults: pulses too low,
    pulses that come too late, a noisy reading, or a pulse of every supercycle that is missing."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, 73]))
    parts = [_run(rng, length, number, faulty=faulty) for number in range(runs)]
    conditions = Conditions(
        run=np.repeat(np.arange(500_000, 500_000 + runs), length), lumisection=np.tile(np.arange(1, length + 1), runs),
        time=1.7e9 + 86_400.0 * np.repeat(np.arange(runs), length) + 60.0 * np.tile(np.arange(length), runs),
    )  # fmt: skip
    readings = np.vstack([part[0] for part in parts])
    axis = Axis.regular("second", SECONDS, 0.0, float(SECONDS), unit="s")
    limit = float(np.sqrt(np.mean([part[2] for part in parts])))
    return SlowControl(
        HistogramBlock(ELEMENT, (axis,), readings, conditions), np.concatenate([part[1] for part in parts]), limit
    )


def _run(rng: np.random.Generator, length: int, number: int, *, faulty: bool) -> tuple[FloatArray, IntArray, float]:
    seconds = np.arange(length * SECONDS, dtype=np.float64)
    labels = np.zeros(length, dtype=np.int64)
    kind = number % 4 if faulty else -1
    if faulty:
        first = int(rng.integers(length // 3, 2 * length // 3))
        labels[first : first + int(rng.integers(3, 8))] = 1
    wrong = np.repeat(labels, SECONDS) > 0
    # Cycles get longer and shorter by some per mille within half an hour to an hour.
    phase = np.cumsum(1.0 + WANDER * np.sin(seconds / rng.uniform(300, 600) + rng.uniform(0, 6.3)))
    place = phase / CYCLE + rng.uniform(0, len(PULSES))
    supply = 1.0 - 0.06 * np.sin(seconds / rng.uniform(300, 500) + rng.uniform(0, 6.3)) ** 2
    cycles = int(place[-1]) + 3
    jitter, height = rng.normal(0.0, JITTER, cycles), 1.0 + rng.normal(0.0, HEIGHT, cycles)
    known = _shape(place, np.zeros(cycles), np.ones(cycles))
    shape = _shape(place, jitter, height)
    if kind == 0:
        shape = np.where(wrong, IDLE + (shape - IDLE) * 0.93, shape)
    if kind == 1:
        shape = np.where(wrong, _shape(place - 0.8 / CYCLE, jitter, height), shape)
    if kind == 2:
        shape = np.where(wrong, shape + 0.02 * rng.normal(size=len(shape)), shape)
    if kind == 3:
        shape = np.where(wrong & (place.astype(int) % len(PULSES) == 1), IDLE, shape)
    reading = CURRENT * (supply * shape + NOISE * rng.normal(size=len(shape)))
    surprise = CURRENT**2 * (NOISE**2 + float(np.mean((supply * (shape - known))[~wrong] ** 2)))
    return np.maximum(reading, 0.0).reshape(length, SECONDS), labels, surprise


def _shape(place: FloatArray, jitter: FloatArray, height: FloatArray) -> FloatArray:
    """Current in units of the nominal one at places counted in cycles."""
    place = np.maximum(place, 0.0)
    number = place.astype(np.int64)
    since = (place - number) * CYCLE - 3.0 - jitter[number]
    top, flat = np.asarray(PULSES)[number % len(PULSES)].T
    up = np.clip(since / RISE, 0.0, 1.0)
    down = np.exp(-np.maximum(since - RISE - flat, 0.0) / FALL)
    return np.asarray(IDLE + top * height[number] * up * down * (1.0 - 0.05 * np.clip(since / 10.0, 0.0, 1.0)))
