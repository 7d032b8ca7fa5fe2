"""Blocks in time and folds: whole runs only, everything once, and a word where there are too few runs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.conditions import Conditions
from mlcore.errors import TooFewData
from mlcore.splits import chronological, run_folds


def lumisections(lengths: list[int], seed: int = 0) -> Conditions:
    """Runs of these lengths, their rows in any order."""
    run = np.repeat(np.arange(1, len(lengths) + 1), lengths)
    number = np.concatenate([np.arange(1, length + 1) for length in lengths])
    order = np.random.default_rng(seed).permutation(run.size)
    return Conditions(run=run[order], lumisection=number[order])


@given(st.lists(st.integers(1, 9), min_size=12, max_size=30), st.integers(0, 2), st.integers(0, 99))
def test_blocks_follow_each_other_with_whole_runs_dropped_between(lengths: list[int], gap: int, seed: int) -> None:
    rows = lumisections(lengths, seed)
    try:
        blocks = chronological(rows, (0.5, 0.25, 0.25), gap=gap)
    except TooFewData:
        return
    runs = [set(rows.run[block].tolist()) for block in blocks]
    for early, late in pairwise(runs):
        assert min(late) == max(early) + gap + 1
    for block, inside in zip(blocks, runs, strict=True):
        assert np.array_equal(block, np.isin(rows.run, sorted(inside)))


@given(st.lists(st.integers(1, 9), min_size=5, max_size=20), st.integers(2, 5), st.sampled_from([None, 0, 7]))
def test_every_run_is_held_out_once_and_never_learned_from_then(
    lengths: list[int], folds: int, state: int | None
) -> None:
    rows = lumisections(lengths)
    held: list[int] = []
    for train, test in run_folds(rows, folds, random_state=state):
        assert not set(rows.run[train].tolist()) & set(rows.run[test].tolist())
        assert train.size + test.size == len(rows)
        held += test.tolist()
    assert sorted(held) == list(range(len(rows)))


def test_too_few_runs_are_refused() -> None:
    with pytest.raises(TooFewData, match="3 runs are too few"):
        chronological(lumisections([5, 5, 5]), (0.4, 0.3, 0.3))
    with pytest.raises(TooFewData, match="3 runs cannot be dealt into 4 folds"):
        list(run_folds(lumisections([5, 5, 5]), 4))
