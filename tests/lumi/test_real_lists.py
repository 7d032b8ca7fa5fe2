"""Real certification lists and a real run's defects, with the numbers that are known of them."""

from __future__ import annotations

import csv
import json

import pytest

from certifier.lumi import LumiSet, RunLumiMap, RunSelection
from tests.needs import shared_data_folder

pytestmark = pytest.mark.data
LISTS = ("cms_cert", "cms_dcsonly", "cms_dials_ml_json", "cms_subsystem_json")
RUN, LAST = 359918, 728


def read(path: str) -> RunLumiMap:
    return RunLumiMap.from_golden(json.loads((shared_data_folder() / path).read_text()))


def test_it_reads_every_list_as_the_union_of_its_ranges() -> None:
    seen = 0
    for folder in LISTS:
        for path in sorted((shared_data_folder() / folder).iterdir()):
            golden = json.loads(path.read_text())
            if isinstance(golden, list):  # a map of reference runs
                continue
            seen += 1
            runs = RunLumiMap.from_golden(golden)
            for run, ranges in golden.items():
                numbers = {number for first, last in ranges for number in range(first, last + 1)}
                assert set(runs[int(run)].numbers()) == numbers, (path, run)
            again = RunLumiMap.from_golden(runs.to_golden())
            assert again == runs
            if path.name.startswith("Cert_"):
                assert runs.to_golden() == golden
    assert seen >= 20


def test_two_revisions_of_2025_differ_by_what_is_known() -> None:
    shared = RunSelection.parse("1-393461")
    older = read("cms_cert/Cert_Collisions2025_391658_393461_Golden.json").restrict(shared)
    newer = read("cms_cert/Cert_Collisions2025_391658_398860_Golden.json").restrict(shared)
    assert older - newer == RunLumiMap({392642: LumiSet.parse("557")})
    assert (newer - older).count == 2305


def test_the_lists_of_2026_overlap_as_is_known() -> None:
    shared = RunSelection.parse("401630-402115")
    dcs = read("cms_dcsonly/Collisions26_13p6TeV_Latest.json").restrict(shared)
    golden = read("cms_cert/Cert_Collisions2026_401624_402537_golden.json").restrict(shared)
    enhanced = read("cms_dials_ml_json/Collisions26_MLEnhancedGolden_Latest.json").restrict(shared)
    assert (dcs.count, golden.count, enhanced.count) == (22859, 19746, 19017)
    assert (golden - dcs).count == 27
    assert (golden - enhanced).count == 729
    assert enhanced < golden


def test_the_intervals_of_a_real_run_become_sets() -> None:
    with (shared_data_folder() / "atlas_defects" / "run359918_defects.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 516
    empty = []
    for row in rows:
        first, last = int(row["since_lb"]), int(row["until_lb_exclusive"]) - 1
        interval = (
            int(row["since_run"]) << 32 | first,
            int(row["until_run"]) << 32 | int(row["until_lb_exclusive"]),
        )
        found = RunLumiMap.from_iovs([interval], {RUN: LAST})
        if not found:
            empty.append(row)
        elif int(row["until_run"]) == RUN:
            assert found == RunLumiMap({RUN: LumiSet.from_ranges([(max(first, 1), min(last, LAST))])})
    # One before the run, one after it, and the protection between this run and the next.
    assert [row["since_lb"] for row in empty] == ["0", "729", "4294967295"]
    assert [row["until_run"] for row in empty] == [str(RUN), str(RUN), "360026"]
