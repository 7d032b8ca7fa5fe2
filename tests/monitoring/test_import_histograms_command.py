"""manage.py import_histograms: idempotent, all or nothing per file, clear about what is wrong."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import uproot
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from certifier.accounts.models import User
from certifier.audit.models import AuditEvent
from certifier.monitoring import selectors
from certifier.monitoring.models import Element, Part
from certifier.runs import services as runs
from certifier.runs.models import Change, Dataset, Run
from mlcore.readers import write_parquet
from tests.monitoring.blocks import BEFORE, ETA, PHI, RUN, histograms, ingest, take

pytestmark = pytest.mark.django_db
HEADER = "fromrun,fromlumi,hname,histo,entries,Xmax,Xmin,Xbins"


def run_command(*arguments: Any, **options: Any) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("import_histograms", *map(str, arguments), stdout=out, stderr=err, **options)
    except CommandError as error:
        return out.getvalue(), err.getvalue() + f"CommandError: {error}"
    return out.getvalue(), err.getvalue()


def csv(folder: Path, *lines: str, name: str = "dump.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def line(lumisection: int, counts: str = "0, 1, 2, 3, 0", run: int = RUN, bins: int = 3) -> str:
    return f'{run},{lumisection},charge,"[{counts}]",6,3.0,0.0,{bins}'


def test_it_says_what_it_did(tmp_path: Path) -> None:
    take()
    path = csv(tmp_path, line(1), line(2))
    out, err = run_command(path)
    assert out == f"{path}: ML4DQM CSV: 2 histograms (2 new or changed) of 1 element (1 new) in 1 run.\n"
    assert err == ""
    event = AuditEvent.objects.get(code="monitoring.import_file")
    assert event.subject == "dump.csv"
    assert event.data == {"format": "ML4DQM CSV", "runs": 1, "histograms": 2}
    assert Dataset.objects.get().name == "imported"
    (coverage,) = selectors.coverage_of_run(Run.objects.get()).values()
    assert str(coverage[0].lumisections) == "1-2"


def test_it_changes_nothing_the_second_time(tmp_path: Path) -> None:
    take()
    path = csv(tmp_path, line(1), line(2))
    run_command(path)
    before = Change.objects.count(), AuditEvent.objects.count(), Part.objects.count()
    out, _ = run_command(path)
    assert out.endswith("2 histograms (0 new or changed) of 1 element (0 new) in 1 run; nothing changed.\n")
    assert (Change.objects.count(), AuditEvent.objects.count(), Part.objects.count()) == before


def test_it_reads_parquet_and_what_is_stored_can_be_read_again(tmp_path: Path) -> None:
    take()
    path = tmp_path / "histograms.parquet"
    write_parquet(path, [histograms("A/one"), histograms("Ecal/map", axes=(ETA, PHI), physics_object="photons")])
    out, _ = run_command(path, dataset="express")
    assert "Parquet: 40 histograms (40 new or changed) of 2 elements (2 new)" in out
    stored = tmp_path / "stored.parquet"
    with default_storage.open(Part.objects.first().file) as file:  # type: ignore[union-attr]
        stored.write_bytes(file.read())
    take(BEFORE)
    out, _ = run_command(stored, dataset="express")
    assert "(0 new or changed)" in out
    assert Element.objects.get(path="Ecal/map").physics_object == "photons"


def test_it_reads_maps_of_a_run_that_is_named(tmp_path: Path) -> None:
    take()
    path = tmp_path / "maps.h5"
    with h5py.File(path, "w") as file:
        file["EcalBarrel/occupancy"] = np.ones((3, 34, 72))
    assert "run" in run_command(path)[1]
    out, _ = run_command(path, run=RUN)
    assert "HDF5 maps: 3 histograms (3 new or changed) of 1 element (1 new) in 1 run." in out
    assert Element.objects.get().bins == (34, 72)


def test_it_takes_one_run_of_many(tmp_path: Path) -> None:
    take()
    take(BEFORE)
    path = csv(tmp_path, line(1), line(1, run=BEFORE), line(2, run=BEFORE))
    assert "2 histograms (2 new" in run_command(path, run=BEFORE)[0]
    assert "no histogram of run 7 in it" in run_command(path, run=7)[1]


def test_it_takes_a_dry_run_back(tmp_path: Path) -> None:
    path = csv(tmp_path, line(1), line(2))
    out, _ = run_command(path, dry_run=True, create_runs=True)
    assert out.endswith("in 1 run, 1 run made or lengthened (dry run, taken back).\n")
    for model in (Run, Part, Element, Change):
        assert not model._default_manager.exists()


def test_it_makes_and_lengthens_runs_only_when_asked(tmp_path: Path) -> None:
    take(BEFORE, 3)
    path = csv(tmp_path, line(5, run=BEFORE), line(9))
    _, err = run_command(path)
    assert "run 350440 ends at lumisection 3, the file has 5, nor do 1 others fit. Import the runs first" in err
    assert not Part.objects.exists()
    out, _ = run_command(path, create_runs=True)
    assert "2 runs made or lengthened" in out
    assert dict(Run.objects.values_list("number", "last_lumisection")) == {BEFORE: 5, RUN: 9}


def test_it_asks_which_dataset_where_there_are_several(tmp_path: Path) -> None:
    take()
    for name in ("bulk", "express"):
        runs.put_dataset(actor=None, run=RUN, name=name)
    path = csv(tmp_path, line(1))
    assert "run 350479 has the datasets bulk, express. Say which with --dataset." in run_command(path)[1]
    assert "1 new or changed" in run_command(path, dataset="bulk")[0]


def test_it_acts_for_a_person(tmp_path: Path, chi: User, ben: User) -> None:
    take()
    path = csv(tmp_path, line(1))
    assert (
        "CommandError: Changing runs and lumisections needs the role coordinator." in run_command(path, user="ben")[1]
    )
    assert "There is no user “eve”." in run_command(path, user="eve")[1]
    assert not Part.objects.exists()
    run_command(path, user="chi")
    assert Change.objects.get(kind="monitoring.histograms").by == "chi"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([line(1), line(2, "0, 1, 2, -3, 0")], "line 3: charge: counts are negative"),
        ([line(1), line(2, "0, 1, 2, 0")], "line 3: charge: 4 bins, its axes with under- and overflow have 5"),
        ([line(1), line(2, "0, 1, 2, 3, 4, 0", bins=4)], "line 3: charge has axes"),
        ([line(1), line(1)], "line 3: run 350479 lumisection 1 of charge came already in line 2"),
        ([line(1), "350479,2,cha"], "line 3: 3 cells, the header has 8; is the file cut off?"),
        ([], "there is no histogram in it"),
    ],
)
def test_it_names_file_line_and_reason(tmp_path: Path, lines: list[str], reason: str) -> None:
    take()
    path = csv(tmp_path, *lines, name="bad.csv")
    good = csv(tmp_path, line(7))
    out, err = run_command(path, good)
    assert f"{path}: {reason}" in err
    assert "CommandError: 1 of 2 files were not imported; nothing of them was written." in err
    assert "1 new or changed" in out
    assert Part.objects.count() == 1


def test_bins_that_changed_since_the_last_file_are_refused_whole(tmp_path: Path) -> None:
    take()
    take(BEFORE)
    run_command(csv(tmp_path, line(1)))
    files = _stored_files()
    path = csv(tmp_path, line(1, run=BEFORE), line(2, "0, 1, 2, 3, 4, 0", bins=4, run=RUN))
    _, err = run_command(path)
    assert "charge has axes" in err
    other = csv(tmp_path, line(4, "0, 1, 2, 3, 4, 0", bins=4, run=BEFORE))
    _, err = run_command(other)
    assert "run 350440: charge of run 350440 lumisection 4 has 4 bins of x" in err
    assert Part.objects.count() == 1
    assert _stored_files() == files


def test_what_was_written_of_other_runs_of_a_bad_file_is_gone_again(tmp_path: Path) -> None:
    take(BEFORE)
    take()
    ingest(histograms("charge", axes=(ETA,)))
    before = _stored_files()
    path = tmp_path / "two.parquet"
    good = histograms("fine", run=BEFORE)
    write_parquet(path, [good, histograms("charge")])
    _, err = run_command(path, dataset="x")
    assert "run 350479: charge of run 350479 lumisection 1 has 10 bins" in err
    assert not Element.objects.filter(path="fine").exists()
    assert _stored_files() == before


def _stored_files() -> set[str]:
    found: set[str] = set()
    folders = ["histograms"]
    while folders:
        folder = folders.pop()
        if not default_storage.exists(folder):
            continue
        inside, names = default_storage.listdir(folder)
        folders += [f"{folder}/{name}" for name in inside]
        found |= {f"{folder}/{name}" for name in names}
    return found


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"root\x00\x00\xf6", "not a whole ROOT file"),
        (b"PAR1 and then it was cut", "not a whole Parquet file"),
        (b"\x89HDF\r\n\x1a\n cut", "not a whole HDF5 file"),
        (b"hello", "none of the known formats"),
        (b"", "none of the known formats"),
    ],
)
def test_it_says_what_a_file_is_not(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "run_350479.bin"
    path.write_bytes(content)
    _, err = run_command(path)
    assert reason in err
    assert "CommandError" in err


def test_it_says_when_there_is_no_file(tmp_path: Path) -> None:
    assert "cannot be read (No such file" in run_command(tmp_path / "none.csv")[1]


def test_it_reads_root_files_of_histograms_in_folders(tmp_path: Path) -> None:
    take()
    path = tmp_path / "monitoring.root"
    with uproot.recreate(path) as file:
        for lumisection in (1, 2):
            file[f"Run {RUN}/LS {lumisection}/Pixel/charge"] = (np.array([1.0, 2.0, 3.0]), np.arange(4.0))
    out, err = run_command(path)
    assert out == f"{path}: ROOT: 2 histograms (2 new or changed) of 1 element (1 new) in 1 run.\n"
    assert err == ""
    (coverage,) = selectors.coverage_of_run(Run.objects.get()).values()
    assert coverage[0].element.path == "Pixel/charge"
