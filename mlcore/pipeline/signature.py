"""What a lumisection's deviations look like, coarsely: by which one fault is told from another."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mlcore.conditions import FloatArray, IntArray
from mlcore.detectors.pulls import pulls_of
from mlcore.explain import HasPulls, NamesRegions
from mlcore.histograms import HistogramBlock
from mlcore.reference import Reference

from .inputs import Inputs
from .layer import Layer

#: cells along an axis by number of axes: where a deviation is, roughly, and its sign
CELLS = {1: 8, 2: 4, 3: 3}
#: one cell counts at most so many standard deviations, or a hot tower would be unlike any other hot tower
MOST = 12.0
#: and what is within so many says nothing; else the noise of all cells together would outweigh the one that is off
NOTHING = 2.0


class ByReference:
    """Pulls against a reference, for detectors that have one but no pulls of their own."""

    def __init__(self, reference: Reference) -> None:
        self.reference = reference

    def pulls(self, block: HistogramBlock) -> npt.NDArray[np.floating[Any]]:
        expected = self.reference.predict(block.conditions, totals=self.reference.totals_of(block))
        return pulls_of(block.counts, np.maximum(expected.mean, 1e-9), expected.variance)


def knows_bins(layer: Layer, element: str) -> HasPulls | None:
    """What can say of each bin of an element how far off it is; None when no detector can."""
    here = [member.detector for member in layer.members if member.element == element]
    for detector in here:
        if hasattr(detector, "pulls"):
            return detector
    for detector in here:
        # The reference of others is a histogram and has no spread that could be asked for.
        if isinstance(reference := getattr(detector, "reference_", None), Reference):
            return ByReference(reference)
    return None


def names_regions(layer: Layer, element: str) -> list[NamesRegions]:
    """What can say which regions of an element are off."""
    return [
        member.detector
        for member in layer.members
        if member.element == element and hasattr(member.detector, "odd_regions")
    ]


def signature(layer: Layer, inputs: Inputs, scaled: FloatArray, rows: IntArray) -> FloatArray:
    """(len(rows), d) roots of the scores of all detectors, and the mean pull of each coarse cell of each element in
    its own standard deviations; 0 where an element is missing, which has its own column."""
    parts = [np.sqrt(np.nan_to_num(scaled[rows], nan=0.0)), np.isnan(scaled[rows]).astype(np.float64)]
    few = inputs.select(rows)
    for element in layer.elements:
        block, knower = few.blocks.get(element), knows_bins(layer, element)
        axes = layer.axes.get(element)
        if knower is None or axes is None:
            continue
        if block is None or block.axes != axes or not len(rows):
            parts.append(np.zeros((len(rows), _cells(tuple(axis.bins for axis in axes)))))
            continue
        usable = ~block.missing & (block.totals > 0)
        found = np.zeros((len(rows), _cells(block.bins)))
        if usable.any():
            found[usable] = _coarse(np.asarray(knower.pulls(block.select(usable)), dtype=np.float64))
        parts.append(found)
    return np.hstack(parts)


def _starts(bins: int, dimensions: int) -> IntArray:
    wanted = min(CELLS.get(dimensions, 2), bins)
    return np.unique(np.linspace(0, bins, wanted, endpoint=False).astype(np.int64))


def _cells(bins: tuple[int, ...]) -> int:
    return int(np.prod([len(_starts(one, len(bins))) for one in bins])) + 1


def _coarse(pulls: FloatArray) -> FloatArray:
    """Sums over cells divided by the root of their size, and the largest pull with its sign: (n, cells + 1)."""
    n, dimensions = len(pulls), pulls.ndim - 1
    sums, size = np.nan_to_num(pulls), np.ones(pulls.shape[1:])
    flat = sums.reshape(n, -1)
    top = np.take_along_axis(flat, np.abs(flat).argmax(axis=1)[:, None], axis=1)
    for axis, bins in enumerate(pulls.shape[1:]):
        starts = _starts(bins, dimensions)
        sums = np.add.reduceat(sums, starts, axis=axis + 1)
        size = np.add.reduceat(size, starts, axis=axis)
    cells = (sums / np.sqrt(size)).reshape(n, -1)
    found = np.hstack([cells, top])
    return np.sign(found) * np.clip(np.abs(found) - NOTHING, 0.0, MOST)
