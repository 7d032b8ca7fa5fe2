"""The real files of the experiments, against what their footers and their origin say of them."""

from __future__ import annotations

import csv
import json
import math
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db.models import Sum

from certifier.lumi import LumiSet, RunLumiMap
from certifier.runs.models import ConditionFlag, Lumisection, ReferenceRun, Run, RunProfile
from certifier.runs.profile import profiles
from certifier.runs.selectors import flags_of, reference_run
from tests.runs.files import bring

pytestmark = [pytest.mark.data, pytest.mark.django_db]


def total(column: str) -> float:
    return float(Lumisection.objects.aggregate(total=Sum(column))["total"])


def test_it_imports_the_run_table_of_2017b(shared_data: Path) -> None:
    path = shared_data / "cms_oms" / "cmsoms_2017B.csv"
    outcome = bring(path)
    assert (outcome.runs.created, Run.objects.count()) == (941, 941)
    numbers = Run.objects.order_by("number").values_list("number", flat=True)
    assert (numbers.first(), numbers.last()) == (297046, 299329)
    assert Run.objects.filter(attributes__stable_beams=True).count() == 164
    with path.open() as file:
        rows = list(csv.DictReader(file))
    in_pb = math.fsum(float(row["delivered_lumi"]) for row in rows if row["delivered_lumi"])
    in_nb = math.fsum(run.attributes.get("delivered_inv_nb", 0) for run in Run.objects.all())
    assert in_nb == pytest.approx(1000 * in_pb, rel=1e-12)
    # Plausible as inverse picobarn: CMS was delivered 5 /fb in 2017B.
    assert 4.5e6 < in_nb < 6.5e6
    for run in Run.objects.all():
        if run.started_at and run.ended_at:
            assert abs((run.ended_at - run.started_at).total_seconds() - run.attributes["duration_s"]) <= 1
    assert not bring(path).changed


def test_it_reads_luminosities_that_the_machine_could_deliver(shared_data: Path) -> None:
    """2.1e34 /cm2/s, the record of 2017, is 21 /nb per second. The delivered luminosity of 13 runs that broke off
    exceeds what fits into their duration, as OMS has it; what was recorded never does."""
    bring(shared_data / "cms_oms" / "cmsoms_2017B.csv")
    runs = [run.attributes for run in Run.objects.all() if run.attributes.get("delivered_inv_nb")]
    too_much = [facts for facts in runs if facts["delivered_inv_nb"] > 21 * facts["duration_s"]]
    assert (len(runs), len(too_much)) == (160, 13)
    assert all(facts["recorded_inv_nb"] < 21 * facts["duration_s"] for facts in runs)


def test_it_imports_the_lumisections_of_a_cosmics_run(shared_data: Path) -> None:
    path = shared_data / "cms_oms" / "oms_lumisections_328645.json"
    bring(path)
    run = Run.objects.get()
    assert (run.number, run.last_lumisection, Lumisection.objects.count()) == (328645, 94, 94)
    rows = json.loads(path.read_text())
    flags = flags_of(run)
    booleans = {name for row in rows for name, value in row.items() if isinstance(value, bool)}
    assert set(flags) == booleans | {"stable_beams"}
    for name in booleans:
        assert flags[name] == LumiSet.from_numbers(n for n, row in enumerate(rows, start=1) if row[name] is True)
    assert flags["stable_beams"] == LumiSet()
    assert "rp_time_ready" not in flags
    profile = RunProfile.objects.get()
    assert (profile.length, profile.delivered_inv_nb, profile.recorded_inv_nb) == (94, None, None)
    assert not bring(path).changed


def test_it_imports_the_low_pileup_runs_of_2017h(shared_data: Path) -> None:
    path = shared_data / "cms_lumi" / "lumibyls17h.csv"
    outcome = bring(path)
    assert (outcome.runs.created, outcome.lumisections, outcome.lumisections_changed) == (24, 12_055, 12_055)
    assert Lumisection.objects.filter(delivered_inv_nb__isnull=False).count() == 12_055
    # The footer: 6 fills, 231687816.044 /ub delivered, 223450179.385 /ub recorded.
    assert Run.objects.values("fill").distinct().count() == 6
    assert total("delivered_inv_nb") == pytest.approx(231_687.816_044, abs=0.01)
    assert total("recorded_inv_nb") == pytest.approx(223_450.179_385, abs=0.01)
    numbers = Run.objects.order_by("number").values_list("number", flat=True)
    assert (numbers.first(), numbers.last()) == (306926, 307082)
    assert set(Run.objects.values_list("energy_gev", flat=True)) == {6500}
    # The last row of the file, out of order.
    row = Lumisection.objects.get(run__number=307082, number=1353)
    assert (row.delivered_inv_nb, row.recorded_inv_nb, row.pileup) == (0.02439, 0.024184, 0)
    assert row.started_at == datetime(2017, 11, 26, 10, 17, 22, tzinfo=UTC)
    assert sum(len(flag) for flag in ConditionFlag.objects.values_list("lumisections", flat=True)) == 12_055
    assert not bring(path).changed


