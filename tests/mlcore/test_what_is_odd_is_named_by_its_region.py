"""Detectors that judge regions say which are off: layers, wires, towers, sectors, rings, and where these lie."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mlcore.bench import ecal_endcap
from mlcore.conditions import Conditions
from mlcore.detectors.chamber_layers import ChamberLayers
from mlcore.detectors.layer_scan import LayerScan
from mlcore.detectors.ring_map import RingMap
from mlcore.detectors.timing_map import TimingMap
from mlcore.explain import odd_regions
from mlcore.histograms import Axis, HistogramBlock
from mlcore.regions import OddRegion, in_words, named, ranges_of, region
from mlcore.simulate.drift_chambers import FAULTY_LAYER, Chamber, ChamberLaw, chamber_sample
from mlcore.simulate.drift_tubes import WIRES, LayerLaw, layer_sample
from mlcore.simulate.endcaps import endcap_towers, sector

ANGLE = (Axis.regular("eta", 4, -1, 1), Axis.regular("phi", 6, -3, 3, circular=True))
FLAT = endcap_towers().axes


def bins(axes: tuple[Axis, ...], *places: Any) -> np.ndarray:
    """(m,) flat places of what indexing a histogram with `places` would take."""
    numbers = np.arange(np.prod([axis.bins for axis in axes])).reshape([axis.bins for axis in axes])
    return numbers[places].ravel()


@pytest.fixture(scope="module")
def endcap() -> ecal_endcap.Endcap:
    return ecal_endcap.draw(1, "+", n=240)


@pytest.fixture(scope="module")
def chamber() -> Chamber:
    return chamber_sample(5, law=ChamberLaw(chambers=1, judged=40))[0]


def test_a_box_is_told_by_its_axes_and_an_axis_that_it_spans_is_not() -> None:
    assert ranges_of(ANGLE, bins(ANGLE, 2, 3)) == (("eta", 0.0, 0.5), ("phi", 0.0, 1.0))
    assert ranges_of(ANGLE, bins(ANGLE, slice(1, 3), slice(None))) == (("eta", -0.5, 0.5),)
    assert ranges_of(ANGLE, bins(ANGLE)) == ()


def test_over_the_seam_of_an_angle_a_range_begins_where_it_begins() -> None:
    assert ranges_of(ANGLE, bins(ANGLE, slice(None), [0, 5])) == (("phi", 2.0, -2.0),)
    # Without an angle there is no seam: what lies at both ends is all that lies between.
    plain = (ANGLE[0], Axis.regular("phi", 6, -3, 3))
    assert ranges_of(plain[1:], np.array([0, 5])) == (("phi", -3.0, 3.0),)


def test_numbered_things_are_told_by_their_numbers() -> None:
    wires = (Axis.regular("layer", 12, 0.5, 12.5), Axis.regular("wire", 46, 0.5, 46.5))
    found = ranges_of(wires, bins(wires, 8, slice(5, 25)))
    assert found == (("layer", 9, 9), ("wire", 6, 25))
    assert in_words(found) == "layer 9, wire 6 to 25"
    times = (Axis.regular("time", 4, 0.5, 4.5, unit="ns"), Axis.regular("charge", 4, 0.0, 4.0))
    assert in_words(ranges_of(times, bins(times, 0, 1))) == "time 0.5 to 1.5, charge 1 to 2"


def test_in_a_flat_map_sectors_have_their_azimuth_and_rings_their_distance() -> None:
    azimuth = np.arctan2(*(np.indices((20, 20))[::-1] - 9.5)) / (2 * np.pi) % 1.0
    wedge = np.flatnonzero((azimuth > 40 / 360) & (azimuth < 80 / 360))
    assert ranges_of(FLAT, wedge) == (("azimuth in degrees", 40.0, 80.0),)
    seam = np.flatnonzero((azimuth > 340 / 360) | (azimuth < 20 / 360))
    assert ranges_of(FLAT, seam) == (("azimuth in degrees", 340.0, 20.0),)
    distance = np.hypot(*(np.indices((20, 20)) - 9.5))
    ring = np.flatnonzero((distance >= 4) & (distance < 5))
    assert ranges_of(FLAT, ring) == (("distance from the centre", 4.0, 5.0),)


def test_of_regions_that_share_bins_one_is_named_the_largest_that_is_as_rare_or_off_throughout() -> None:
    whole, part, beside, usual = (region(ANGLE, bins(ANGLE, place), 9.0) for place in (slice(1, 3), 1, 3, 0))
    quiet, off = np.zeros(24), np.zeros(24)
    off[6:18] = 3.0
    looks = [(-20.0, part), (-17.0, whole), (-9.0, beside), (-1.0, usual)]
    assert named(looks, quiet, most=5) == [whole, beside]
    assert named(looks, quiet, most=1) == [whole]
    # Rarer by much, the part is what is wrong, unless the rest is off as well, and the same way.
    apart = [(-20.0, part), (-12.0, whole), (-9.0, beside)]
    assert named(apart, quiet, most=5) == [part, beside]
    assert named(apart, off, most=5) == [whole, beside]
    assert named(apart, -off, most=5) == [part, beside]
    assert named([], off, most=5) == []


def test_a_layer_whose_voltage_is_low_is_named(chamber: Chamber) -> None:
    detector = ChamberLayers().fit(chamber.learned)
    found = odd_regions([detector], chamber.faulty)
    layer = FAULTY_LAYER + 1
    oddest = [each[0] for each in found if each]
    assert len(oddest) > 36
    right = [one for one in oddest if one.ranges == (("layer", layer, layer),) and one.pull < 0]
    assert len(right) > 0.9 * len(oddest)
    row = next(row for row, each in enumerate(found) if each and each[0] is right[0])
    assert right[0].count == chamber.faulty.counts[row, FAULTY_LAYER].sum()
    assert "at layer 9:" in str(right[0])
    good = [one.ranges for each in odd_regions([detector], chamber.good) for one in each if one.pull < 0]
    assert good.count(right[0].ranges) <= 4


def test_wires_without_data_are_named_in_their_layer() -> None:
    sample = layer_sample(11, law=LayerLaw(layers=900))
    axes = (Axis.regular("layer", 3, 0.5, 3.5), sample.block.axes[0])
    good = sample.block.counts[sample.labels == 0][:600].reshape(200, 3, WIRES)
    chambers = HistogramBlock("DriftTubes/chamber", axes, good, Conditions.plain(200))
    detector = LayerScan().fit(chambers)
    late = good[:4].copy()
    late[0, 1, 5:25] = 0.0
    late[1, 2, 30:50] *= 4.0
    late[3] = np.nan
    found = odd_regions([detector], replace(chambers.select(slice(0, 4)), counts=late))
    missing, loud = found[0][0], found[1][0]
    assert missing.pull < 0 < loud.pull
    assert missing.ranges[0] == ("layer", 2, 2)
    assert loud.ranges[0] == ("layer", 3, 3)
    name, low, high = missing.ranges[1]
    assert (name, missing.count) == ("wire", 0.0)
    assert 6 <= low < high <= 25
    assert found[3] == []


def test_a_tower_a_sector_and_a_ring_are_named_in_a_flat_map(endcap: ecal_endcap.Endcap) -> None:
    detector = RingMap().fit(endcap.train.occupancy)
    counts = endcap.good.occupancy.counts[:4].copy()
    towers = endcap_towers()
    counts[0, 4, 10] += 400.0
    counts[1] *= sector(towers, 2) == 0
    ring = (detector.ring_ == 6).reshape(20, 20)
    counts[2, ring] = np.round(counts[2, ring] * 2.5)
    counts[3] = np.nan
    found = odd_regions([detector], replace(endcap.good.occupancy.select(slice(0, 4)), counts=counts))
    first, second = endcap.train.occupancy.axes
    hot = found[0][0]
    assert hot.place == (4, 10)
    assert hot.ranges == (
        (first.name, *first.edges[4:6]),
        (second.name, *second.edges[10:12]),
    )
    assert hot.pull > 4
    assert found[1][0].pull < 0
    assert found[1][0].ranges == (("azimuth in degrees", 80.0, 120.0),)
    assert ("distance from the centre", 6.0, 7.0) in {one.ranges[0] for one in found[2]}
    assert found[3] == []


def test_a_late_tower_is_named_and_so_is_a_time_that_all_have_in_common(endcap: ecal_endcap.Endcap) -> None:
    block = endcap.good.timing.select(slice(0, 8))
    detector = TimingMap().fit(endcap.train.timing)
    counts = block.counts.copy()
    counts[:, 4, 10] = np.roll(counts[:, 4, 10], 5, axis=1)
    late = odd_regions([detector], replace(block, counts=counts))
    assert sum(bool(found) and found[0].place == (4, 10, 0) and found[0].pull > 3 for found in late) >= 7
    assert late[0][0].count == counts[0, 4, 10].sum()
    together = odd_regions([detector], replace(block, counts=np.roll(block.counts, 2, axis=3)))
    assert sum(bool(found) and found[0].ranges == () and found[0].pull > 3 for found in together) >= 7
    assert "as a whole" in str(next(found for found in together if found)[0])


def test_detectors_take_turns_and_nothing_odd_is_an_empty_answer(chamber: Chamber) -> None:
    class Says:
        def __init__(self, *pulls: float) -> None:
            self.pulls = pulls

        def odd_regions(self, block: HistogramBlock) -> list[list[OddRegion]]:
            return [[region(block.axes, np.array([0]), pull) for pull in self.pulls]] * len(block)

    block = chamber.good.select(slice(0, 2))
    found = odd_regions([Says(9.0, 8.0, 7.0), Says(), Says(5.0)], block, most=3)
    assert [[one.pull for one in each] for each in found] == [[9.0, 5.0, 8.0]] * 2
    assert odd_regions([], block) == [[], []]
