from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from certifier.accounts.models import System, User
from certifier.defects.models import Defect, Entry
from certifier.runs.models import Run
from tests.cast import make_run
from tests.defects.builders import define_all, of_run, present, record

pytestmark = pytest.mark.django_db

HEADER = "channel_id,defect,since_run,since_lb,until_run,until_lb_exclusive,present,recoverable,user,comment"
OPEN = 4294967295
Write = Callable[..., str]


def row(defect: str, since: str, until: str, payload: str = "1,0,sys:hancool,why") -> str:
    return f"15,{defect},{since.replace(':', ',')},{until.replace(':', ',')},{payload}"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(*lines: str, name: str = "defects.csv", end: str = "\n") -> str:
        path = tmp_path / name
        path.write_bytes(end.join([HEADER, *lines, ""]).encode())
        return str(path)

    return write


def load(*arguments: str) -> str:
    out = StringIO()
    call_command("import_defects", *arguments, stdout=out)
    return out.getvalue()


def refused(*arguments: str) -> str:
    with pytest.raises(CommandError) as caught:
        load(*arguments)
    assert caught.value.returncode != 0
    assert not Entry.objects.exists()
    return str(caught.value)


@pytest.fixture
def run(lar: System) -> Run:
    define_all("LAR_A", "LAR_B")
    return make_run(100, lumisections=728)


def test_it_records_intervals_with_who_and_why(run: Run, write: Write) -> None:
    out = load(write(row("LAR_A", "100:69", "100:71"), row("lar_b", "100:5", "100:6", '0,0,expert07,"a, b ""c"""')))
    assert out.endswith("2 records; 2 entries recorded.\n")
    found = of_run(run, "LAR_A")
    assert found is not None
    [interval] = found.intervals
    assert (str(interval.lumisections), interval.user, interval.comment) == ("69-70", "sys:hancool", "why")
    entry = Entry.objects.get(defect__name="LAR_B")
    assert (entry.present, entry.user, entry.comment, entry.source) == (False, "expert07", 'a, b "c"', "import")


def test_the_same_file_again_changes_nothing(run: Run, write: Write) -> None:
    file = write(
        row("LAR_A", "100:1", "100:11"), row("LAR_A", "100:5", "100:6", "0,0,ada,no"), row("LAR_A", "100:1", "100:11")
    )
    assert "3 entries recorded" in load(file)
    assert "0 entries recorded, 3 imported before" in load(file)
    assert Entry.objects.count() == 3
    # Not even when somebody has said otherwise since: the file is history.
    record(run, "LAR_A", "1-10", present=False)
    assert "0 entries recorded, 3 imported before" in load(file)
    assert present(run, "LAR_A") == ""


def test_lumisection_zero_becomes_one_and_is_said(run: Run, write: Write) -> None:
    out = load(write(row("LAR_A", "100:0", "100:5")))
    assert "line 2: lumisection 0 does not exist; the record begins at 1." in out
    assert present(run, "LAR_A") == "1-4"


def test_an_open_end_is_the_end_of_the_run(run: Run, write: Write) -> None:
    load(write(row("LAR_A", "100:700", f"100:{OPEN}"), row("LAR_B", "100:1", "101:0")))
    assert (present(run, "LAR_A"), present(run, "LAR_B")) == ("700-728", "1-728")


def test_an_end_beyond_the_run_is_cut_and_said(run: Run, write: Write) -> None:
    out = load(write(row("LAR_A", "100:54", "100:735")))
    assert "line 2: it ends at 734, beyond the last lumisection 728 of run 100; the rest is cut off." in out
    assert present(run, "LAR_A") == "54-728"


