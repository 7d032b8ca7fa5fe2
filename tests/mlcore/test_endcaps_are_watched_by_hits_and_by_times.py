"""Endcaps of a calorimeter: channels against their ring, and clocks in the timing maps beside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlcore.artifacts import load, save
from mlcore.bench import ecal_endcap as table
from mlcore.conditions import Conditions
from mlcore.detectors.map_regions import regions, rings
from mlcore.detectors.ring_map import RingMap
from mlcore.detectors.timing_map import TimingMap
from mlcore.errors import IncompatibleBinning, MlcoreError, ShapeError
from mlcore.evaluate import auc
from mlcore.histograms import Axis, HistogramBlock
from mlcore.simulate.endcaps import (
    SECTORS,
    ClockModel,
    crystals,
    endcap_towers,
    missing_endcap_sector,
    sector,
)
from mlcore.simulate.maps import OccupancyModel, ecal_endcap


@pytest.fixture(scope="module")
def endcap() -> table.Endcap:
    return table.draw(1, "+", n=240)


@pytest.fixture(scope="module")
def ring_map(endcap: table.Endcap) -> RingMap:
    return RingMap().fit(endcap.train.occupancy)


@pytest.fixture(scope="module")
def timing_map(endcap: table.Endcap) -> TimingMap:
    return TimingMap().fit(endcap.train.timing)


def area(good: np.ndarray, bad: np.ndarray) -> float:
    return auc(np.concatenate([good, bad]), np.repeat([0, 1], [len(good), len(bad)]))


@pytest.mark.parametrize("fault", table.OCCUPANCY)
def test_faults_of_hits_are_found_by_the_ring(endcap: table.Endcap, ring_map: RingMap, fault: str) -> None:
    assert area(ring_map.score(endcap.good.occupancy), ring_map.score(endcap.faulty[fault].occupancy)) > 0.99


@pytest.mark.parametrize("fault", table.TIMING)
def test_wrong_clocks_are_found_in_timing_maps_and_in_no_others(
    endcap: table.Endcap, ring_map: RingMap, timing_map: TimingMap, fault: str
) -> None:
    assert area(timing_map.score(endcap.good.timing), timing_map.score(endcap.faulty[fault].timing)) > 0.99
    hits = area(ring_map.score(endcap.good.occupancy), ring_map.score(endcap.faulty[fault].occupancy))
    assert 0.4 < hits < 0.6


def test_what_changes_a_whole_ring_leaves_its_ratios_alone(endcap: table.Endcap, ring_map: RingMap) -> None:
    block = endcap.good.occupancy
    inner = (ring_map.ring_ == 3).reshape(20, 20)
    halved = block.counts.copy()
    halved[:, inner] = np.round(halved[:, inner] / 2)
    before, after = (ring_map.ratios(replace(block, counts=counts)) for counts in (block.counts, halved))
    assert np.nanmedian(before[:, inner]) == pytest.approx(1.0, abs=0.1)
    assert np.nanmedian(after[:, inner]) == pytest.approx(1.0, abs=0.1)
    # But a ring at half beside the others is seen as such.
    assert np.median(ring_map.score(replace(block, counts=halved))) > np.quantile(ring_map.score(block), 0.95)


def test_known_silent_towers_are_masked_until_they_speak(endcap: table.Endcap, ring_map: RingMap) -> None:
    block = endcap.good.occupancy.select(slice(0, 20))
    silent = (ring_map.usual_ == 0).reshape(20, 20) & endcap_towers().exists
    assert silent.sum() == 4
    assert np.isnan(ring_map.ratios(block)[:, silent]).all()
    loud = block.counts.copy()
    loud[:, silent] = 60.0
    assert (ring_map.score(replace(block, counts=loud)) > ring_map.score(block)).all()


def test_the_shifted_tower_is_the_likeliest(endcap: table.Endcap, timing_map: TimingMap) -> None:
    block = endcap.good.timing.select(slice(0, 30))
    counts = block.counts.copy()
    counts[:, 4, 10] = np.roll(counts[:, 4, 10], 5, axis=1)
    odds = timing_map.odds(replace(block, counts=counts)).reshape(30, -1)
    assert (odds.argmax(axis=1) == 4 * 20 + 10).mean() > 0.9
    assert np.nanmedian(timing_map.means(block)) == pytest.approx(0.0, abs=0.3)
    # All towers together late are seen too.
    late = np.roll(block.counts, 1, axis=3)
    assert (timing_map.score(replace(block, counts=late)) > timing_map.score(block)).mean() > 0.95


def test_missing_maps_have_no_score_and_other_axes_are_refused(
    endcap: table.Endcap, ring_map: RingMap, timing_map: TimingMap
) -> None:
    for detector, block in ((ring_map, endcap.good.occupancy), (timing_map, endcap.good.timing)):
        few = block.select(slice(0, 4))
        counts = few.counts.copy()
        counts[1], counts[2] = np.nan, 0.0
        assert np.isnan(detector.score(replace(few, counts=counts))).tolist() == [False, True, True, False]
        with pytest.raises(IncompatibleBinning):
            detector.score(few.rebin(2, *([1] * (len(few.axes) - 1))))
    assert np.isnan(ring_map.ratios(endcap.good.occupancy)[:, 0, 0]).all()
    odds = timing_map.odds(replace(endcap.good.timing.select(slice(0, 2)), counts=np.zeros((2, 20, 20, 25))))
    assert np.isnan(odds).all()


def test_what_is_stored_says_the_same(
    endcap: table.Endcap, ring_map: RingMap, timing_map: TimingMap, tmp_path: Path
) -> None:
    for detector, block in ((ring_map, endcap.good.occupancy), (timing_map, endcap.good.timing)):
        target = tmp_path / type(detector).__name__
        manifest = save(detector, target)
        again = load(target, digest=manifest.digest)
        assert np.array_equal(again.score(block), detector.score(block))


def test_rings_are_circles_of_a_flat_map_and_rows_of_one_with_an_angle() -> None:
    flat = rings(endcap_towers().axes).reshape(20, 20)
    assert flat[9, 9] == flat[10, 10] == 0
    assert np.array_equal(flat, flat.T)
    assert np.array_equal(flat, flat[::-1])
    angle = (Axis.regular("eta", 4, -1, 1), Axis.regular("phi", 6, -3, 3, circular=True))
    assert np.array_equal(rings(angle).reshape(4, 6)[:, 0], np.arange(4))
    assert np.array_equal(rings(angle[::-1]).reshape(6, 4)[0], np.arange(4))
    assert (rings(angle[:1]) == 0).all()
    # Windows close on themselves along an angle; both directions have sectors.
    window = regions(angle)[0].of(np.eye(24)[[0]])
    assert set(np.flatnonzero(window[0])) == {0, 1, 5, 6, 7, 11}
    assert [kind.name for kind in regions(angle[::-1])] == ["3 x 3", "5 x 5", "sectors"]
    with pytest.raises(ShapeError, match="one or two axes"):
        rings((*angle, angle[0]))


def test_towers_are_sums_of_their_crystals() -> None:
    towers, fine = endcap_towers("-"), ecal_endcap("-", cells=True)
    where = Conditions(
        run=np.ones(1, int), lumisection=np.ones(1, int), pileup=np.full(1, 40.0), events=np.full(1, 500.0)
    )
    wide = OccupancyModel(towers, gain_spread=0.0).expected(where)[0]
    cells = OccupancyModel(fine, gain_spread=0.0).expected(where)[0].reshape(20, 5, 20, 5).sum(axis=(1, 3))
    assert wide == pytest.approx(cells)
    assert crystals("-").sum() == fine.exists.sum()
    assert ((crystals("-") > 0) == towers.exists).all()


def test_nine_sectors_make_an_endcap_and_one_can_be_missing() -> None:
    towers = endcap_towers()
    together = np.sum([sector(towers, number) for number in range(SECTORS)], axis=0)
    assert np.array_equal(together == 1, towers.exists)
    fault = missing_endcap_sector(towers, np.random.default_rng(0), strength=0.5)
    changed = fault.apply(np.where(towers.exists, 8.0, 0.0)[None], slice(None), np.random.default_rng(0))
    assert set(np.unique(changed[0][fault.truth])) == {4.0}
    with pytest.raises(MlcoreError, match="sectors 0 to 8"):
        sector(towers, 9)


def test_times_follow_the_clock() -> None:
    clock = ClockModel(endcap_towers(), timed=0.5, late=0.0, common=0.0, offset=0.0)
    axes = clock.geometry.axes
    block = HistogramBlock("EcalEndcap+/occupancy", axes, np.full((2, 20, 20), 4_000.0), Conditions.plain(2))
    shift = np.zeros((2, 20, 20))
    shift[1, 3, 3] = 5.0
    times = clock.draw(block, np.random.default_rng(0), shift=shift)
    assert times.element == "EcalEndcap+/time"
    assert times.counts.sum(axis=-1).mean() == pytest.approx(2_000, rel=0.01)
    means = TimingMap().means(times)
    assert means[1, 3, 3] == pytest.approx(5.0, abs=0.3)
    assert means[0, 3, 3] == pytest.approx(0.0, abs=0.3)
    with pytest.raises(MlcoreError, match="share of timed"):
        ClockModel(endcap_towers(), timed=0.0)
    with pytest.raises(ShapeError, match="one of time"):
        many = tuple(Axis.regular(name, 2, 0, 2) for name in "abcd")
        TimingMap().fit(HistogramBlock("x", many, np.ones((30, 2, 2, 2, 2)), Conditions.plain(30)))


def test_a_small_table_has_six_rows() -> None:
    rows = table.run([0], quick=True)
    assert len(rows) == 6
    assert all(row.target == 0.999 for row in rows)
    assert all(row.value > 0.95 for row in rows)
    assert {table.RING, table.AUTOENCODER, "NMF"} <= set(rows[0].peers)
    assert {table.AUTOENCODER, table.CUT} == set(rows[3].peers)
    assert set(rows[5].peers) == {table.AUTOENCODER}
