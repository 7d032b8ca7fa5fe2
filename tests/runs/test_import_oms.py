"""OMS, the run database of CMS: run table as CSV, lumisections and runs as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from certifier.lumi import LumiSet
from certifier.runs.importers import FileRefused
from certifier.runs.models import Lumisection, Run
from certifier.runs.selectors import flags_of
from tests.runs.files import OMS, bring, read, write


def lumisection(**attributes: Any) -> dict[str, Any]:
    return {"run_number": 328645, "beam1_stable": True, "beam2_stable": True, "cms_active": True, **attributes}


@pytest.mark.django_db
def test_it_imports_the_run_table(tmp_path: Path) -> None:
    bring(write(tmp_path, OMS.replace("\n", "\r\n")))
    run = Run.objects.get(number=297046)
    assert (run.fill, run.last_lumisection) == (5839, 0)
    assert run.started_at == datetime(2017, 6, 16, 19, 16, 42, tzinfo=UTC)
    assert run.ended_at == datetime(2017, 6, 16, 20, 11, 3, tzinfo=UTC)
    assert run.attributes == {
        "duration_s": 3261,
        "delivered_inv_nb": 19995.273,
        "recorded_inv_nb": 16998.525,
        "hlt_key": "/cdaq/v1.1.1/V2",
        "stable_beams": True,
    }
    other = Run.objects.get(number=297047)
    assert other.attributes == {"duration_s": 710, "hlt_key": "/cdaq/v1.1.1/V2", "stable_beams": False}


@pytest.mark.django_db
def test_it_adds_to_the_attributes_a_run_has(tmp_path: Path) -> None:
    Run.objects.create(number=297046, attributes={"mine": 1, "duration_s": 0}, updated_at=datetime.now(UTC), period="B")
    bring(write(tmp_path, OMS))
    run = Run.objects.get(number=297046)
    assert (run.attributes["mine"], run.attributes["duration_s"], run.period, run.version) == (1, 3261, "B", 2)


LINE = "297046,5839,3261,2017-06-16 19:16:42,2017-06-16 20:11:03,19.995273,16.998525,/cdaq/v1.1.1/V2,true"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (OMS.replace("297046", "x"), "line 2: run_number “x” is not a run number."),
        (OMS.replace("297046", "0"), "line 2: run_number “0” is not a run number."),
        (OMS.replace("19.995273", "-1"), "line 2: delivered_lumi '-1' is no luminosity."),
        (OMS.replace("19.995273", "much"), "line 2: delivered_lumi 'much' is no luminosity."),
        (OMS.replace(",true", ",tru"), "line 2: stable_beam “tru” is neither true nor false."),
        (OMS.replace(",/cdaq/v1.1.1/V2,true", ""), "line 2: 7 cells where the header has 9"),
        (OMS.replace("/cdaq", '"/cdaq'), "line 2: unexpected end of data"),
        (OMS + LINE.replace("3261", "3262") + "\n", "line 4: run 297046 contradicts line 2."),
        (OMS.replace("duration,", "fill_number,"), "line 1: a column stands twice in the header."),
        (OMS.splitlines()[0] + "\n", "there are no runs in it."),
        (OMS.replace("2017-06-16 19:16:42", "noon"), "line 2: started_at: Send an ISO 8601 time"),
        (OMS.replace("2017-06-16 20:11:03", "2017-06-16 10:11:03"), "line 2: ended_at: Run 297046 would end before"),
        (OMS.replace("5839,3261", "-5839,3261"), "line 2: fill: Send a whole number"),
    ],
)
@pytest.mark.django_db
def test_it_names_line_and_reason(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FileRefused) as caught:
        bring(write(tmp_path, text))
    assert message in str(caught.value)
    assert not Run.objects.exists()


def test_it_leaves_out_a_repeated_run(tmp_path: Path) -> None:
    assert [run["run"] for run in read(tmp_path, OMS + LINE + "\n").runs] == [297046, 297047]


@pytest.mark.django_db
def test_it_makes_flags_of_booleans_and_leaves_null_unknown(tmp_path: Path) -> None:
    rows = [
        lumisection(bpix_ready=False, castor_ready=None, delivered_lumi=None),
        lumisection(bpix_ready=True, castor_ready=None, beam2_stable=False),
        lumisection(bpix_ready=None, castor_ready=None, cms_active=False),
    ]
    outcome = bring(write(tmp_path, rows))
    run = Run.objects.get()
    assert (run.number, run.last_lumisection) == (328645, 3)
    assert flags_of(run) == {
        "beam1_stable": LumiSet.parse("1-3"),
        "beam2_stable": LumiSet.parse("1 3"),
        "bpix_ready": LumiSet.parse("2"),
        "cms_active": LumiSet.parse("1-2"),
        "stable_beams": LumiSet.parse("1 3"),
    }
    assert (outcome.lumisections, outcome.flags_changed) == (3, 5)
    assert not Lumisection.objects.filter(delivered_inv_nb__isnull=False).exists()


@pytest.mark.django_db
def test_it_reads_the_answer_of_the_interface_with_its_numbers(tmp_path: Path) -> None:
    rows = [
        lumisection(
            lumisection_number=number,
            fill_number=7000,
            start_time=f"2018-08-27T10:0{number}:00Z",
            end_time=f"2018-08-27T10:0{number}:23Z",
            delivered_lumi_per_lumisection=0.25,
            recorded_lumi_per_lumisection=None if number == 4 else 0.2,
            delivered_lumi=5.0,
            pileup=33.5,
            prescale_index=number % 2,
        )
        for number in (4, 2)
    ]
    data = {"data": [{"id": "x", "type": "lumisections", "attributes": row} for row in rows]}
    bring(write(tmp_path, data))
    run = Run.objects.get()
    assert (run.fill, run.last_lumisection) == (7000, 4)
    row = Lumisection.objects.get(run=run, number=2)
    assert (row.delivered_inv_nb, row.recorded_inv_nb, row.pileup, row.duration_s) == (250, 200, 33.5, 23)
    assert row.started_at == datetime(2018, 8, 27, 10, 2, tzinfo=UTC)
    assert Lumisection.objects.get(run=run, number=4).recorded_inv_nb is None
    assert Lumisection.objects.get(run=run, number=3).delivered_inv_nb is None
    assert flags_of(run)["prescale_index_0"] == LumiSet.parse("2 4")


def test_it_leaves_out_a_luminosity_whose_meaning_is_not_clear(tmp_path: Path) -> None:
    imported = read(tmp_path, [lumisection(delivered_lumi=5.0)])
    assert imported.notes == ["run 328645: delivered_lumi without delivered_lumi_per_lumisection was left out"]


@pytest.mark.django_db
def test_it_reads_runs_of_the_interface(tmp_path: Path) -> None:
    run = {
        "run_number": 297050,
        "fill_number": 5839,
        "delivered_lumi": 106.148066,
        "energy": 6499.0,
        "era": "2017B",
        "b_field": 3.799,
    }
    bring(write(tmp_path, {"data": [{"type": "runs", "attributes": {**run, "last_lumisection_number": 791}}]}))
    row = Run.objects.get()
    assert (row.fill, row.energy_gev, row.period, row.last_lumisection) == (5839, 6499, "2017B", 791)
    assert row.attributes == {"delivered_inv_nb": 106148.066, "b_field": 3.799}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([lumisection(), 5], "item 2: this is no object of OMS attributes."),
        ([lumisection(), {"cms_active": True}], "item 2: run_number None is not from 1"),
        ([lumisection(run_number=True)], "item 1: run_number True is not from 1"),
        ([lumisection(lumisection_number=0)], "item 1: lumisection_number 0 is not from 1 to 100000."),
        (
            [lumisection(lumisection_number=3), lumisection(lumisection_number=3, x=1)],
            "item 2: lumisection 3 contradicts",
        ),
        ([lumisection(delivered_lumi_per_lumisection="5")], "lumisection 1: delivered_lumi_per_lumisection '5' is no"),
        ([lumisection(start_time="noon")], "lumisection 1: Send an ISO 8601 time"),
    ],
)
def test_it_names_the_item(tmp_path: Path, value: Any, message: str) -> None:
    with pytest.raises(FileRefused) as caught:
        read(tmp_path, value)
    assert message in str(caught.value)
