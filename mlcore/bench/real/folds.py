"""Folds inside the training runs: what is chosen there has seen nothing of the runs that are reported."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mlcore.conditions import Conditions, FloatArray, IntArray


def inner_folds(conditions: Conditions, folds: int) -> Iterator[tuple[IntArray, IntArray]]:
    """(fit, held) rows. Runs are dealt in turn; a run longer than its share is first cut into consecutive pieces.

    Without the cut a training sample whose good lumisections are all of one run could not be divided at all.
    """
    most = max(1, len(conditions) // (2 * folds))
    order = np.argsort(conditions.key, kind="stable")
    fold = np.empty(len(conditions), dtype=np.int64)
    piece = 0
    for run in np.unique(conditions.run):
        rows = order[conditions.run[order] == run]
        for part in np.array_split(rows, -(-len(rows) // most)):
            fold[part] = piece % folds
            piece += 1
    for number in range(folds):
        yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def of_its_run(values: FloatArray, run: IntArray) -> FloatArray:
    """Each row replaced by the mean of the rows of its run: what a run looked like on the whole. (n, k) in and out."""
    _, place, counts = np.unique(run, return_inverse=True, return_counts=True)
    total = np.zeros((len(counts), values.shape[1]))
    np.add.at(total, place, values)
    return np.asarray(total[place] / counts[place, None])
