"""Summaries follow the change feed, and can always be computed again."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from certifier.defects import services as defects
from certifier.defects.logic_at import logic_at
from certifier.goodruns import formats, selectors, services
from certifier.goodruns.known import luminosity_known
from certifier.goodruns.main_defect import main_virtual_defect
from certifier.goodruns.models import ListLuminosity, RunSummary, SummaryWatermark
from certifier.goodruns.summaries import refresh_summaries
from certifier.goodruns.tasks import refresh_summaries as task
from certifier.runs import services as runs
from tests import cast
from tests.goodruns import world
from tests.goodruns.world import REQUIRED

pytestmark = pytest.mark.django_db


@pytest.fixture
def defined() -> None:
    world.make_defects()


def of(number: int) -> RunSummary:
    return RunSummary.objects.get(run__number=number)


def test_it_sums_a_run_up(defined: None) -> None:
    world.make_run(1, 5, recorded=[1.0, 2.0, 4.0, None, 8.0])
    world.record(1, "LAR_HVTRIP", "2-3")
    world.record(1, "LAR_TOLERABLE", "5")
    world.record(1, "PIXEL_STANDBY", "1", present=False)
    world.sign(1, "LAR", "PIXEL")
    refresh_summaries()
    summary = of(1)
    assert (str(summary.good), summary.required) == ("1 4-5", REQUIRED)
    assert summary.recorded_inv_nb == pytest.approx(15.0)
    assert summary.good_inv_nb == pytest.approx(9.0)
    assert (summary.defect_count, summary.intolerable_count) == (2, 1)
    assert (summary.signed_systems, summary.open_systems) == (2, 0)


def test_it_calls_nothing_good_before_all_have_signed(defined: None) -> None:
    world.make_run(1, 5, recorded=[1.0] * 5)
    world.make_run(2, 5)
    world.sign(1, "LAR")
    refresh_summaries()
    assert (str(of(1).good), of(1).good_inv_nb) == ("", 0.0)
    assert (of(1).signed_systems, of(1).open_systems) == (1, 1)
    assert of(2).good_inv_nb is None


def test_it_looks_only_at_what_has_changed(defined: None) -> None:
    world.make_run(1, 5)
    world.make_run(2, 5)
    assert refresh_summaries().runs == 2
    assert refresh_summaries().runs == 0
    world.record(2, "LAR_HVTRIP", "2-3")
    world.sign(1, "LAR")
    assert refresh_summaries().runs == 2
    world.record(2, "LAR_HVTRIP", "4")
    assert task() == {"runs": 1, "lists": 0}
    assert of(2).sequence > of(1).sequence


def test_it_follows_the_definitions(defined: None) -> None:
    world.make_run(1, 5)
    world.sign(1, "LAR", "PIXEL")
    world.record(1, "LAR_TOLERABLE", "2")
    refresh_summaries()
    assert str(of(1).good) == "1-5"
    defects.change_defect(actor=None, defect="EMBA", expression="LAR_TOLERABLE")
    assert refresh_summaries().runs == 1
    assert str(of(1).good) == "1 3-5"
    cast.make_system("TILE")
    assert refresh_summaries().runs == 1
    assert of(1).open_systems == 1


def test_it_is_not_disturbed_by_definitions_that_do_not_matter(defined: None) -> None:
    world.make_run(1, 5)
    refresh_summaries()
    defects.define_defect(actor=None, name="LAR_OTHER", system="LAR")
    assert refresh_summaries().runs == 0


def test_it_never_writes_over_a_later_summary(defined: None) -> None:
    world.make_run(1, 5)
    refresh_summaries()
    RunSummary.objects.update(sequence=10**6, defect_count=77)
    SummaryWatermark.objects.update(sequence=0)
    world.record(1, "LAR_HVTRIP", "2-3")
    assert refresh_summaries().runs == 0
    assert of(1).defect_count == 77


def test_it_works_in_an_empty_house() -> None:
    assert refresh_summaries().runs == 0
    cast.make_run(1, 5)
    assert refresh_summaries().runs == 1
    assert (of(1).required, str(of(1).good)) == ("", "")


def test_it_knows_the_main_virtual_defect(defined: None) -> None:
    assert main_virtual_defect(logic_at()) == REQUIRED
    world.make_run(1, 5)
    services.build_list(actor=None, name="calo", require=["EMBA"], signed_off=False)
    assert main_virtual_defect(logic_at()) == "EMBA"
    defects.change_defect(actor=None, defect="EMBA", name="EMB")
    assert main_virtual_defect(logic_at()) == REQUIRED


def test_it_keeps_todays_luminosity_of_lists() -> None:
    list_ = services.import_list(actor=None, name="golden", file=formats.read(b'{"1": [[2, 3]]}'), source="golden.json")
    assert list_.recorded_inv_nb is None
    world.make_run(1, 5, recorded=[1.0, 2.0, 4.0, 8.0, 16.0])
    known = luminosity_known(selectors.find_list(list_.pk))
    assert known.recorded_inv_nb == pytest.approx(6.0)
    assert ListLuminosity.objects.get().recorded_inv_nb is None
    assert refresh_summaries().lists == 1
    noted = selectors.noted_luminosity(selectors.find_list(list_.pk))
    assert noted is not None
    assert noted.recorded_inv_nb == pytest.approx(6.0)
    assert noted.recorded_lumisections == 2
    assert refresh_summaries().lists == 0
    runs.put_lumisections(actor=None, run=1, columns={"recorded_inv_nb": [3.0]}, first=2)
    assert refresh_summaries().lists == 1


@pytest.mark.parametrize("arguments", [[], ["--all"]])
def test_the_command_says_what_it_did(defined: None, arguments: list[Any]) -> None:
    world.make_run(1, 5)
    out = StringIO()
    call_command("refresh_summaries", *arguments, stdout=out)
    assert out.getvalue() == "1 runs and 0 lists brought up to date.\n"
