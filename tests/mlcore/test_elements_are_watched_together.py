"""One autoencoder over several elements: what agrees is no fault; its sizes, its course along a run, its table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from mlcore.artifacts import load, save
from mlcore.bench import met_ae
from mlcore.conditions import Conditions
from mlcore.course import ErrorCourse, error_course
from mlcore.detectors.elements_autoencoder import ElementsAutoencoder, beside_run, summed
from mlcore.detectors.smooth_conditioning import SmoothConditioner
from mlcore.errors import IncompatibleBinning, MlcoreError, ShapeError, TooFewData
from mlcore.evaluate import auc
from mlcore.features import FeatureTable, bin_features
from mlcore.histograms import Axis, HistogramBlock
from mlcore.pipeline import SystemConfig, train
from mlcore.pipeline.config import DetectorConfig
from mlcore.simulate.met import FAULTS, MetLaw, MetRuns, met_runs
from mlcore.tuning import code_sizes, held_out_error


@pytest.fixture(scope="module")
def drawn() -> MetRuns:
    return met_runs(0, law=MetLaw(runs=60, strength=1.8))


@pytest.fixture(scope="module")
def table(drawn: MetRuns) -> FeatureTable:
    return bin_features(drawn.blocks)


@pytest.fixture(scope="module")
def fitted(drawn: MetRuns, table: FeatureTable) -> ElementsAutoencoder:
    good = (drawn.fault < 0) & (drawn.conditions.run < 380_041)
    return ElementsAutoencoder(hidden=(24, 2), epochs=30).fit(table.select(good))


def test_bins_side_by_side_are_roots_of_shares(drawn: MetRuns, table: FeatureTable) -> None:
    assert table.values.shape == (len(drawn.conditions), 202)
    assert table.names[3] == "JetMET/METSig:bin 3"
    assert table.names[100] == "JetMET/METSig:entries"
    assert table.groups[101] == "JetMET/SumET"
    block = drawn.blocks[0]
    assert table.values[5, 3] ** 2 * block.totals[5] == pytest.approx(block.counts[5, 3] + 0.375)
    assert table.values[5, 100] == pytest.approx(np.log(block.totals[5] / drawn.conditions.events[5]))


def test_a_histogram_that_is_missing_has_no_bins() -> None:
    axis = (Axis.regular("x", 4, 0.0, 4.0),)
    counts = np.array([[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 0.0], [np.nan] * 4])
    found = bin_features([HistogramBlock("A", axis, counts, Conditions.plain(3))]).values
    assert np.isfinite(found[0, :4]).all()
    assert np.isnan(found[1:]).all()
    assert np.isnan(found[0, 4]), "the number of events is not known"
    with pytest.raises(ShapeError, match="no histogram"):
        bin_features([])


def test_noise_of_roots_is_the_same_in_every_bin() -> None:
    rng = np.random.default_rng(0)
    mean = np.array([20.0, 100.0, 400.0, 1_480.0])
    block = HistogramBlock("A", (Axis.regular("x", 4, 0.0, 4.0),), rng.poisson(mean, (6_000, 4)).astype(float),
                           Conditions.plain(6_000))  # fmt: skip
    spread = bin_features([block]).values[:, :3].std(axis=0) * 2.0 * np.sqrt(mean.sum())
    assert spread == pytest.approx(np.sqrt(1.0 - mean[:3] / mean.sum()), rel=0.05)


def test_what_pileup_does_along_a_curve_is_taken_off() -> None:
    rng = np.random.default_rng(1)
    pileup = rng.uniform(20.0, 60.0, 1_500)
    conditions = replace(Conditions.plain(1_500), pileup=pileup)
    # A bin that a peak passes over: no line and no parabola follows it.
    values = np.column_stack([np.exp(-(((pileup - 40.0) / 4.0) ** 2)), pileup**2]) + rng.normal(0.0, 0.02, (1_500, 2))
    data = FeatureTable(values, ("peak", "square"), ("A", "A"), conditions)
    left = SmoothConditioner(knots=11).fit(data).transform(data)
    assert left.std(axis=0) == pytest.approx(np.ones(2), abs=0.25)
    bare = replace(data, conditions=Conditions.plain(1_500))
    assert np.isfinite(SmoothConditioner().fit(bare).transform(bare)).all()
    with pytest.raises(TooFewData):
        SmoothConditioner().fit(data.select(slice(0, 5)))


def test_units_are_noise_and_not_what_makes_runs_differ() -> None:
    rng = np.random.default_rng(2)
    run = np.repeat(np.arange(1, 41), 30)
    conditions = Conditions(run=run, lumisection=np.tile(np.arange(1, 31), 40))
    values = rng.normal(0.0, 5.0, 40)[run - 1][:, None] + rng.normal(0.0, 1.0, (1_200, 1))
    data = FeatureTable(values, ("x",), ("A",), conditions)
    left = SmoothConditioner().fit(data).transform(data)
    assert beside_run(left, conditions).std() == pytest.approx(1.0, abs=0.1)
    assert left.std() > 3.0


def test_faults_of_one_element_and_of_both_against_each_other_are_found(
    drawn: MetRuns, table: FeatureTable, fitted: ElementsAutoencoder
) -> None:
    late = drawn.conditions.run > 380_041
    score, fault = fitted.score(table.select(late)), drawn.fault[late]
    assert auc(score, (fault >= 0).astype(np.int64)) > 0.975
    for number in range(len(FAULTS)):
        rows = (fault < 0) | (fault == number)
        assert auc(score[rows], (fault[rows] >= 0).astype(np.int64)) > 0.93, FAULTS[number]
    assert auc(drawn.log_odds[late], (fault >= 0).astype(np.int64)) > 0.999


def test_the_error_is_in_the_element_that_is_off(
    drawn: MetRuns, table: FeatureTable, fitted: ElementsAutoencoder
) -> None:
    late = drawn.conditions.run > 380_041
    errors = fitted.errors(table.select(late)) / fitted.limits_
    for name, place in (("spike", 0), ("energy scale", 1)):
        rows = drawn.fault[late] == FAULTS.index(name)
        assert np.median(errors[rows].argmax(axis=1)) == place
    good = table.select(drawn.fault < 0).select(slice(0, 400))
    assert (fitted.errors(good) < fitted.limits_ + 1e-9).mean() > 0.98


def test_sums_over_neighbours_keep_their_noise() -> None:
    values = np.random.default_rng(0).standard_normal((4_000, 23))
    assert summed(values, 5).shape == (4_000, 4)
    assert summed(values, 5).std() == pytest.approx(1.0, abs=0.02)
    assert summed(values, 40).shape == (4_000, 1)


def test_a_short_run_has_no_median_of_its_own() -> None:
    conditions = Conditions(run=np.repeat([1, 2], [10, 3]), lumisection=np.r_[1:11, 1:4])
    values = np.full((13, 1), 5.0)
    assert beside_run(values, conditions).ravel().tolist() == [0.0] * 10 + [5.0] * 3


def test_other_elements_and_sizes_that_are_none_are_refused(table: FeatureTable, fitted: ElementsAutoencoder) -> None:
    with pytest.raises(IncompatibleBinning):
        fitted.errors(replace(table, names=("renamed", *table.names[1:])))
    with pytest.raises(MlcoreError, match="widths"):
        ElementsAutoencoder(hidden=()).fit(table)


def test_what_is_stored_answers_the_same(table: FeatureTable, fitted: ElementsAutoencoder, tmp_path: Path) -> None:
    manifest = save(fitted, tmp_path / "model")
    again = load(tmp_path / "model", digest=manifest.digest)
    few = table.select(slice(0, 80))
    assert np.array_equal(again.errors(few), fitted.errors(few))
    assert np.array_equal(again.score(few), fitted.score(few))


def test_code_sizes_are_judged_on_runs_that_were_held_out(drawn: MetRuns, table: FeatureTable) -> None:
    good = table.select(drawn.fault < 0).select(slice(0, 900))
    found = code_sizes(good, trials=4, folds=2, epochs=6, codes=(1, 3), widths=(8, 16), random_state=1)
    assert 8 <= found.hidden[0] <= 16
    assert found.hidden in dict(found.trials)
    best = found.trials[0][1]
    near = [hidden for hidden, error in found.trials if error <= 1.03 * best]
    assert found.hidden[1] == min(code for _, code in near)
    assert found.error == held_out_error(good, found.hidden, folds=2, epochs=6, random_state=1)
    assert found.as_json()["hidden"] == list(found.hidden)
    with pytest.raises(TooFewData, match="folds"):
        code_sizes(good.select(slice(0, 40)), folds=3)
    with pytest.raises(MlcoreError, match="ranges"):
        code_sizes(good, codes=(3, 1))


def test_spikes_are_marked_where_the_error_is_above_its_limit() -> None:
    conditions = Conditions(run=np.full(9, 7), lumisection=np.array([1, 2, 3, 4, 6, 7, 8, 9, 10]))
    errors = np.array([1.0, 5.0, 9.0, 1.0, 6.0, np.nan, 1.0, 1.0, 8.0])[:, None]
    order = np.random.default_rng(0).permutation(9)
    course = ErrorCourse.of(errors[order], conditions.select(order), ("MET",), np.array([4.0]))
    assert [(one.first, one.last, one.peak, one.error) for one in course.spikes] == [
        (2, 3, 3, 9.0), (6, 6, 6, 6.0), (10, 10, 10, 8.0),
    ]  # fmt: skip
    shown = course.as_json()
    assert shown["elements"][0]["error"][5] is None
    assert shown["spikes"][0] == {"element": "MET", "first": 2, "last": 3, "peak": 3, "error": 9.0}
    with pytest.raises(ShapeError, match="one run"):
        ErrorCourse.of(
            np.ones((2, 1)), Conditions(run=np.array([1, 2]), lumisection=np.array([1, 1])), ("A",), np.ones(1)
        )
    with pytest.raises(ShapeError, match="shape"):
        ErrorCourse.of(np.ones((9, 2)), conditions, ("A",), np.ones(1))
    with pytest.raises(TooFewData):
        ErrorCourse.of(np.ones((0, 1)), conditions.select(slice(0, 0)), ("A",), np.ones(1))


def test_the_course_of_a_run_is_drawn(drawn: MetRuns, table: FeatureTable, fitted: ElementsAutoencoder) -> None:
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    late = [run for run in np.unique(drawn.conditions.run) if run > 380_041]
    run = max(late, key=lambda one: int((drawn.fault[drawn.conditions.run == one] >= 0).sum()))
    course = error_course(fitted, table, int(run))
    assert course.spikes
    figure = course.draw(plt)
    axis = figure.axes[0]
    assert len(axis.patches) == len(course.spikes)
    assert {line.get_label() for line in axis.lines} >= {"JetMET/METSig", "JetMET/SumET"}
    assert str(course.spikes[0].peak) in {text.get_text() for text in axis.texts}
    plt.close(figure)


def test_a_system_model_watches_elements_together(drawn: MetRuns) -> None:
    early, late = drawn.conditions.run <= 380_045, drawn.conditions.run > 380_045
    together = DetectorConfig("elements_autoencoder", {"hidden": [16, 2], "epochs": 10}, ("JetMET/*",), together=True)
    config = SystemConfig(detectors=(together,), refresh=1, folds=2, classifier="none")
    assert SystemConfig.from_json(config.as_json()) == config
    model = train([block.select(early) for block in drawn.blocks], drawn.labels[early], config)
    assert model.needed_ == ("bins of JetMET/METSig & JetMET/SumET",)
    assert model.layer_.groups == ["met"]
    answer = model.score([block.select(late) for block in drawn.blocks])
    assert auc(answer.score, drawn.labels[late]) > 0.9
    one = model.score([drawn.blocks[0].select(late)])
    assert one.counts["unscored"] == int(late.sum())
    assert "bins of JetMET/METSig & JetMET/SumET" in one.reason(0)


def test_a_world_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(MlcoreError, match="levels"):
        MetLaw(levels=(0.0,))
    one, two = (met_runs(4, law=MetLaw(runs=3)).blocks[0].counts for _ in range(2))
    assert np.array_equal(one, two)


def test_a_small_table_has_its_peers() -> None:
    (row,) = met_ae.run([0], quick=True)
    assert {met_ae.EITHER, met_ae.JOINT, met_ae.ONE, met_ae.NO_RUN, met_ae.DENSE} == set(row.peers)
    assert row.value > row.peers[met_ae.EITHER].value
    assert row.bayes is not None
    assert row.bayes >= row.value
    assert "found by Optuna" in row.note
