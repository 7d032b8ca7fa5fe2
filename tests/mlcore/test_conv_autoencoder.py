"""Convolutional autoencoders: they keep the contract, see strong faults, and their corrections do what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from mlcore.artifacts import load, save
from mlcore.checks import check_detector
from mlcore.conditions import Conditions
from mlcore.detectors.conv_autoencoder import ConvAutoencoder, Pooled, Residual, Same, _line, _together
from mlcore.errors import MlcoreError, ShapeError
from mlcore.histograms import Axis, HistogramBlock
from mlcore.simulate import map_faults
from mlcore.simulate.maps import OccupancyModel, ecal_barrel, hadronic_calorimeter

MODEL = OccupancyModel(ecal_barrel(), gain_spread=0.05)


def drawn(n: int, seed: int, fault: str = "", *, rows: slice = slice(None)) -> HistogramBlock:
    rng = np.random.default_rng(seed)
    where = Conditions(
        run=1 + np.arange(n) // 20,
        lumisection=1 + np.arange(n) % 20,
        pileup=rng.uniform(20, 60, n),
        events=rng.uniform(400, 900, n),
    )
    expected = MODEL.expected(where)
    if fault:
        expected = map_faults.FAMILIES[fault](MODEL.geometry, rng).apply(expected, rows, rng)
    return MODEL.draw(where, rng, expected=expected)


@pytest.fixture(scope="module")
def deployed() -> ConvAutoencoder:
    return ConvAutoencoder(epochs=3, window=1, batch=16, channels=6).fit(drawn(64, 0))


def test_it_keeps_the_contract() -> None:
    check_detector(ConvAutoencoder(epochs=2, window=1, channels=4, batch=48))


@pytest.mark.parametrize("family", ["hot tower", "dead tower", "missing supermodule"])
def test_the_deployed_one_sees_strong_faults(family: str, deployed: ConvAutoencoder) -> None:
    scores = np.r_[deployed.score(drawn(30, 1)), deployed.score(drawn(30, 2, family))]
    assert roc_auc_score(np.repeat([0, 1], 30), scores) > 0.99


def test_losses_are_large_where_the_fault_is(deployed: ConvAutoencoder) -> None:
    rng = np.random.default_rng(2)
    fault = map_faults.hot_tower(MODEL.geometry, rng)
    where = drawn(10, 1).conditions
    losses = deployed.losses(MODEL.draw(where, rng, expected=fault.apply(MODEL.expected(where), slice(None), rng)))
    assert (losses.reshape(10, -1).argmax(axis=1) == np.flatnonzero(fault.truth)[0]).all()


@pytest.mark.parametrize(("preprocessing", "family"), [("standard", "hot tower"), ("log", "missing supermodule")])
def test_each_model_of_the_first_study_sees_what_it_is_known_for(preprocessing: str, family: str) -> None:
    model = ConvAutoencoder(
        preprocessing=preprocessing,  # type: ignore[arg-type]
        network="pooled",
        spatial=False,
        window=1,
        reduce="mean",
        epochs=3,
        batch=16,
    ).fit(drawn(64, 0))
    scores = np.r_[model.score(drawn(20, 1)), model.score(drawn(20, 2, family))]
    assert roc_auc_score(np.repeat([0, 1], 20), scores) > 0.95


def test_training_gets_better(deployed: ConvAutoencoder) -> None:
    assert deployed.history_[-1] < 0.5 * deployed.history_[0]


def test_losses_over_several_lumisections_are_their_geometric_mean_within_a_run() -> None:
    loss = np.random.default_rng(0).uniform(0.1, 2.0, (7, 2, 3)).astype(np.float32)
    where = Conditions(run=np.array([1, 1, 1, 1, 2, 2, 2]), lumisection=np.array([1, 2, 3, 4, 1, 2, 3]))
    joined = _together(loss, where, 3)
    for row, members in enumerate([[0], [0, 1], [0, 1, 2], [1, 2, 3], [4], [4, 5], [4, 5, 6]]):
        assert np.allclose(joined[row], np.prod(loss[members], axis=0) ** (1 / len(members)), rtol=1e-4)


def test_time_correction_forgets_what_does_not_last() -> None:
    detector = ConvAutoencoder(epochs=2, window=3, batch=16, channels=4).fit(drawn(64, 0))
    short, lasting = (drawn(20, 3, "hot tower", rows=rows) for rows in (slice(10, 11), slice(8, 11)))
    assert detector.score(lasting)[10] > 2 * detector.score(short)[10]


def test_rates_do_not_follow_luminosity(deployed: ConvAutoencoder) -> None:
    maps, made = deployed.rebuilt(drawn(40, 4))
    assert np.abs(maps.mean(axis=(1, 2)) - 1).max() < 0.03
    assert made.shape == maps.shape


def test_without_events_a_map_is_measured_by_its_own_mean(deployed: ConvAutoencoder) -> None:
    block = drawn(5, 4)
    blind = replace(block, conditions=Conditions(block.conditions.run, block.conditions.lumisection))
    assert np.allclose(deployed.rebuilt(blind)[0].mean(axis=(1, 2)), 1.0, atol=1e-4)
    assert (_line(blind, np.ones(5)) == 0).all()
    level = replace(block, conditions=replace(block.conditions, pileup=np.full(5, 30.0)))
    assert _line(level, np.ones(5))[1] == 0.0


def test_missing_and_empty_maps_have_no_losses(deployed: ConvAutoencoder) -> None:
    block = drawn(3, 5)
    counts = block.counts.copy()
    counts[0], counts[2] = np.nan, 0
    holes = replace(block, counts=counts)
    assert np.isnan(deployed.losses(holes)[[0, 2]]).all()
    assert np.isfinite(deployed.losses(holes)[1]).all()
    assert np.isnan(deployed.score(holes.select(np.array([0, 2])))).all()
    assert np.isnan(deployed.losses(holes.select(np.array([0])))).all()


def test_depths_and_lines_are_images_too() -> None:
    model = OccupancyModel(hadronic_calorimeter())
    where = drawn(24, 0).conditions
    block = model.draw(where, np.random.default_rng(0))
    assert np.isfinite(ConvAutoencoder(epochs=1).fit(block).score(block)).all()
    line = HistogramBlock(
        "x", (Axis.regular("x", 37, 0, 1),), np.random.default_rng(1).poisson(9.0, (24, 37)).astype(float), where
    )
    for detector in (ConvAutoencoder(epochs=1), ConvAutoencoder(network="pooled", epochs=1)):
        detector.fit(line)
        assert detector.losses(line).shape == (24, 37)


@pytest.mark.parametrize("size", [(34, 72), (20, 20), (170, 360), (12, 47), (1, 100)])
def test_networks_give_back_the_size_they_were_given(size: tuple[int, int]) -> None:
    images = torch.zeros((1, 1, *size))
    for network in (Pooled(size, 1, bounded=True), Residual(size, 1, 4, circular=size[1] == 72)):
        assert network(images).shape == images.shape


def test_cells_are_pooled_to_towers_first() -> None:
    assert Pooled((170, 360), 1, bounded=False).pools[0] == (5, 5)
    assert Pooled((34, 72), 1, bounded=False).pools[0] == (1, 1)


def test_even_kernels_keep_the_size() -> None:
    assert Same(1, 1, (4, 2))(torch.zeros((1, 1, 9, 8))).shape == (1, 1, 9, 8)


def test_an_artifact_scores_the_same(tmp_path: object, deployed: ConvAutoencoder) -> None:
    folder = f"{tmp_path}/model"
    manifest = save(deployed, folder)
    again = load(folder, digest=manifest.digest)
    block = drawn(6, 6)
    assert np.array_equal(again.score(block), deployed.score(block))


def test_what_makes_no_sense_is_refused() -> None:
    block = drawn(24, 0)
    with pytest.raises(MlcoreError, match="numbers from 1"):
        ConvAutoencoder(window=0).fit(block)
    four = tuple(Axis.regular(name, 2, 0, 1) for name in "abcd")
    deep = HistogramBlock("x", four, np.ones((24, 2, 2, 2, 2)), block.conditions)
    with pytest.raises(ShapeError, match="one to three"):
        ConvAutoencoder().fit(deep)


def test_lumisections_of_no_weight_teach_nothing() -> None:
    good, bad = drawn(40, 0), drawn(40, 1, "missing sector")
    both = HistogramBlock.concatenate(
        [good, replace(bad, conditions=replace(bad.conditions, run=bad.conditions.run + 10))]
    )
    careful = ConvAutoencoder(epochs=1, window=1).fit(both, weights=np.repeat([1.0, 0.0], 40))
    alone = ConvAutoencoder(epochs=1, window=1).fit(good)
    assert np.allclose(careful.average_, alone.average_)
