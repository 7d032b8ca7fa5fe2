"""Tables whose truth is known: published sizes, contiguous faults, likeness within runs, belief that is calibrated."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from mlcore.conditions import Conditions
from mlcore.errors import MlcoreError, ShapeError, TooFewData
from mlcore.simulate.table_columns import STATISTICS, certification_columns, loadings, offline_columns, tpc_columns
from mlcore.simulate.table_columns import sampling_covariance as covariance_of
from mlcore.simulate.table_faults import FaultLaw, Faults, believe, plan_faults
from mlcore.simulate.tables import (
    TPC,
    Family,
    Nature,
    SimulatedTable,
    TableModel,
    certification_table,
    families_of,
    noise_scale,
    offline_table,
    response_terms,
    simple_conditions,
    tpc_table,
)
from mlcore.splits import run_folds


@pytest.fixture(scope="module")
def drawn() -> SimulatedTable:
    return certification_table(2, lumisections=5_000)


def small_conditions(lumisections: int = 3_000) -> Conditions:
    return simple_conditions(lumisections, np.random.default_rng(0))


def test_the_tables_have_the_published_columns() -> None:
    assert Counter(certification_columns().column_groups) == {
        "muons": 267,
        "photons": 232,
        "particle flow": 126,
        "calorimeter jets": 266,
    }
    assert len(set(certification_columns().names)) == 891
    offline = offline_columns()
    assert (len(offline.quantities), len(set(offline.names)), len(offline.objects())) == (401, 2_807, 10)
    assert len(set(tpc_columns().names)) == 217
    assert tpc_columns().names[0] == "dE/dx:p00"


def test_statistics_vary_as_those_of_a_real_sample() -> None:
    rng = np.random.default_rng(0)
    sample = rng.standard_normal((20_000, 400))
    values = np.column_stack(
        [sample.mean(axis=1), sample.std(axis=1), np.quantile(sample, (0.01, 0.25, 0.5, 0.75, 0.99), axis=1).T]
    )
    measured = np.cov(values.T) * 400
    assert np.allclose(measured[:2, :2], covariance_of(STATISTICS)[:2, :2], atol=0.05)
    assert np.allclose(measured, covariance_of(STATISTICS), rtol=0.15, atol=0.15)
    assert loadings(("value",)).tolist() == [[1.0, 0.0, 0.0]]


def test_a_quarter_is_bad_in_whole_stretches(drawn: SimulatedTable) -> None:
    assert drawn.labels.mean() == pytest.approx(0.25, abs=0.02)
    for number in range(drawn.faults.episode.max() + 1):
        rows = np.flatnonzero(drawn.faults.episode == number)
        assert np.array_equal(rows, np.arange(rows[0], rows[-1] + 1))
        assert len(set(drawn.faults.family[rows])) == 1
    assert drawn.labels.sum() > 5 * (np.diff(drawn.labels) == 1).sum()


def test_the_same_seed_draws_the_same_table() -> None:
    first, again, other = (tpc_table(seed, lumisections=300) for seed in (3, 3, 4))
    assert np.array_equal(first.table.values, again.table.values, equal_nan=True)
    assert first.table.values.shape != other.table.values.shape or not np.array_equal(
        first.table.values, other.table.values, equal_nan=True
    )
    assert 0.03 < np.isnan(first.table.values).mean() < 0.07


def test_the_offline_table_is_two_percent_bad() -> None:
    drawn = offline_table(0, lumisections=1_500)
    assert drawn.table.values.shape[1] == 2_807
    assert drawn.labels.mean() == pytest.approx(0.02, abs=0.005)
    assert np.isfinite(drawn.table.values).all()


def likeness(scores: npt.NDArray[np.float64], runs: npt.NDArray[np.int64]) -> float:
    """Intraclass correlation: the share of the variance that is between runs."""
    _, place, counts = np.unique(runs, return_inverse=True, return_counts=True)
    means = np.bincount(place, scores) / counts
    within = np.sum((scores - means[place]) ** 2) / (len(scores) - len(counts))
    size = (len(scores) - np.sum(counts**2) / len(scores)) / (len(counts) - 1)
    between = np.sum(counts * (means - scores.mean()) ** 2) / (len(counts) - 1)
    return float((between - within) / (between + (size - 1) * within))


def scored(drawn: SimulatedTable, folds: object) -> npt.NDArray[np.float64]:
    values = drawn.table.values
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    scores = np.empty(len(values))
    for train, test in folds:  # type: ignore[attr-defined]
        good, bad = values[train][drawn.labels[train] == 0], values[train][drawn.labels[train] == 1]
        covariance = np.cov(good.T) + 0.1 * np.eye(values.shape[1])
        scores[test] = values[test] @ np.linalg.solve(covariance, bad.mean(axis=0) - good.mean(axis=0))
    return scores


def test_lumisections_of_a_run_are_alike_and_shuffling_leaks(drawn: SimulatedTable) -> None:
    shuffled = StratifiedKFold(5, shuffle=True, random_state=0).split(drawn.table.values, drawn.labels)
    leaky, honest = scored(drawn, shuffled), scored(drawn, run_folds(drawn.conditions, 5))
    assert roc_auc_score(drawn.labels, leaky) > roc_auc_score(drawn.labels, honest) + 0.002
    good = drawn.labels == 0
    assert 0.1 < likeness(honest[good], drawn.conditions.run[good]) < 0.4


@pytest.mark.parametrize("unseen", [0.0, 0.5])
def test_belief_is_calibrated_and_context_helps(unseen: float) -> None:
    # Faint faults, so that there is something to be unsure of.
    law = FaultLaw(strength=8.0, weakest=0.25, unseen=unseen)
    drawn = tpc_table(5, lumisections=5_000, recipe=replace(TPC, law=law))
    edges = np.linspace(0, 1, 6)
    for belief in (drawn.belief, drawn.alone):
        place = np.digitize(belief, edges[1:-1])
        for number in (0, 1, 2, 3, 4):
            rows = place == number
            if rows.sum() < 20:
                continue
            error = 4 * np.sqrt(0.25 / rows.sum()) + 0.03
            assert drawn.labels[rows].mean() == pytest.approx(belief[rows].mean(), abs=error)
    assert roc_auc_score(drawn.labels, drawn.belief) > roc_auc_score(drawn.labels, drawn.alone) + 0.01


def test_belief_agrees_with_every_possible_course_of_a_short_run() -> None:
    # Brute force over all sequences of states of the chain as documented, written down a second time.
    law = FaultLaw(share=0.3, strength=2.0, weakest=1.0, levels=1, short=0.7, to_end=0.3, length=3.0)
    conditions = Conditions.plain(6)
    rng = np.random.default_rng(5)
    projection = rng.normal(0.0, 1.5, (6, 1))
    got = believe(projection, np.ones((6, 1)), conditions, law)
    fill = np.linspace(0.1, 1.0, 10)
    whole = np.exp(2.0 * projection[:, 0] - 2.0)
    part = np.exp(2.0 * fill * projection - 2.0 * fill**2).mean(axis=1)
    mean = 0.7 * 3 + 0.3 * 3
    begin, leave = 0.3 * 6 / mean / (6 * 0.7), 1 / 3
    step = {
        ("good", "good"): 1 - begin, ("good", "first"): 0.7 * begin, ("good", "long"): 0.3 * begin,
        ("first", "good"): leave, ("first", "in"): (1 - leave) ** 2, ("first", "last"): (1 - leave) * leave,
        ("in", "in"): 1 - leave, ("in", "last"): leave, ("last", "good"): 1.0,
        ("long", "stays"): 1.0, ("stays", "stays"): 1.0,
    }  # fmt: skip
    seen = {"good": np.ones(6), "first": part, "in": whole, "last": part, "long": part, "stays": whole}
    total, bad = 0.0, np.zeros(6)

    def follow(course: list[str], weight: float) -> None:
        nonlocal total
        if len(course) == 6:
            total += weight
            bad[:] += weight * np.array([state != "good" for state in course])
            return
        for (before, after), chance in step.items():
            if before == course[-1]:
                follow([*course, after], weight * chance * seen[after][len(course)])

    for state in ("good", "first", "long"):
        follow([state], step["good", state] * seen[state][0])
    assert got == pytest.approx(bad / total, abs=1e-9)


def test_nothing_can_be_seen_of_some_first_and_last_lumisections() -> None:
    law = FaultLaw(unseen=0.3, strength=10.0, weakest=1.0, levels=1)
    faults = plan_faults(small_conditions(), 3, law, np.random.default_rng(0))
    inside = np.flatnonzero(faults.labels == 1)
    first = inside[faults.episode[inside] != faults.episode[inside - 1]]
    assert (faults.strength[first] == 0).mean() == pytest.approx(0.3, abs=0.08)
    assert ((faults.strength[first] == 0) | (faults.strength[first] >= 1.0)).all()
    # They are bad all the same, and nobody loses sight of the middle of an episode.
    around = np.pad(faults.episode, 1, constant_values=-1)
    middle = inside[(around[inside] == around[inside + 1]) & (around[inside + 2] == around[inside + 1])]
    assert (faults.strength[middle] == 10.0).all()
    with pytest.raises(MlcoreError, match="unseen"):
        FaultLaw(unseen=1.0)


def test_samples_of_one_law_have_equally_many_faults_of_each_kind() -> None:
    law, conditions = FaultLaw(levels=4), small_conditions(6_000)
    for seed in range(5):
        faults = plan_faults(conditions, 6, law, np.random.default_rng(seed))
        _, rows = np.unique(faults.episode[faults.episode >= 0], return_index=True)
        rows = np.flatnonzero(faults.episode >= 0)[rows]
        assert np.ptp(np.bincount(faults.family[rows], minlength=6)) <= 1
        sizes = np.bincount(faults.episode[faults.episode >= 0])
        assert 0.5 < (sizes <= 20).mean() < 0.85


def test_faults_are_seen_only_in_their_objects() -> None:
    columns = certification_columns()
    model = TableModel(columns, (Family("muons off", ("muons",)),), Nature(), np.random.default_rng(0))
    moved = np.flatnonzero(model.directions[0])
    assert {columns.column_groups[column] for column in moved} == {"muons"}
    assert model.directions[0] @ model.filters[0] == pytest.approx(1.0)


def test_planted_faults_are_kept() -> None:
    columns, conditions = tpc_columns(), small_conditions(400)
    model = TableModel(columns, families_of(columns, 1), Nature(), np.random.default_rng(0))
    n = len(conditions)
    strength = np.where(np.arange(n) < 30, 30.0, 0.0)
    planted = Faults(np.where(strength > 0, 2, -1), strength, np.where(strength > 0, 0, -1))
    drawn = model.draw(conditions, FaultLaw(), np.random.default_rng(1), faults=planted)
    assert drawn.labels.sum() == 30
    assert drawn.belief[:30].min() > 0.99
    with pytest.raises(ShapeError, match="conditions have 10"):
        model.draw(conditions.select(slice(0, 10)), FaultLaw(), np.random.default_rng(1), faults=planted)


def test_conditions_come_in_whole_runs_with_decaying_luminosity() -> None:
    conditions = small_conditions()
    assert 2_700 <= len(conditions) <= 3_000
    first = conditions.run == conditions.run[0]
    assert conditions.luminosity[first][0] > conditions.luminosity[first][-1]
    assert 60 <= first.sum() <= 200
    assert np.array_equal(
        np.unique(conditions.run), conditions.run[np.sort(np.unique(conditions.run, return_index=True)[1])]
    )


def test_unknown_conditions_are_no_reason_to_fail() -> None:
    unknown = Conditions.plain(50)
    assert response_terms(unknown).tolist() == np.zeros((50, 5)).tolist()
    assert noise_scale(unknown).tolist() == [1.0] * 50


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(MlcoreError, match="share"):
        FaultLaw(share=1.5)
    with pytest.raises(MlcoreError, match="shares of the episodes"):
        FaultLaw(short=0.8, to_end=0.4)
    with pytest.raises(MlcoreError, match="unknown"):
        TableModel(tpc_columns(), (Family("x", ("jets",)),), Nature(), np.random.default_rng(0))
    crowded = replace(FaultLaw(), share=0.95, short=0.0, to_end=1.0)
    with pytest.raises(TooFewData, match="no room"):
        plan_faults(Conditions.plain(20), 1, crowded, np.random.default_rng(0))
