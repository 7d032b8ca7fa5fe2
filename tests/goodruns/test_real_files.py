"""Every real certification file: imported, and exported byte for byte where it is canonical."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from certifier.goodruns import comparing, formats, selectors
from certifier.goodruns.contents import content_of, export
from certifier.goodruns.known import luminosity_known
from certifier.goodruns.models import GoodRunList, ListDocument
from certifier.lumi import RunLumiMap, RunSelection
from certifier.runs import services as runs
from certifier.runs.models import Run

pytestmark = [pytest.mark.django_db, pytest.mark.data]

GOLDEN = ["cms_cert", "cms_dcsonly", "cms_dials_ml_json", "cms_subsystem_json"]
# Canonical in content: every file but these, whose runs or ranges are out of order, overlap or touch.
SLOPPY = {
    "json_DCSONLY_2018.txt",
    "CombinedJSONS_MLJSONRuns_401630to402172_DCSRuns_402173to402244.json",
    "daily_dials.json",
    "daily_dials_2025-10-30.json",
}
# Runs and lumisections, as the README of the data says.
COUNTS = {
    "Cert_271036-284044_13TeV_Legacy2016_Collisions16_JSON.txt": (393, 234231),
    "Cert_Collisions2022_355100_362760_Golden.json": (360, 123097),
    "Cert_Collisions2025_391658_393461_Golden.json": (99, 58853),
    "json_DCSONLY_2018.txt": (681, 258508),
    "Collisions26_MLEnhancedGolden_Latest.json": (124, 71979),
    "daily_dials.json": (513, 268499),
    "bad_pixel.json": (50, 4438),
    "data11_7TeV.periodAllYear_DetStatus-v36-pro10-02_CoolRunQuery-00-04-08_All_Good.xml": (209, 62295),
    "data12_hadhad_grl_and_obs.xml": (194, 70527),
    "grlA.xml": (174, 54311),
    "run2pp_ana509_2024p022_v001_dst_calofitting_grl.list": (1564, 1564),
}


def golden_files(shared_data: Path) -> list[Path]:
    found = [path for folder in GOLDEN for path in sorted((shared_data / folder).iterdir())]
    return [path for path in found if path.name != "json_allRunsRefRuns.json"]


def import_files(*files: Path) -> str:
    out = StringIO()
    call_command("import_good_runs", *map(str, files), stdout=out)
    return out.getvalue()


def list_of(file: Path) -> GoodRunList:
    return GoodRunList.objects.get(name=file.stem)


def read(file: Path) -> RunLumiMap:
    return formats.read(file.read_bytes()).content


def test_it_imports_every_golden_json_and_repeats_the_canonical_ones(shared_data: Path) -> None:
    files = golden_files(shared_data)
    assert len(files) >= 24
    import_files(*files)
    sloppy = set()
    for file in files:
        list_ = list_of(file)
        if file.name in COUNTS:
            assert (list_.run_count, list_.lumisection_count) == COUNTS[file.name]
        if export(list_, "golden-json", canonical=False) != file.read_bytes():
            sloppy.add(file.name)
            canonical = export(list_, "golden-json")
            assert formats.read(canonical).content == read(file)
            assert export(list_, "golden-json", canonical=False) == canonical
    assert sloppy == SLOPPY


def test_it_writes_canonical_files_byte_for_byte_from_the_command(shared_data: Path, tmp_path: Path) -> None:
    file = shared_data / "cms_cert/Cert_Collisions2022_355100_357550_Golden.json"
    import_files(file)
    target = tmp_path / "again.json"
    call_command("export_good_runs", file.stem, "--format", "golden-json", "-o", str(target), stderr=StringIO())
    assert target.read_bytes() == file.read_bytes()
    out = StringIO()
    call_command("export_good_runs", file.stem, "--canonical", stdout=out)
    assert out.getvalue().startswith('{"355381": [[1, 122], [124, 358]], "355418"')
    assert "\n" not in out.getvalue()


def test_it_imports_every_grl_xml_and_repeats_it_byte_for_byte(shared_data: Path) -> None:
    files = sorted((shared_data / "atlas_grl").iterdir())
    import_files(*files)
    for file in files:
        list_ = list_of(file)
        assert (list_.run_count, list_.lumisection_count) == COUNTS[file.name]
        assert export(list_, "grl-xml") == file.read_bytes()
    kept = {element["attributes"]["Name"] for element in list_of(files[0]).metadata["grl"]["metadata"]}
    assert kept == {"Query", "RunList", "RQTSVNVersion", "StreamListInfo"}


def test_it_imports_the_run_list_and_keeps_its_report(shared_data: Path) -> None:
    folder = shared_data / "sphenix_grl"
    grl = folder / "run2pp_ana509_2024p022_v001_dst_calofitting_grl.list"
    report = folder / "run2pp_ana509_2024p022_v001_dst_calofitting_cutflow_report.json"
    said = import_files(report, grl)
    list_ = list_of(grl)
    assert (list_.run_count, list_.lumisection_count) == COUNTS[grl.name]
    assert export(list_, "run-list") == grl.read_bytes()
    document = ListDocument.objects.get()
    assert document.list == list_
    assert document.content["post_l0_cutflow"][-1]["runs"] == 1564
    assert "attached to list" in said
    assert "is with list" in import_files(report)
    assert ListDocument.objects.count() == 1


def test_it_takes_whole_runs_where_the_run_is_known(shared_data: Path) -> None:
    runs.put_run(actor=None, run=47289, facts={"lumisections": 3})
    grl = shared_data / "sphenix_grl/run2pp_ana509_2024p022_v001_dst_calofitting_grl.list"
    import_files(grl)
    assert str(content_of(list_of(grl))[47289]) == "1-3"


def test_it_sends_the_reference_runs_elsewhere(shared_data: Path) -> None:
    err = StringIO()
    file = shared_data / "cms_subsystem_json/json_allRunsRefRuns.json"
    with pytest.raises(CommandError):
        call_command("import_good_runs", str(file), stderr=err)
    assert "load it with import_runs" in err.getvalue()


def test_it_finds_what_changed_between_two_revisions_of_2025(shared_data: Path) -> None:
    early = shared_data / "cms_cert/Cert_Collisions2025_391658_393461_Golden.json"
    late = shared_data / "cms_cert/Cert_Collisions2025_391658_398860_Golden.json"
    import_files(early, late)
    found = comparing.compare_lists(list_of(early), list_of(late), RunSelection.parse("391658-393461"))
    assert found.first.lumisections == 1
    assert found.second.lumisections == 2305
    assert found.common.lumisections == 58852


def test_it_finds_what_experts_and_machines_left_out_in_2026(shared_data: Path) -> None:
    within = RunSelection.parse("401630-402115")
    dcs, golden, machine = (
        read(shared_data / name).restrict(within)
        for name in (
            "cms_dcsonly/Collisions26_13p6TeV_Latest.json",
            "cms_cert/Cert_Collisions2026_401624_402537_golden.json",
            "cms_dials_ml_json/Collisions26_MLEnhancedGolden_Latest.json",
        )
    )
    assert (dcs.count, golden.count, machine.count) == (22859, 19746, 19017)
    assert (golden - dcs).count == 27
    assert (golden - machine).count == 729
    assert machine < golden
    difference = comparing.compare(golden, machine)
    assert (difference.first.lumisections, difference.second.lumisections) == (729, 0)


def test_a_golden_list_has_the_luminosity_of_its_runs(shared_data: Path) -> None:
    golden = shared_data / "cms_cert/Cert_Collisions2026_401624_402537_golden.json"
    import_files(golden)
    assert list_of(golden).recorded_inv_nb is None
    call_command("import_runs", str(shared_data / "cms_lumi/lumi_26_IsoMu24.csv"), stdout=StringIO())
    assert Run.objects.filter(number=401663).exists()
    known = luminosity_known(selectors.list_named(golden.stem))
    assert known.lumisections == 44086
    assert known.recorded_lumisections == 29025
    assert known.recorded_inv_nb == pytest.approx(9.6e6, rel=0.05)
    assert not known.is_complete
