"""The defects of run 359918 as ATLAS recorded them."""

from __future__ import annotations

from collections import Counter
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from certifier.accounts.models import System, User
from certifier.defects import defect_csv
from certifier.defects.models import Defect, Entry
from certifier.runs.models import Run
from tests.cast import make_run, make_system
from tests.defects.builders import Api, define, of_run, present, slices

pytestmark = [pytest.mark.data, pytest.mark.django_db]


@pytest.fixture
def file(shared_data: Path) -> Path:
    return shared_data / "atlas_defects" / "run359918_defects.csv"


@pytest.fixture
def run(pixel: System, file: Path) -> Run:
    make_system("OTHER")
    run = make_run(359918, lumisections=728)
    load(file, "--create-missing", "--system", "OTHER")
    return run


def load(file: Path, *options: str) -> str:
    out = StringIO()
    call_command("import_defects", str(file), *options, stdout=out)
    return out.getvalue()


def test_its_516_records_are_read(file: Path) -> None:
    read = defect_csv.read(file.read_text())
    assert read.problems == []
    assert len(read.records) == 516
    assert Counter(record.present for record in read.records) == {True: 450, False: 66}
    assert sum(record.recoverable for record in read.records) == 1
    assert len({record.defect for record in read.records}) == 104


def test_every_record_becomes_an_entry_or_is_named(pixel: System, file: Path) -> None:
    make_system("OTHER")
    make_run(359918, lumisections=728)
    out = load(file, "--create-missing", "--system", "OTHER")
    assert "516 records; 513 entries recorded, 3 records without a lumisection." in out
    assert "“359918:open to 360026:0” covers no lumisection of a run that is known" in out
    assert out.count("covers no lumisection") == 3
    assert out.count("beyond the last lumisection 728") == 2
    assert "104 new primary defects" in out
    # Of the 450 and 66, one present record lies between the runs, and two absent ones outside the run.
    assert Counter(Entry.objects.values_list("present", flat=True)) == {True: 449, False: 64}
    assert Defect.objects.filter(system__code="PIXEL").count() == 6
    assert Defect.objects.filter(name__startswith="CHANNEL_", system__code="OTHER").count() == 98


def test_the_run_gets_its_true_length_from_the_file(pixel: System, file: Path) -> None:
    make_system("OTHER")
    assert "run 359918 gets 728 lumisections" in load(file, "--create-missing", "--create-runs", "--system", "OTHER")
    assert Run.objects.get().last_lumisection == 728


def test_the_same_file_again_changes_nothing(run: Run, file: Path) -> None:
    before = Entry.objects.count()
    assert "0 entries recorded, 513 imported before" in load(file)
    assert Entry.objects.count() == before


def test_a_run_between_the_two_is_covered_by_the_record_that_spans_them(pixel: System, file: Path) -> None:
    make_system("OTHER")
    make_run(359918, lumisections=728)
    between = make_run(360000, lumisections=40)
    load(file, "--create-missing", "--system", "OTHER")
    found = of_run(between, "CHANNEL_672137217")
    assert found is not None
    [interval] = found.intervals
    assert (str(interval.lumisections), interval.recoverable, interval.user) == ("1-40", True, "sys:defectadmin")


def test_every_lumisection_says_what_the_file_says(run: Run, file: Path) -> None:
    expected: dict[str, dict[int, tuple[bool, str, str]]] = {}
    for record in defect_csv.read(file.read_text()).records:
        if record.until[0] == 359918:
            for number in range(max(1, record.since[1]), min(record.until[1], 729)):
                expected.setdefault(record.defect, {})[number] = (record.present, record.user, record.comment)
    for name, said in expected.items():
        found = of_run(run, name, absent=True)
        assert found is not None
        answered = {
            number: (interval.present, interval.user, interval.comment)
            for interval in found.intervals
            for number in interval.lumisections.numbers()
        }
        assert answered == said


def test_virtual_defects_over_them(run: Run) -> None:
    pixels = "PIXEL_LAYER0_5to7pct_NOTREADY PIXEL_LAYER0_7to10pct_NOTREADY"
    define("LAYER0", pixels, system="PIXEL")
    define("LAYER0_FINE", f"not ({pixels.replace(' ', ' or ')})", system="PIXEL")
    five, seven = (present(run, name) for name in pixels.split())
    both = set(numbers(five)) | set(numbers(seven))
    assert set(numbers(present(run, "LAYER0"))) == both
    assert set(numbers(present(run, "LAYER0_FINE"))) == set(range(1, 729)) - both
    for lumisections, causes in slices(run, "LAYER0"):
        for number in numbers(lumisections):
            true = [
                name for name, text in zip(pixels.split(), (five, seven), strict=True) if number in set(numbers(text))
            ]
            assert causes == " ".join(true)


def numbers(text: str) -> list[int]:
    from certifier.lumi import LumiSet

    return list(LumiSet.parse(text).numbers())


def test_rest_shows_them(api: Api, chi: User, run: Run) -> None:
    body = api(chi).get("/api/v1/runs/359918/defects/?absent=true").json()
    assert len(body["defects"]) == len(set(Entry.objects.values_list("defect", flat=True)))
    assert api(chi).get("/api/v1/runs/359918/defects/history/").json()["results"][0]["user"] == "sys:hancool"
