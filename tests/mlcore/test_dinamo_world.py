"""The toy of arXiv:2501.19237, its oracle, and DINAMO-S in it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mlcore.bench import dinamo
from mlcore.bench.peers.dinamo_s import dinamo_s
from mlcore.simulate.dinamo import DinamoRuns, DinamoToy


def world(runs: int = 2_000, seed: int = 0, **more: object) -> DinamoRuns:
    return DinamoToy(**more).draw(runs, np.random.default_rng(seed))  # type: ignore[arg-type]


def test_its_numbers_are_the_published_ones() -> None:
    runs = world(5_000)
    assert runs.block.counts.shape == (5_000, 100)
    assert runs.labels.sum() == 500
    assert runs.entries.min() >= 2_000
    assert runs.entries.max() <= 20_000
    assert runs.jump.mean() == pytest.approx(0.005, abs=0.003)
    dead = runs.dead.sum(axis=1)
    assert (dead[runs.labels == 0] == 0).all()
    assert set(dead[runs.labels == 1]) == set(range(1, 21))
    assert (runs.block.counts[runs.dead] == 0).all()
    off = np.abs(runs.off[(runs.off != 0).all(axis=1)])
    assert ((off > [0.25, 0.05]) & (off < [0.75, 0.2])).all()


def test_the_mean_swings_with_a_period_of_a_thousand_runs() -> None:
    runs = world(1_000, jump_probability=0.0, bad_share=0.0)
    assert runs.mean.max() == pytest.approx(0.5, abs=1e-3)
    assert runs.mean[249] == pytest.approx(0.5, abs=1e-3)
    assert (runs.width == 1.0).all()


@pytest.mark.parametrize("together", [True, False])
def test_the_right_half_gains_or_loses_four_tenths(together: bool) -> None:
    runs = world(600, together=together, jump_probability=0.0, bad_share=0.0, swing=0.0)
    shape = DinamoToy().shape(runs.mean, runs.width)
    ratio = runs.block.counts / (runs.entries[:, None] * shape)
    assert ratio[:, 40:50].mean() == pytest.approx(1.0, abs=0.02)
    assert ratio[:, 50:60].mean() == pytest.approx(1.0, abs=0.05)
    assert np.abs(ratio[:, 50:60] - 1).mean() == pytest.approx(0.4, abs=0.03)
    neighbours = np.corrcoef(ratio[:, 50], ratio[:, 51])[0, 1]
    assert (neighbours > 0.8) == together


def test_wrong_labels_are_as_many_as_asked_for() -> None:
    runs = world()
    given = runs.mislabelled(0.05, np.random.default_rng(1))
    assert np.mean(given != runs.labels) == pytest.approx(0.05, abs=0.015)
    assert np.array_equal(runs.mislabelled(0.0, np.random.default_rng(1)), runs.labels)


@pytest.mark.parametrize("together", [True, False])
def test_nothing_surpasses_the_oracle(together: bool) -> None:
    runs = world(3_000, seed=5, together=together)
    limit = roc_auc_score(runs.labels, DinamoToy(together=together).oracle(runs))
    assert 0.99 < limit < 1.0
    assert roc_auc_score(runs.labels[100:], dinamo_s(runs.block.counts, runs.labels, memory=0.7)[100:]) < limit


def test_dinamo_s_scores_an_empty_histogram_nan_and_goes_on() -> None:
    counts = world(300).block.counts.copy()
    counts[50] = 0.0
    scores = dinamo_s(counts, np.zeros(300, dtype=int), memory=0.7)
    assert np.isnan(scores[50])
    assert np.isfinite(np.delete(scores, 50)).all()


def test_dinamo_s_learns_only_from_what_was_confirmed() -> None:
    counts = world(300, jump_probability=0.0, bad_share=0.0).block.counts
    learned = dinamo_s(counts, np.zeros(300, dtype=int), memory=0.8)
    never = dinamo_s(counts, np.ones(300, dtype=int), memory=0.8)
    assert np.median(learned[50:]) < 2
    # Its first reference is uniform and very uncertain; without confirmations it stays so.
    assert np.median(never[50:]) < 0.1


def test_the_steady_threshold_lies_between_the_classes() -> None:
    scores = np.concatenate([np.linspace(0.1, 2.0, 90), np.linspace(50.0, 90.0, 10)])
    threshold = dinamo.steady_threshold(np.repeat([0, 1], [90, 10]), scores)
    assert 2.0 < threshold < 50.0


def test_the_table_has_both_figures_for_true_and_for_wrong_labels_beside_the_peer() -> None:
    rows = dinamo.run([100], quick=True)
    assert [row.task for row in rows] == [
        "AUC, true labels",
        "balanced accuracy, true labels",
        "AUC, 5% wrong labels",
        "balanced accuracy, 5% wrong labels",
    ]
    for row in rows:
        assert row.bayes is not None
        assert row.peers["DINAMO-S"].value < row.value <= row.bayes + 0.01
