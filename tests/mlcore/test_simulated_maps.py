"""Simulated occupancy maps: their scale, their statistics, and faults that are where they say."""

from __future__ import annotations

import numpy as np
import pytest

from mlcore.conditions import Conditions
from mlcore.errors import MlcoreError, ShapeError
from mlcore.simulate import map_faults
from mlcore.simulate.maps import (
    SECONDS_PER_YEAR,
    Geometry,
    OccupancyModel,
    RegionReadout,
    ecal_barrel,
    ecal_endcap,
    hadronic_calorimeter,
    muon_chamber,
    region_sums,
)


def conditions(n: int, *, events: float = 500.0, pileup: float = 50.0, time: float = np.nan) -> Conditions:
    plain = np.ones(n)
    return Conditions(
        run=np.full(n, 7),
        lumisection=np.arange(1, n + 1),
        pileup=pileup * plain,
        events=events * plain,
        time=time * plain,
    )


GEOMETRIES = [ecal_barrel(), ecal_barrel(cells=True), ecal_endcap("-"), hadronic_calorimeter(), muon_chamber(50)]


def test_a_barrel_tower_has_350_hits_in_500_events_at_a_pileup_of_50() -> None:
    model = OccupancyModel(ecal_barrel())
    total = model.expected(conditions(1)).sum()
    assert total == pytest.approx(391_987 + 9087.3 * 50, rel=0.01)
    assert total / 2448 == pytest.approx(350, rel=0.03)


def test_cells_of_a_tower_add_up_to_the_tower() -> None:
    cells = OccupancyModel(ecal_barrel(cells=True), gain_spread=0.0).expected(conditions(1))
    towers = OccupancyModel(ecal_barrel(), gain_spread=0.0).expected(conditions(1))
    joined = cells.reshape(1, 34, 5, 72, 5).sum(axis=(2, 4))
    assert np.allclose(joined, towers, rtol=0.02)


def test_the_endcaps_have_no_corners_and_a_hole() -> None:
    there = ecal_endcap().exists
    assert not there[0, 0]
    assert not there[9:11, 9:11].any()
    assert 250 < there.sum() < 340
    counts = OccupancyModel(ecal_endcap()).draw(conditions(3), np.random.default_rng(0)).counts
    assert (counts[:, ~there] == 0).all()


def test_depths_are_segmented() -> None:
    there = hadronic_calorimeter().exists
    assert there[32, :, :4].all()
    assert not there[32, :, 4:].any()
    assert there[60, 0, :7].all()
    assert not there[60, 1].any()


def test_a_chamber_has_gaps_at_its_ends_only() -> None:
    chamber = muon_chamber(70, random_state=3)
    assert chamber.exists[:, 3:-3].all()
    assert not chamber.exists.all()
    with pytest.raises(ShapeError, match="from 47 to 96"):
        muon_chamber(20)


def test_good_counts_are_poisson() -> None:
    model = OccupancyModel(ecal_barrel(), dead=4)
    where = conditions(60)
    expected, counts = model.expected(where), model.draw(where, np.random.default_rng(1)).counts
    lively = expected > 0
    chi2 = ((counts[lively] - expected[lively]) ** 2 / expected[lively]).mean()
    assert 0.97 < chi2 < 1.03
    assert (model.gains == 0).sum() == 4
    assert (counts[~lively] == 0).all()


@pytest.mark.parametrize(("hits", "size_spread"), [(10.0, 0.0), (5.0, 1.0)])
def test_reading_out_regions_keeps_the_mean_and_widens_the_spread(hits: float, size_spread: float) -> None:
    readout = RegionReadout(share=0.8, hits=hits, spread=size_spread)
    model = OccupancyModel(ecal_barrel(), gain_spread=0.0, readout=readout)
    where = conditions(200)
    counts = model.draw(where, np.random.default_rng(2)).counts.astype(float)
    expected = model.expected(where)
    assert counts.mean() == pytest.approx(expected.mean(), rel=0.01)
    spread = ((counts - expected) ** 2 / expected)[:, 3:-3].mean()
    assert spread == pytest.approx(1 + 0.8 * 10, rel=0.1)
    residual = (counts - expected)[:, 3:-3]
    neighbours = (residual * np.roll(residual, 1, axis=2)).mean() / (residual**2).mean()
    assert neighbours > 0.4


def test_unknown_conditions_make_missing_histograms() -> None:
    block = OccupancyModel(ecal_barrel()).draw(Conditions.plain(2), np.random.default_rng(0))
    assert block.missing.all()


def test_no_events_give_empty_maps_with_regions_too() -> None:
    model = OccupancyModel(ecal_barrel(), readout=RegionReadout())
    assert (model.draw(conditions(2, events=0.0), np.random.default_rng(0)).counts == 0).all()


def test_age_dims_the_most_exposed_channels_most() -> None:
    model = OccupancyModel(ecal_barrel(), ageing=0.1, gain_spread=0.0)
    young, old = model.expected(conditions(1, time=0.0))[0], model.expected(conditions(1, time=SECONDS_PER_YEAR))[0]
    ratio = (old / young)[:, 0]
    assert ratio[0] == pytest.approx(0.9, abs=0.01)
    assert ratio[17] == pytest.approx(1.0, abs=0.01)
    unknown = model.expected(conditions(1))[0]
    assert np.allclose(unknown, young)


