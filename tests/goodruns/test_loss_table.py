"""Each lost lumisection is charged once, to the first defect met, and the charges add up."""

from __future__ import annotations

from typing import Any

import pytest

from certifier.accounts.models import System
from certifier.defects import services as defects
from certifier.goodruns import accounting, formats, services
from certifier.goodruns.loss_table import NOT_IN_TAG, NOT_SIGNED, OTHER, LossTable
from certifier.goodruns.models import GoodRunList
from certifier.runs import services as runs
from tests.goodruns import world
from tests.goodruns.world import REQUIRED

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def defined() -> None:
    world.make_defects()


def build(**options: Any) -> GoodRunList:
    return services.build_list(actor=None, name="list", **{"require": [REQUIRED], "signed_off": False, **options})


def loss(list_: GoodRunList, *flags: str) -> LossTable:
    return accounting.loss_of(list_, flags)


def lines(table: LossTable) -> dict[tuple[str, str], int]:
    return {(charge.system, charge.defect): charge.lost.lumisections for charge in table.charges}


def test_it_charges_each_lumisection_to_the_first_defect_met() -> None:
    world.make_run(1, 10, recorded=[1.0] * 10)
    world.record(1, "PIXEL_STANDBY", "1-4")
    world.record(1, "LAR_NOISEBURST", "3-6")
    world.record(1, "LAR_HVTRIP", "6-7")
    world.record(1, "LAR_TOLERABLE", "9")
    table = loss(build())
    # LAR comes before PIXEL, and HVTRIP before NOISEBURST.
    assert lines(table) == {
        ("LAR", "LAR_HVTRIP"): 2,
        ("LAR", "LAR_NOISEBURST"): 3,
        ("PIXEL", "PIXEL_STANDBY"): 2,
    }
    assert (table.selected.lumisections, table.good.lumisections, table.lost.lumisections) == (10, 3, 7)
    assert table.lost.recorded_inv_nb == pytest.approx(7.0)
    by_system = {system.system: system.lost.recorded_inv_nb for system in table.systems}
    assert by_system == {"LAR": pytest.approx(5.0), "PIXEL": pytest.approx(2.0)}


def test_it_follows_the_order_of_systems() -> None:
    pixel = System.objects.get(code="PIXEL")
    pixel.position = 1
    pixel.save()
    world.make_run(1, 4)
    world.record(1, "PIXEL_STANDBY", "1-2")
    world.record(1, "LAR_HVTRIP", "1-4")
    assert lines(loss(build())) == {("PIXEL", "PIXEL_STANDBY"): 2, ("LAR", "LAR_HVTRIP"): 2}


def test_it_tells_what_a_reprocessing_may_bring_back() -> None:
    world.make_run(1, 10, recorded=[2.0] * 10)
    world.record(1, "LAR_HVTRIP", "1-4", recoverable=True)
    world.record(1, "PIXEL_STANDBY", "3-6")
    world.record(1, "LAR_TOLERABLE", "1")
    table = loss(build())
    assert lines(table) == {("LAR", "LAR_HVTRIP"): 4, ("PIXEL", "PIXEL_STANDBY"): 2}
    # 3 and 4 are hit by an irrecoverable defect, too.
    assert table.recoverable.lumisections == 2
    assert table.recoverable.recorded_inv_nb == pytest.approx(4.0)
    assert table.systems[0].recoverable.lumisections == 2


def test_it_charges_what_no_defect_explains_to_the_missing_signature() -> None:
    world.make_run(1, 5)
    world.make_run(2, 5)
    world.sign(1, "PIXEL", "LAR")
    world.sign(2, "LAR")
    world.record(2, "LAR_HVTRIP", "1-2")
    table = loss(build(signed_off=True))
    assert lines(table) == {("LAR", "LAR_HVTRIP"): 2, ("PIXEL", NOT_SIGNED): 3}
    assert table.systems[1].not_signed_off.lumisections == 3
    assert table.recoverable.lumisections == 0


