"""manage.py import_runs: idempotent, all or nothing per file, clear about what is wrong."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from certifier.accounts.models import User
from certifier.audit.models import AuditEvent
from certifier.runs.models import Change, Lumisection, Run
from tests.runs.files import BRILCALC, OMS, write

pytestmark = pytest.mark.django_db


def run_command(*arguments: Any, **options: Any) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("import_runs", *map(str, arguments), stdout=out, stderr=err, **options)
    except CommandError as error:
        return out.getvalue(), err.getvalue() + f"CommandError: {error}"
    return out.getvalue(), err.getvalue()


def test_it_says_what_it_did(tmp_path: Path) -> None:
    oms, lumi = write(tmp_path, OMS, "oms.csv"), write(tmp_path, BRILCALC, "lumi.csv")
    out, err = run_command(oms, lumi)
    told = "2 runs (2 new, 0 changed), 4 lumisections (4 new or changed), 2 condition flags changed."
    assert out.splitlines() == [f"{oms}: OMS CSV: 2 runs (2 new, 0 changed).", f"{lumi}: brilcalc CSV: {told}"]
    assert err == ""
    event = AuditEvent.objects.filter(code="runs.import_file").latest("id")
    assert (event.subject, event.actor_name, event.data) == (
        "lumi.csv",
        "system",
        {"format": "brilcalc CSV", "runs": 2},
    )


def test_it_changes_nothing_the_second_time(tmp_path: Path) -> None:
    lumi = write(tmp_path, BRILCALC, "lumi.csv")
    run_command(lumi)
    counts = Change.objects.count(), AuditEvent.objects.count()
    out, _ = run_command(lumi, lumi)
    line = f"{lumi}: brilcalc CSV: 2 runs (0 new, 0 changed), 4 lumisections (0 new or changed); nothing changed."
    assert out.splitlines() == [line, line]
    assert (Change.objects.count(), AuditEvent.objects.count()) == counts


def test_it_takes_a_dry_run_back(tmp_path: Path) -> None:
    lumi = write(tmp_path, BRILCALC, "lumi.csv")
    out, _ = run_command(lumi, dry_run=True)
    assert out.endswith("2 condition flags changed (dry run, taken back).\n")
    assert not Run.objects.exists()
    assert not Lumisection.objects.exists()
    assert not Change.objects.exists()
    assert not AuditEvent.objects.filter(code__startswith="runs.").exists()


def test_it_acts_for_a_person(tmp_path: Path, chi: User, ben: User) -> None:
    oms = write(tmp_path, OMS, "oms.csv")
    run_command(oms, user="chi")
    assert set(Change.objects.values_list("by", flat=True)) == {"chi"}
    _, err = run_command(write(tmp_path, BRILCALC), user="ben")
    assert "CommandError: Changing runs and lumisections needs the role coordinator." in err
    assert set(Change.objects.values_list("by", flat=True)) == {"chi"}
    assert "There is no user “eve”." in run_command(oms, user="eve")[1]


def test_it_imports_the_good_files_and_names_the_bad_one(tmp_path: Path) -> None:
    bad = write(tmp_path, BRILCALC.replace("125100.140", "lots"), "bad.csv")
    good = write(tmp_path, OMS, "oms.csv")
    out, err = run_command(bad, good)
    assert out.splitlines() == [f"{good}: OMS CSV: 2 runs (2 new, 0 changed)."]
    assert f"{bad}: line 5: delivered “lots” is not a number." in err
    assert "CommandError: 1 of 2 files were not imported; nothing of them was written." in err
    assert set(Run.objects.values_list("number", flat=True)) == {297046, 297047}


def test_it_writes_nothing_of_a_file_that_fails_in_its_last_run(tmp_path: Path) -> None:
    own = {"runs": [{"run": 1}, {"run": 2}], "lumisections": {"1": {"pileup": [1]}, "2": {"flags": {"a": "5"}}}}
    _, err = run_command(write(tmp_path, own, "own.json"))
    assert "own.json: runs[1]: flags.a: Lumisection 5 is beyond the end" in err
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty."),
        (b" \n\n", "the file is empty."),
        (b"\xff\xfer\x00u\x00n\x00", "the file is UTF-16; save it as UTF-8."),
        (b"run_number,fill_number\n5,\xe9\n", "line 2: byte 26 is not UTF-8; save the file as UTF-8."),
        (b"run_number,fill_number\n5,\0\n", "line 2: there is a NUL character"),
        (b"\x1f\x8b\x08\x00aaaa", "the file is compressed (gzip); decompress it first."),
        (b"PK\x03\x04aaaa", "the file is compressed (zip); decompress it first."),
        (b"hello\n", "the file is none of the known formats (brilcalc CSV, OMS CSV, Certifier JSON"),
        (b'{"355381": [[1, 10]]}', "this looks like a good-run list; import it with “manage.py import_good_runs”."),
        (b"<LumiRangeCollection/>", "this is XML; import a good-run list with “manage.py import_good_runs”."),
        (b"defect,since_run,since_lb\n", "this is a table of defects; import it with “manage.py import_defects”."),
        (b'{"a": 1}', "the JSON is none of the known formats"),
        (b"[]", "the JSON is none of the known formats"),
        (b'{"runs": [{"run": 1}', "line 1: column 21: the file ends in the middle of the JSON value"),
        (b'{"runs": []}\n{"runs": []}', "line 2: column 1: the JSON value has ended, but the file goes on."),
        (b'{"runs": [{"run": 1,\n "run": 2}]}', "the key “run” stands twice in one object"),
        (b'{"runs": [{"run": 1, "fill": NaN}]}', "NaN is not JSON; write null"),
        (b'{"runs": [{"run": 1, "energy_gev": 1e999}]}', "the number 1e999 is too large."),
        (b'{"runs": [{"run": ' + b"9" * 5000 + b"}]}", "a number with too many digits"),
        (b'{"runs": [{"run": 1, fill: 2}]}', "line 1: column 22: this is not JSON"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_it_names_what_is_wrong_with_a_file(tmp_path: Path, content: bytes, message: str) -> None:
    path = write(tmp_path, content)
    out, err = run_command(path)
    assert out == ""
    assert err.startswith(f"{path}: ")
    assert message in err
    assert not Run.objects.exists()


def test_it_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "cannot be read: No such file or directory." in run_command(tmp_path / "none.csv")[1]
    assert "cannot be read: Is a directory." in run_command(tmp_path)[1]


def test_it_reads_a_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    assert "2 runs (2 new" in run_command(write(tmp_path, b"\xef\xbb\xbf" + OMS.encode()))[0]


def test_it_shows_progress_only_when_it_takes_long(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, BRILCALC, "lumi.csv")
    run_command(path)
    assert capsys.readouterr().err == ""
    clock = iter(range(0, 1000, 6))
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    run_command(path)
    assert re.search(r"lumi\.csv: \d of 2 runs written …", capsys.readouterr().err)
