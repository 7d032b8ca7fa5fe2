"""The generated machine behaves like one: what a physicist would check first."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from certifier.demo import world
from certifier.lumi import LumiSet


@pytest.fixture(scope="module")
def runs() -> list[world.WorldRun]:
    return list(world.runs())


@pytest.fixture(scope="module")
def measured(runs: list[world.WorldRun]) -> list[world.WorldRun]:
    return [run for run in runs if run.last]


def test_it_is_the_same_every_time(runs: list[world.WorldRun]) -> None:
    np.random.seed(1)  # noqa: NPY002  # nothing of it may depend on the generator everybody shares
    for one, again in zip(runs, world.runs(), strict=True):
        assert one.number == again.number
        assert np.array_equal(one.recorded, again.recorded)
        assert one.flags == again.flags
        assert one.attributes == again.attributes


def test_it_has_thirty_runs_in_three_periods(runs: list[world.WorldRun]) -> None:
    numbers = [run.number for run in runs]
    assert len(numbers) == 30
    assert numbers == sorted(set(numbers))
    assert {run.fill.period for run in runs} == {"K", "L", "M"}
    assert len({run.fill.number for run in runs}) == 13


def test_it_has_a_short_a_long_an_empty_and_an_unfinished_run(runs: list[world.WorldRun]) -> None:
    lengths = {run.number: run.last for run in runs}
    assert lengths[350026] == 40
    assert lengths[350440] == 1496
    assert [number for number, last in lengths.items() if not last] == [world.WITHOUT_LUMISECTIONS]
    assert [run.number for run in runs if run.ended_at is None] == [world.STILL_GOING]


def test_it_takes_one_run_after_the_other_until_the_world_ends(runs: list[world.WorldRun]) -> None:
    for before, after in pairwise(runs):
        assert before.ended_at is not None
        assert before.started_at < before.ended_at <= after.started_at
    assert runs[-1].started_at < world.END_OF_WORLD


def test_it_records_less_than_is_delivered(measured: list[world.WorldRun]) -> None:
    for run in measured:
        assert (run.recorded <= run.delivered).all()
        assert 0.8 < run.recorded.sum() / run.delivered.sum() < 0.99


def test_it_keeps_pile_up_between_the_ends_of_a_fill(measured: list[world.WorldRun]) -> None:
    for run in measured:
        stable = run.flags["stable_beams"].to_mask(run.last)
        assert run.pileup[stable].max() < 60
        assert run.pileup[stable].min() > 18


def test_it_levels_then_decays(measured: list[world.WorldRun]) -> None:
    run = next(run for run in measured if run.number == 350440)
    start = run.ready.first or 0
    assert run.pileup[start : start + 60].std() < 1.0
    assert run.pileup[1300:1400].mean() < 0.5 * run.pileup[start : start + 60].mean()


def test_it_has_luminosity_that_follows_from_pile_up(measured: list[world.WorldRun]) -> None:
    for run in measured:
        expected = world.luminosity(run.pileup, run.fill.bunches, run.duration_s)
        assert np.allclose(run.delivered, expected, rtol=1e-3, atol=0.05)


def test_it_is_ready_only_while_beams_are_stable(measured: list[world.WorldRun]) -> None:
    for run in measured:
        stable, ready, physics = (run.flags[name] for name in ("stable_beams", "atlas_ready", "physics_prescale"))
        assert physics <= ready <= stable <= LumiSet.whole(run.last)


def test_it_gives_the_known_run_its_known_size(measured: list[world.WorldRun]) -> None:
    run = next(run for run in measured if run.number == world.SHOWCASE)
    assert run.last == 719
    assert run.fill.number == 6688
    assert str(run.ready) == "65-717"
    assert run.recorded.sum() == pytest.approx(58_300, rel=0.005)
