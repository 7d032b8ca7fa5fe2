"""Splits that do not let a run, or the future, into the training sample."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .conditions import BoolArray, Conditions, IntArray
from .errors import TooFewData


def chronological(
    conditions: Conditions, shares: tuple[float, ...] = (0.6, 0.2, 0.2), *, gap: int = 1
) -> tuple[BoolArray, ...]:
    """Masks of consecutive blocks of whole runs, the earliest first, `gap` runs dropped between two blocks.

    `shares` are of the lumisections and add up to at most 1. Runs are ordered by number, as experiments count them.
    Raises TooFewData when a block would be empty.
    """
    runs, counts = np.unique(conditions.run, return_counts=True)
    edges = np.searchsorted(np.cumsum(counts), np.cumsum(shares) * len(conditions) - 1e-9) + 1
    masks, start = [], 0
    for place, edge in enumerate(edges):
        stop = min(int(edge), len(runs))
        if stop <= start:
            raise TooFewData(f"{len(runs)} runs are too few for {len(shares)} blocks with a gap of {gap}.")
        masks.append(np.isin(conditions.run, runs[start:stop]))
        start = stop + gap if place < len(edges) - 1 else stop
    return tuple(masks)


def run_folds(
    conditions: Conditions, folds: int = 5, *, random_state: int | None = None
) -> Iterator[tuple[IntArray, IntArray]]:
    """(train, test) row indices; every run lies in one test fold. With a random state runs are dealt at random, else
    in turn by number."""
    runs = np.unique(conditions.run)
    if len(runs) < folds:
        raise TooFewData(f"{len(runs)} runs cannot be dealt into {folds} folds; use fewer folds.")
    place = np.arange(len(runs))
    if random_state is not None:
        place = np.random.default_rng(random_state).permutation(place)
    fold_of_run = np.empty(len(runs), dtype=np.int64)
    fold_of_run[place] = np.arange(len(runs)) % folds
    fold = fold_of_run[np.searchsorted(runs, conditions.run)]
    for number in range(folds):
        yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)
