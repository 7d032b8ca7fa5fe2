"""A loss table that was reckoned beforehand says what one reckoned now would say, or is not used."""

from __future__ import annotations

import json
from typing import Any

import pytest

from certifier.accounts.models import System
from certifier.goodruns import accounting, known, selectors, services
from certifier.goodruns.loss_table import LossTable
from certifier.goodruns.models import GoodRunList, ListLoss
from certifier.goodruns.summaries import refresh_summaries
from certifier.runs import services as runs
from tests.goodruns import world
from tests.goodruns.world import REQUIRED

pytestmark = pytest.mark.django_db


@pytest.fixture
def list_() -> GoodRunList:
    world.make_defects()
    world.make_run(1, 10, recorded=[1.0, None] * 5)
    world.make_run(2, 5)
    world.make_run(3, 5)
    world.record(1, "LAR_HVTRIP", "1-4", recoverable=True)
    world.record(1, "PIXEL_STANDBY", "4-6")
    world.sign(1, "LAR", "PIXEL")
    return services.build_list(actor=None, name="list", require=[REQUIRED], runs="1-2")


def spoil(list_: GoodRunList) -> None:
    """So that it shows when the noted table is used."""
    noted = ListLoss.objects.get(list=list_)
    noted.table["runs"] = 77
    noted.save()


def loss_known(list_: GoodRunList, flags: tuple[str, ...] = ()) -> LossTable:
    """As a page reads it: the list and what was noted of it together."""
    return known.loss_known(selectors.find_lists(list_.pk, with_tables=True)[0], flags)


def test_it_notes_what_is_true(list_: GoodRunList) -> None:
    table = accounting.loss_of(list_)
    assert LossTable.from_json(json.loads(json.dumps(table.to_json())), table.left_out) == table
    refresh_summaries()
    assert loss_known(list_) == table
    spoil(list_)
    assert loss_known(list_).runs == 77


def test_it_does_not_use_it_for_another_question(list_: GoodRunList) -> None:
    refresh_summaries()
    spoil(list_)
    assert loss_known(list_, ("stable_beams",)).runs == 2


@pytest.mark.parametrize(
    ("run", "used"),
    [(1, False), (2, False), (3, True)],
)
def test_it_reckons_anew_when_one_of_its_runs_was_written(list_: GoodRunList, run: int, used: bool) -> None:
    refresh_summaries()
    spoil(list_)
    runs.put_lumisections(actor=None, run=run, columns={"recorded_inv_nb": [5.0] * 5})
    assert (loss_known(list_).runs == 77) is used
    refresh_summaries()
    assert (loss_known(list_).runs == 77) is used
    assert loss_known(list_) == accounting.loss_of(list_) or used


def test_it_reckons_anew_when_the_systems_are_put_in_another_order(list_: GoodRunList) -> None:
    refresh_summaries()
    spoil(list_)
    pixel: Any = System.objects.get(code="PIXEL")
    pixel.position = 1
    pixel.save()
    assert loss_known(list_).runs == 2
    refresh_summaries()
    assert loss_known(list_) == accounting.loss_of(list_)


def test_it_goes_on_holding_when_others_are_written(list_: GoodRunList) -> None:
    refresh_summaries()
    first = ListLoss.objects.get(list=list_).sequence
    world.record(3, "LAR_HVTRIP", "1")
    refresh_summaries()
    assert ListLoss.objects.get(list=list_).sequence > first
