"""Why a lumisection looks wrong: odd bins, odd elements, physics objects, features, and past cases that look alike."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from .conditions import Conditions, FloatArray, IntArray
from .errors import MlcoreError, ShapeError, TooFewData
from .histograms import HistogramBlock
from .regions import OddRegion, along, in_words


class HasPulls(Protocol):
    """Detectors that answer a deviation per bin: `Pulls`, `Scan`, `EwmaReference`."""

    def pulls(self, block: HistogramBlock) -> npt.NDArray[np.floating[Any]]:
        """(n, *bins) standard deviations, NaN where a histogram is missing."""


class NamesRegions(Protocol):
    """Detectors that judge regions and say which are off: `LayerScan`, `ChamberLayers`, `RingMap`, `TimingMap`."""

    def odd_regions(self, block: HistogramBlock) -> list[list[OddRegion]]:
        """Of each lumisection of a block its odd regions, the oddest first."""


@dataclass(frozen=True)
class OddBin:
    """A bin, or a region of bins together, that is far from what was expected.

    place : number of the bin on each axis, of the first one of a region. ranges : what bounds it, axis by axis (see
    `mlcore.regions.Range`); a region spans the axes that are not among them. count : entries. pull : in standard
    deviations.
    """

    element: str
    place: tuple[int, ...]
    ranges: tuple[tuple[str, float, float], ...]
    count: float
    pull: float

    def __str__(self) -> str:
        there = f"at {in_words(self.ranges)}" if self.ranges else "as a whole"
        return f"{self.element} {there}: {self.count:g} entries, pull {self.pull:+.1f}"


def odd_bins(detector: HasPulls, block: HistogramBlock, *, most: int = 5, least: float = 3.0) -> list[list[OddBin]]:
    """For each lumisection of a block its `most` oddest bins whose |pull| is at least `least`, the oddest first."""
    pulls = np.asarray(detector.pulls(block), dtype=np.float64).reshape(len(block), int(np.prod(block.bins)))
    size = np.abs(np.nan_to_num(pulls, nan=0.0))
    most = min(most, size.shape[1])
    best = np.argpartition(-size, most - 1, axis=1)[:, :most] if len(block) else np.zeros((0, most), dtype=np.int64)
    found = []
    for row, places in enumerate(best):
        ordered = places[np.argsort(-size[row, places], kind="stable")]
        found.append(
            [_odd_bin(block, row, int(flat), pulls[row, flat]) for flat in ordered if size[row, flat] >= least]
        )
    return found


def odd_regions(detectors: Sequence[NamesRegions], block: HistogramBlock, *, most: int = 5) -> list[list[OddBin]]:
    """For each lumisection of a block what these detectors find odd in it: the oddest of each first, then the next."""
    found: list[list[OddBin]] = [[] for _ in range(len(block))]
    for row, of_detectors in enumerate(zip(*(each.odd_regions(block) for each in detectors), strict=True)):
        in_turn = [one for turn in zip_longest(*of_detectors) for one in turn if one is not None]
        found[row] = [_region(block, row, one) for one in in_turn[:most]]
    return found


def _region(block: HistogramBlock, row: int, found: OddRegion) -> OddBin:
    place = tuple(int(part) for part in np.unravel_index(int(found.bins[0]), block.bins))
    return OddBin(block.element, place, found.ranges, float(block.flat[row, found.bins].sum()), found.pull)


def _odd_bin(block: HistogramBlock, row: int, flat: int, pull: float) -> OddBin:
    place = tuple(int(part) for part in np.unravel_index(flat, block.bins))
    ranges = tuple(along(axis, at, at) for axis, at in zip(block.axes, place, strict=True))
    return OddBin(block.element, place, ranges, float(block.counts[(row, *place)]), float(pull))


def by_object(contributions: FloatArray, groups: Sequence[str]) -> tuple[FloatArray, tuple[str, ...]]:
    """Contributions of columns (n, k) summed by physics object: (n, objects) and their names, in order of first use.

    NaN, where a column said nothing, adds nothing. Raises ShapeError when there is not one group per column.
    """
    values = np.asarray(contributions, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] != len(groups):
        raise ShapeError(f"contributions of shape {values.shape}, but {len(groups)} groups.")
    names = tuple(dict.fromkeys(groups))
    member = np.array([[group == name for name in names] for group in groups], dtype=np.float64)
    return np.nan_to_num(values, nan=0.0) @ member.reshape(len(groups), len(names)), names


def tree_contributions(trees: Any, x: npt.ArrayLike) -> FloatArray:
    """SHAP values (n, f) of a fitted tree ensemble of scikit-learn for the class bad, in its own units (log odds for
    boosting, probability for forests): exact for trees, arXiv:1802.03888. They add up to prediction minus mean.

    Loads shap when called. Raises MlcoreError for models that are no trees.
    """
    with warnings.catch_warnings():
        # Of libraries that shap imports; nothing that somebody who asks for an explanation can change.
        warnings.simplefilter("ignore")
        import shap

    try:
        explainer = shap.TreeExplainer(trees)
    except Exception as problem:  # shap raises its own types and plain Exception
        raise MlcoreError(f"{type(trees).__name__} is no ensemble of trees that SHAP knows ({problem}).") from problem
    values = np.asarray(explainer.shap_values(np.asarray(x, dtype=np.float64), check_additivity=False))
    return np.asarray(values[..., -1] if values.ndim == 3 else values, dtype=np.float64)


def integrated_gradients(
    net: Any, x: npt.ArrayLike, baseline: npt.ArrayLike | None = None, *, steps: int = 32
) -> FloatArray:
    """Attributions, of the shape of `x` (n, …), of a torch module that answers one number per row: arXiv:1703.01365.

    They add up to the answer at `x` minus that at `baseline` (zeros when None), up to the steps of the path. The net
    answers in evaluation mode and is left in the modes it came in. Loads torch and captum when called.
    """
    import torch
    from captum.attr import IntegratedGradients

    def answer(inputs: Any) -> Any:
        return net(inputs).reshape(len(inputs), -1).sum(dim=1)

    inputs = torch.as_tensor(np.asarray(x), dtype=torch.float32)
    start = torch.zeros_like(inputs[:1]) if baseline is None else torch.as_tensor(np.asarray(baseline)).float()
    modes = [(part, part.training) for part in net.modules()]
    net.eval()
    try:
        found = IntegratedGradients(answer).attribute(inputs, start.expand_as(inputs), n_steps=steps)
    finally:
        # One by one: a part may have been frozen in evaluation mode inside a net that is being trained.
        for part, training in modes:
            part.training = training
    return np.asarray(found.detach().numpy(), dtype=np.float64)


@dataclass(frozen=True)
class PastCase:
    """A lumisection of the past that looks alike: distance 0 is the same, 1 is as far as two good ones usually are."""

    run: int
    lumisection: int
    bad: bool
    family: str
    distance: float

    def __str__(self) -> str:
        what = (self.family or "bad") if self.bad else "good"
        return f"run {self.run} lumisection {self.lumisection} ({what}), distance {self.distance:.2f}"


class CaseLibrary:
    """Past lumisections in a whitened space of evidence, to find those that look most alike.

    Columns are standardised and rotated by the principal axes of good lumisections, shrunk so that directions in which
    good ones hardly differ do not rule; so distances are measured in what good data do by themselves.

    Parameters
    ----------
    shrinkage : part of the mean variance that is added to the variance along each axis.

    Attributes
    ----------
    centre_, axes_ : the whitening. cases_ (m, d), run_, lumisection_, bad_, family_ : the library.
    """

    def __init__(self, *, shrinkage: float = 0.1) -> None:
        self.shrinkage = shrinkage

    def fit(
        self,
        evidence: FloatArray,
        conditions: Conditions,
        bad: npt.NDArray[np.bool_],
        families: npt.ArrayLike | None = None,
    ) -> Self:
        """`evidence` (n, k) of past lumisections, NaN where not known. All are kept; `kept_cases` says which to give.
        Raises TooFewData for fewer than two."""
        if len(evidence) < 2:
            raise TooFewData("a library of past cases needs at least two lumisections.")
        names = np.full(len(evidence), "") if families is None else np.asarray(families).astype(str)
        good = evidence[~bad] if (~bad).sum() >= 2 else evidence
        known = np.isfinite(good)
        count = np.maximum(known.sum(axis=0), 1)
        self.centre_ = np.where(known, good, 0.0).sum(axis=0) / count
        centred = np.where(known, good - self.centre_, 0.0)
        values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
        usual = float(np.maximum(values, 0).mean()) * self.shrinkage + 1e-12
        # Bad cases leave in directions in which good ones do not vary; all axes are kept, those with the shrunk width.
        self.axes_ = vectors / np.sqrt(np.maximum(values, 0.0) + usual)
        self.cases_ = self._whiten(evidence)
        self.run_, self.lumisection_ = conditions.run, conditions.lumisection
        self.bad_, self.family_ = bad, names
        self.usual_ = self._usual()
        return self

    def _usual(self) -> float:
        """How far two good cases of different runs typically are from each other (any two, if there is but one run)."""
        good = np.flatnonzero(~self.bad_) if (~self.bad_).sum() >= 2 else np.arange(len(self.bad_))
        some = good[np.unique(np.linspace(0, good.size - 1, 400).astype(np.int64))]
        other = self.run_[some][:, None] != self.run_[good]
        distances = self._distances(self.cases_[some])[:, good]
        known = distances[other] if other.any() else distances[some[:, None] != good]
        return max(float(np.median(known)), 1e-9)

    def _whiten(self, evidence: FloatArray) -> FloatArray:
        return np.asarray(np.nan_to_num(evidence - self.centre_, nan=0.0) @ self.axes_)

    def _distances(self, whitened: FloatArray) -> FloatArray:
        square = (whitened**2).sum(axis=1)[:, None] + (self.cases_**2).sum(axis=1) - 2 * whitened @ self.cases_.T
        return np.asarray(np.sqrt(np.maximum(square, 0.0)))

    def nearest(self, evidence: FloatArray, *, most: int = 3, not_runs: IntArray | None = None) -> list[list[PastCase]]:
        """The `most` nearest past cases of each row of `evidence` (n, k), the nearest first.

        `not_runs` (n,) leaves out cases of that run for each row, as lumisections next door always look alike.
        """
        distances = self._distances(self._whiten(np.asarray(evidence, dtype=np.float64))) / self.usual_
        if not_runs is not None:
            distances[np.asarray(not_runs)[:, None] == self.run_] = np.inf
        most = min(most, distances.shape[1])
        best = np.argpartition(distances, most - 1, axis=1)[:, :most]
        found = []
        for row, places in enumerate(best):
            ordered = places[np.argsort(distances[row, places], kind="stable")]
            found.append([self._case(int(at), distances[row, at]) for at in ordered if np.isfinite(distances[row, at])])
        return found

    def _case(self, at: int, distance: float) -> PastCase:
        run, lumisection = int(self.run_[at]), int(self.lumisection_[at])
        return PastCase(run, lumisection, bool(self.bad_[at]), str(self.family_[at]), float(distance))


def kept_cases(bad: npt.NDArray[np.bool_], usable: npt.NDArray[np.bool_], most: int) -> IntArray:
    """Rows for a library of at most `most`: the latest bad ones, up to three quarters, and good ones from all times."""
    wrong, fine = np.flatnonzero(bad & usable), np.flatnonzero(~bad & usable)
    wrong = wrong[-max(most * 3 // 4, most - fine.size) :]
    rest = most - wrong.size
    if fine.size > rest:
        fine = fine[np.unique(np.linspace(0, fine.size - 1, rest).astype(np.int64))]
    return np.sort(np.concatenate([wrong, fine])).astype(np.int64)
