"""The grammar of the upload text: what a line may look like, and what is refused with its line number."""

from __future__ import annotations

import pytest

from certifier.accounts.models import System, User
from certifier.defects import upload_text
from certifier.defects.errors import UploadRefused, UploadTooLarge
from certifier.defects.models import Entry
from certifier.runs.models import Run
from tests.cast import make_run
from tests.defects.builders import Api, define, define_all

URL = "/api/v1/defect-entries/upload/"


def one(text: str) -> upload_text.UploadLine:
    reading = upload_text.read(f"@359918\n{text}\n")
    assert reading.problems == []
    [line] = reading.lines
    return line


@pytest.mark.parametrize(
    ("text", "lumisections", "present", "recoverable", "comment"),
    [
        ("LAR_A R", "all", True, False, ""),
        ("LAR_A R 12", "12", True, False, ""),
        ("LAR_A R 69-80 # channel 30", "69-80", True, False, "channel 30"),
        ("LAR_A 69-80 R # channel 30", "69-80", True, False, "channel 30"),
        ("LAR_A Y 1-4 9 20-End", "1-4 9 20-End", True, True, ""),
        ("LAR_A 1-4 9 20-End Y", "1-4 9 20-End", True, True, ""),
        ("LAR_A G # express checked", "all", False, False, "express checked"),
        ("\tLAR_A\tg\t 5 \t# a # b", "5", False, False, "a # b"),
        ("LAR_A R 1-4,9 # ±5%", "1-4,9", True, False, "±5%"),
        ("R R 5", "5", True, False, ""),
    ],
)
def test_it_reads_a_line(text: str, lumisections: str, present: bool, recoverable: bool, comment: str) -> None:
    line = one(text)
    assert (line.lumisections, line.present, line.recoverable, line.comment) == (
        lumisections,
        present,
        recoverable,
        comment,
    )


def test_lumisections_on_both_sides_are_taken_together_and_said() -> None:
    line = one("LAR_A 1-4 R 9")
    assert line.lumisections == "1-4 9"
    assert "both sides" in line.warnings[0]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_it_reads_blocks_of_several_runs(end: str) -> None:
    text = end.join(
        ["\ufeff# made by a tool", "", "@1 # first", "A R", "", "  @ 2", "# nothing", "B G 5", "@1", "C Y 1"]
    )
    reading = upload_text.read(text)
    assert [(line.number, line.run, line.defect) for line in reading.lines] == [(4, 1, "A"), (8, 2, "B"), (10, 1, "C")]


def test_a_separator_inside_a_comment_ends_no_line() -> None:
    [line] = upload_text.read("@1\nA R # one\u2028two\x0bthree\n").lines
    assert line.comment == "one\u2028two\x0bthree"


@pytest.mark.parametrize(
    ("text", "number", "words"),
    [
        ("LAR_A R\n", 1, "comes before any @RUN"),
        ("@\nLAR_A R", 1, "opens no run"),
        ("@12x\nLAR_A R", 1, "opens no run"),
        ("@0\n", 1, "no run number"),
        ("@99999999999999999999\n", 1, "no run number"),
        ("@1\nLAR_A\n", 2, "has no colour"),
        ("@1\nLAR_A 1-4\n", 2, "has no colour"),
        ("@1\nLAR_A R G 5\n", 2, "2 colours"),
        ("@1\n\nLAR_A G/R 5\n", 3, "somebody has to make"),
        ("@1\nLAR_A r/g\n", 2, "somebody has to make"),
        ("@1\nLAR_A R 5 # \x00\n", 2, "NUL"),
        ("", 0, "no line with a defect"),
        ("\n# only a comment\n", 0, "no line with a defect"),
        ("@359918\n", 0, "no line with a defect"),
    ],
)
def test_it_refuses_what_it_cannot_read(text: str, number: int, words: str) -> None:
    reading = upload_text.read(text)
    [(where, message)] = reading.problems
    assert where == number
    assert words in message


