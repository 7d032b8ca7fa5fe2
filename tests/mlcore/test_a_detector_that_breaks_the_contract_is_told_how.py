"""`check_detector` lets a sound detector pass, and names the clause that an unsound one breaks."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
import pytest

from mlcore.checks import CLAUSES, ContractBroken, check_detector
from mlcore.detectors.base import Detector
from mlcore.errors import IncompatibleBinning, ShapeError
from mlcore.regions import OddRegion


class Distance(Detector):
    """Mean square distance from the mean shape: simple, and sound."""

    consumes: ClassVar[Literal["block", "table"]] = "block"

    def __init__(self, *, floor: float = 1e-3) -> None:
        self.floor = floor

    def _shapes(self, data: Any) -> npt.NDArray[Any]:
        return np.asarray(data.flat / data.totals[:, None])

    def _fit(self, data: Any, labels: Any, weights: Any) -> None:
        shapes = self._shapes(data)
        self.mean_ = np.average(shapes, axis=0, weights=weights)
        self.scale_ = np.sqrt(np.average((shapes - self.mean_) ** 2, axis=0, weights=weights)) + self.floor

    def _score(self, data: Any) -> npt.NDArray[np.float64]:
        return np.asarray((((self._shapes(data) - self.mean_) / self.scale_) ** 2).mean(axis=1))


class TableDistance(Distance):
    consumes: ClassVar[Literal["block", "table"]] = "table"

    def _shapes(self, data: Any) -> npt.NDArray[Any]:
        return np.nan_to_num(data.values, posinf=0.0, neginf=0.0)


class OnlyOneAxis(Distance):
    def _fit(self, data: Any, labels: Any, weights: Any) -> None:
        if len(data.axes) != 1:
            raise ShapeError("one axis only")
        super()._fit(data, labels, weights)


class TakesNothing(Distance):
    def _fit(self, data: Any, labels: Any, weights: Any) -> None:
        raise ShapeError("no")


class LowerIsWorse(Distance):
    def _score(self, data: Any) -> npt.NDArray[np.float64]:
        return -super()._score(data)


class PullsByRow(Distance):
    """One number for each place along the first axis, which is one for each bin of a histogram of one axis only."""

    def pulls(self, block: Any) -> npt.NDArray[Any]:
        return np.asarray(block.counts.reshape(len(block), block.bins[0], -1).sum(axis=2))


class PointsBeyond(Distance):
    """A region of a histogram that has no such bins."""

    def odd_regions(self, block: Any) -> list[list[OddRegion]]:
        missing = np.isnan(block.flat).any(axis=1)
        return [[] if gone else [OddRegion(np.array([block.flat.shape[1]]), (), 5.0)] for gone in missing]


class PointsIntoNothing(Distance):
    """A region even where the histogram is missing."""

    def odd_regions(self, block: Any) -> list[list[OddRegion]]:
        return [[OddRegion(np.array([0]), (), 5.0)]] * len(block)


class ConvertsItsParameters(Distance):
    def __init__(self, *, floor: float = 1e-3) -> None:
        self.floor = [floor]  # type: ignore[assignment]  # the fault


class LearnsWithoutUnderscore(Distance):
    def _fit(self, data: Any, labels: Any, weights: Any) -> None:
        super()._fit(data, labels, weights)
        self.shapes = 1


class ForgetsItself(Distance):
    def fit(self, data: Any, labels: Any = None, *, weights: Any = None) -> Any:
        super().fit(data, labels, weights=weights)


class Confident(Distance):
    """A number for what was never seen."""

    def score(self, data: Any) -> npt.NDArray[np.float64]:
        return np.nan_to_num(super().score(data))


class Infinite(Distance):
    def score(self, data: Any) -> npt.NDArray[np.float64]:
        scores = super().score(data)
        scores[scores > np.nanmedian(scores)] = np.inf
        return scores


class Careless(Distance):
    def fit(self, data: Any, labels: Any = None, *, weights: Any = None) -> Any:
        super().fit(data, labels, weights=weights)
        data.counts[data.counts > 50] = 50
        return self


class Dice(Distance):
    def __init__(self, *, floor: float = 1e-3, random_state: int | None = None) -> None:
        self.floor, self.random_state = floor, random_state

    def _score(self, data: Any) -> npt.NDArray[np.float64]:
        return super()._score(data) + 1e-3 * np.random.default_rng().normal(size=len(data))


class Believes(Distance):
    """Takes any label."""

    def fit(self, data: Any, labels: Any = None, *, weights: Any = None) -> Any:
        return super().fit(data, None if labels is None else np.nan_to_num(np.asarray(labels, float)) > 0)


class TakesAnyAxes(Distance):
    def score(self, data: Any) -> npt.NDArray[np.float64]:
        try:
            return super().score(data)
        except IncompatibleBinning:
            return np.full(len(data), 0.5)


class LooksAtNeighbours(Distance):
    """Depends on which run stands before which in the array."""

    def _score(self, data: Any) -> npt.NDArray[np.float64]:
        return super()._score(data) + 1e-3 * np.arange(len(data))


class Crashes(Distance):
    def _score(self, data: Any) -> npt.NDArray[np.float64]:
        if np.isnan(data.conditions.luminosity).any():
            raise KeyError("luminosity")
        return super()._score(data)


class LearnsFromAnything(Distance):
    def fit(self, data: Any, labels: Any = None, *, weights: Any = None) -> Any:
        if len(data) >= self.fewest:
            super().fit(data, labels, weights=weights)
        return self


class HoldsAFunction(Distance):
    def _fit(self, data: Any, labels: Any, weights: Any) -> None:
        super()._fit(data, labels, weights)
        self.transform_ = lambda values: values


class SavesSomethingElse(Distance):
    """Its hooks do not bring back what was learned."""

    def to_state(self) -> dict[str, Any]:
        return {"layout": self.layout_, "mean": self.mean_ * 1.1, "scale": self.scale_}

    def from_state(self, state: dict[str, Any]) -> None:
        self.layout_, self.mean_, self.scale_ = state["layout"], state["mean"], state["scale"]


class DividesByZero(Distance):
    def _score(self, data: Any) -> npt.NDArray[np.float64]:
        return super()._score(data) + np.nan_to_num(np.zeros(1) / np.zeros(1))[0]


@pytest.mark.parametrize("sound", [Distance, Distance(floor=0.01), TableDistance, OnlyOneAxis])
def test_a_sound_detector_passes_every_clause(sound: Any) -> None:
    assert check_detector(sound) == sorted(CLAUSES)


@pytest.mark.parametrize(
    ("unsound", "clause"),
    [
        (LowerIsWorse, "higher is worse"),
        (PullsByRow, "on a map.*pulls are one for each bin"),
        (PointsBeyond, "odd regions lie in their histograms.*bins of their histogram"),
        (PointsIntoNothing, "odd regions lie in their histograms.*empty for a missing one"),
        (ConvertsItsParameters, "parameters are only stored|learns from what it takes"),
        (LearnsWithoutUnderscore, "parameters are only stored"),
        (ForgetsItself, "fit returns self"),
        (Confident, "what cannot be scored is nan"),
        (Infinite, "scores are one float each"),
        (Careless, "input is left as it was"),
        (Dice, "the same state gives the same scores"),
        (Believes, "labels of every kind are read alike"),
        (TakesAnyAxes, "other data are refused"),
        (LooksAtNeighbours, "the order of other runs does not matter"),
        (Crashes, "unknown conditions are survived"),
        (LearnsFromAnything, "too few are refused"),
        (HoldsAFunction, "saved and loaded it scores the same"),
        (SavesSomethingElse, "saved and loaded it scores the same"),
        (DividesByZero, "RuntimeWarning"),
        (TakesNothing, "takes neither histograms nor maps"),
    ],
)
def test_an_unsound_detector_is_named_with_the_clause_it_breaks(unsound: type[Detector], clause: str) -> None:
    with pytest.raises(ContractBroken, match=clause):
        check_detector(unsound)
