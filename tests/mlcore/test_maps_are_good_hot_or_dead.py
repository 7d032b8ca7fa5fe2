"""The classifier of calorimeter maps: it makes its own faults, finds them anywhere, and keeps its training curves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

from mlcore.artifacts import load, save
from mlcore.bench import hcal_cnn as table
from mlcore.bench.peers.hcal import best_cut
from mlcore.conditions import Conditions
from mlcore.curves import TrainingCurves
from mlcore.detectors.occupancy_cnn import DEAD, GOOD, HOT, OccupancyCnn
from mlcore.errors import IncompatibleBinning, MlcoreError, ShapeError
from mlcore.histograms import Axis, HistogramBlock
from mlcore.pipeline import SystemConfig, train
from mlcore.pipeline.config import DetectorConfig
from mlcore.simulate.hcal import FIXED, HcalDetector, HcalLaw, best_classes


@pytest.fixture(scope="module")
def detector() -> HcalDetector:
    return HcalDetector(2)


@pytest.fixture(scope="module")
def fitted(detector: HcalDetector) -> OccupancyCnn:
    return OccupancyCnn(epochs=12).fit(detector.maps(600, size=5).good)


@pytest.mark.parametrize(("size", "fixed"), [(5, False), (1, False), (5, True)])
def test_the_class_is_told_for_regions_and_single_channels_anywhere(
    detector: HcalDetector, fitted: OccupancyCnn, size: int, fixed: bool
) -> None:
    judged = detector.maps(240, size=size, fixed=fixed, part=1)
    assert (fitted.classes(judged.block) == judged.classes).mean() > 0.97
    score = fitted.score(judged.block)
    assert np.median(score[judged.classes != GOOD]) > 0 > np.median(score[judged.classes == GOOD])


def test_probabilities_add_up_and_a_missing_map_has_none(detector: HcalDetector, fitted: OccupancyCnn) -> None:
    block = detector.maps(6, size=1, part=2).block
    counts = block.counts.copy()
    counts[1] = np.nan
    counts[2] = 0.0
    found = fitted.probabilities(replace(block, counts=counts))
    assert np.isnan(found[1:3]).all()
    assert found[[0, 3, 4, 5]].sum(axis=1) == pytest.approx(np.ones(4))
    assert fitted.classes(replace(block, counts=counts))[1:3].tolist() == [-1, -1]


def test_a_depth_is_looked_at_plane_by_plane() -> None:
    rng = np.random.default_rng(0)
    axes = (
        Axis.regular("ieta", 12, 0, 12),
        Axis.regular("iphi", 14, 0, 14, circular=True),
        Axis.regular("depth", 3, 0, 3),
    )
    counts = rng.poisson(60.0, (150, 12, 14, 3)).astype(float)
    conditions = Conditions(run=np.repeat(np.arange(15), 10), lumisection=np.tile(np.arange(1, 11), 15))
    block = HistogramBlock("Hcal/occupancy", axes, counts, conditions)
    model = OccupancyCnn(epochs=12, sizes=(3,)).fit(block.select(slice(0, 120)))
    late = block.counts[120:].copy()
    late[:10, 2:5, 3:6, 2] = 0.0
    late[10:20, 6:9, 8:11, 1] *= 3.0
    found = model.classes(replace(block.select(slice(120, None)), counts=late))
    assert (found[:10] == DEAD).mean() > 0.8
    assert (found[10:20] == HOT).mean() > 0.8
    assert (found[20:] == GOOD).mean() > 0.8


def test_training_curves_fall_and_can_be_shown(fitted: OccupancyCnn) -> None:
    curves = fitted.curves_
    assert len(curves.loss) == 12
    assert curves.loss[-1] < 0.5 * curves.loss[0]
    assert curves.watched_accuracy[-1] > 0.9
    assert len(curves.as_json()["watched_loss"]) == 12
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure = curves.draw(plt)
    assert [axis.get_ylabel() for axis in figure.axes] == ["loss", "accuracy"]
    assert all(len(axis.lines) == 2 for axis in figure.axes)
    plt.close(figure)


def test_of_one_run_nothing_is_watched(detector: HcalDetector) -> None:
    good = detector.maps(180, size=5).good
    plain = Conditions(run=np.full(len(good), 1), lumisection=np.arange(1, len(good) + 1))
    curves = OccupancyCnn(epochs=2).fit(replace(good, conditions=plain)).curves_
    assert np.isnan(curves.watched_loss).all()
    assert curves.as_json()["watched_accuracy"] == [None, None]
    with pytest.raises(ShapeError, match="different lengths"):
        TrainingCurves(np.ones(2), np.ones(3), np.ones(2), np.ones(2))


def test_what_is_no_map_and_settings_that_make_no_sense_are_refused(
    detector: HcalDetector, fitted: OccupancyCnn
) -> None:
    good = detector.maps(90, size=5).good
    with pytest.raises(MlcoreError, match="hot factors"):
        OccupancyCnn(hot=(0.5, 2.0)).fit(good)
    with pytest.raises(IncompatibleBinning):
        fitted.probabilities(good.rebin(2, 2))
    line = HistogramBlock("x", (Axis.regular("x", 9, 0, 9),), np.ones((30, 9)), Conditions.plain(30))
    with pytest.raises(ShapeError, match="two or three"):
        OccupancyCnn().fit(line)
    with pytest.raises(MlcoreError, match="hot channel"):
        HcalLaw(hot=0.5)


def test_what_is_stored_says_the_same(detector: HcalDetector, fitted: OccupancyCnn, tmp_path: Path) -> None:
    manifest = save(fitted, tmp_path / "model")
    again = load(tmp_path / "model", digest=manifest.digest)
    block = detector.maps(30, size=1, part=3).block
    assert np.array_equal(again.probabilities(block), fitted.probabilities(block))
    assert np.array_equal(again.curves_.loss, fitted.curves_.loss)


def test_a_system_model_can_be_made_of_it(detector: HcalDetector) -> None:
    maps = detector.maps(600, size=5)
    config = SystemConfig(
        detectors=(DetectorConfig("occupancy_cnn", {"sizes": [5], "hot": [1.5, 4.0], "epochs": 6}, axes=2),),
        refresh=0, folds=2, classifier="none",
    )  # fmt: skip
    assert SystemConfig.from_json(config.as_json()) == config
    early = maps.block.conditions.run <= 45
    model = train([maps.block.select(early)], (maps.classes[early] != GOOD).astype(float), config)
    answer = model.score([maps.block.select(~early)])
    bad = maps.classes[~early] != GOOD
    assert np.median(answer.score[bad]) > np.quantile(answer.score[~bad], 0.9)


def test_faults_are_where_they_are_said_to_be(detector: HcalDetector) -> None:
    maps = detector.maps(60, size=1)
    for row in np.flatnonzero(maps.classes != GOOD):
        first, second = maps.corner[row]
        ratio = maps.block.counts[row, first, second] / maps.expected[row, first, second]
        assert ratio == 0.0 if maps.classes[row] == DEAD else 1.4 < ratio < 2.6
    assert (detector.maps(9, size=5, fixed=True).corner == FIXED).all()
    assert not np.array_equal(maps.block.counts, detector.maps(60, size=1, part=1).block.counts)
    assert np.array_equal(maps.block.counts, HcalDetector(2).maps(60, size=1).block.counts)


def test_somebody_who_knows_everything_is_right_where_it_can_be_seen() -> None:
    clear = HcalDetector(0).maps(150, size=1)
    assert (best_classes(clear) == clear.classes).mean() > 0.99
    faint = HcalDetector(0, HcalLaw(events=100.0)).maps(150, size=1)
    share = (best_classes(faint) == faint.classes).mean()
    assert 0.3 < share < 0.99


def test_the_best_cut_is_found() -> None:
    score, faulty = np.array([0.1, 0.2, 0.3, 0.4]), np.array([False, True, False, True])
    assert best_cut(score, faulty) == 0.75
    assert best_cut(-score, faulty) == 0.5


def test_a_small_table_has_four_rows() -> None:
    rows = table.run([0], quick=True)
    assert [row.task.split(", ", 1)[1] for row in rows] == [
        "5x5, random place", "1x1, random place", "5x5, fixed place", "1x1, fixed place"
    ]  # fmt: skip
    for row in rows:
        assert row.value > 0.9
        assert row.bayes is not None
        assert row.bayes >= 0.99
        assert table.SIMPLE in row.peers
    assert {table.SIMPLE, table.AUTOENCODER} <= set(rows[0].peers)
    assert table.DEEPER in rows[1].peers