def test_what_covers_no_lumisection_is_said_and_not_dropped_silently(run: Run, write: Write) -> None:
    out = load(
        write(
            row("LAR_A", f"100:{OPEN}", "142:0"), row("LAR_A", "100:0", "100:1"), row("LAR_A", "100:729", f"100:{OPEN}")
        )
    )
    assert "line 2: “100:open to 142:0” covers no lumisection" in out
    assert "line 3: “100:0 to 100:1” covers no lumisection" in out
    assert "line 4: “100:729 to 100:open” covers no lumisection" in out
    assert "3 records; 0 entries recorded, 3 records without a lumisection." in out


def test_a_record_over_several_runs_is_split(run: Run, write: Write) -> None:
    between, last, later = make_run(110, lumisections=5), make_run(120, lumisections=50), make_run(130, lumisections=9)
    out = load(write(row("LAR_A", "100:700", "120:11")))
    assert "line 2: it reaches over several runs and is split: 100, 110, 120." in out
    assert [present(each, "LAR_A") for each in (run, between, last, later)] == ["700-728", "1-5", "1-10", ""]


def test_a_record_that_cannot_be_split_is_refused_with_its_reason(run: Run, write: Write) -> None:
    file = write(row("LAR_A", "100:1", "100:5"), row("LAR_A", "100:700", "120:11"))
    message = refused(file)
    assert f"{file}: Line 3: “100:700 to 120:11” reaches over several runs and cannot be split" in message
    assert "because run 120 is not known" in message
    assert "Nothing of this file was recorded." in message
    make_run(110, lumisections=0)
    make_run(120, lumisections=20)
    assert "run 110 has no lumisections yet" in refused(file)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (row("LAR_A", "100:9", "100:4"), "is reversed"),
        (row("LAR_A", "100:9", "100:9"), "is empty"),
        (row("LAR_A", "100:x", "100:9"), "since_lb is “x”"),
        (row("LAR_A", "100:-1", "100:9"), "since_lb is “-1”"),
        (row("LAR_A", "100:٣", "100:9"), "since_lb"),
        (row("LAR_A", "100:1", "100:99999999999"), "the largest is 4294967295"),
        (row("LAR_A", "0:1", "0:5"), "Run 0"),
        (row("LAR_A", "999:1", "999:5"), "run 999 is not known"),
        (row("LAR_A", "100:1", "100:5", "yes,0,u,c"), "present is “yes”"),
        (row("LAR_A", "100:1", "100:5", "1,2,u,c"), "recoverable is “2”"),
        (row("LAR_X", "100:1", "100:5"), "Did you mean LAR_"),
        (row("", "100:1", "100:5"), "no name"),
        ("15,LAR_A,100,1", "Is the file whole?"),
        ('15,LAR_A,100,1,100,5,1,0,u,"half', "Is it whole?"),
        (row("LAR_A", "100:1", "100:5", "1,0,u,nul \x00"), "NUL"),
    ],
)
def test_a_bad_row_is_named_and_nothing_recorded(run: Run, write: Write, line: str, words: str) -> None:
    message = refused(write(row("LAR_A", "100:1", "100:5"), line))
    assert "Line 3: " in message
    assert words.lower() in message.lower()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "no line with a defect"),
        (b"defect,since_run,since_lb\nA,1,2\n", "the header lacks until_run"),
        (HEADER.encode() + b"\n", "no record below the header"),
        (b"\xff\xfe\x00bad", "not UTF-8"),
        (b"just some words\n", "before any @RUN"),
    ],
)
def test_what_is_no_such_file_is_refused(run: Run, tmp_path: Path, body: bytes, words: str) -> None:
    path = tmp_path / "bad"
    path.write_bytes(body)
    assert words in refused(str(path))


def test_a_file_that_is_not_there_is_refused(run: Run, tmp_path: Path) -> None:
    assert "cannot be read" in refused(str(tmp_path / "none.csv"))


