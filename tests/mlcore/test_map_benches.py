"""The tables of occupancy maps: their measures, their peers, and that a small run says what a large one says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.bench import ecal_maps, weak_region
from mlcore.bench.peers.maps import FirstStudy, false_discovery, loss_product, ring_ratio
from tests import needs


@given(st.integers(2, 30), st.integers(0, 2**31), st.sampled_from([0.5, 0.9, 0.99]))
def test_false_discovery_is_counted_at_the_threshold_that_finds_enough(
    faulty: int, seed: int, detection: float
) -> None:
    rng = np.random.default_rng(seed)
    score, truth = rng.normal(size=200), np.arange(200) < faulty
    score[truth] += 1.0
    # 1 - 0.9 is a little less than 0.1, and an order statistic must not depend on that.
    cuts = [cut for cut in score[truth] if (score[truth] >= cut).mean() >= detection - 1e-9]
    tagged = score >= max(cuts)
    assert false_discovery(score, truth, detection) == pytest.approx((tagged & ~truth).sum() / tagged.sum())


def test_the_cut_looks_for_hot_channels_with_entries_only() -> None:
    counts = np.full((1, 2, 72), 1.0)
    counts[0, 0, 5] = 10_000.0
    counts[0, 1, 5] = 15.0
    ratio = ring_ratio(counts)
    assert ratio[0, 0, 5] > 70
    assert np.count_nonzero(ratio) == 1


def test_losses_of_three_lumisections_are_multiplied() -> None:
    loss = np.arange(1.0, 13.0).reshape(6, 2)
    assert loss_product(loss).tolist() == [[1 * 3 * 5, 2 * 4 * 6], [7 * 9 * 11, 8 * 10 * 12]]


def test_the_or_of_both_models_is_as_odd_as_the_odder_one() -> None:
    world = ecal_maps.draw(0, groups=10)
    one, two, either = FirstStudy(epochs=1, random_state=0).fit(world.train).score(world.glowing)
    assert one.shape == two.shape == either.shape == (30,)
    assert np.argmax(either) in (np.argmax(one), np.argmax(two))


def test_faults_are_planted_in_living_towers_of_all_three_lumisections() -> None:
    world = ecal_maps.draw(1, groups=8)
    assert (~world.alive).sum() == 10
    for fault, truth in world.truth.items():
        assert truth.any(axis=(1, 2)).all()
        assert not (truth & ~world.alive).any()
        each = np.repeat(truth, 3, axis=0)
        if fault != "hot tower":
            assert (world.faulty[fault].counts[each] == 0).all()


def test_the_same_seed_draws_the_same_world() -> None:
    one, two = (weak_region.draw(3, groups=4) for _ in range(2))
    assert np.array_equal(one.bad.counts, two.bad.counts)
    assert not np.array_equal(one.good.counts, weak_region.draw(4, groups=4).good.counts)


@pytest.mark.slow
def test_a_small_weak_region_table_reaches_its_target_beside_its_peers() -> None:
    (row,) = weak_region.run([0], quick=True)
    assert row.reached
    assert row.bayes is not None
    assert row.bayes >= row.value - 0.01
    assert row.peers["loss product"].value < 0.85
    assert {"max pull of the sum", "chi2 of the sum"} <= set(row.peers)


@pytest.mark.slow
def test_a_small_ecal_table_has_all_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARED_DATA", "absent")
    rows = ecal_maps.run([0], quick=True)
    assert len(rows) == 6
    assert {row.name for row in rows} == {"ecal-maps"}
    for row in rows[:3]:
        assert row.value > 0.95
        assert {"model 1", "model 2", "model 1 OR model 2", "NMF"} <= set(row.peers)
    for row in rows[3:]:
        assert row.better == "lower"
        assert row.value <= row.peers["ours, single lumisections"].value
        assert "deployed autoencoder, spatial and time" in row.peers


@pytest.mark.data
def test_the_faults_of_the_real_images_are_found_by_pulls() -> None:
    needs.shared_data_folder()
    rows = ecal_maps.real_rows()
    assert [row.task for row in rows] == [
        "real images, hot tower, false discovery",
        "real images, missing module, false discovery",
    ]
    assert all(row.reached for row in rows)
    assert "24 faulty towers" in rows[0].note