def test_it_charges_the_absence_that_makes_a_defect() -> None:
    new = defects.NewDefect(name="NOT_READY", system="LAR", expression="not LAR_TOLERABLE")
    defects.define_defects(actor=None, definitions=[new])
    world.make_run(1, 5)
    world.record(1, "LAR_TOLERABLE", "2-3", recoverable=True)
    table = loss(build(require=["NOT_READY"]))
    assert lines(table) == {("LAR", "!LAR_TOLERABLE"): 3}
    assert table.recoverable.lumisections == 0


def test_it_counts_only_where_conditions_held() -> None:
    world.make_run(1, 10)
    world.make_run(2, 5)
    runs.put_flags(actor=None, run=1, flags={"stable_beams": "2-8", "detector_ready": "1-6"})
    world.record(1, "LAR_HVTRIP", "1-3")
    table = loss(build(), "stable_beams", "detector_ready")
    assert table.selected.lumisections == 5
    assert lines(table) == {("LAR", "LAR_HVTRIP"): 2}
    assert table.good.lumisections == 3
    assert table.outside.lumisections == 9
    assert table.runs_without_flags == 1


def test_it_stays_what_it_was_when_more_is_entered_later() -> None:
    world.make_run(1, 10)
    world.record(1, "LAR_HVTRIP", "1-3")
    list_ = build()
    before = loss(list_)
    world.record(1, "LAR_HVTRIP", "1-3", present=False)
    world.record(1, "PIXEL_STANDBY", "all")
    defects.change_defect(actor=None, defect="EMBA", expression="LAR_TOLERABLE")
    world.make_run(2, 10)
    assert loss(list_) == before


def test_it_names_what_came_later_as_another_reason() -> None:
    world.make_run(1, 3)
    list_ = build()
    runs.put_lumisections(actor=None, run=1, columns={"duration_s": [60.0] * 5})
    assert lines(loss(list_)) == {("", OTHER): 2}


def test_it_says_what_is_not_part_of_the_tag() -> None:
    world.make_run(1, 4)
    world.make_run(2, 4)
    world.record(2, "LAR_HVTRIP", "all")
    tag = defects.create_tag(actor=None, name="first", runs="1")
    assert lines(loss(build(tag=tag))) == {("", NOT_IN_TAG): 4}


def test_it_counts_runs_without_lumisections() -> None:
    world.make_run(1, 0)
    world.make_run(2, 1)
    table = loss(build())
    assert (table.runs, table.runs_without_lumisections) == (2, 1)
    assert table.left_out[0].reason == "no lumisections are known"


def test_it_never_takes_missing_luminosity_for_none() -> None:
    world.make_run(1, 4, recorded=[5.0, None, None, 1.0])
    world.record(1, "LAR_HVTRIP", "2-3")
    world.record(1, "PIXEL_STANDBY", "4")
    table = loss(build())
    first, second = table.charges
    assert (first.lost.recorded_inv_nb, first.lost.missing) == (None, 2)
    assert second.lost.recorded_inv_nb == pytest.approx(1.0)
    assert table.lost.recorded_inv_nb == pytest.approx(1.0)
    assert (table.lost.lumisections, table.lost.recorded_lumisections) == (3, 1)


def test_it_charges_an_imported_list_with_what_is_intolerable_today() -> None:
    world.make_run(1, 10)
    world.record(1, "LAR_HVTRIP", "1-3")
    world.record(1, "LAR_TOLERABLE", "4")
    file = formats.read(b'{"1": [[5, 10]], "99": [[1, 2]]}')
    list_ = services.import_list(actor=None, name="golden", file=file, source="golden.json")
    table = loss(list_)
    assert not table.as_built
    assert lines(table) == {("LAR", "LAR_HVTRIP"): 3, ("", OTHER): 1}
    assert (table.runs, table.selected.lumisections) == (1, 10)
