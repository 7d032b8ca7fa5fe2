"""manage.py import_labels: what a file calls bad is a defect, and the runs of the file are signed."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from certifier.accounts.models import System, User
from certifier.audit.models import AuditEvent
from certifier.defects import services as defects
from certifier.defects.models import Entry
from certifier.defects.services import NewDefect
from certifier.lumi import LumiSet
from certifier.review.models import SignOff
from certifier.training.labels import run_labels
from tests.cast import make_run

pytestmark = pytest.mark.django_db
HEADER = "fromrun,fromlumi,hname,histo,entries,Xmax,Xmin,Xbins,Json"


@pytest.fixture
def known(lar: System) -> None:
    defects.define_defects(actor=None, definitions=[NewDefect(name="LAR_OLD", system="LAR", intolerable=True)])
    for number in (1, 2):
        make_run(number, 20)


def dump(folder: Path, *lines: tuple[int, int, str]) -> Path:
    path = folder / "dump.csv"
    rows = [f'{run},{lumisection},charge,"[0, 1, 2, 3, 0]",6,3.0,0.0,3,{good}' for run, lumisection, good in lines]
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def run_command(path: Path, **options: Any) -> str:
    out = io.StringIO()
    call_command("import_labels", str(path), **{"label": "json", "defect": "LAR_OLD", **options}, stdout=out)
    return out.getvalue()


def entries() -> list[tuple[int, str, bool]]:
    rows = Entry.objects.order_by("pk").values_list("run__number", "lumisections", "present")
    return [(run, str(lumisections), present) for run, lumisections, present in rows]


def test_bad_is_a_defect_and_runs_are_signed(known: None, tmp_path: Path) -> None:
    path = dump(tmp_path, (1, 3, "True"), (1, 4, "False"), (1, 5, "False"), (2, 7, "True"))
    assert "2 lumisections called good and 2 bad in 2 runs; 1 entries recorded, 2 runs signed." in run_command(path)
    assert entries() == [(1, "4-5", True)]
    assert SignOff.objects.filter(stage="express", action="sign").count() == 2
    assert AuditEvent.objects.filter(code="training.import_labels").count() == 1


def test_the_same_file_again_changes_nothing(known: None, tmp_path: Path) -> None:
    path = dump(tmp_path, (1, 3, "True"), (1, 4, "False"))
    run_command(path)
    assert "0 entries recorded, 0 runs signed" in run_command(path)
    assert (Entry.objects.count(), SignOff.objects.count()) == (1, 1)


def test_a_corrected_label_takes_the_defect_back(known: None, tmp_path: Path) -> None:
    run_command(dump(tmp_path, (1, 3, "False"), (1, 4, "False")))
    run_command(dump(tmp_path, (1, 3, "True")))
    assert entries() == [(1, "3-4", True), (1, "3", False)]


def test_training_reads_them(known: None, lar: System, tmp_path: Path) -> None:
    run_command(dump(tmp_path, (1, 3, "True"), (1, 4, "False")))
    [labels] = run_labels(lar)
    assert (labels.run.number, str(labels.of(bad=True))) == (1, "4")


def test_only_earlier_runs_when_asked(known: None, tmp_path: Path) -> None:
    run_command(dump(tmp_path, (1, 3, "False"), (2, 3, "False")), until=1)
    assert entries() == [(1, "3", True)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"label": "golden"}, "no label “golden” in it; its labels are: json"),
        ({"defect": "NOPE"}, "no primary defect “NOPE”"),
        ({"stage": "someday"}, "is no stage"),
        ({"user": "nobody"}, "no user “nobody”"),
    ],
)
def test_what_cannot_be_is_refused(known: None, tmp_path: Path, options: dict[str, str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        run_command(dump(tmp_path, (1, 3, "False")), **options)
    assert not Entry.objects.exists()


@pytest.mark.parametrize(
    ("run", "lumisection", "words"), [(3, 1, "run 3 is not known"), (1, 21, "ends at lumisection 20")]
)
def test_runs_and_lumisections_must_be_known(
    known: None, tmp_path: Path, run: int, lumisection: int, words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        run_command(dump(tmp_path, (1, 3, "False"), (run, lumisection, "False")))
    assert not Entry.objects.exists()


def test_who_may_not_record_may_not_import(known: None, dee: User, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="role"):
        run_command(dump(tmp_path, (1, 3, "False")), user="dee")
    assert not SignOff.objects.exists()


@pytest.mark.data
def test_the_real_pixel_file_as_the_docs_say(lar: System, shared_data: Path) -> None:
    defects.define_defects(actor=None, definitions=[NewDefect(name="LAR_OLD", system="LAR", intolerable=True)])
    path = shared_data / "cms_hist" / "chargeInner_PXLayer_1_2017B_medium_train.csv"
    call_command("import_histograms", str(path), create_runs=True, dataset="ZeroBias2017B", stdout=io.StringIO())
    said = run_command(path, label="good")
    assert "2,234 lumisections called good and 402 bad in 14 runs" in said
    assert sum(len(LumiSet.parse(where)) for _, where, _ in entries()) == 402