def test_the_same_seed_draws_the_same_maps() -> None:
    draws = [
        OccupancyModel(ecal_endcap(), random_state=5).draw(conditions(2), np.random.default_rng(9)).counts
        for _ in range(2)
    ]
    assert np.array_equal(draws[0], draws[1])


def test_expected_counts_of_another_shape_are_refused() -> None:
    model = OccupancyModel(ecal_barrel())
    with pytest.raises(ShapeError):
        model.draw(conditions(2), np.random.default_rng(0), expected=np.ones((3, 34, 72)))
    with pytest.raises(ShapeError):
        Geometry("x", model.geometry.axes, np.ones((2, 2)), np.ones((2, 2)), 1.0, 1.0)


def test_region_sums_wrap_on_circular_axes_only() -> None:
    values = np.zeros((1, 34, 72))
    values[0, 0, 0] = 1.0
    summed = region_sums(values, ecal_barrel().axes, (3, 3))[0]
    assert summed[0, 71] == summed[1, 1] == 1.0
    assert summed[33].sum() == 0.0


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=lambda geometry: geometry.element)
@pytest.mark.parametrize("family", sorted(map_faults.FAMILIES))
def test_a_fault_changes_its_own_bins_of_its_own_rows_only(family: str, geometry: Geometry) -> None:
    rng = np.random.default_rng(4)
    if family == "depth loss" and len(geometry.axes) < 3:
        with pytest.raises(MlcoreError, match="no depths"):
            map_faults.FAMILIES[family](geometry, rng)
        return
    fault = map_faults.FAMILIES[family](geometry, rng, strength=0.5)
    expected = OccupancyModel(geometry).expected(conditions(6))
    changed = fault.apply(expected, np.array([2, 3]), rng)
    rows = [0, 1, 4, 5]
    assert np.array_equal(changed[rows], expected[rows])
    assert np.array_equal(changed[:, ~fault.truth], expected[:, ~fault.truth])
    touched = fault.truth & geometry.exists
    assert touched.any()
    assert (changed[2][touched] != expected[2][touched]).all()
    assert (changed >= 0).all()


def test_a_supermodule_is_17_by_4_towers_on_the_grid() -> None:
    fault = map_faults.missing_supermodule(ecal_barrel(), np.random.default_rng(0))
    eta, phi = np.nonzero(fault.truth)
    assert fault.truth.sum() == 68
    assert eta.min() % 17 == 0
    assert phi.min() % 4 == 0


def test_a_region_may_lie_across_the_seam_of_phi() -> None:
    seen = [map_faults.weak_region(ecal_barrel(), np.random.default_rng(seed)).truth for seed in range(200)]
    assert all(mask.sum() == 25 for mask in seen)
    assert any(mask[:, 0].any() and mask[:, 71].any() for mask in seen)


def test_a_trip_recovers_exponentially() -> None:
    fault = map_faults.voltage_trip(ecal_barrel(), np.random.default_rng(0), recovery=2.0)
    changed = fault.apply(np.ones((8, 34, 72)), slice(1, None), np.random.default_rng(0))
    assert np.allclose(1 - changed[1:, fault.truth][:, 0], np.exp(-np.arange(7) / 2.0))


def test_a_hot_channel_is_loud_even_where_it_was_dead() -> None:
    fault = map_faults.hot_tower(ecal_barrel(), np.random.default_rng(0), times=30.0)
    assert fault.apply(np.zeros((1, 34, 72)), slice(None), np.random.default_rng(0))[0][fault.truth] == 30.0


def test_a_layer_keeps_the_efficiency_that_is_left() -> None:
    fault = map_faults.layer_efficiency(muon_chamber(60), np.random.default_rng(0), strength=0.95, layer=9)
    changed = fault.apply(np.ones((1, 12, 60)), slice(None), np.random.default_rng(0))[0]
    assert np.allclose(changed[8][fault.truth[8]], 0.05)
    assert not fault.truth[:8].any()


def test_light_loss_is_worst_in_the_first_depth() -> None:
    fault = map_faults.depth_loss(hadronic_calorimeter(), np.random.default_rng(1), strength=0.4, falloff=0.5)
    changed = fault.apply(np.ones((1, 64, 72, 7)), slice(None), np.random.default_rng(0))[0]
    eta, phi, _ = np.argwhere(fault.truth)[0]
    assert changed[eta, phi, 0] == pytest.approx(0.6)
    assert changed[eta, phi, 1] == pytest.approx(0.8)


def test_no_strength_and_no_channel_are_refused() -> None:
    with pytest.raises(MlcoreError, match="strength"):
        map_faults.dead_tower(ecal_barrel(), np.random.default_rng(0), strength=0.0)
    with pytest.raises(MlcoreError, match="no channel"):
        map_faults.MapFault("nothing", np.zeros((34, 72), dtype=bool))
