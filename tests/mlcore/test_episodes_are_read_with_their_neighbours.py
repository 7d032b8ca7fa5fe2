"""The detector of episodes: windows, stretches, neighbours, and no look at what it is judged on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.conditions import Conditions
from mlcore.detectors.context import beside_neighbours
from mlcore.detectors.episodes import EpisodeDetector, EpisodeFeatures, episodes, in_time, window_mean
from mlcore.errors import BadLabels, ShapeError, TooFewData
from mlcore.evaluate import auc
from mlcore.features import FeatureTable
from mlcore.simulate.tables import TPC, SimulatedTable, tpc_table

LENGTHS = st.lists(st.integers(1, 7), min_size=1, max_size=5)


def rows_of(lengths: list[int]) -> Conditions:
    run = np.repeat(np.arange(len(lengths)), lengths)
    return Conditions(run=run, lumisection=np.concatenate([np.arange(1, length + 1) for length in lengths]))


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.integers(0, 8), st.integers(0, 99))
def test_a_window_ends_with_the_run(lengths: list[int], width: int, seed: int) -> None:
    conditions = rows_of(lengths)
    values = np.random.default_rng(seed).standard_normal((len(conditions), 2))
    mean, count = window_mean(values, conditions.run, width)
    for row in range(len(conditions)):
        near = [
            other
            for other in range(len(conditions))
            if conditions.run[other] == conditions.run[row] and abs(other - row) <= width
        ]
        assert count[row] == len(near)
        assert mean[row] == pytest.approx(values[near].mean(axis=0))


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.integers(0, 99))
def test_stretches_are_those_that_counting_finds(lengths: list[int], seed: int) -> None:
    conditions = rows_of(lengths)
    labels = np.random.default_rng(seed).integers(0, 2, len(conditions))
    number, expected = 0, [0]
    for row in range(1, len(conditions)):
        number += bool(labels[row] != labels[row - 1] or conditions.run[row] != conditions.run[row - 1])
        expected.append(number)
    assert episodes(conditions, labels).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.integers(0, 99))
def test_a_neighbour_is_one_lumisection_away_in_the_same_run(lengths: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole = rows_of(lengths)
    kept = np.flatnonzero(rng.random(len(whole)) < 0.8)
    conditions = whole.select(rng.permutation(kept))
    scores = rng.standard_normal(len(conditions))
    scores[rng.random(len(scores)) < 0.1] = np.nan
    by_key = dict(zip(conditions.key.tolist(), scores.tolist(), strict=True))
    got = beside_neighbours(scores, conditions, discount=0.5)
    for row, key in enumerate(conditions.key.tolist()):
        around = [by_key[other] for other in (key - 1, key + 1) if other in by_key and not np.isnan(by_key[other])]
        if np.isnan(scores[row]):
            assert np.isnan(got[row])
        else:
            assert got[row] == pytest.approx(np.logaddexp(scores[row], max(around, default=-np.inf) - 0.5))


def test_scores_and_lumisections_must_agree() -> None:
    with pytest.raises(ShapeError, match="expected \\(3,\\)"):
        beside_neighbours([1.0], Conditions.plain(3))


@pytest.fixture(scope="module")
def drawn() -> SimulatedTable:
    law = replace(TPC.law, share=0.25, strength=10.0)
    return tpc_table(2, lumisections=2_600, recipe=replace(TPC, law=law))


def test_later_runs_are_told_apart_and_held_out_scores_say_how_well() -> None:
    # Two kinds of faults, faint in each lumisection, for sixteen lumisections of half of the runs.
    rng = np.random.default_rng(4)
    conditions = rows_of([40] * 40)
    labels = ((conditions.run % 2 == 0) & (np.abs(conditions.lumisection - 20) < 8)).astype(np.int64)
    values = rng.standard_normal((len(conditions), 15))
    values[:, :3] += 1.2 * (labels * (conditions.run % 4 == 0))[:, None]
    values[:, 6:9] -= 1.2 * (labels * (conditions.run % 4 == 2))[:, None]
    table = FeatureTable(values, tuple(f"f{n}" for n in range(15)), ("x",) * 15, conditions)
    before = conditions.run < 26
    detector = EpisodeDetector(folds=3, max_iter=20).fit(table.select(before), labels[before])
    assert auc(detector.held_out_, labels[before]) > 0.95
    assert auc(detector.score(table.select(~before)), labels[~before]) > 0.95
    # One lumisection by itself says much less.
    alone = np.maximum(values[:, :3].sum(axis=1), -values[:, 6:9].sum(axis=1))
    assert auc(alone[~before], labels[~before]) < 0.92


def test_nothing_is_learned_about_held_out_runs_from_their_labels() -> None:
    # Runs are good or bad at random, and differ in nothing: whoever does better than chance has looked.
    rng = np.random.default_rng(0)
    conditions = rows_of([20] * 60)
    run_effect = rng.standard_normal((60, 12))[conditions.run]
    values = run_effect + 0.3 * rng.standard_normal((len(conditions), 12))
    table = FeatureTable(values, tuple(f"f{n}" for n in range(12)), ("x",) * 12, conditions)
    labels = rng.permutation(60)[conditions.run] % 2
    detector = EpisodeDetector(max_iter=20).fit(table, labels)
    assert 0.3 < auc(detector.held_out_, labels) < 0.7


def test_the_order_of_rows_does_not_matter(drawn: SimulatedTable) -> None:
    few = slice(0, 700)
    table, labels = drawn.table.select(few), drawn.labels[few]
    detector = EpisodeDetector(folds=2, max_iter=5).fit(table, labels)
    mixed = np.random.default_rng(1).permutation(len(labels))
    assert detector.score(table.select(mixed)) == pytest.approx(detector.score(table)[mixed])
    order, back = in_time(table.conditions.select(mixed))
    assert np.array_equal(order[back], np.arange(len(mixed)))


def test_unlabelled_neighbours_are_read_but_not_learned_from(drawn: SimulatedTable) -> None:
    rows = np.arange(900)
    table, labels = drawn.table.select(rows), drawn.labels[rows].copy()
    labelled = rows[rows % 3 == 0]
    detectors = [EpisodeDetector(folds=2, max_iter=5) for _ in range(2)]
    first = detectors[0].fit_among(table, labels, labelled)
    labels[rows % 3 != 0] = 1 - labels[rows % 3 != 0]
    assert np.array_equal(first, detectors[1].fit_among(table, labels, labelled))
    assert first.shape == labelled.shape


def test_judging_at_once_gives_what_learning_and_then_scoring_gives(drawn: SimulatedTable) -> None:
    rows = np.random.default_rng(3).permutation(900)
    table, labels, labelled = drawn.table.select(rows), drawn.labels[rows], np.arange(0, 900, 2)
    first, second = EpisodeDetector(folds=2, max_iter=5), EpisodeDetector(folds=2, max_iter=5)
    held_out, judged = first.judge_among(table, labels, labelled)
    assert np.array_equal(held_out, second.fit_among(table, labels, labelled))
    assert judged == pytest.approx(second.score(table))


def test_without_windows_neighbours_say_nothing(drawn: SimulatedTable) -> None:
    table, labels = drawn.table.select(slice(0, 900)), drawn.labels[:900]
    every_third = table.select(np.arange(0, 900, 3))
    # Of the features and not of the score: trees turn the last digit of a float32 product into a step.
    alone = EpisodeFeatures(windows=(0,)).fit(table, labels)
    assert alone.transform(every_third) == pytest.approx(alone.transform(table)[::3], rel=1e-4, abs=1e-3)
    together = EpisodeFeatures(windows=(0, 3)).fit(table, labels)
    assert together.transform(every_third) != pytest.approx(together.transform(table)[::3], rel=1e-4, abs=1e-3)


def test_too_little_to_learn_from_is_refused(drawn: SimulatedTable) -> None:
    table = drawn.table.select(slice(0, 60))
    labels = np.zeros(60, dtype=np.int64)
    labels[7] = 1
    with pytest.raises(BadLabels, match="at least two"):
        EpisodeDetector().fit(table, labels)
    with pytest.raises(TooFewData, match="ten good"):
        EpisodeFeatures().fit(table, np.ones(60, dtype=np.int64))
    only = table.select(slice(0, 50))
    weak = EpisodeFeatures().fit(only, (np.arange(50) == 20).astype(np.int64))
    assert np.isfinite(weak.transform(only)).all()
