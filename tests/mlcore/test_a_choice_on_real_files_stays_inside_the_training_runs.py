"""How the parts of a score are combined is chosen without a look at the runs that are reported."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mlcore.bench.peers import unlabelled
from mlcore.bench.real import stack
from mlcore.bench.real.folds import inner_folds, of_its_run
from mlcore.bench.real.parts import ERROR, EWMA, FOREST, ISOLATED, REFERENCE, described, oddness, parts
from mlcore.conditions import Conditions, FloatArray, IntArray
from mlcore.histograms import Axis, HistogramBlock


def lumisections(*of_runs: int) -> Conditions:
    run = np.repeat(np.arange(100, 100 + len(of_runs)), of_runs)
    return Conditions(run=run, lumisection=np.concatenate([np.arange(1, n + 1) for n in of_runs]))


def known(parts_of: FloatArray, labels: IntArray, *, runs: int = 30) -> stack.Known:
    run = np.repeat(np.arange(runs), len(labels) // runs)
    return stack.Known(parts_of, run, labels, run % 3)


def test_inner_folds_hold_every_row_out_once_and_whole_runs_where_they_are_short() -> None:
    conditions = lumisections(*[5] * 12)
    held_out = []
    for fit, held in inner_folds(conditions, 3):
        assert not set(conditions.run[fit]) & set(conditions.run[held])
        held_out += held.tolist()
    assert sorted(held_out) == list(range(60))


def test_a_run_longer_than_its_share_is_cut_into_consecutive_pieces() -> None:
    conditions = lumisections(90, 10, 10, 10)
    for fit, held in inner_folds(conditions, 3):
        long = held[conditions.run[held] == 100]
        assert 0 < len(long) < 90
        assert set(fit) & set(np.flatnonzero(conditions.run == 100))
        assert (np.diff(conditions.lumisection[long]) > 1).sum() <= 2


def test_the_run_of_a_row_is_the_mean_of_its_rows() -> None:
    values = np.array([[1.0, 0.0], [3.0, 2.0], [7.0, 7.0]])
    assert of_its_run(values, np.array([5, 5, 9])).tolist() == [[2.0, 1.0], [2.0, 1.0], [7.0, 7.0]]


def test_the_way_that_separates_is_chosen() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 300)
    noise = rng.normal(size=(300, 6))
    sure = noise.copy()
    sure[:, FOREST] = 5.0 * labels + rng.normal(size=300)
    assert "orest" in stack.choose(known(sure, labels)).name
    merits = stack.choose(known(sure, labels)).merits
    assert merits["forest"] > merits["mean rank of the parts"] + 0.1
    hidden = noise.copy()
    hidden[:, REFERENCE] = 5.0 * labels + rng.normal(size=300)
    merits = stack.choose(known(hidden, labels)).merits
    assert merits["line of the parts"] > merits["forest"] + 0.3


def test_a_choice_never_uses_what_it_is_judged_on() -> None:
    """With parts that say nothing no way may look good, however freely it can be fitted."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 600)
    merits = stack.choose(known(rng.normal(size=(600, 6)), labels)).merits
    assert max(merits.values()) < 1.2


def test_ways_that_look_at_the_run_are_not_offered_where_a_run_lies_in_several_folds() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 300)
    whole = known(rng.normal(size=(300, 6)), labels)
    assert set(stack.choose(whole).merits) == set(stack.WAYS) | set(stack.WAYS_IN_RUN)
    cut = stack.Known(whole.parts, whole.run, labels, np.arange(300) % 3)
    assert set(stack.choose(cut).merits) == set(stack.WAYS)


@pytest.mark.parametrize("name", list(stack.WAYS | stack.WAYS_IN_RUN))
def test_every_way_is_put_on_one_scale_without_changing_the_order(name: str) -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 300)
    values = rng.normal(size=(300, 6)) + labels[:, None]
    head = known(values, labels)
    asked = stack.Asked(values + rng.normal(size=values.shape) * 0.1, head.run)
    plain = (stack.WAYS | stack.WAYS_IN_RUN)[name](head, asked)
    score = stack.apply(stack.Choice(name, {}, plain), head, asked)
    assert roc_auc_score(labels, score) == pytest.approx(roc_auc_score(labels, plain))
    assert np.median(score[labels == 0]) < 0 < np.median(score[labels == 1])


def some_histograms(bad: bool) -> HistogramBlock:
    rng = np.random.default_rng(4)
    counts = rng.poisson(100.0, (240, 40)).astype(float)
    if bad:
        counts[1::2, 10] *= 3.0
    return HistogramBlock("shape", (Axis("x", np.linspace(0.0, 1.0, 41)),), counts, lumisections(*[20] * 12))


def test_the_parts_see_a_bin_that_counts_threefold() -> None:
    block, labels = some_histograms(bad=True), np.arange(240) % 2
    train, test = np.arange(160), np.arange(160, 240)
    given, asked = block.select(train), block.select(test)
    odd = oddness(given, labels[train], asked)
    values = parts(given, labels[train], asked, odd, trees=20, seed=0)
    assert values.shape == (80, 6)
    assert described(block).shape == (240, 45)
    for part in (FOREST, REFERENCE, ERROR, EWMA):
        assert roc_auc_score(labels[test], values[:, part]) > 0.9
    # It asks one bin at random at a time, and the odd one is one of forty.
    assert roc_auc_score(labels[test], values[:, ISOLATED]) > 0.7


def test_peers_are_set_on_held_rows_and_fall_back_where_those_are_of_one_class() -> None:
    block, labels = some_histograms(bad=True), np.arange(240) % 2
    fold = (np.arange(160), np.arange(160, 240))
    components, net = unlabelled.best_setting(block, labels, fold, unlabelled.NETS[:1])
    assert components in unlabelled.COMPONENTS
    assert net == unlabelled.NETS[0]
    only_good = (np.arange(160), np.arange(160, 240, 2))
    assert unlabelled.best_setting(block, labels, only_good) == (unlabelled.COMPONENTS[1], unlabelled.NETS[0])
