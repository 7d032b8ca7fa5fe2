"""A trained system model finds faults, names them, shows where, and keeps silent where it must."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mlcore.artifacts import load, read_manifest, save
from mlcore.conditions import Conditions
from mlcore.errors import BadLabels, MlcoreError, ShapeError, TooFewData
from mlcore.evaluate import BAD, GOOD, UNSCORED, UNSURE, auc, confusion
from mlcore.histograms import HistogramBlock
from mlcore.pipeline import DetectorConfig, SystemConfig, SystemModel, train
from tests.mlcore.small_world import World, draw

DETECTORS = (DetectorConfig("pulls"), DetectorConfig("scan", {"stacks": (1, 3)}, axes=2))
# Limits that some hundred lumisections can prove; the machinery is the same as at 0.5%.
LAX = SystemConfig(
    detectors=DETECTORS, pollution=0.08, loss=0.08, shares=(0.25, 0.25, 0.1, 0.4), folds=2, refresh=2,
    classifier_parameters={"n_estimators": 30},
)  # fmt: skip


@pytest.fixture(scope="module")
def past() -> World:
    return draw(runs=80, per_run=30, seed=0)


@pytest.fixture(scope="module")
def fresh() -> World:
    return draw(runs=20, per_run=40, seed=1, first_run=500)


@pytest.fixture(scope="module")
def model(past: World) -> SystemModel:
    return train(past.blocks, past.truth, LAX, families=past.families)


def test_faults_are_found_and_limits_are_kept_on_runs_to_come(model: SystemModel, fresh: World) -> None:
    scores = model.score(fresh.blocks)
    assert auc(scores.score, fresh.truth) > 0.99
    table = confusion(scores.verdict, fresh.truth, fresh.conditions.luminosity)
    assert table.automatic > 0.7
    assert table.pollution <= 0.08
    assert table.loss <= 0.08
    assert sum(scores.counts.values()) == len(scores) == sum(part.last - part.first + 1 for part in scores.segments())
    assert scores.counts["unscored"] == 0
    for row in range(len(scores)):
        assert scores.reason(row).startswith(
            {"good": "Good: P(bad)", "bad": "Bad: P(bad)"}.get(scores.words(row), "Uns")
        )


def test_a_fault_is_named_by_its_family(model: SystemModel, fresh: World) -> None:
    scores = model.score(fresh.blocks)
    bad = np.flatnonzero(fresh.truth)
    assert np.mean(scores.family[bad] == fresh.families[bad]) > 0.9
    assert (scores.family[scores.verdict == GOOD] == "").all()
    assert (np.isnan(scores.family_probability) == (scores.family == "")).all()


def test_stretches_are_those_of_the_faults(model: SystemModel, fresh: World) -> None:
    found = model.score(fresh.blocks).stretches
    runs = {one.run for one in found}
    assert runs == set(fresh.conditions.run[fresh.truth == 1].tolist())
    for one in found:
        rows = np.flatnonzero((fresh.conditions.run == one.run) & (fresh.truth == 1))
        assert abs(one.first - fresh.conditions.lumisection[rows[0]]) <= 2
        assert abs(one.last - fresh.conditions.lumisection[rows[-1]]) <= 2


def test_the_evidence_shows_where_it_is_and_what_looked_alike(model: SystemModel, fresh: World) -> None:
    scores = model.score(fresh.blocks)
    row = int(np.flatnonzero(fresh.families == "HOT_TOWER")[3])
    evidence = scores.evidence(row)
    assert evidence.elements[0].element == "Calo/towers"
    assert evidence.bins[0].place == (7, 8)
    assert evidence.bins[0].pull > 5
    assert "ieta 2 to 3" in str(evidence.bins[0])
    assert max(evidence.objects, key=lambda name: evidence.objects[name]) == "jets"
    assert sum(evidence.objects.values()) == pytest.approx(1.0)
    assert [case.family for case in evidence.cases] == ["HOT_TOWER"] * 3
    assert json.loads(json.dumps(evidence.as_json()))["run"] == evidence.run
    stretch = next(one for one in scores.stretches if one.run == evidence.run)
    assert scores.evidence_of(stretch).lumisection == fresh.conditions.lumisection[stretch.peak]


def test_the_evidence_of_many_is_that_of_each(model: SystemModel, fresh: World) -> None:
    scores = model.score(fresh.blocks)
    rows = [int(row) for row in np.flatnonzero(fresh.truth == 1)[::-7]] + [0]
    together = scores.evidences(rows)
    assert len(together) == len(rows) > 3
    for row, evidence in zip(rows, together, strict=True):
        alone = scores.evidence(row)
        assert (evidence.run, evidence.lumisection) == (fresh.conditions.run[row], fresh.conditions.lumisection[row])
        assert (evidence.reason, evidence.elements, evidence.bins) == (alone.reason, alone.elements, alone.bins)
        assert [(case.run, case.lumisection) for case in evidence.cases] == [
            (case.run, case.lumisection) for case in alone.cases
        ]
    assert scores.evidences([]) == []


def test_the_classifier_says_which_features_moved_it(model: SystemModel, fresh: World) -> None:
    scores = model.score(fresh.blocks)
    row = int(np.flatnonzero(fresh.families == "TIMING")[3])
    features = scores.evidence(row, features=True).features
    assert 1 <= len(features) <= 10
    assert set(features) <= set(model.columns_)
    assert sum(features.values()) > 0


def test_a_lumisection_without_a_needed_element_is_never_decided(model: SystemModel, fresh: World) -> None:
    towers = fresh.blocks[2]
    assert isinstance(towers, HistogramBlock)
    holed = towers.counts.copy()
    holed[:100] = np.nan
    holed[100:200] = 0.0
    scores = model.score([*fresh.blocks[:2], replace(towers, counts=holed), fresh.blocks[3]])
    assert (scores.verdict[:200] == UNSURE).all()
    assert np.isfinite(scores.score[:200]).all()
    assert "Calo/towers is missing" in scores.reason(0)
    assert (scores.verdict[200:] != UNSCORED).all()
    without = model.score([fresh.blocks[0], fresh.blocks[1], fresh.blocks[3]])
    assert np.array_equal(without.score[:100], scores.score[:100])
    assert (without.verdict == UNSURE).all()


def test_what_nobody_has_seen_is_unscored(model: SystemModel, fresh: World) -> None:
    more = Conditions(run=np.r_[fresh.conditions.run, 999, 999], lumisection=np.r_[fresh.conditions.lumisection, 1, 2])
    scores = model.score(fresh.blocks, conditions=more)
    assert len(scores) == len(more)
    assert (scores.verdict[-2:] == UNSCORED).all()
    assert np.isnan(scores.score[-2:]).all()
    assert np.isnan(scores.probability[-2:]).all()
    assert scores.reason(len(scores) - 1).startswith("Not scored:")
    assert scores.evidence(len(scores) - 1).cases == ()
    one_of_three = model.score([fresh.blocks[0]])
    assert (one_of_three.verdict == UNSCORED).all()


def test_other_axes_count_as_missing_with_a_reason(model: SystemModel, fresh: World) -> None:
    towers = fresh.blocks[2]
    assert isinstance(towers, HistogramBlock)
    scores = model.score([*fresh.blocks[:2], towers.rebin(2, 2)])
    assert (scores.verdict == UNSURE).all()
    assert "Calo/towers" in scores.reason(0)
    bad = int(np.flatnonzero(fresh.truth)[0])
    assert scores.evidence(bad).cases


def test_neither_the_order_of_rows_nor_of_blocks_matters(model: SystemModel, fresh: World) -> None:
    expected = model.score(fresh.blocks)
    shuffled = np.random.default_rng(0).permutation(len(fresh.truth))
    found = model.score([block.select(shuffled) for block in fresh.blocks[::-1]])
    again = model.score(fresh.blocks[::-1], conditions=fresh.conditions.select(shuffled))
    for one in (again, found):
        rows = one.conditions.rows_of(fresh.conditions)
        assert np.allclose(one.score[rows], expected.score, rtol=1e-4, atol=1e-6)
        assert np.array_equal(one.verdict[rows], expected.verdict)
    assert [str(one) for one in again.stretches] == [str(one) for one in expected.stretches]
    for stretch in again.stretches:
        assert set(again.conditions.run[list(stretch.rows)].tolist()) == {stretch.run}
        assert again.probability[stretch.peak] == stretch.top
    bad = int(np.flatnonzero(again.family == "HOT_TOWER")[0])
    assert again.evidence(bad).lumisection == again.conditions.lumisection[bad]


def test_runs_can_be_scored_one_by_one(model: SystemModel, fresh: World) -> None:
    expected = model.score(fresh.blocks)
    runs = np.unique(fresh.conditions.run)
    parts = model.score_stream([block.select(fresh.conditions.run == run) for block in fresh.blocks] for run in runs)
    assert np.allclose(np.concatenate([part.score for part in parts]), expected.score, rtol=1e-4, atol=1e-6)


def test_nothing_and_one_lumisection_are_answered(model: SystemModel, fresh: World) -> None:
    empty = model.score([block.select(slice(0, 0)) for block in fresh.blocks])
    assert len(empty) == 0
    assert empty.stretches == ()
    assert empty.segments() == []
    one = model.score([block.select(slice(3, 4)) for block in fresh.blocks])
    assert one.score.shape == (1,)
    with pytest.raises(MlcoreError, match="at least one"):
        model.score([])
    with pytest.raises(MlcoreError, match="not ndarray"):
        model.score([np.zeros(3)])  # type: ignore[list-item]
    with pytest.raises(MlcoreError, match="come twice"):
        model.score([fresh.blocks[0], fresh.blocks[0]])


def test_a_saved_model_answers_bit_for_bit(model: SystemModel, fresh: World, tmp_path: Path) -> None:
    manifest = save(model, tmp_path / "model")
    loaded = load(tmp_path / "model", digest=manifest.digest)
    one, two = model.score(fresh.blocks), loaded.score(fresh.blocks)
    for name in ("score", "probability", "verdict", "family", "elements"):
        assert np.array_equal(getattr(one, name), getattr(two, name), equal_nan=getattr(one, name).dtype.kind == "f"), (
            name
        )
    bad = int(np.flatnonzero(fresh.truth)[0])
    assert one.evidence(bad) == two.evidence(bad)
    assert one.reasons == two.reasons
    read = read_manifest(tmp_path / "model")
    assert SystemConfig.from_json(read.config) == LAX
    assert read.metrics["auc"] == pytest.approx(model.metrics_["auc"])
    assert read.guarantee["parts"]
    assert read.fingerprint == model.fingerprint_
    assert read.lineage["guarantee"]["last_run"] == 80


def test_parts_follow_each_other_in_time_and_the_last_only_sets_thresholds(past: World, fresh: World) -> None:
    frozen = replace(LAX, refresh=0)
    model = train(past.blocks, past.truth, frozen, families=past.families)
    parts = [model.lineage_[name] for name in ("detectors", "classifier", "calibration", "guarantee")]
    for one, two in pairwise(parts):
        assert one["last_run"] + LAX.gap < two["first_run"] + 1
    last = past.conditions.run >= parts[-1]["first_run"]
    labels = past.truth.astype(float)
    labels[last] = 1 - labels[last]
    other = train(past.blocks, labels, frozen, families=past.families)
    one, two = model.score(fresh.blocks), other.score(fresh.blocks)
    assert np.array_equal(one.score, two.score)
    assert np.array_equal(one.probability, two.probability)
    assert (two.verdict == UNSURE).all()
    assert "there is no guarantee" in two.reason(0)


def test_without_bad_labels_everything_is_unsure(past: World, fresh: World) -> None:
    good = past.truth == 0
    clean = [block.select(good) for block in past.blocks]
    for labels in (None, np.zeros(int(good.sum()))):
        model = train(clean, labels, LAX)
        scores = model.score(fresh.blocks)
        assert (scores.verdict == UNSURE).all()
        assert np.isnan(scores.probability).all()
        assert auc(scores.score, fresh.truth) > 0.95
        assert scores.reason(0).startswith("Unsure: the score is")
        assert (scores.family == "").all()
        found = {one.run for one in scores.stretches}
        assert found >= set(fresh.conditions.run[np.isin(fresh.families, ("HOT_TOWER", "TIMING"))].tolist())
        assert BAD not in scores.verdict


def test_labels_that_nobody_confirmed_give_no_guarantee(past: World, fresh: World) -> None:
    model = train(past.blocks, past.truth, LAX, confirmed=np.zeros(len(past.truth)))
    scores = model.score(fresh.blocks)
    assert (scores.verdict == UNSURE).all()
    assert "no label was confirmed" in scores.reason(0)
    assert auc(scores.score, fresh.truth) > 0.99


def test_lumisections_without_a_label_are_used_for_what_needs_none(past: World, fresh: World) -> None:
    labels = past.truth.astype(float)
    labels[np.random.default_rng(0).random(len(labels)) < 0.5] = np.nan
    assert auc(train(past.blocks, labels, LAX).score(fresh.blocks).score, fresh.truth) > 0.98


def test_labels_that_make_no_sense_are_refused(past: World) -> None:
    three = past.truth.copy()
    three[0] = 2
    with pytest.raises(BadLabels, match="0, 1, or NaN"):
        train(past.blocks, three, LAX)
    with pytest.raises(BadLabels, match="swapped"):
        train(past.blocks, 1 - past.truth, LAX)
    with pytest.raises(TooFewData):
        train(past.blocks, np.ones_like(past.truth), LAX)
    with pytest.raises(ShapeError, match="labels"):
        train(past.blocks, past.truth[:-1], LAX)
    with pytest.raises(ShapeError, match="families"):
        train(past.blocks, past.truth, LAX, families=past.families[:-1])
    with pytest.raises(ShapeError, match="confirmed"):
        train(past.blocks, past.truth, LAX, confirmed=[True])
    with pytest.raises(ShapeError, match="weights"):
        train(past.blocks, past.truth, LAX, weights=-np.ones(len(past.truth)))
    with pytest.raises(ShapeError, match="conditions"):
        train([past.blocks[0], past.blocks[1].select(slice(5, None))], past.truth, LAX)


def test_too_little_to_learn_from_is_refused(past: World) -> None:
    with pytest.raises(TooFewData):
        train([block.select(slice(0, 1)) for block in past.blocks], [0], LAX)
    with pytest.raises(TooFewData, match="no detector"):
        train(past.blocks, past.truth, replace(LAX, detectors=(DetectorConfig("pulls", elements=("Tracker/*",)),)))
    with pytest.raises(TooFewData, match="Tracker/hits"):
        train(past.blocks, past.truth, replace(LAX, elements=("Jets/charge", "Tracker/hits")))


def test_the_fingerprint_tells_whether_there_is_anything_new_to_learn(past: World) -> None:
    few = draw(runs=16, per_run=20, seed=3)
    config = replace(LAX, classifier="none", refresh=0, detectors=DETECTORS[:1])
    first = train(few.blocks, few.truth, config).fingerprint_
    assert train(few.blocks, few.truth, config).fingerprint_ == first
    other = few.truth.copy()
    other[0] = 1 - other[0]
    assert train(few.blocks, other, config).fingerprint_ != first
    assert train(few.blocks, few.truth, replace(config, window=1)).fingerprint_ != first
    assert train(few.blocks[:3], few.truth, config).fingerprint_ != first


def test_a_configuration_survives_json_and_names_what_it_does_not_know() -> None:
    config = SystemConfig(system="PIXEL", detectors=DETECTORS, elements=("a", "b"), pollution=None)
    assert SystemConfig.from_json(json.loads(json.dumps(config.as_json()))) == config
    assert SystemConfig.from_json({"system": "LAR"}) == SystemConfig(system="LAR")
    with pytest.raises(MlcoreError, match="colour"):
        SystemConfig.from_json({"colour": "red"})
    for wrong in ({"shares": (1.0, 1.0, 0.0, 0.0)}, {"required": 2.0}, {"folds": 1}, {"detectors": ()}):
        with pytest.raises(MlcoreError):
            SystemConfig(**wrong)
    for name in ("nothing", "base", "../os", "pulls:Nothing"):
        with pytest.raises(MlcoreError):
            DetectorConfig(name).build(0)
    with pytest.raises(MlcoreError, match="colour"):
        DetectorConfig("pulls", {"colour": 1}).build(0)


def test_torch_stays_out_unless_a_net_is_asked_for() -> None:
    code = "import sys, mlcore.pipeline, mlcore.artifacts, mlcore.checks, mlcore.explain; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


@pytest.mark.parametrize("name", ["ewma", "nmf", "scan"])
def test_families_are_told_with_detectors_that_have_no_reference_of_their_own(name: str, past: World) -> None:
    axes = 2 if name == "scan" else 1
    config = replace(LAX, detectors=(DetectorConfig(name, axes=axes),), refresh=0)
    model = train(past.blocks, past.truth, config, families=past.families)
    scores = model.score(past.blocks)
    assert auc(scores.score, past.truth) > 0.6
    assert set(scores.family) <= {"", *np.unique(past.families)}
