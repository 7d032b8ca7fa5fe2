"""The efficiency table: by period and system, the share of recorded luminosity that is good, as counting would say."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certifier.goodruns import accounting, services
from certifier.goodruns.accounting import Behind, Case
from certifier.goodruns.efficiency import Efficiency, efficiency_in
from certifier.goodruns.efficiency_table import csv_of
from certifier.goodruns.facts import RunRow
from certifier.goodruns.known import Known
from certifier.goodruns.models import GoodRunList, ListLoss
from certifier.goodruns.summaries import refresh_summaries
from certifier.lumi import LumiSet, RunLumiMap
from certifier.runs import services as runs
from certifier.runs.models import Run
from tests.goodruns import world
from tests.goodruns.world import REQUIRED

pytestmark = pytest.mark.django_db


def run(number: int, period: str, project: str = "data18", recorded: list[float | None] | None = None) -> None:
    world.make_run(number, 10, recorded=[1.0] * 10 if recorded is None else recorded)
    Run.objects.filter(number=number).update(period=period, project=project)


@pytest.fixture(autouse=True)
def defined() -> None:
    world.make_defects()


def build(**options: object) -> GoodRunList:
    return services.build_list(actor=None, name="list", require=[REQUIRED], **options)  # type: ignore[arg-type]


def table_of(list_: GoodRunList, *flags: str) -> Efficiency:
    return efficiency_in(accounting.case_of(list_), flags)


def shares(table: Efficiency) -> dict[tuple[str, str], tuple[float | None, ...]]:
    return {(row.project, row.period): (*each, row.good_share) for row, each in table.lines}


def test_it_has_a_row_per_period_and_one_for_all() -> None:
    run(1, "A")
    run(2, "A")
    run(3, "B")
    world.record(1, "LAR_HVTRIP", "1-4")
    world.record(1, "PIXEL_STANDBY", "4-5")
    world.record(3, "PIXEL_DISABLED", "1")
    table = table_of(build(signed_off=False))
    assert [code for code, _ in table.columns] == ["LAR", "PIXEL"]
    # Lumisection 4 counts against both systems, once against what is good.
    assert shares(table) == {
        ("data18", "A"): pytest.approx((0.8, 0.9, 0.75)),
        ("data18", "B"): pytest.approx((1.0, 0.9, 0.9)),
        ("", ""): pytest.approx((26 / 30, 27 / 30, 24 / 30)),
    }


def test_it_sums_each_project_where_there_are_several() -> None:
    run(1, "A", "data17")
    run(2, "B", "data17")
    run(3, "A", "data18")
    names = [(row.project, row.period) for row in table_of(build(signed_off=False)).rows]
    assert names == [
        ("data17", "A"), ("data17", "B"), ("data17", ""), ("data18", "A"), ("data18", ""), ("", ""),
    ]  # fmt: skip


def test_it_does_not_count_runs_that_wait_for_a_signature() -> None:
    run(1, "A")
    run(2, "A")
    world.record(2, "LAR_HVTRIP", "1-10")
    world.sign(1, "LAR", "PIXEL")
    table = table_of(build())
    assert table.waiting == 1
    assert [row.runs for row in table.rows] == [1]
    assert shares(table) == {("data18", "A"): (1.0, 1.0, 1.0)}


def test_it_counts_a_run_of_which_nothing_is_good() -> None:
    run(1, "A")
    world.record(1, "LAR_HVTRIP", "1-10")
    world.sign(1, "LAR", "PIXEL")
    assert shares(table_of(build())) == {("data18", "A"): (0.0, 1.0, 0.0)}


def test_it_counts_only_where_a_condition_held() -> None:
    run(1, "A")
    run(2, "A")
    runs.put_flags(actor=None, run=1, flags={"stable_beams": "3-6"})
    world.record(1, "LAR_HVTRIP", "1-4")
    table = table_of(build(signed_off=False), "stable_beams")
    assert [row.runs for row in table.rows] == [1]
    assert shares(table) == {("data18", "A"): (0.5, 1.0, 0.5)}


def test_it_knows_nothing_where_no_luminosity_is_known() -> None:
    run(1, "", recorded=[None] * 10)
    table = table_of(build(signed_off=False))
    assert [(row.unknown, row.good_share) for row in table.rows] == [(1, None)]
    assert table.rows[0].name == "no period"


def test_it_says_the_same_when_it_was_noted() -> None:
    run(1, "A")
    run(2, "B", recorded=[1.0, None] * 5)
    world.record(1, "LAR_HVTRIP", "1-4")
    list_ = build(signed_off=False)
    refresh_summaries()
    assert ListLoss.objects.get(list=list_).efficiency is not None
    loss, noted = Known(list_).tables
    assert noted == table_of(list_)
    assert loss == accounting.loss_of(list_)


def test_the_file_cannot_be_taken_for_a_formula() -> None:
    run(1, "=1+1", "@data")
    lines = list(csv.DictReader(io.StringIO(csv_of(table_of(build(signed_off=False))))))
    assert (lines[0]["project"], lines[0]["period"]) == ("'@data", "'=1+1")
    assert (lines[0]["LAR"], lines[0]["all_good"], lines[0]["recorded_inv_pb"]) == ("100.000", "100.000", "0.01")


bits = st.integers(min_value=0, max_value=2**8 - 1).map(lambda value: value << 1)


@given(
    lar=bits,
    pixel=bits,
    values=st.lists(st.one_of(st.none(), st.floats(min_value=0, max_value=100)), min_size=8, max_size=8),
)
def test_it_agrees_with_counting_lumisection_by_lumisection(lar: int, pixel: int, values: list[float | None]) -> None:
    number = 500
    row = Run.objects.filter(number=number).first() or world.make_run(number, 8)
    runs.put_lumisections(actor=None, run=number, columns={"recorded_inv_nb": values})
    good = LumiSet.whole(8) - LumiSet.from_bits(lar | pixel)
    accounts = {("LAR", "LAR_HVTRIP"): lar, ("PIXEL", "PIXEL_STANDBY"): pixel}
    behind = Behind(RunRow(row.pk, number, 8), {key: value for key, value in accounts.items() if value})
    table = efficiency_in(Case(RunLumiMap({number: good}), (behind,), (), ("LAR", "PIXEL")))
    known = {place: value for place, value in enumerate(values, start=1) if value is not None}
    whole = sum(known.values())
    for code, bad in (("LAR", lar), ("PIXEL", pixel)):
        expected = sum(value for place, value in known.items() if not bad >> place & 1)
        share = table.rows[0].share(code)
        assert (share is None) if not whole else (share == pytest.approx(expected / whole, abs=1e-9))
