"""What a histogram should look like under its conditions, learned from other runs by `mlcore.reference`.

scikit-learn is loaded here, when somebody asks for a prediction, and not with the program.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from certifier.runs.models import Run
from mlcore.errors import TooFewData
from mlcore.histograms import HistogramBlock

from . import selectors
from .comparison import FLOOR, FloatArray
from .models import Element, Part

RUNS: Final = 3
# In how many runs the length of the run is seen to matter, and not something else of a run.
RUNS_OF_LENGTH: Final = 8


class Predicted:
    """The expectation for each lumisection of a block: (n, bins) means and their relative standard deviation."""

    def __init__(self, mean: FloatArray, deviation: FloatArray, runs: Sequence[int]) -> None:
        self.mean = mean
        self.deviation = deviation
        self.runs = runs

    def summed(self, starts: Sequence[int]) -> tuple[FloatArray, FloatArray]:
        """(g, bins) means of groups of neighbouring rows that begin at `starts`, and their relative deviation."""
        mean = np.add.reduceat(self.mean, starts, axis=0)
        deviation = np.add.reduceat(self.deviation, starts, axis=0)
        return mean, np.sqrt((deviation / np.maximum(mean, 1e-9)) ** 2 + FLOOR**2)


def runs_before(run: Run, element: Element, *, by_length: bool = False) -> list[int]:
    """The runs that a prediction for `run` learns from: the last before it that have the element."""
    rows = Part.objects.filter(element=element, dataset__run__number__lt=run.number).order_by()
    numbers = rows.values_list("dataset__run__number", flat=True).distinct().order_by("-dataset__run__number")
    return sorted(numbers[: RUNS_OF_LENGTH if by_length else RUNS])


def predict(
    block: HistogramBlock, element: Element, runs: Sequence[int], *, by_length: bool = False
) -> Predicted | None:
    """What `block` should look like; None when the runs have too few histograms to tell. Bad lumisections among them
    are recognised by their disagreement and teach nothing.

    by_length : given luminosity and the length of the run by then as well, and not pile-up alone.
    """
    from mlcore.reference import COLUMNS, FURTHER, Reference

    known = selectors.histograms_of_runs(element, runs)
    if not known or not len(block):
        return None
    try:
        columns = (*COLUMNS, *FURTHER) if by_length else COLUMNS
        reference = Reference(columns=columns).fit(HistogramBlock.concatenate(known))
    except TooFewData:
        return None
    totals = reference.totals_of(block)
    prediction = reference.predict(block.conditions, totals=totals)
    flat = (len(block), -1)
    return Predicted(
        np.asarray(prediction.mean, dtype=np.float64).reshape(flat),
        np.sqrt(np.asarray(prediction.variance, dtype=np.float64)).reshape(flat),
        runs,
    )
