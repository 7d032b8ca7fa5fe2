"""Defects of the simulator: how many, how strong, how long, where they show, and which are kept from training."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from mlcore.errors import MlcoreError
from mlcore.simulate.defects import PREVALENCES, Defect, plan_defects, touch_year, truth_of
from mlcore.simulate.elements import GLOBAL, SYSTEMS, elements
from mlcore.simulate.families import BY_NAME, FAMILIES, MULTI_RUN, SHORT, TO_END
from mlcore.simulate.machine import Mode
from mlcore.simulate.rates import ELEMENT as RATES
from mlcore.simulate.rates import NAMES
from mlcore.simulate.streams import Streams
from mlcore.simulate.world import PARTS, World, simulate
from mlcore.simulate.year import Year, simulate_year

NAMED = [
    "LAR_EMBA_HVTRIP",
    "LAR_NOISEBURST",
    "LAR_FEB_MISSING",
    "LAR_MINBOFF",
    "TILE_LBA_MODULE_OFF",
    "TILE_LBC_TIMING",
    "PIXEL_BARREL_DISABLED",
    "PIXEL_DESYNC",
    "SCT_MOD_OUT",
    "SCT_ROD_BUSY",
    "TRT_GAIN_SHIFT",
    "MDT_SECTOR_OFF",
    "RPC_STANDBY",
    "TGC_LAYER_HV",
    "TRIG_HLT_PRESCALE_WRONG",
    "TRIG_L1_CAL_HOT",
    "LUMI_VDM",
    "GLOBAL_BUSY",
    "ID_BS_SHIFT",
    "GLOBAL_SOLENOID_OFF",
]


@pytest.fixture(scope="module")
def world() -> World:
    return simulate("m", 1, prevalence="hard")


def _random(defects: tuple[Defect, ...]) -> list[Defect]:
    return [defect for defect in defects if defect.family.name != "LUMI_VDM"]


def test_there_are_the_twenty_families_each_with_a_system_and_where_it_shows() -> None:
    assert [family.name for family in FAMILIES] == NAMED
    for family in FAMILIES:
        assert family.system in (*SYSTEMS, GLOBAL)
        assert set(family.spoils) <= set(SYSTEMS)
        assert set(family.visible) <= {*elements(), RATES}
        assert family.visible or family.name in ("LUMI_VDM", "GLOBAL_BUSY")
    assert {family.name for family in FAMILIES if not family.intolerable} == {
        "TILE_LBA_MODULE_OFF", "SCT_MOD_OUT", "TRT_GAIN_SHIFT",
    }  # fmt: skip


@pytest.mark.parametrize("size", ["s", "m"])
@pytest.mark.parametrize("name", list(PREVALENCES))
def test_each_part_of_the_year_has_its_share_of_bad_lumisections(size: str, name: str) -> None:
    made = simulate(size, 4, prevalence=name)
    for part in PARTS:
        rows = made.split[part]
        share = made.truth[GLOBAL].bad[rows].mean()
        assert share == pytest.approx(PREVALENCES[name], abs=1.5 / rows.sum() + 0.002)


def test_strengths_are_spaced_evenly_in_their_logarithm_from_002_to_1(world: World) -> None:
    usual = [defect.strength for defect in _random(world.defects) if defect.family.strengths == (0.02, 1.0)]
    values, counts = np.unique(np.round(usual, 6), return_counts=True)
    assert values[0] == pytest.approx(0.02)
    assert values[-1] == pytest.approx(1.0)
    np.testing.assert_allclose(np.diff(np.log(values)), np.log(50) / (len(values) - 1), rtol=1e-3)
    assert counts.max() < 2.5 * counts.min()


def test_most_defects_are_short_some_last_to_the_end_of_the_run_a_few_for_several_runs(world: World) -> None:
    came = Counter(defect.duration for defect in _random(world.defects))
    total = sum(came.values())
    assert came[SHORT] / total == pytest.approx(0.6, abs=0.05)
    assert came[TO_END] / total == pytest.approx(0.3, abs=0.05)
    assert came[MULTI_RUN] / total == pytest.approx(0.1, abs=0.03)
    year = world.year
    for defect in _random(world.defects):
        places = np.unique(year.run_place[defect.rows])
        assert (len(places) > 1) == (defect.duration == MULTI_RUN)
        if defect.duration == SHORT:
            assert 1 <= defect.length <= 10
        if defect.duration == TO_END:
            rows = np.arange(*year.runs.rows(int(places[0])).indices(len(year)))
            assert not year.physics[rows[rows >= defect.stop]].any()
        assert defect.duration in defect.family.durations


def test_families_that_are_held_out_never_appear_before_the_test_part(world: World) -> None:
    held_out = {family.name for family in FAMILIES if family.unseen}
    assert held_out == {"LAR_MINBOFF", "SCT_ROD_BUSY", "RPC_STANDBY", "TRIG_L1_CAL_HOT"}
    first = np.flatnonzero(world.split["test"])[0]
    appeared = [defect for defect in world.defects if defect.family.unseen]
    assert {defect.family.name for defect in appeared} == held_out
    assert min(defect.start for defect in appeared) >= first
    for truth in world.truth.values():
        assert not truth.unseen[world.split["train"] | world.split["calibration"]].any()
    assert world.truth[GLOBAL].unseen[world.split["test"]].any()


def test_the_parts_are_chronological_with_one_run_between(world: World) -> None:
    places = [np.unique(world.year.run_place[world.split[part]]) for part in PARTS]
    with_physics = np.unique(world.year.run_place[world.year.physics])
    for before, after in pairwise(places):
        between = with_physics[(with_physics > before.max()) & (with_physics < after.min())]
        assert len(between) == 1
    assert not (world.split["train"] & ~world.year.physics).any()


def test_truth_names_the_strongest_intolerable_defect_of_each_system() -> None:
    year = simulate_year("s", 0)
    rows = np.flatnonzero(year.physics)[:40]
    start = int(rows[0])
    weak, strong = BY_NAME["TRT_GAIN_SHIFT"], BY_NAME["ID_BS_SHIFT"]
    defects = [Defect(0, weak, 1.0, SHORT, start, start + 8), Defect(1, strong, 0.1, SHORT, start + 4, start + 10)]
    truth = truth_of(year, defects)
    tracker = truth["TRACKER"]
    assert [FAMILIES[place].name for place in tracker.family[start : start + 10]] == [
        "TRT_GAIN_SHIFT"] * 4 + ["ID_BS_SHIFT"] * 6  # fmt: skip
    np.testing.assert_array_equal(tracker.bad[start : start + 11], [False] * 4 + [True] * 6 + [False])
    assert truth["PIXEL"].bad.sum() == 6
    assert not truth["ECAL"].bad.any()
    assert truth[GLOBAL].bad.sum() == 6
    assert tracker.strength[start + 5] == pytest.approx(0.1)


@pytest.mark.parametrize("name", [name for name in NAMED if BY_NAME[name].effects])
def test_a_defect_changes_every_element_that_it_is_visible_in_and_no_other_lumisection(name: str) -> None:
    family = BY_NAME[name]
    year = simulate_year("s", 2)
    run = int(year.run_place[np.flatnonzero(year.physics)[300]])
    start = int(np.flatnonzero(year.physics & (year.run_place == run))[3])
    defects = (Defect(0, family, 1.0, SHORT, start, start + 6),)
    changed = World(
        year=year, prevalence=0.1, defects=defects, truth=truth_of(year, defects), labels={}, split={},
        streams=Streams(2),
    )  # fmt: skip
    within = np.arange(start, start + 6) - year.runs.first[run]
    for element in family.visible:
        if element == RATES:
            continue
        bad, good = changed.expected(element, run), changed.expected(element, run, healthy=True)
        touched = np.flatnonzero((bad != good).reshape(len(bad), -1).any(axis=1))
        np.testing.assert_array_equal(touched, within, err_msg=element)
        # At full strength each element that names it moves by more than its own Poisson noise.
        chi2 = ((bad - good) ** 2 / np.maximum(good, 0.1)).reshape(len(bad), -1).sum(axis=1)[within]
        assert chi2.max() > 8, element
        assert (bad >= 0).all()
    for element in set(elements()) - set(family.visible):
        assert changed.expected(element, run) is not None


def test_a_busy_read_out_loses_events_and_luminosity_and_a_magnet_that_is_off_is_flagged() -> None:
    year: Year = simulate_year("s", 3)
    start = int(np.flatnonzero(year.physics)[50])
    busy = Defect(0, BY_NAME["GLOBAL_BUSY"], 1.0, SHORT, start, start + 5)
    magnet = Defect(1, BY_NAME["GLOBAL_SOLENOID_OFF"], 1.0, TO_END, start + 20, start + 40)
    after = touch_year(year, [busy, magnet], Streams(3))
    assert (after.conditions.events[busy.rows] < 0.5 * year.conditions.events[busy.rows]).all()
    assert (after.conditions.luminosity[busy.rows] < 0.5 * year.conditions.luminosity[busy.rows]).all()
    assert not after.solenoid[magnet.rows].any()
    others = np.ones(len(year), dtype=bool)
    others[busy.rows] = False
    np.testing.assert_array_equal(after.conditions.events[others], year.conditions.events[others])
    assert after.solenoid[: magnet.start].all()


def test_scans_are_recorded_and_lie_outside_of_physics(world: World) -> None:
    scans = [defect for defect in world.defects if defect.family.name == "LUMI_VDM"]
    assert scans
    for scan in scans:
        assert world.year.scan[scan.rows].all()
        assert not world.year.physics[scan.rows].any()
    assert world.year.scan[world.year.mode == Mode.PROTONS].sum() == sum(scan.length for scan in scans)


def test_a_wrong_prescale_changes_its_chains_and_a_hot_tower_its_items() -> None:
    rng, rows = np.random.default_rng(0), slice(1, 3)
    rates = np.full((4, len(NAMES)), 100.0)
    wrong = BY_NAME["TRIG_HLT_PRESCALE_WRONG"].effects[RATES](None, 1.0, 5, rng).apply(rates, rows, rng)
    np.testing.assert_allclose(wrong[1:3, NAMES.index("HLT_mu26_iso")], 10.0)
    np.testing.assert_array_equal(wrong[[0, 3]], rates[[0, 3]])
    hot = BY_NAME["TRIG_L1_CAL_HOT"].effects[RATES](None, 1.0, 5, rng).apply(rates, rows, rng)
    np.testing.assert_allclose(hot[1:3, NAMES.index("L1_EM22VHI")], 400.0)
    np.testing.assert_allclose(hot[1:3, NAMES.index("HLT_e26_tight")], 130.0)
    np.testing.assert_allclose(hot[1:3, NAMES.index("HLT_mu50")], 100.0)


@pytest.mark.parametrize("prevalence", [0.0, -0.1, 0.7])
def test_a_prevalence_that_cannot_be_is_refused(prevalence: float) -> None:
    year = simulate_year("s", 0)
    with pytest.raises(MlcoreError, match=r"above 0 and up to 0\.5"):
        plan_defects(year, [(year.physics, True)], prevalence, Streams(0))
