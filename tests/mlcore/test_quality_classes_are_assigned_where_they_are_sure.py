"""Chunks of a time-projection chamber: their simulation, the classes a forest gives them, and what follows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.artifacts import load, save
from mlcore.bench import tpc_forest as table
from mlcore.detectors.tpc_forest import TpcForest
from mlcore.errors import BadLabels, IncompatibleBinning, MlcoreError, ShapeError, TooFewData
from mlcore.quality_classes import ConfusionTable, Human, Outcome, Quality, outcomes, share_decided
from mlcore.simulate.tpc import KINDS, RECIPE, TpcChunks, TpcLaw, tpc_chunks


@pytest.fixture(scope="module")
def drawn() -> TpcChunks:
    return tpc_chunks(3, chunks=600)


@pytest.fixture(scope="module")
def early(drawn: TpcChunks) -> npt.NDArray[np.bool_]:
    runs = np.unique(drawn.conditions.run)
    return np.asarray(drawn.conditions.run < runs[2 * len(runs) // 3])


@pytest.fixture(scope="module")
def fitted(drawn: TpcChunks, early: npt.NDArray[np.bool_]) -> TpcForest:
    return TpcForest(n_estimators=60).fit_classes(drawn.table.select(early), drawn.human[early])


def test_what_follows_is_what_the_experiment_wrote_down() -> None:
    every = [(wrote, said) for wrote in Human for said in Quality]
    found = outcomes([one for one, _ in every], [two for _, two in every])
    ok = {pair for pair, outcome in zip(every, found, strict=True) if outcome == Outcome.OK}
    bad = {pair for pair, outcome in zip(every, found, strict=True) if outcome == Outcome.BAD}
    assert ok == {
        (Human.NOMINAL, Quality.DEFINITELY_GOOD), (Human.NOMINAL, Quality.GOOD), (Human.LIMITED, Quality.GOOD)
    }  # fmt: skip
    assert bad == {(Human.UNUSABLE, Quality.DEFINITELY_BAD)}


def test_a_confusion_table_counts_and_can_be_shown() -> None:
    confusion = ConfusionTable.of([0, 0, 1, 2, 3, 2], [0, -1, 1, 0, 2, 2])
    assert confusion.counts.tolist() == [[1, 0, 0, 1], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 0]]
    assert (confusion.decided, confusion.accuracy) == (0.8, 0.75)
    shown = confusion.as_json()
    assert shown["columns"] == ["definitely_good", "good", "definitely_bad", "undecided"]
    assert shown["outcomes"][Human.UNUSABLE] == ["to_check", "to_check", "bad", "to_check"]
    assert np.isnan(ConfusionTable.of([3], [0]).decided)
    with pytest.raises(BadLabels, match="0 nominal"):
        ConfusionTable.of([4], [0])
    with pytest.raises(ShapeError):
        outcomes([0, 1], [0])


@given(st.lists(st.tuples(st.sampled_from([0.5, 0.6, 0.8, 0.99]), st.booleans()), min_size=1, max_size=40))
def test_the_share_decided_is_what_counting_finds(rows: list[tuple[float, bool]]) -> None:
    sure, right = np.array([one for one, _ in rows]), np.array([two for _, two in rows])
    found = share_decided(np.column_stack([sure, 1.0 - sure]), np.where(right, 0, 1))
    # At 0.5 both classes are equally likely, and the first is said.
    shares = [(sure >= cut).mean() for cut in np.unique(sure) if right[sure >= cut].mean() >= 0.95]
    assert found[0] == pytest.approx(max(shares, default=0.0))
    assert (found[1] == np.inf) == (not shares)


def test_a_run_is_ill_once_at_most_and_in_one_stretch(drawn: TpcChunks) -> None:
    for run in np.unique(drawn.conditions.run):
        ill = np.flatnonzero(drawn.faults.family[drawn.conditions.run == run] >= 0)
        assert ill.size == 0 or ill[-1] - ill[0] + 1 == ill.size
    kinds = np.array([int(kind) for _, kind, _ in KINDS])
    assert (drawn.truth == np.where(drawn.faults.family < 0, 0, kinds[drawn.faults.family])).all()
    assert set(np.unique(drawn.truth)) == {0, 1, 2}


def test_people_write_mostly_the_truth_over_whole_stretches() -> None:
    law = TpcLaw(wrong=0.2, not_set=0.1)
    many = tpc_chunks(1, chunks=1_600, recipe=replace(RECIPE, law=law))
    stretch = np.r_[True, (np.diff(many.conditions.run) != 0) | (np.diff(many.truth) != 0)]
    assert (many.human[1:] == many.human[:-1])[~stretch[1:]].all()
    wrote = many.human[stretch]
    assert np.mean(wrote == Human.NOT_SET) == pytest.approx(0.1, abs=0.06)
    told = wrote != Human.NOT_SET
    assert np.mean(wrote[told] != many.truth[stretch][told]) == pytest.approx(0.2 / 0.9, abs=0.08)
    with pytest.raises(MlcoreError, match="probabilities"):
        TpcLaw(limited=0.7, bad=0.5)


def test_belief_is_right_as_often_as_it_says() -> None:
    faint = tpc_chunks(0, chunks=1_500, recipe=replace(RECIPE, law=replace(RECIPE.law, strength=4.0)))
    for belief in (faint.belief, faint.alone):
        assert belief.sum(axis=1) == pytest.approx(np.ones(len(belief)))
        sure, right = belief.max(axis=1), belief.argmax(axis=1) == faint.truth
        assert sure.mean() == pytest.approx(right.mean(), abs=0.035)
    # The other chunks of the run help.
    assert np.log(np.take_along_axis(faint.belief, faint.truth[:, None], 1) + 1e-9).mean() > np.log(
        np.take_along_axis(faint.alone, faint.truth[:, None], 1) + 1e-9
    ).mean()  # fmt: skip


def test_most_chunks_of_new_runs_get_their_class(
    drawn: TpcChunks, early: npt.NDArray[np.bool_], fitted: TpcForest
) -> None:
    late = drawn.table.select(~early)
    said = fitted.classes(late)
    confusion = ConfusionTable.of(drawn.human[~early], said)
    assert confusion.decided > 0.6
    assert confusion.accuracy > 0.88
    assert 0.0 < fitted.decided_ <= 1.0
    found = fitted.probabilities(late)
    assert (found.max(axis=1)[said == Quality.UNDECIDED] < fitted.confidence_).all()
    order = np.argsort(fitted.score(late))
    assert (np.diff(found[order, Quality.DEFINITELY_BAD]) >= -1e-9).all()


def test_what_nobody_classified_teaches_nothing(
    drawn: TpcChunks, early: npt.NDArray[np.bool_], fitted: TpcForest
) -> None:
    told = early & (drawn.human != Human.NOT_SET)
    again = TpcForest(n_estimators=60).fit_classes(drawn.table.select(told), drawn.human[told])
    assert np.array_equal(again.probabilities(drawn.table), fitted.probabilities(drawn.table))


def test_an_unknown_chunk_is_undecided(drawn: TpcChunks, fitted: TpcForest) -> None:
    values = drawn.table.values[:3].copy()
    values[1] = np.nan
    found = fitted.classes(replace(drawn.table.select(slice(0, 3)), values=values))
    assert found[1] == Quality.UNDECIDED
    assert np.isnan(fitted.probabilities(replace(drawn.table.select(slice(0, 3)), values=values))[1]).all()


def test_wrong_classes_are_refused(drawn: TpcChunks, fitted: TpcForest) -> None:
    few = drawn.table.select(slice(0, 100))
    with pytest.raises(BadLabels, match="0 nominal"):
        TpcForest().fit_classes(few, np.full(100, 5))
    with pytest.raises(BadLabels, match="two classes"):
        TpcForest().fit_classes(few, np.zeros(100))
    with pytest.raises(TooFewData, match="with a class"):
        TpcForest().fit_classes(few, np.full(100, int(Human.NOT_SET)))
    with pytest.raises(ShapeError):
        TpcForest().fit_classes(few, np.zeros(99))
    renamed = replace(few, names=("renamed", *few.names[1:]))
    with pytest.raises(IncompatibleBinning):
        fitted.probabilities(renamed)


def test_classes_survive_saving(drawn: TpcChunks, fitted: TpcForest, tmp_path: Path) -> None:
    manifest = save(fitted, tmp_path / "forest")
    again = load(tmp_path / "forest", digest=manifest.digest)
    assert np.array_equal(again.classes(drawn.table), fitted.classes(drawn.table))


def test_a_small_table_says_what_people_and_the_forest_wrote() -> None:
    (row,) = table.run([0], quick=True)
    assert row.value > row.peers[table.PUBLISHED].value
    assert row.bayes is not None
    assert row.bayes >= row.value
    assert "People against definitely good" in row.note