def test_it_reads_crlf_bom_and_columns_in_another_order(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    header = "comment,user,recoverable,present,until_lb_exclusive,until_run,since_lb,since_run,DEFECT"
    path.write_bytes(f"\ufeff{header}\r\nwhy,ada,1,true,5,100,1,100,LAR_A\r\n\r\n".encode())
    load(str(path))
    found = of_run(run, "LAR_A")
    assert found is not None
    assert (str(found.present), str(found.recoverable)) == ("1-4", "1-4")


def test_it_reads_upload_text(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "upload.txt"
    path.write_text("@100\nLAR_A R 5-End # x\nLAR_B G\n")
    assert "2 entries recorded" in load(str(path))
    assert "0 entries recorded, 2 imported before" in load(str(path))
    assert present(run, "LAR_A") == "5-728"
    path.write_text("@100\nLAR_A R 5-729\n")
    with pytest.raises(CommandError, match="Line 2"):
        load(str(path))


def test_it_makes_missing_defects_in_the_system_of_the_longest_code(
    lar: System, systems: dict[str, System], write: Write
) -> None:
    make_run(100, lumisections=10)
    names = ["LAR_NEW", "TRIG_L1_CAL_off", "lar_new", "CHANNEL_7", "TRIG"]
    file = write(*(row(name, "100:1", "100:5") for name in names))
    assert "CHANNEL_7 begins with the code of no system" in refused(file, "--create-missing")
    assert not Defect.objects.exists()
    assert "no system “NOPE”" in refused(file, "--create-missing", "--system", "NOPE")
    out = load(file, "--create-missing", "--system", "global")
    assert "4 new primary defects" in out
    placed = dict(Defect.objects.values_list("name", "system__code"))
    assert placed == {"LAR_NEW": "LAR", "TRIG_L1_CAL_off": "TRIG_L1", "CHANNEL_7": "GLOBAL", "TRIG": "GLOBAL"}


def test_it_makes_missing_runs_of_the_length_the_file_tells(lar: System, write: Write) -> None:
    define_all("LAR_A")
    make_run(100, lumisections=50)
    whole = [row("LAR_A", "200:1", "200:101") for _ in range(20)]
    rows = [row("LAR_A", "300:1", "300:11"), row("LAR_A", "300:5", "300:16"), row("LAR_A", "100:1", "100:51")]
    out = load(write(*whole, row("LAR_A", "200:5", "200:107"), *rows), "--create-runs")
    assert "run 200 gets 100 lumisections" in out
    assert "run 300 gets 15 lumisections" in out
    assert dict(Run.objects.values_list("number", "last_lumisection")) == {100: 50, 200: 100, 300: 15}
    assert "run 400 is not known" in refused_later(write(row("LAR_A", "400:1", f"400:{OPEN}")), "--create-runs")


def refused_later(*arguments: str) -> str:
    with pytest.raises(CommandError) as caught:
        load(*arguments)
    return str(caught.value)


def test_a_dry_run_changes_nothing(run: Run, write: Write) -> None:
    out = load(write(row("LAR_NEW", "101:1", "101:5")), "--create-missing", "--create-runs", "--dry-run")
    assert "1 entry would be recorded" in out
    assert not Entry.objects.exists()
    assert (Defect.objects.count(), Run.objects.count()) == (2, 1)


def test_a_failing_file_leaves_the_ones_before_it(run: Run, write: Write) -> None:
    good = write(row("LAR_A", "100:1", "100:5"), name="good.csv")
    bad = write(row("LAR_A", "100:1", "100:5"), row("NOPE", "100:1", "100:5"), name="bad.csv")
    with pytest.raises(CommandError):
        load(good, bad)
    assert Entry.objects.count() == 1


def test_it_asks_what_the_user_may_do(run: Run, dee: User, ben: User, write: Write) -> None:
    file = write(row("LAR_A", "100:1", "100:5", "1,0,,"))
    assert "needs the role" in refused(file, "--user", "dee")
    assert "no user “nobody”" in refused(file, "--user", "nobody")
    load(file, "--user", "ben")
    entry = Entry.objects.get()
    assert (entry.user, entry.actor) == ("ben", ben)
