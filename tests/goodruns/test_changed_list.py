"""What an entry would do to the next list that is built by the rule of the current one."""

from __future__ import annotations

import pytest

from certifier.defects.effects import change_of
from certifier.defects.entry_input import NewEntry
from certifier.goodruns import services
from certifier.goodruns.changed_list import ListEffect, effect_on_current_list
from certifier.runs.models import Run
from certifier.runs.profile import profile_of
from tests.web import experiment
from tests.web.experiment import MAIN, RUN

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(systems: object) -> Run:
    experiment.define()
    run = experiment.take()
    experiment.record("LAR_DATACORRUPT", "11-15")
    return run


def publish(name: str = "first", **asked: object) -> None:
    services.build_list(actor=None, name=name, require=[MAIN], signed_off=False, **asked)  # type: ignore[arg-type]


def effect(run: Run, lumisections: str, **payload: bool) -> ListEffect | None:
    entry = NewEntry(run=RUN, defect="LAR_DATACORRUPT", lumisections=lumisections, **payload)  # type: ignore[arg-type]
    return effect_on_current_list(change_of(run, [entry]), profile_of(run))


def test_without_a_list_there_is_nothing_to_say(run: Run) -> None:
    assert effect(run, "1-20") is None


def test_it_loses_what_it_holds_and_no_more(run: Run) -> None:
    publish()
    found = effect(run, "9-20")
    assert found is not None
    assert (str(found.holds), str(found.loses), str(found.gains)) == ("1-10 16-100", "9-10 16-20", "")
    assert (found.holds_inv_nb, found.loses_inv_nb) == (950.0, 70.0)


def test_it_may_gain_what_becomes_fit(run: Run) -> None:
    publish()
    found = effect(run, "1-12", present=False)
    assert found is not None
    assert (str(found.loses), str(found.gains), found.gains_inv_nb) == ("", "11-12", 20.0)


def test_what_the_list_ignores_costs_it_nothing(run: Run) -> None:
    publish(ignore=["LAR_DATACORRUPT"])
    found = effect(run, "20-30")
    assert found is not None
    assert not found.loses
    assert not found.gains


def test_a_run_outside_the_list_has_nothing_to_lose(run: Run) -> None:
    publish(runs="1-2")
    found = effect(run, "20-30")
    assert found is not None
    assert not found.holds
    assert not found.loses
