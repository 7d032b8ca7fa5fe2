"""The year of the simulator: sizes, luminosity, pile-up, beam states and events as section 8 of the specification."""

from __future__ import annotations

import numpy as np
import pytest

from mlcore.errors import MlcoreError
from mlcore.simulate.machine import CROSS_SECTION, REVOLUTION, START, STOPS, Beam, Mode
from mlcore.simulate.streams import Streams
from mlcore.simulate.year import Year, simulate_year


@pytest.fixture(scope="module")
def year() -> Year:
    return simulate_year("m", 3)


def test_the_same_seed_gives_the_same_year_and_another_seed_another() -> None:
    first, again, other = simulate_year("s", 5), simulate_year("s", 5), simulate_year("s", 6)
    for name, values in first.columns().items():
        np.testing.assert_array_equal(values, again.columns()[name])
    assert len(other) != len(first) or not np.array_equal(other.conditions.events, first.conditions.events)


def test_streams_depend_on_their_name_and_on_nothing_that_was_drawn_before() -> None:
    streams = Streams(1)
    first = streams.of("labels", 7).random(3)
    streams.of("year").random(100)
    np.testing.assert_array_equal(Streams(1).of("labels", 7).random(3), first)
    assert streams.of("labels", "7").random() != first[0]
    assert streams.of("labels", 8).random() != first[0]


def test_small_years_have_forty_runs_of_60_to_200_lumisections() -> None:
    runs = simulate_year("s", 0).runs
    assert len(runs) == 40
    assert runs.lumisections.min() >= 60
    assert runs.lumisections.max() <= 200


def test_a_medium_year_has_300_runs_and_about_45000_lumisections(year: Year) -> None:
    assert len(year.runs) == 300
    assert len(year) == pytest.approx(45_000, rel=0.1)
    assert (np.diff(year.runs.number) > 0).all()
    assert (np.diff(year.conditions.time) > 0).all()


def test_pileup_is_luminosity_per_bunch_and_stays_in_its_range(year: Year) -> None:
    bunches = year.fills.bunches[year.fill_place]
    expected = year.conditions.pileup * bunches * REVOLUTION / CROSS_SECTION
    np.testing.assert_allclose(year.instantaneous, expected, rtol=1e-12)
    start = year.fills.pileup[(year.fills.mode == Mode.PROTONS) & ~year.fills.scan]
    assert 28 < start.min() < start.max() < 70
    assert np.median(start[-10:]) > np.median(start[:10]) + 10  # it grows over the year


def test_without_levelling_luminosity_falls_exponentially_with_the_lifetime_of_the_fill(year: Year) -> None:
    plain = np.flatnonzero((year.fills.mode == Mode.PROTONS) & (year.fills.levelled == 0) & ~year.fills.scan)
    for place in plain[:10]:
        rows = year.physics & (year.fill_place == place)
        hours = year.conditions.time[rows] / 3600
        if hours.size < 100:
            continue
        slope = np.polyfit(hours - hours[0], np.log(year.instantaneous[rows]), 1)[0]
        assert -1 / slope == pytest.approx(year.fills.lifetime[place], rel=0.05)


def test_levelled_fills_hold_their_luminosity_before_they_decay(year: Year) -> None:
    since = year.conditions.time - (year.fills.start + year.fills.before)[year.fill_place]
    held = year.physics & (since < 3600 * year.fills.levelled[year.fill_place] - 60) & (since > 600)
    assert held.sum() > 1000
    ratio = year.conditions.pileup[held] / year.fills.pileup[year.fill_place][held]
    assert np.abs(ratio - 1).max() < 0.03


def test_stable_beams_come_after_the_ramp_and_voltages_after_stable_beams(year: Year) -> None:
    for place in np.flatnonzero(year.fills.mode == Mode.PROTONS)[:20]:
        rows = year.fill_place == place
        beam = year.beam[rows]
        stable = np.flatnonzero(beam == Beam.STABLE)
        assert (np.diff(stable) == 1).all()
        assert (np.diff(beam[: stable[0] + 1]) >= 0).all()
        assert (beam[stable[-1] + 1 :] == Beam.NONE).all()
        assert not year.ready[rows][stable[0]]
        assert (year.conditions.pileup[rows][beam == Beam.NONE] == 0).all()


def test_events_lie_between_200_and_2000_in_physics_and_are_few_without_beam(year: Year) -> None:
    events, full = year.conditions.events, year.fills.bunches[year.fill_place] >= 1200
    low, high = np.percentile(events[year.physics & full], [1, 99])
    assert 150 < low < 700 < high < 2_000
    assert events.max() < 2_200
    assert events[(year.beam == Beam.NONE) & (year.mode == Mode.PROTONS)].mean() < 60


def test_nothing_is_taken_from_beam_during_stops_and_ions_come_last(year: Year) -> None:
    for first, last in STOPS:
        inside = (year.day > first + 1) & (year.day < last)
        assert (year.instantaneous[inside] == 0).all()
    protons, ions = year.day[year.mode == Mode.PROTONS], year.day[year.mode == Mode.IONS]
    assert protons.max() < ions.min()
    assert year.conditions.time[0] >= START


def test_scans_take_luminosity_away_and_are_flagged(year: Year) -> None:
    start = year.fills.pileup[year.fill_place]
    programme = year.fills.scan[year.fill_place]
    scanned = year.scan & ~programme & (year.mode == Mode.PROTONS)
    assert scanned.any()
    assert (year.conditions.pileup[scanned] < 0.95 * start[scanned]).mean() > 0.9
    assert programme.any()
    assert not year.physics[year.scan | programme].any()


def test_other_lumisection_lengths_scale_what_is_collected() -> None:
    atlas, cms = simulate_year("s", 2), simulate_year("s", 2, lumisection_seconds=23.3)
    ratio = cms.conditions.luminosity[cms.physics].mean() / atlas.conditions.luminosity[atlas.physics].mean()
    assert ratio == pytest.approx(23.3 / 60, rel=0.15)


def test_magnets_backgrounds_and_dead_time_vary(year: Year) -> None:
    assert 0 < (~year.toroid).mean() < 0.1
    assert year.toroid[year.physics].all()
    assert np.percentile(year.background[year.physics], 99.9) > 4 * np.median(year.background[year.physics])
    assert 0.9 < year.live[year.physics].mean() < 1.0
    assert year.prescale.max() == 5


def test_what_cannot_be_simulated_is_refused() -> None:
    with pytest.raises(MlcoreError, match="choose one of s, m, l"):
        simulate_year("xl", 0)
    for seconds in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(MlcoreError, match="more than 0"):
            simulate_year("s", 0, lumisection_seconds=seconds)
    with pytest.raises(MlcoreError, match="whole number from 0"):
        simulate_year("s", -1)
