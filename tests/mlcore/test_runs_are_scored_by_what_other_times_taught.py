"""The runs of AutoDQM: blocks of time, ranks among training runs, and a choice that never sees the block it scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mlcore.bench.real.nested import SUPERVISED, UNSUPERVISED, Chosen, Family, area, by_the_best, choose, scored
from mlcore.bench.real.runs import Prepared, Runs, beside, blocks, odd_ones, ranks

SMALL = Family(("PCA ranks", "short", "counts", "line of ranks"), {"counts and short": {"counts": 1, "short": 1}})


def some_runs(*, signal: float, runs: int = 120) -> Runs:
    """Bad runs, in pairs, have larger PCA scores; every fourth of them is undecided instead."""
    rng = np.random.default_rng(0)
    bad = np.repeat(rng.random(runs // 2) < 0.3, 2)
    verdict = bad.astype(np.int64)
    verdict[np.flatnonzero(bad)[::4]] = -1
    scores = {kind: rng.normal(size=(runs, 12)) for kind in ("pca", "chi2", "pull", "entries")}
    scores["pca"] += signal * bad[:, None] * (rng.random((runs, 12)) < 0.5)
    scores["pull"][3, 4] = np.nan
    groups = tuple(f"subdetector {number % 3}" for number in range(12))
    return Runs(**scores, groups=groups, labels=(verdict == 1).astype(np.int64), verdict=verdict)


def test_blocks_of_runs_never_touch_what_was_learned_from() -> None:
    seen = []
    for train, test in blocks(np.arange(50), 5):
        assert not set(train) & set(test)
        assert test.tolist() == list(range(test[0], test[-1] + 1))
        assert np.abs(train[:, None] - test[None, :]).min() == 2
        seen += test.tolist()
    assert seen == list(range(50))


def test_ranks_are_shares_of_training_runs_below_and_a_half_where_unknown() -> None:
    values = np.array([[1.0], [2.0], [3.0], [np.nan], [2.5], [np.nan], [2.0]])
    found = ranks(values, np.array([0, 1, 2, 3]))[4:, 0]
    assert found.tolist() == [pytest.approx(2 / 3), 0.5, pytest.approx(0.5)]


def test_a_histogram_counts_more_the_fewer_are_as_odd() -> None:
    counts = odd_ones(np.array([[0.5, 0.5], [0.85, 0.5], [0.99, 0.5], [0.99, 0.99]]))
    assert counts[0] == 0
    assert (np.diff(counts) > 0).all()
    assert counts[2] == pytest.approx(0.5 * (5 + 10 + 20 + 50))


def test_neighbours_are_the_runs_before_and_after() -> None:
    assert beside(np.array([1.0, 5.0, 3.0])).tolist() == [3.0, 2.0, 4.0]


def test_the_area_is_that_of_scikit_learn_and_unknown_with_one_class() -> None:
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 60), rng.integers(0, 9, 60).astype(float)
    assert area(scores, labels) == pytest.approx(roc_auc_score(labels, scores))
    assert np.isnan(area(scores, np.zeros(60, dtype=np.int64)))


@pytest.mark.parametrize("family", [UNSUPERVISED, SUPERVISED], ids=["unsupervised", "supervised"])
def test_every_candidate_scores_the_runs_asked(family: Family) -> None:
    runs = some_runs(signal=3.0)
    prepared, asked = Prepared(runs, np.arange(80)), np.arange(82, 120)
    found = scored(prepared, asked, family.candidates, family, seed=0)
    assert list(found) == family.candidates
    for candidate, score in found.items():
        assert score.shape == (38,), candidate
        assert np.isfinite(score).all(), candidate
    assert roc_auc_score(runs.labels[asked], found["PCA ranks" if family is SUPERVISED else "counts of PCA", 0.0]) > 0.8


def test_no_unsupervised_candidate_looks_at_a_label() -> None:
    runs = some_runs(signal=3.0)
    other = replace(runs, labels=1 - runs.labels, verdict=1 - runs.verdict)
    asked = np.arange(82, 120)
    both = [
        scored(Prepared(one, np.arange(80)), asked, UNSUPERVISED.candidates, UNSUPERVISED, seed=0)
        for one in (runs, other)
    ]
    for candidate in UNSUPERVISED.candidates:
        assert both[0][candidate].tolist() == both[1][candidate].tolist(), candidate


def test_the_choice_does_not_see_the_block_that_is_scored() -> None:
    runs = some_runs(signal=3.0)
    first = choose(runs, SMALL, outer=3, inner=3)
    hidden = first[1].test
    labels, pca = runs.labels.copy(), runs.pca.copy()
    labels[hidden] = 1 - labels[hidden]
    pca[hidden] *= -5.0
    again = choose(replace(runs, labels=labels, pca=pca), SMALL, outer=3, inner=3)[1]
    assert again.areas == first[1].areas
    assert again.order == first[1].order


def test_the_candidate_that_separates_is_first_and_scores_the_blocks() -> None:
    runs = some_runs(signal=3.0)
    found = choose(runs, SMALL, outer=3, inner=3)
    for one in found:
        assert one.order[0][0] != "short"
        assert one.areas[one.order[0]] == max(one.areas.values()) > 0.75
    assert area(by_the_best(runs, found, SMALL, best=2, seed=0), runs.labels) > 0.75


def test_where_there_is_nothing_to_find_the_nested_figure_says_so() -> None:
    """A choice made on the runs it reports would come out well above a half."""
    figures = []
    for seed in range(4):
        runs = some_runs(signal=0.0, runs=160)
        labels = np.random.default_rng(seed).permutation(runs.labels)
        runs = replace(runs, labels=labels, verdict=labels)
        found: list[Chosen] = choose(runs, SMALL, outer=4, inner=3)
        figures.append(area(by_the_best(runs, found, SMALL, best=1, seed=0), labels))
    assert np.mean(figures) < 0.56
