"""Ageing, calibrations, menus and replacements: there, of the right size, labelled, and apart from the truth."""

from __future__ import annotations

import numpy as np
import pytest

from mlcore.simulate.drift import FRESH, HABITS, KINDS, drift_of, map_factor
from mlcore.simulate.elements import SYSTEMS
from mlcore.simulate.machine import DAY, START, STOPS
from mlcore.simulate.maps import OccupancyModel
from mlcore.simulate.world import World, simulate


@pytest.fixture(scope="module")
def world() -> World:
    return simulate("m", 2)


def test_calibrations_come_every_three_to_six_weeks_and_menus_every_week(world: World) -> None:
    for system, drift in world.drift.items():
        calibrated = np.asarray([step.time for step in drift.steps if step.kind == "calibration"])
        weeks = np.diff(np.r_[START, calibrated]) / (7 * DAY)
        assert weeks.min() >= 3.0
        assert weeks.max() <= 6.0
        menus = np.asarray([step.time for step in drift.steps if step.kind == "menu"])
        np.testing.assert_allclose(np.diff(menus), 7 * DAY)
        assert all(step.system == system for step in drift.steps)


def test_hardware_is_replaced_in_stops_only(world: World) -> None:
    ends = [START + last * DAY for _, last in STOPS]
    times = [step.time for drift in world.drift.values() for step in drift.steps if step.kind == "replacement"]
    assert times
    assert set(times) <= set(ends)


def test_gain_falls_with_dose_and_is_set_back_by_calibrations(world: World) -> None:
    year, drift = world.year, world.drift["ECAL"]
    gain = drift.state.gain
    slopes = []
    for epoch in np.unique(drift.epoch):
        rows = (drift.epoch == epoch) & year.physics
        if rows.sum() > 2000 and np.ptp(year.dose[rows]) > 3:
            design = np.column_stack([np.ones(rows.sum()), year.dose[rows], year.temperature[rows]])
            slopes.append(np.linalg.lstsq(design, np.log(gain[rows]), rcond=None)[0][1])
    assert np.mean(slopes) == pytest.approx(-1 / HABITS["ECAL"].lifetime, rel=0.6)
    assert np.abs(gain - 1).max() < 0.05


def test_charge_of_the_innermost_layer_falls_over_the_year(world: World) -> None:
    def peak(place: int) -> float:
        block = world.block("Pixel/BarrelLayer1/charge", [place])
        counts = block.counts[world.year.physics[world.year.runs.rows(place)]].sum(axis=0)
        return float(block.axes[0].centres[np.argmax(np.convolve(counts, np.ones(5), "same"))])

    physics = [place for place in range(300) if world.year.physics[world.year.runs.rows(place)].sum() > 100]
    assert peak(physics[-1]) < 0.97 * peak(physics[0])


def test_the_most_exposed_rings_of_a_map_age_most(world: World) -> None:
    model = world.elements["EcalBarrel/occupancy"].model
    assert isinstance(model, OccupancyModel)
    year, rows = world.year, np.asarray([0, len(world.year) - 1])
    factor = map_factor(
        year, world.drift["ECAL"], rows,
        exposure=model.geometry.exposure, element="EcalBarrel/occupancy", streams=world.streams,
    )  # fmt: skip
    ratio = (factor[1] / factor[0]).mean(axis=1)
    assert ratio[[0, -1]].mean() < 0.93
    assert ratio[[16, 17]].mean() == pytest.approx(1.0, abs=0.03)
    exposed = model.geometry.exposure.mean(axis=1)
    assert np.corrcoef(np.log(ratio), exposed)[0, 1] < -0.9


def test_temperature_has_a_daily_wave(world: World) -> None:
    hour = np.mod(world.conditions.time, DAY) / 3600
    afternoon, night = (hour > 14) & (hour < 18), (hour > 2) & (hour < 6)
    difference = world.year.temperature[afternoon].mean() - world.year.temperature[night].mean()
    assert 0.4 < difference < 1.6


def test_fresh_steps_are_labelled_for_two_days_and_nothing_else_is(world: World) -> None:
    for drift in world.drift.values():
        time = world.conditions.time
        known = np.zeros(len(time), dtype=bool)
        for step in drift.steps:
            known |= (time >= step.time) & (time < step.time + FRESH)
        np.testing.assert_array_equal(drift.kind > 0, known)
        assert set(np.unique(drift.kind)) <= set(range(len(KINDS)))
    kinds = {KINDS[kind] for drift in world.drift.values() for kind in np.unique(drift.kind)}
    assert {"none", "calibration", "menu"} <= kinds


def test_drift_is_not_in_the_truth_and_the_same_for_every_prevalence() -> None:
    clean, hard = simulate("s", 3, prevalence="clean"), simulate("s", 3, prevalence="hard")
    for system in SYSTEMS:
        np.testing.assert_array_equal(clean.drift[system].state.gain, hard.drift[system].state.gain)
        np.testing.assert_array_equal(clean.drift[system].kind, hard.drift[system].kind)
    again = drift_of(clean.year, "MUON", clean.streams)
    np.testing.assert_array_equal(again.state.phase, clean.drift["MUON"].state.phase)
