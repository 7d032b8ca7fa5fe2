"""The commands say what they did, change nothing twice, and name file and line of what is wrong."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from certifier.accounts.models import User
from certifier.goodruns.models import GoodRunList

pytestmark = pytest.mark.django_db


def run(*arguments: object) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("import_good_runs", *map(str, arguments), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    file = tmp_path / "golden.json"
    file.write_text('{"1": [[1, 10]], "2": [[3, 3]]}')
    return file


def test_it_imports_under_the_name_of_the_file(golden: Path) -> None:
    out, _ = run(golden)
    assert "imported as list golden" in out
    assert "2 runs, 11 lumisections" in out
    assert GoodRunList.objects.get().provenance["source"] == "golden.json"


def test_it_changes_nothing_the_second_time(golden: Path) -> None:
    run(golden)
    out, _ = run(golden)
    assert "is already there as list golden" in out
    assert GoodRunList.objects.count() == 1


def test_it_takes_another_name(golden: Path) -> None:
    run(golden, "--name", "2026 golden")
    assert GoodRunList.objects.get().name == "2026 golden"


def test_it_publishes_in_the_name_of_somebody(golden: Path, chi: User, ben: User) -> None:
    run(golden, "--user", "chi")
    assert GoodRunList.objects.get().created_by == chi
    with pytest.raises(CommandError, match="There is no user “nobody”"):
        run(golden, "--user", "nobody")
    with pytest.raises(CommandError):
        run(golden, "--user", "ben", "--name", "other")


def test_it_names_file_and_line_and_goes_on_with_the_others(golden: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"1": [[1, 10]],\n"2": [[9, 3]]}')
    err = StringIO()
    with pytest.raises(CommandError, match="1 of 3 files not imported"):
        call_command("import_good_runs", str(bad), str(golden), str(golden), stdout=StringIO(), stderr=err)
    assert f"{bad}: line 2: run 2: range [9, 3]: the range 9-3 is reversed" in err.getvalue()
    assert [each.name for each in GoodRunList.objects.all()] == ["golden"]


def test_it_refuses_another_content_under_the_same_name(golden: Path) -> None:
    run(golden)
    golden.write_text('{"1": [[1, 9]]}')
    err = StringIO()
    with pytest.raises(CommandError):
        call_command("import_good_runs", str(golden), stderr=err)
    assert "exists with another content, and lists never change" in err.getvalue()


def test_it_says_when_there_is_no_such_file(tmp_path: Path) -> None:
    err = StringIO()
    with pytest.raises(CommandError):
        call_command("import_good_runs", str(tmp_path / "none.json"), stderr=err)
    assert "cannot be read (No such file or directory)" in err.getvalue()


def test_it_wants_a_list_before_a_report(tmp_path: Path) -> None:
    report = tmp_path / "pp_cutflow_report.json"
    report.write_text('{"runs": 5}')
    err = StringIO()
    with pytest.raises(CommandError):
        call_command("import_good_runs", str(report), stderr=err)
    assert "there is no list called pp or pp_grl" in err.getvalue()


def test_it_does_not_give_one_name_to_several(golden: Path) -> None:
    with pytest.raises(CommandError, match="--name goes with one FILE"):
        run(golden, golden, "--name", "x")


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("golden-json", '{"1": [[1, 10]], "2": [[3, 3]]}'),
        ("csv", "run,first,last\n1,1,10\n2,3,3\n"),
        ("run-list", "1\n2\n"),
    ],
)
def test_it_exports_by_name_or_id(golden: Path, form: str, text: str) -> None:
    run(golden)
    for key in ("golden", str(GoodRunList.objects.get().pk)):
        out = StringIO()
        call_command("export_good_runs", key, "--format", form, stdout=out)
        assert out.getvalue() == text


def test_it_exports_no_list_that_is_not_there() -> None:
    for key in ("nothing", "7", "9" * 30):
        with pytest.raises(CommandError, match="There is no good-run list"):
            call_command("export_good_runs", key)
