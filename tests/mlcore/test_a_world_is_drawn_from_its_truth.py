"""Histograms of the simulated world: Poisson around a known expectation, the same in any order, drawn when needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlcore.errors import MlcoreError
from mlcore.simulate.defects import Defect
from mlcore.simulate.elements import GLOBAL, SYSTEMS, elements
from mlcore.simulate.families import BY_NAME, SHORT
from mlcore.simulate.machine import Mode
from mlcore.simulate.rates import CHAINS, DISPERSION, ITEMS, NAMES, PARENT, TriggerRates
from mlcore.simulate.world import World, simulate


@pytest.fixture(scope="module")
def world() -> World:
    return simulate("s", 7)


def _good_runs(world: World, count: int) -> list[int]:
    """Runs of nothing but protons in which something good is to be seen."""
    usable = world.year.physics & (world.truth[GLOBAL].family < 0)
    runs = [place for place in range(len(world.year.runs)) if usable[world.year.runs.rows(place)].sum() > 30]
    return runs[:: max(len(runs) // count, 1)][:count]


def test_there_are_four_maps_and_thirty_histograms_of_a_hundred_bins() -> None:
    known = elements().values()
    assert sum(element.is_map for element in known) == 4
    shapes = [element for element in known if not element.is_map]
    assert len(shapes) == 30
    assert all(element.axes[0].bins == 100 for element in shapes)
    assert {element.system for element in known} == set(SYSTEMS)


@pytest.mark.parametrize("element", list(elements()))
def test_chi_square_of_good_lumisections_is_that_of_poisson(world: World, element: str) -> None:
    found, weight = [], []
    for place in _good_runs(world, 4):
        rows = world.year.runs.rows(place)
        good = world.year.physics[rows] & (world.truth[GLOBAL].family[rows] < 0)
        counts = world.block(element, [place]).counts[good].astype(np.float64)
        expected = world.expected(element, place)[good]
        enough = expected > 5
        found.append((((counts - expected) ** 2 / np.where(enough, expected, 1.0)) * enough).sum())
        weight.append(enough.sum())
    assert sum(weight) > 5_000
    # The spread of the mean of m squares of pulls is sqrt(2 / m): 0.02 at 5,000 bins, and more of them in all others.
    assert sum(found) / sum(weight) == pytest.approx(1.0, abs=max(0.03, 4 * np.sqrt(2 / sum(weight))))


def test_a_run_drawn_alone_is_the_run_of_the_whole_year(world: World) -> None:
    for element in ("Strips/charge", "DriftTubes/MB2/occupancy"):
        alone, several = world.block(element, [5]), world.block(element, [9, 5])
        rows = slice(int(world.year.runs.lumisections[9]), None)
        np.testing.assert_array_equal(alone.counts, several.counts[rows])
        np.testing.assert_array_equal(alone.conditions.key, several.conditions.key[rows])
    np.testing.assert_array_equal(world.rates([5]).values, world.rates([9, 5]).values[rows])


def test_the_same_seed_gives_the_same_world_and_another_seed_another(world: World) -> None:
    again, other = simulate("s", 7), simulate("s", 8)
    assert [defect.start for defect in again.defects] == [defect.start for defect in world.defects]
    first, second = world.block("Rpc/time", [3]), again.block("Rpc/time", [3])
    np.testing.assert_array_equal(first.counts, second.counts)
    assert not np.array_equal(other.block("Rpc/time", [3]).counts[:20], first.counts[:20])


def test_detectors_see_the_pileup_and_not_what_models_were_given(world: World) -> None:
    block = world.block("Strips/charge")
    np.testing.assert_array_equal(block.conditions.pileup, world.conditions.pileup)
    assert (world.year.activity[world.year.mode == Mode.IONS] <= 12.0).all()


def test_histograms_have_thousands_of_entries_in_good_lumisections(world: World) -> None:
    usable = world.year.physics & (world.conditions.events > 700) & (world.truth[GLOBAL].family < 0)
    for name in ("Strips/charge", "Tracking/vertexZ", "EcalBarrel/time", "JetMET/METSig"):
        assert 2_000 < np.median(world.block(name).totals[usable]) < 20_000


def test_the_barrel_has_350_counts_per_tower_in_500_events_at_a_pileup_of_50(world: World) -> None:
    block = world.block("EcalBarrel/occupancy", _good_runs(world, 6))
    rows = world.rows(_good_runs(world, 6))
    conditions = block.conditions
    good = world.year.physics[rows] & (world.truth["ECAL"].family[rows] < 0)
    per_event = block.totals / 2448 / np.maximum(conditions.events, 1)
    line = np.polyfit(conditions.pileup[good], per_event[good] * 500, 1)
    assert np.polyval(line, 50.0) == pytest.approx(345, rel=0.1)


def test_without_collisions_next_to_nothing_is_filled(world: World) -> None:
    block = world.block("EcalBarrel/time", [0])
    dark = (world.conditions.pileup == 0)[world.year.runs.rows(0)]
    assert dark.any()
    assert block.totals[dark].max() < 0.3 * block.totals[~dark].mean()


def test_blocks_are_looked_up_by_element_and_iterated_one_at_a_time(world: World) -> None:
    assert len(world.blocks) == 34
    assert list(world.blocks) == list(elements())
    name, block = next(iter(world.blocks.items()))
    assert (name, len(block)) == ("EcalBarrel/occupancy", len(world.year))
    with pytest.raises(KeyError):
        world.blocks["Nothing/here"]


def test_tables_hold_the_shape_of_each_histogram_and_the_rates_of_the_trigger(world: World) -> None:
    ecal = world.table("ECAL", [2, 3])
    assert ecal.values.shape == (int(world.year.runs.lumisections[[2, 3]].sum()), 5 * 8)
    trigger = world.table("TRIG", [2])
    assert trigger.values.shape[1] == 2 * 8 + len(NAMES)
    assert trigger.names[-1] == "HLT_mb_sptrk"
    np.testing.assert_array_equal(trigger.conditions.key, world.conditions.select(world.rows([2])).key)


def test_rates_scatter_as_a_negative_binomial_and_chains_follow_their_item(world: World) -> None:
    model = TriggerRates(world.streams)
    row = int(np.flatnonzero(world.year.physics & (world.truth[GLOBAL].family < 0))[60])
    rows = np.full(4000, row)
    expected = model.expected(world.year, rows)
    # Conditions refuse a lumisection that comes twice, so the draws are made one by one of the same expectation.
    seconds = world.year.live[row] * 60.0
    rng = np.random.default_rng(0)
    excess = rng.gamma(DISPERSION, 1 / DISPERSION, (4000, len(ITEMS)))
    assert excess.std() == pytest.approx(1 / np.sqrt(DISPERSION), rel=0.02)
    drawn = model.draw(world.year, slice(0, len(world.year)), rng, expected=model.expected(world.year, slice(None)))
    ratio = drawn.values[world.year.physics] / model.expected(world.year, slice(None))[world.year.physics]
    place = NAMES.index("L1_EM22VHI")
    counts = expected[0, place] * seconds
    assert ratio[:, place].mean() == pytest.approx(1.0, abs=0.01)
    assert ratio[:, place].std() == pytest.approx(np.sqrt(1 / counts + 1 / DISPERSION), rel=0.06)
    child, stranger = NAMES.index("HLT_2mu6_bJpsi"), NAMES.index("HLT_mu26_iso")
    item = NAMES.index("L1_2MU6")
    assert np.corrcoef(ratio[:, item], ratio[:, child])[0, 1] > 0.5
    assert abs(np.corrcoef(ratio[:, item], ratio[:, stranger])[0, 1]) < 0.1
    assert all(NAMES[PARENT[len(ITEMS) + place]] == chain.seed for place, chain in enumerate(CHAINS))


def test_rates_are_quadratic_in_pileup_between_prescale_steps(world: World) -> None:
    year = world.year
    fill = year.fill_place[np.flatnonzero(year.physics)[800]]
    rows = np.flatnonzero(year.physics & (year.fill_place == fill))
    expected = TriggerRates(world.streams).expected(year, rows)
    mu, place = year.conditions.pileup[rows], NAMES.index("L1_XE50")
    item = ITEMS[place]
    share = year.fills.bunches[fill] / 2400
    shape = share * (item.linear * mu + item.quadratic * mu**2) + item.floor + item.background * year.background[rows]
    ratio = expected[:, place] / shape
    assert np.ptp(ratio) / ratio.mean() < 0.2  # a new menu in the middle of a fill is all that may change
    support = NAMES.index("L1_EM3")
    steps = np.flatnonzero(np.diff(year.prescale[rows]))
    assert (expected[steps + 1, support] > 1.1 * expected[steps, support]).all()


def test_significance_is_what_the_best_observer_sees(world: World) -> None:
    place = _good_runs(world, 3)[1]
    start = int(np.flatnonzero(world.year.physics & (world.year.run_place == place))[10])
    defect = Defect(0, BY_NAME["ID_BS_SHIFT"], 0.05, SHORT, start, start + 6)
    planted = replace(world, defects=(defect,))
    seen = planted.significance(place, ["Tracking/vertexZ"])
    first = start - int(world.year.runs.first[place])
    inside = np.zeros(len(seen), dtype=bool)
    inside[first : first + 6] = True
    assert (seen[inside] > 0).all()
    assert (seen[~inside] == 0).all()
    # The likelihood ratio of the known shift is normal, and its mean moves by just that many standard deviations.
    row = int(np.argmax(seen))
    good = planted.expected("Tracking/vertexZ", place, healthy=True)[row]
    bad = planted.expected("Tracking/vertexZ", place)[row]
    used = good > 1e-6
    weight = (bad - good)[used] / good[used]
    rng = np.random.default_rng(0)
    healthy = rng.poisson(good[used], (4000, used.sum())) @ weight
    assert ((bad[used] @ weight) - healthy.mean()) / healthy.std() == pytest.approx(seen[row], rel=0.05)
    assert (planted.significance(place)[inside] > seen[inside]).all()  # other elements see it too


def test_what_does_not_exist_is_named(world: World) -> None:
    with pytest.raises(MlcoreError, match="no element 'EcalBarrel/nothing'"):
        world.block("EcalBarrel/nothing")
    with pytest.raises(MlcoreError, match="no system 'LUNAR'"):
        world.table("LUNAR", [0])
    with pytest.raises(MlcoreError, match="places of runs from 0 to 39"):
        world.block("Rpc/time", [40])
    with pytest.raises(MlcoreError, match="at least one"):
        world.block("Rpc/time", [])
    with pytest.raises(MlcoreError, match="usual, hard, clean"):
        simulate("s", 0, prevalence="often")
