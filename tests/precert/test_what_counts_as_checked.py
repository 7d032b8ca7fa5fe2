"""Where the word of a machine counts as that of a person: mode auto, a live guarantee, verdict good, nothing since."""

from __future__ import annotations

import pytest

from certifier.accounts.models import System, User
from certifier.lumi import LumiSet
from certifier.precert import services
from certifier.precert.models import ModelVersion, Scoring
from certifier.precert.selectors import checked_by_machine, verdicts_of_run
from certifier.runs import services as runs
from tests.precert import world
from tests.precert.world import BULK, RUN

pytestmark = pytest.mark.django_db


@pytest.fixture
def version(lar: System, chi: User) -> ModelVersion:
    """The champion of LAR, in auto."""
    version = world.champion(lar)
    services.set_mode(actor=chi, system=lar, mode="auto", reason="The audit of four weeks found nothing.")
    return version


def checked(*systems: System) -> LumiSet:
    found = checked_by_machine([world.run_named()], systems).get(RUN, {})
    return found[systems[0].pk].checked if systems[0].pk in found else LumiSet()


def test_it_is_where_it_is_good_and_nowhere_else(lar: System, pixel: System, version: ModelVersion) -> None:
    scoring = world.score(version, world.take(system=lar, noise="5-9"))
    assert checked(lar, pixel) == scoring.good
    assert checked(pixel, lar) == LumiSet()


@pytest.mark.parametrize("mode", ["assist", "stopped"])
def test_it_is_nowhere_in_another_mode(lar: System, chi: User, version: ModelVersion, mode: str) -> None:
    world.score(version, world.take(system=lar))
    assert checked(lar)
    services.set_mode(actor=chi, system=lar, mode=mode, reason="x")
    assert checked(lar) == LumiSet()


def test_it_is_nowhere_without_a_live_guarantee(lar: System, chi: User, version: ModelVersion) -> None:
    dataset = world.take(system=lar)
    world.score(version, dataset)
    timid = world.register(lar, folder=world.timid_folder())
    services.promote(actor=chi, version=timid)
    world.score(timid, dataset)
    assert checked(lar) == LumiSet()
    services.roll_back(actor=chi, system=lar, reason="It promises nothing.")
    assert checked(lar)
    services.pause(actor=chi, system=lar, reason="x")
    assert checked(lar) == LumiSet()


def test_it_is_nowhere_before_the_champion_has_scored(lar: System, chi: User, version: ModelVersion) -> None:
    world.score(version, world.take(system=lar))
    services.promote(actor=chi, version=world.register(lar, another=1))
    assert checked(lar) == LumiSet()


def test_it_is_nowhere_once_something_came_that_nobody_scored(lar: System, version: ModelVersion) -> None:
    dataset = world.take(system=lar)
    world.score(version, dataset)
    world.send(system=lar, noise="5-9")
    assert checked(lar) == LumiSet()
    world.score(version, dataset)
    assert checked(lar)
    runs.put_run(actor=None, run=RUN, facts={"lumisections": 41})
    assert checked(lar) == LumiSet()


def test_the_furthest_processing_counts_and_a_fresh_one_takes_the_word_away(lar: System, version: ModelVersion) -> None:
    world.score(version, world.take(system=lar))
    bulk = world.take(system=lar, dataset=BULK, stage="bulk", noise="5-9")
    assert checked(lar) == LumiSet()
    world.score(version, bulk)
    good = checked(lar)
    assert good == Scoring.objects.get(dataset=bulk).good
    # Whatever happens to the prompt processing then.
    world.send(system=lar, noise="1-20")
    assert checked(lar) == good


def test_verdicts_are_a_partition_of_the_run_also_when_it_has_grown(lar: System, version: ModelVersion) -> None:
    world.score(version, world.take(system=lar, noise="5-9"))
    runs.put_run(actor=None, run=RUN, facts={"lumisections": 50})
    (verdict,) = verdicts_of_run(world.run_named(), version=version)
    assert (verdict.is_stale, verdict.unscored, len(verdict.scores)) == (True, LumiSet.parse("41-50"), 50)
    assert len(verdict.good) + len(verdict.bad) + len(verdict.unsure) == 40
    assert verdict.scores[40:] == [None] * 10


def test_a_version_can_be_asked_by_name(lar: System, version: ModelVersion) -> None:
    dataset = world.take(system=lar)
    other = world.register(lar, another=1)
    scoring = world.score(other, dataset)
    (verdict,) = verdicts_of_run(world.run_named(), version=other)
    assert (verdict.version, verdict.scoring, verdict.checked) == (other, scoring, LumiSet())
    by_system = {verdict.system: verdict for verdict in verdicts_of_run(world.run_named())}
    assert by_system[lar].unscored == LumiSet.whole(40)