def test_it_imports_the_2026_table_of_one_path_and_weighs_the_golden_list_with_it(shared_data: Path) -> None:
    path = shared_data / "cms_lumi" / "lumi_26_IsoMu24.csv"
    outcome = bring(path)
    assert (outcome.runs.created, outcome.lumisections) == (58, 30_865)
    # The footer: 10.752766901 /fb delivered, 10.135421686 /fb recorded.
    assert total("delivered_inv_nb") == pytest.approx(10_752_766.901, abs=20)
    assert total("recorded_inv_nb") == pytest.approx(10_135_421.686, abs=20)
    luminosity = Run.objects.get(number=401663).attributes["luminosity"]
    assert (luminosity["hlt_paths"], luminosity["data_tag"]) == (["HLT_IsoMu24_v31"], "online")
    golden = RunLumiMap.from_golden(
        json.loads((shared_data / "cms_cert" / "Cert_Collisions2026_401624_402537_golden.json").read_text())
    )
    found = profiles(golden)
    with_value = sum(profile.sum("recorded_inv_nb", golden[run])[1] for run, profile in found.items())
    assert with_value == 29_025
    weighed = sum(profile.sum("recorded_inv_nb", golden[run])[0] for run, profile in found.items())
    assert 0.9 * total("recorded_inv_nb") < weighed < total("recorded_inv_nb")
    assert not bring(path).changed


def test_it_imports_the_2018a_table_by_run_and_path(shared_data: Path) -> None:
    path = shared_data / "cms_lumi" / "lumi_byrun_hltpath_2018A.csv"
    outcome = bring(path)
    assert (outcome.runs.created, outcome.lumisections) == (117, 0)
    # The footer: #HLT_PFJetFwd500_v17,23,50,22637,5446200325.982,5294313734.289 in /ub
    paths = [run.attributes["luminosity"]["by_hlt_path"] for run in Run.objects.all()]
    chosen = [found["HLT_PFJetFwd500_v17"] for found in paths if "HLT_PFJetFwd500_v17" in found]
    assert (len(chosen), sum(found["ncms"] for found in chosen)) == (50, 22_637)
    assert math.fsum(found["delivered_inv_nb"] for found in chosen) == pytest.approx(5_446_200.325982, abs=1e-3)
    assert math.fsum(found["recorded_inv_nb"] for found in chosen) == pytest.approx(5_294_313.734289, abs=1e-3)
    assert not bring(path).changed


def test_it_imports_the_map_of_reference_runs(shared_data: Path) -> None:
    path = shared_data / "cms_subsystem_json" / "json_allRunsRefRuns.json"
    outcome = bring(path)
    items = json.loads(path.read_text())
    assert len(items) == 4_061
    pairs = {(item["run_number"], item["reference_run_number"]) for item in items}
    assert outcome.references.created == len(pairs) == ReferenceRun.objects.count()
    assert ReferenceRun.objects.values("reference_number").distinct().count() == 59
    # Certified with three references, one after the other.
    assert list(ReferenceRun.objects.filter(run_number=315265).values_list("reference_number", flat=True)) == [
        315189,
        315257,
        315322,
    ]
    assert reference_run(315265) == 315322
    assert not bring(path).changed


def test_it_imports_the_run_details_of_sphenix(shared_data: Path) -> None:
    (path,) = (shared_data / "sphenix_grl").glob("*_run_details.json")
    outcome = bring(path)
    assert (outcome.runs.created, outcome.lumisections) == (1_564, 1_564)
    listed = (shared_data / "sphenix_grl" / "run2pp_ana509_2024p022_v001_dst_calofitting_grl.list").read_text().split()
    assert set(Run.objects.values_list("number", flat=True)) == set(map(int, listed))
    assert set(Run.objects.values_list("last_lumisection", flat=True)) == {1}
    seconds = sum(item["run_length"] or 0 for item in json.loads(path.read_text()))
    assert total("duration_s") == seconds
    assert not bring(path).changed


@pytest.mark.parametrize("name", ["lumibyls17h.csv", "lumi_26_IsoMu24.csv", "lumi_byrun_hltpath_2018A.csv"])
def test_it_refuses_half_of_a_real_table(shared_data: Path, tmp_path: Path, name: str) -> None:
    from certifier.runs.importers import FileRefused

    content = (shared_data / "cms_lumi" / name).read_bytes()
    half = tmp_path / name
    half.write_bytes(content[: len(content) // 2])
    with pytest.raises(FileRefused, match=r"line \d+"):
        bring(half)
    assert not Run.objects.exists()