def test_it_refuses_another_encoding_and_says_where() -> None:
    with pytest.raises(UploadRefused, match=r"Line 2: .*UTF-8.*byte 10"):
        upload_text.decode(b"@1\nA R # \xe9")


def test_it_refuses_more_than_five_megabytes() -> None:
    with pytest.raises(UploadTooLarge):
        upload_text.decode(b"#" * (upload_text.MAX_BYTES + 1))


# --- against runs and defects -----------------------------------------------------------------------------------


@pytest.fixture
def run(lar: System) -> Run:
    define_all("LAR_EMBA_HVTRIP", "LAR_UNCHECKED")
    define("LAR", "LAR_EMBA_HVTRIP")
    make_run(360000, lumisections=0)
    return make_run(359918, lumisections=728)


def post(api: Api, user: User, text: str | bytes, query: str = "") -> tuple[int, dict[str, object]]:
    body = text if isinstance(text, str) else text.decode()
    answer = api(user).generic("POST", f"{URL}{query}", body, content_type="text/plain")
    return answer.status_code, answer.json()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("LAR_EMBA_HVTRIPS R 5", "There is no defect “LAR_EMBA_HVTRIPS”. Did you mean LAR_EMBA_HVTRIP?"),
        ("LÄR R 5", "There is no defect “LÄR”"),
        ("LAR R 5", "is virtual"),
        ("LAR_UNCHECKED R 700-729", "728"),
        ("LAR_UNCHECKED R 9-4", "reversed"),
        ("LAR_UNCHECKED R 0", "0"),
        ("LAR_UNCHECKED R 5-", "5-"),
        ("LAR_UNCHECKED R junk", "junk"),
        ("LAR_UNCHECKED R 1000000000", "1000000000"),
    ],
)
def test_every_bad_line_is_named_and_nothing_recorded(api: Api, ben: User, run: Run, line: str, words: str) -> None:
    status, body = post(api, ben, f"@359918\nLAR_UNCHECKED G\n\n{line}\n@1\nLAR_UNCHECKED G\n@360000\nLAR_UNCHECKED G")
    assert status == 400
    errors = body["errors"]
    assert isinstance(errors, list)
    assert [error["field"] for error in errors] == ["line 4", "line 6", "line 8"]
    assert words in errors[0]["message"]
    assert errors[0]["message"].startswith("Line 4: ")
    assert "Run 1 is not known" in errors[1]["message"]
    assert "no lumisections yet" in errors[2]["message"]
    assert not Entry.objects.exists()


@pytest.mark.django_db
def test_an_empty_body_is_refused(api: Api, ben: User, run: Run) -> None:
    assert post(api, ben, "")[0] == 400


@pytest.mark.django_db
def test_only_text_is_taken(api: Api, ben: User, run: Run) -> None:
    assert api(ben).post(URL, {"text": "@359918"}, format="json").status_code == 415


@pytest.mark.django_db
def test_a_body_that_is_too_large_is_413(api: Api, ben: User, run: Run) -> None:
    status, body = post(api, ben, b"@359918\n" + b"# " + b"x" * (6 * 1024 * 1024))
    assert status == 413
    assert "Split it" in str(body["detail"])


@pytest.mark.django_db
def test_a_flood_of_unknown_names_is_refused_quickly(api: Api, ben: User, run: Run) -> None:
    lines = "\n".join(f"LAR_UNCHECKE_{number} R" for number in range(15_000))
    status, body = post(api, ben, f"@359918\n{lines}")
    assert status == 400
    errors = body["errors"]
    assert isinstance(errors, list)
    assert len(errors) == 101
    assert "more errors" in errors[-1]["message"]


@pytest.mark.django_db
def test_too_many_lines_are_413(api: Api, ben: User, run: Run) -> None:
    status, _ = post(api, ben, "@359918\n" + "LAR_UNCHECKED R\n" * 20_001)
    assert status == 413
