"""How an error goes along a run, with its spikes marked: what a page or a notebook plots against the lumisection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .conditions import Conditions, FloatArray, IntArray
from .errors import ShapeError, TooFewData
from .features import FeatureTable


class HasErrors(Protocol):
    """Detectors that answer an error per element, such as `ElementsAutoencoder`."""

    groups_: tuple[str, ...]
    limits_: FloatArray

    def errors(self, table: FeatureTable) -> FloatArray:
        """(n, elements), NaN where nothing is known."""


@dataclass(frozen=True)
class Spike:
    """Lumisections `first` to `last`, both included, in which the error of an element is above its limit; `peak` is the
    one with the largest `error`."""

    element: str
    first: int
    last: int
    peak: int
    error: float


@dataclass(frozen=True, eq=False)
class ErrorCourse:
    """Errors of the elements over the lumisections of one run, in order.

    Parameters
    ----------
    run : its number. lumisection : (n,). elements : their names. errors : (n, elements), NaN where there is none.
    limits : (elements,) above which an error is a spike. spikes : in order of time.
    """

    run: int
    lumisection: IntArray
    elements: tuple[str, ...]
    errors: FloatArray
    limits: FloatArray
    spikes: tuple[Spike, ...]

    @classmethod
    def of(
        cls, errors: FloatArray, conditions: Conditions, elements: tuple[str, ...], limits: FloatArray
    ) -> ErrorCourse:
        """From errors (n, elements) of lumisections of one run. Raises TooFewData for none, ShapeError for shapes that
        disagree and for lumisections of several runs."""
        if not len(conditions):
            raise TooFewData("a course needs the lumisections of a run; there are none.")
        if errors.shape != (len(conditions), len(elements)) or limits.shape != (len(elements),):
            raise ShapeError(
                f"errors have shape {errors.shape}; {len(conditions)} lumisections, {len(elements)} elements."
            )
        if np.unique(conditions.run).size > 1:
            raise ShapeError("a course is that of one run; select its lumisections first.")
        order = np.argsort(conditions.lumisection, kind="stable")
        number, values = conditions.lumisection[order], errors[order]
        found = [
            spike
            for place, name in enumerate(elements)
            for spike in _spikes(name, number, values[:, place], limits[place])
        ]
        spikes = tuple(sorted(found, key=lambda one: (one.first, one.element)))
        return cls(int(conditions.run[0]), number, elements, values, limits, spikes)

    def as_json(self) -> dict[str, Any]:
        """What a page plots: unknown errors are null."""
        return {
            "run": self.run,
            "lumisection": self.lumisection.tolist(),
            "elements": [
                {
                    "element": name,
                    "error": [None if np.isnan(value) else float(value) for value in self.errors[:, place]],
                    "limit": float(self.limits[place]),
                }
                for place, name in enumerate(self.elements)
            ],
            "spikes": [
                {"element": one.element, "first": one.first, "last": one.last, "peak": one.peak, "error": one.error}
                for one in self.spikes
            ],
        }

    def draw(self, plt: Any) -> Any:
        """A figure of matplotlib (`plt` is its pyplot): one line per element, its limit dashed, spikes shaded and their
        peaks named."""
        figure, axis = plt.subplots(figsize=(8.6, 3.4), layout="constrained")
        for place, name in enumerate(self.elements):
            (line,) = axis.plot(self.lumisection, self.errors[:, place], ".-", ms=3, lw=0.8, label=name)
            axis.axhline(self.limits[place], color=line.get_color(), lw=0.8, ls="--")
            for spike in self.spikes:
                if spike.element == name:
                    axis.axvspan(spike.first - 0.5, spike.last + 0.5, color=line.get_color(), alpha=0.15, lw=0)
                    axis.annotate(str(spike.peak), (spike.peak, spike.error), xytext=(0, 4),
                                  textcoords="offset points", ha="center", fontsize=7)  # fmt: skip
        axis.set_xlabel("lumisection")
        axis.set_ylabel("mean squared error")
        axis.set_yscale("log")
        axis.set_title(
            f"Run {self.run}: what is not rebuilt; dashed: limit of good lumisections", fontsize=9, loc="left"
        )
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(fontsize=7, frameon=False)
        return figure


def error_course(detector: HasErrors, table: FeatureTable, run: int) -> ErrorCourse:
    """The course of one run in a table of several. Raises TooFewData when it is not there."""
    here = table.conditions.run == run
    part = table.select(here)
    return ErrorCourse.of(detector.errors(part), part.conditions, detector.groups_, detector.limits_)


def _spikes(element: str, number: IntArray, error: FloatArray, limit: float) -> list[Spike]:
    """Stretches of consecutive lumisections above the limit."""
    above = np.flatnonzero(np.nan_to_num(error, nan=-np.inf) > limit)
    if not above.size:
        return []
    parts = np.split(above, np.flatnonzero(np.diff(number[above]) != 1) + 1)
    found = []
    for part in parts:
        peak = part[np.argmax(error[part])]
        found.append(Spike(element, int(number[part[0]]), int(number[part[-1]]), int(number[peak]), float(error[peak])))
    return found
