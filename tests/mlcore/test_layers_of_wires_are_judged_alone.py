"""Layers of drift tubes, each by itself: faulty regions are found, what experts do not mind is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlcore.artifacts import load, save
from mlcore.bench import dt_local as table
from mlcore.bench.peers import layers as peers
from mlcore.conditions import Conditions
from mlcore.detectors.layer_cnn import LayerCnn
from mlcore.detectors.layer_scan import LayerScan
from mlcore.errors import BadLabels, IncompatibleBinning, MlcoreError, ShapeError
from mlcore.evaluate import auc
from mlcore.histograms import Axis, HistogramBlock
from mlcore.simulate.drift_tubes import WIRES, LayerLaw, LayerSample, layer_log_odds, layer_sample

Detectors = tuple[LayerScan, LayerCnn]


@pytest.fixture(scope="module")
def sample() -> LayerSample:
    return layer_sample(11, law=LayerLaw(layers=2_400))


@pytest.fixture(scope="module")
def fitted(sample: LayerSample) -> Detectors:
    early, labels = sample.block.select(slice(0, 1_800)), sample.labels[:1_800]
    return LayerScan().fit(early, labels), LayerCnn(epochs=8).fit(early, labels)


def test_faulty_regions_are_found_with_and_without_labels(sample: LayerSample, fitted: Detectors) -> None:
    late, labels = sample.block.select(slice(1_800, None)), sample.labels[1_800:]
    scan, net = (detector.score(late) for detector in fitted)
    assert auc(scan, labels) > 0.985
    assert auc(net, labels) > 0.99
    # What the published one looks at, on the same layers.
    assert auc(scan, labels) > auc(peers.variance(peers.prepared(late.counts.astype(float))), labels)


def test_what_experts_do_not_mind_is_not_found_and_what_they_do_is(fitted: Detectors) -> None:
    layer = np.full((6, WIRES), 300.0)
    layer[1, 20] = 0.0
    layer[2, 30:32] = 2_400.0
    layer[3, 10:30] *= 0.85
    layer[4, 10:30] *= 0.1
    layer[5, 40:52] *= 3.0
    axis = Axis.regular("wire", WIRES, 0.5, WIRES + 0.5)
    counts = np.random.default_rng(3).poisson(layer).astype(np.float32)
    block = HistogramBlock("DriftTubes/layer", (axis,), counts, Conditions.plain(6), physics_object="muons")
    for detector in fitted:
        score = detector.score(block)
        assert score[:4].max() < score[4:].min()


def test_of_several_layers_the_worst_counts_and_each_is_told(sample: LayerSample) -> None:
    axes = (Axis.regular("layer", 3, 0.5, 3.5), sample.block.axes[0])
    good = sample.block.counts[sample.labels == 0][:900].reshape(300, 3, WIRES)
    conditions = Conditions.plain(300)
    chambers = HistogramBlock("DriftTubes/chamber", axes, good, conditions)
    detector = LayerScan().fit(chambers.select(slice(0, 200)))
    late = good[200:].copy()
    late[7, 1, 5:40] *= 0.05
    found = detector.layer_scores(replace(chambers.select(slice(200, None)), counts=late))
    assert found.shape == (100, 3)
    assert found[7].argmax() == 1
    assert np.nanargmax(found.max(axis=1)) == 7
    assert np.nanargmax(detector.score(replace(chambers.select(slice(200, None)), counts=late))) == 7


def test_a_missing_or_empty_layer_has_no_score(sample: LayerSample, fitted: Detectors) -> None:
    few = sample.block.select(slice(0, 5))
    counts = few.counts.copy()
    counts[1], counts[2] = np.nan, 0.0
    for detector in fitted:
        for score in (detector.score(replace(few, counts=counts)), detector.layer_scores(replace(few, counts=counts))):
            assert np.isnan(score[1:3]).all()
            assert np.isfinite(score[[0, 3, 4]]).all()
        with pytest.raises(IncompatibleBinning):
            detector.layer_scores(few.rebin(2))


def test_what_cannot_be_learned_from_is_refused(sample: LayerSample) -> None:
    few = sample.block.select(slice(0, 100))
    with pytest.raises(MlcoreError, match="widths"):
        LayerScan(widths=()).fit(few)
    with pytest.raises(BadLabels, match="both good and"):
        LayerCnn().fit(few, np.zeros(100))
    cube = HistogramBlock(
        "x", (Axis.regular("a", 2, 0, 2), Axis.regular("b", 2, 0, 2), Axis.regular("c", 9, 0, 9)),
        np.ones((30, 2, 2, 9)), Conditions.plain(30),
    )  # fmt: skip
    with pytest.raises(ShapeError, match="layers and wires"):
        LayerScan().fit(cube)
    with pytest.raises(MlcoreError, match="regions of"):
        LayerLaw(length=(0, 10))


def test_what_is_stored_says_the_same(sample: LayerSample, fitted: Detectors, tmp_path: Path) -> None:
    few = sample.block.select(slice(0, 40))
    for place, detector in enumerate(fitted):
        manifest = save(detector, tmp_path / str(place))
        again = load(tmp_path / str(place), digest=manifest.digest)
        assert np.array_equal(again.score(few), detector.score(few))


def test_the_preparation_takes_single_wires_out_and_keeps_regions() -> None:
    layer = np.full((2, WIRES), 10.0)
    layer[0, 7] = 500.0
    layer[1, 10:30] = 0.0
    x = peers.prepared(layer)
    assert x.shape == (2, 45)
    assert np.ptp(x[0]) == pytest.approx(0.0)
    assert x[1].min() == 0.0
    assert peers.variance(x)[1] > 0.1
    assert peers.sobel(x).tolist() == [0.0, 1.0]


def test_faults_are_where_the_truth_says_and_nobody_orders_better_than_who_knows_all(sample: LayerSample) -> None:
    assert 0.06 < sample.labels.mean() < 0.14
    assert ((sample.kind >= 0) == (sample.labels == 1)).all()
    dark = sample.kind == 0
    assert sample.block.counts[dark].sum() < 0.8 * sample.healthy[dark].sum()
    rows = np.arange(600)
    best = auc(layer_log_odds(sample, rows), sample.labels[rows])
    assert best > 0.99
    assert best >= auc(peers.variance(peers.prepared(sample.block.counts[rows].astype(float))), sample.labels[rows])
    again = layer_sample(11, law=LayerLaw(layers=2_400))
    assert np.array_equal(again.block.counts, sample.block.counts)
    assert not np.array_equal(layer_sample(12, law=LayerLaw(layers=2_400)).block.counts, sample.block.counts)


def test_a_small_table_has_two_rows() -> None:
    rows = table.run([0], quick=True)
    assert [row.target for row in rows] == [0.997, 0.985]
    assert set(rows[0].peers) == {table.CNN, table.SNN}
    assert set(rows[1].peers) == {table.VARIANCE, table.SOBEL, table.FOREST, table.MACHINE}
    for row in rows:
        assert row.value > 0.97
        assert row.bayes is not None
        assert row.bayes > 0.99
