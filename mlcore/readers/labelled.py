"""What a reader answers: a block or a table with the labels that came with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mlcore.conditions import IntArray
from mlcore.errors import FileBinning, IncompatibleBinning, MlcoreError, ShapeError, UnreadableFile
from mlcore.features import FeatureTable
from mlcore.histograms import HistogramBlock


@dataclass(frozen=True, eq=False)
class LabelledBlock:
    """Histograms with `labels` by name, each (n,), 0 good and 1 bad."""

    block: HistogramBlock
    labels: dict[str, IntArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, values in self.labels.items():
            if np.shape(values) != (len(self.block),):
                raise ShapeError(f"label {name} has shape {np.shape(values)}, there are {len(self.block)} histograms.")


@dataclass(frozen=True, eq=False)
class LabelledTable:
    """Features with `labels` (n,), 0 good and 1 bad, and `verdict` (n,) as the file has it, -1 undecided."""

    table: FeatureTable
    labels: IntArray
    verdict: IntArray


def joined(path: Path, parts: Sequence[LabelledBlock]) -> list[LabelledBlock]:
    """The pieces of a file by element, in order of time. Raises UnreadableFile when a lumisection comes twice."""
    by_element: dict[str, list[LabelledBlock]] = {}
    for part in parts:
        by_element.setdefault(part.block.element, []).append(part)
    whole = []
    for element, pieces in by_element.items():
        try:
            block = HistogramBlock.concatenate([piece.block for piece in pieces])
        except IncompatibleBinning as problem:
            raise FileBinning(path, None, str(problem)) from problem
        except MlcoreError as problem:
            raise UnreadableFile(path, None, f"{element}: {problem}") from problem
        order = np.argsort(block.conditions.key, kind="stable")
        labels = {name: np.concatenate([piece.labels[name] for piece in pieces])[order] for name in pieces[0].labels}
        whole.append(LabelledBlock(block.select(order), labels))
    return whole
