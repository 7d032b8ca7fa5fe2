"""The scan finds weak regions where they are, over sizes, lumisections and the seam of phi."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from mlcore.checks import check_detector
from mlcore.conditions import BoolArray, Conditions
from mlcore.detectors.pulls import Pulls
from mlcore.detectors.scan import Scan, _band, _suited, _windows
from mlcore.errors import IncompatibleBinning, MlcoreError, TooFewData
from mlcore.histograms import Axis, HistogramBlock
from mlcore.simulate import map_faults
from mlcore.simulate.maps import OccupancyModel, ecal_barrel, hadronic_calorimeter, region_sums

BARREL = OccupancyModel(ecal_barrel())


def conditions(n: int, seed: int = 0, *, per_run: int = 30, scale: float = 0.2) -> Conditions:
    rng = np.random.default_rng(seed)
    return Conditions(
        run=1 + np.arange(n) // per_run,
        lumisection=1 + np.arange(n) % per_run,
        pileup=rng.uniform(20, 60, n),
        events=np.round(scale * rng.uniform(300, 900, n)),
    )


@pytest.fixture(scope="module")
def fitted() -> Scan:
    return Scan().fit(BARREL.draw(conditions(150), np.random.default_rng(0)))


def weakened(
    truth: BoolArray, rows: slice, *, strength: float, n: int = 30, seed: int = 5, scale: float = 0.2
) -> HistogramBlock:
    where = conditions(n, seed, scale=scale)
    fault = map_faults.MapFault("weak", truth, strength)
    rng = np.random.default_rng(seed)
    return BARREL.draw(where, rng, expected=fault.apply(BARREL.expected(where), rows, rng))


def region(eta: int, phi: int, height: int = 5, width: int = 5) -> BoolArray:
    mask = np.zeros((34, 72), dtype=bool)
    mask[np.ix_(np.arange(eta, eta + height), np.arange(phi, phi + width) % 72)] = True
    return mask


def test_it_keeps_the_contract() -> None:
    check_detector(Scan())


@pytest.mark.parametrize("phi", [20, 70])
def test_a_weak_region_is_found_where_it_is_also_across_the_seam(fitted: Scan, phi: int) -> None:
    truth = region(10, phi)
    block = weakened(truth, slice(10, 25), strength=0.35)
    found = fitted.findings(block)
    assert (found.pull[12:25] < -4).all()
    for row in range(12, 25):
        window = fitted.window(int(found.kernel[row]), found.centre[row])
        assert (window & truth).sum() >= 9
    assert (fitted.score(block)[12:25] > 3).all()


def test_stacks_see_what_single_lumisections_do_not() -> None:
    train = BARREL.draw(conditions(200), np.random.default_rng(0))
    good, bad = (weakened(region(9, 30), rows, strength=0.1, n=90, seed=6) for rows in (slice(0, 0), slice(0, 90)))
    areas = []
    for stacks in ((1,), (1, 10)):
        detector = Scan(stacks=stacks).fit(train)
        scores = np.r_[detector.score(good)[9:], detector.score(bad)[9:]]
        areas.append(roc_auc_score(np.repeat([0, 1], 81), scores))
    assert areas[1] > areas[0] + 0.05
    assert areas[1] > 0.9


def test_regions_are_seen_that_no_single_tower_shows(fitted: Scan) -> None:
    train = BARREL.draw(conditions(150), np.random.default_rng(0))
    block = weakened(region(9, 30), slice(15, 30), strength=0.22)
    labels = np.arange(30) >= 15
    assert roc_auc_score(labels, fitted.score(block)) > 0.97
    assert roc_auc_score(labels, Pulls(statistic="max").fit(train).score(block)) < 0.8


def test_a_loud_fault_of_one_minute_does_not_spread(fitted: Scan) -> None:
    truth = map_faults.missing_supermodule(BARREL.geometry, np.random.default_rng(0)).truth
    block = weakened(truth, slice(10, 11), strength=1.0)
    scores = fitted.score(block)
    assert scores[10] > 20
    assert np.delete(scores, 10).max() < 4


def test_a_stack_does_not_reach_into_the_run_before(fitted: Scan) -> None:
    block = weakened(region(9, 30), slice(0, 30), strength=0.3, n=60)
    where = block.conditions
    alone = block.select(where.run == 2)
    assert np.allclose(fitted.score(block)[where.run == 2], fitted.score(alone), atol=1e-4)


def test_scores_do_not_depend_on_how_many_are_looked_at_together(fitted: Scan, monkeypatch: pytest.MonkeyPatch) -> None:
    block = weakened(region(9, 30), slice(5, 45), strength=0.3, n=60)
    together = fitted.score(block)
    monkeypatch.setattr("mlcore.detectors.scan.AT_ONCE", 9 * 2448)
    assert np.allclose(fitted.score(block), together, atol=1e-3)


def test_missing_lumisections_are_left_out_of_stacks(fitted: Scan) -> None:
    block = weakened(region(9, 30), slice(0, 30), strength=0.3)
    counts = block.counts.copy()
    counts[12:15] = np.nan
    counts[20] = 0.0
    holes = replace(block, counts=counts)
    scores, found = fitted.score(holes), fitted.findings(holes)
    dark = np.zeros(30, dtype=bool)
    dark[[12, 13, 14, 20]] = True
    assert (np.isnan(scores) == dark).all()
    assert (found.kernel[dark] == -1).all()
    assert np.isnan(found.pull[dark]).all()
    assert scores[16] > 3


def test_a_hot_and_a_dead_tower_are_found(fitted: Scan) -> None:
    for family, sign in (("hot tower", 1), ("dead tower", -1)):
        fault = map_faults.FAMILIES[family](BARREL.geometry, np.random.default_rng(3))
        rng = np.random.default_rng(4)
        where = conditions(6, 4, scale=1.0)
        found = fitted.findings(BARREL.draw(where, rng, expected=fault.apply(BARREL.expected(where), slice(3, 6), rng)))
        for row in range(3, 6):
            assert np.sign(found.pull[row]) == sign
            assert (fitted.window(int(found.kernel[row]), found.centre[row]) & fault.truth).any()


def test_sparse_maps_are_calibrated_and_a_missing_module_shows() -> None:
    scale = 0.006
    train = BARREL.draw(conditions(150, scale=scale), np.random.default_rng(0))
    detector = Scan().fit(train)
    good = detector.score(BARREL.draw(conditions(120, 3, scale=scale), np.random.default_rng(9)))
    assert (good > 2).mean() < 0.1
    assert (good > 4).mean() == 0
    truth = map_faults.missing_supermodule(BARREL.geometry, np.random.default_rng(0)).truth
    bad = detector.score(weakened(truth, slice(0, 30), strength=1.0, scale=scale))
    assert roc_auc_score(np.r_[np.zeros(120), np.ones(28)], np.r_[good, bad[2:]]) > 0.98


def test_good_lumisections_get_probabilities(fitted: Scan) -> None:
    p = 10 ** -fitted.score(BARREL.draw(conditions(300, 8), np.random.default_rng(9)))
    assert 0.03 < (p < 0.1).mean() < 0.2
    assert (p < 0.01).mean() < 0.04


def test_it_scans_lines_and_depths_too() -> None:
    model = OccupancyModel(hadronic_calorimeter())
    assert _suited(None, model.geometry.axes)[:2] == ((1, 1, 1), (1, 1, 7))
    line = Axis.regular("x", 40, 0, 1)
    rng = np.random.default_rng(0)
    where = conditions(80)
    expected = np.full((80, 40), 50.0)
    train = HistogramBlock("x", (line,), rng.poisson(expected).astype(float), where)
    expected[40:, 12:21] *= 0.75
    bad = HistogramBlock("x", (line,), rng.poisson(expected).astype(float), where)
    detector = Scan().fit(train)
    assert roc_auc_score(np.arange(80) >= 40, detector.score(bad)) > 0.97
    assert abs(np.median(detector.findings(bad).centre[45:]) - 16) <= 3


def test_windows_and_stacks_that_make_no_sense_are_refused(fitted: Scan) -> None:
    train = BARREL.draw(conditions(40), np.random.default_rng(0))
    with pytest.raises(MlcoreError, match="begin with 1"):
        Scan(stacks=(3, 1)).fit(train)
    with pytest.raises(MlcoreError, match="more sizes than there are axes"):
        Scan(kernels=((1, 1, 1),)).fit(train)
    with pytest.raises(TooFewData):
        Scan().fit(train.select(slice(0, 1)))
    with pytest.raises(IncompatibleBinning):
        fitted.score(train.rebin(2, 1))


def test_memory_does_not_grow_with_the_number_of_lumisections(fitted: Scan) -> None:
    block = BARREL.draw(conditions(150, 3), np.random.default_rng(0))
    pulls = Pulls().fit(block)
    peaks = []
    for times in (1, 4):
        many = replace(
            block,
            counts=np.broadcast_to(block.counts[:, None], (150, times, 34, 72)).reshape(-1, 34, 72),
            conditions=conditions(150 * times),
            flow=None,
        )
        tracemalloc.start()
        for start in range(0, len(many), 150):
            part = many.select(slice(start, start + 150))
            fitted.score(part)
            pulls.score(part)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0] + 1e6


@settings(max_examples=40)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.booleans(),
    st.integers(0, 2**31),
)
def test_windows_are_plain_sums(shape: tuple[int, int], size: tuple[int, int], wraps: bool, seed: int) -> None:
    (rows, columns), (height, width) = shape, size
    axes = (Axis.regular("a", rows, 0, 1), Axis.regular("b", columns, 0, 1, circular=wraps))
    values = np.random.default_rng(seed).integers(0, 9, (2, rows, columns)).astype(np.float32)
    sizes = (min(height, rows), min(width, columns))
    summed = _windows(values, [_band(axis, size) for axis, size in zip(axes, sizes, strict=True)])
    for i in range(rows):
        for j in range(columns):
            lines = []
            for place, wide, axis in ((i, sizes[0], axes[0]), (j, sizes[1], axes[1])):
                if wide == axis.bins:
                    lines.append(set(range(axis.bins)))
                    continue
                inside = range(place - wide // 2, place - wide // 2 + wide)
                lines.append(
                    {k % axis.bins if axis.circular else k for k in inside if axis.circular or 0 <= k < axis.bins}
                )
            assert summed[0, i, j] == sum(values[0, a, b] for a in lines[0] for b in lines[1])


def test_odd_windows_agree_with_a_convolution() -> None:
    values = np.random.default_rng(0).poisson(5.0, (3, 34, 72)).astype(np.float32)
    axes = BARREL.geometry.axes
    ours = _windows(values, [_band(axes[0], 5), _band(axes[1], 3)])
    assert np.allclose(ours, region_sums(values, axes, (5, 3)))
    assert np.allclose(
        ours[0][:, 1:-1], ndimage.uniform_filter(values[0].astype(float), (5, 3), mode="constant")[:, 1:-1] * 15
    )
