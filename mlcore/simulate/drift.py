"""Change that is no defect: a detector that ages, is calibrated, warms up at noon and is repaired in the stops.

It is labelled apart from defects, so that false alarms on drift can be counted. What changes slowly enters the models
through `shapes.DetectorState`, and for maps as a factor per channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mlcore.conditions import FloatArray, IntArray

from .machine import DAY, HOUR, START, STOPS
from .shapes import DetectorState
from .streams import Streams
from .year import Year

KINDS = ("none", "calibration", "menu", "replacement")
#: how long after a step a change of the data is put down to it
FRESH = 2 * DAY


class Habits(NamedTuple):
    """How a system drifts.

    Parameters
    ----------
    lifetime : inverse femtobarn in which its gain falls by 1/e between calibrations.
    per_degree : relative change of gain per degree. phase_per_degree : nanoseconds per degree.
    unsteady : scale of what differs from run to run, so that 0.1 to 0.4 of the variance of scores of good
        lumisections is common to a run.
    """

    lifetime: float
    per_degree: float
    phase_per_degree: float
    unsteady: float = 1.0


HABITS = {
    "ECAL": Habits(2_500.0, -0.001, 0.006, 1.7),
    "HCAL": Habits(4_000.0, -0.0005, 0.008, 1.9),
    "PIXEL": Habits(6_000.0, 0.0003, 0.004, 1.7),
    "TRACKER": Habits(8_000.0, 0.0005, 0.006, 2.0),
    "MUON": Habits(12_000.0, 0.0015, 0.015, 1.2),
    "TRIG": Habits(9_000.0, 0.0, 0.004, 0.7),
    "JETMET": Habits(4_000.0, -0.0005, 0.004, 4.0),
}


class Step(NamedTuple):
    """Something was changed on purpose. `size` is the relative change of gain (calibration, replacement) or of the
    event mix (menu)."""

    kind: str
    system: str
    time: float
    size: float


@dataclass(frozen=True, eq=False)
class SystemDrift:
    """The history of one system; arrays of shape (n,) except `epochs`.

    Parameters
    ----------
    state : what shapes depend on.
    epoch : number of the calibration in force.
    kind : place in `KINDS` of the latest step, where it is at most two days old, else 0.
    steps : all of them in time order.
    """

    state: DetectorState
    epoch: IntArray
    kind: IntArray
    steps: tuple[Step, ...]

    def state_of(self, rows: npt.NDArray[Any] | slice) -> DetectorState:
        """The state in some lumisections."""
        return DetectorState(
            **{column.name: getattr(self.state, column.name)[rows] for column in fields(DetectorState)}
        )


def drift_of(year: Year, system: str, streams: Streams) -> SystemDrift:
    """How one system drifts over a year."""
    habits = HABITS[system]
    rng = streams.of("drift", system)
    time = year.conditions.time
    calibrated, epoch, residual = _calibrations(time, rng)
    dose_then = np.interp(calibrated, time, year.dose)
    replaced, change = _replacements(rng)
    since_stop = np.searchsorted(replaced, time, side="right")
    menus = rng.normal(0.0, 0.012, 64)
    warm = year.temperature - 22.0
    wobble = _Wobble(year, rng, habits.unsteady)
    gain = np.exp(-(year.dose - dose_then[epoch]) / habits.lifetime) * (1.0 + residual[epoch])
    gain *= np.cumprod(np.r_[1.0, 1.0 + change[:, 0]])[since_stop] * (1.0 + habits.per_degree * warm)
    phase = np.cumsum(np.r_[0.0, change[:, 1]])[since_stop] + habits.phase_per_degree * warm
    z, width = _luminous_region(year, streams)
    state = DetectorState(
        dose=year.dose,
        gain=gain * (1.0 + 0.0018 * wobble.next()),
        phase=phase + 0.008 * wobble.next(),
        beam_z=z,
        beam_width=width,
        material=np.exp(menus[year.menu] + 0.018 * wobble.next()),
    )
    steps = _steps(
        year, system, calibrated=calibrated, residual=residual, replaced=replaced, change=change, menus=menus
    )
    return SystemDrift(state, epoch, _kinds(time, steps), steps)


def map_factor(
    year: Year,
    drift: SystemDrift,
    rows: npt.NDArray[Any] | slice,
    *,
    exposure: FloatArray,
    element: str,
    streams: Streams,
) -> FloatArray:
    """(rows, *bins) factor on the expected counts of a map: it ages ring by ring as exp(-dose / 900 per fb) where
    exposure is greatest, each calibration leaves another 0.8% of scatter between channels, a broken channel is replaced
    in a stop, and every run sees the beam a little elsewhere."""
    dose, epoch = year.dose[rows], drift.epoch[rows]
    shape = (-1, *([1] * exposure.ndim))
    factor = np.exp(-(dose / 900.0).reshape(shape) * exposure)
    for number in np.unique(epoch):
        pattern = 1.0 + 0.008 * streams.of("drift", element, "epoch", int(number)).standard_normal(exposure.shape)
        factor[epoch == number] *= np.maximum(pattern, 0.0)
    factor *= _tilt(year, rows, exposure.shape, streams, element)
    return np.asarray(factor * drift.state.gain[rows].reshape(shape))


def _tilt(
    year: Year, rows: npt.NDArray[Any] | slice, bins: tuple[int, ...], streams: Streams, element: str
) -> FloatArray:
    """(rows, *bins) slope along the first axis and one wave along the second, 0.4% each, another in every run."""
    place = year.run_place[rows]
    rng = streams.of("drift", element, "tilt")
    size = 0.004 * rng.standard_normal((len(year.runs), 3))[place]
    along = np.linspace(-1.0, 1.0, bins[0])
    angle = np.linspace(-np.pi, np.pi, bins[1], endpoint=False)
    slope = size[:, :1] * along
    wave = size[:, 1:2] * np.cos(angle) + size[:, 2:] * np.sin(angle)
    tilt = 1.0 + slope[:, :, None] + wave[:, None, :]
    return np.asarray(tilt.reshape((*tilt.shape, *([1] * (len(bins) - 2)))))


class _Wobble:
    """What differs from run to run, and within a run by a fifth of that: (n,) standard normal in units of a run."""

    def __init__(self, year: Year, rng: np.random.Generator, size: float) -> None:
        self._year, self._rng, self._size = year, rng, size

    def next(self) -> FloatArray:
        per_run = self._rng.standard_normal(len(self._year.runs))[self._year.run_place]
        return np.asarray(self._size * (per_run + 0.2 * self._rng.standard_normal(len(self._year))))


def _calibrations(time: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, IntArray, FloatArray]:
    """(times, number in force per lumisection, relative error that each leaves): every three to six weeks."""
    times = START + np.cumsum(np.r_[0.0, rng.uniform(21.0, 42.0, 12)]) * DAY
    epoch = np.maximum(np.searchsorted(times, time, side="right") - 1, 0)
    return times, epoch, rng.normal(0.0, 0.0015, len(times))


def _replacements(rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """(ends of the stops in which hardware of this system is replaced, change of gain and phase in nanoseconds)."""
    ends = START + np.asarray([last for _, last in STOPS]) * DAY
    chosen = rng.random(len(ends)) < 0.7
    change = rng.normal(0.0, [0.006, 0.04], (len(ends), 2))
    return ends[chosen], change[chosen]


def _luminous_region(year: Year, streams: Streams) -> tuple[FloatArray, FloatArray]:
    """(centre, width) along the beam in millimetres, the same for every system: another centre in each fill, bunches
    that shorten by half a per cent per hour."""
    rng = streams.of("drift", "beam")
    fills = len(year.fills.number)
    hours = (year.conditions.time - year.fills.start[year.fill_place]) / HOUR
    centre = 0.1 * np.cumsum(rng.normal(0.0, 1.0, fills)) + rng.normal(0.0, 0.25, fills)
    width = 43.0 * np.exp(rng.normal(0.0, 0.005, fills))
    run = rng.normal(0.0, 0.15, len(year.runs))[year.run_place]
    return centre[year.fill_place] + run, width[year.fill_place] * np.exp(-0.005 * hours)


def _steps(
    year: Year,
    system: str,
    *,
    calibrated: FloatArray,
    residual: FloatArray,
    replaced: FloatArray,
    change: FloatArray,
    menus: FloatArray,
) -> tuple[Step, ...]:
    end = float(year.conditions.time[-1])
    steps = [
        Step("calibration", system, float(time), float(now - before))
        for time, now, before in zip(calibrated[1:], residual[1:], residual[:-1], strict=True)
    ]
    steps += [
        Step("replacement", system, float(time), float(size)) for time, size in zip(replaced, change[:, 0], strict=True)
    ]
    weeks: Sequence[int] = range(2, int(year.menu.max()) + 1)
    steps += [
        Step("menu", system, START + 7 * DAY * (week - 1), float(menus[week] - menus[week - 1])) for week in weeks
    ]
    return tuple(sorted((step for step in steps if step.time <= end), key=lambda step: step.time))


def _kinds(time: FloatArray, steps: Sequence[Step]) -> IntArray:
    """The latest step that is fresh, as a place in `KINDS`; a menu gives way to what changes the detector itself."""
    kind = np.zeros(time.shape, dtype=np.int64)
    for step in sorted(steps, key=lambda step: (step.kind != "menu", step.time)):
        kind[(time >= step.time) & (time < step.time + FRESH)] = KINDS.index(step.kind)
    return kind
