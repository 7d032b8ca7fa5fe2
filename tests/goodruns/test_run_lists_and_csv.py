"""The two plain forms: one run per line, and one range per row."""

from __future__ import annotations

import pytest
from hypothesis import given

from certifier.goodruns import formats
from certifier.goodruns.formats import FormatError, run_csv, run_list
from certifier.lumi import LumiSet, RunLumiMap
from tests.goodruns.test_golden_json import contents


@given(contents)
def test_it_reads_the_csv_it_writes(content: RunLumiMap) -> None:
    assert run_csv.read(run_csv.write(content)) == content


def test_it_reads_rows_in_any_order() -> None:
    text = "Run, First, Last\r\n2,5,9\r\n\r\n1,1,3\r\n2,1,6\r\n"
    assert run_csv.read(text) == RunLumiMap({1: LumiSet.parse("1-3"), 2: LumiSet.parse("1-9")})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("run,first\n1,2\n", "line 1: the columns must be run,first,last"),
        ("run,first,last\n1,2\n", "line 2: 3 values are needed"),
        ("run,first,last\n1,1,2\n1,3,x\n", "line 3: last is “x”"),
        ("run,first,last\n1,3,1\n", "line 2: run 1: .*reversed"),
        ("run,first,last\n1,0,1\n", "no lumisection 0"),
        ("run,first,last\n0,1,1\n", "no run 0"),
        ('run,first,last\n1,1,"2\n', "this is no CSV"),
    ],
)
def test_it_names_the_row_that_is_wrong(text: str, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        run_csv.read(text)


def test_it_takes_a_listed_run_as_a_whole() -> None:
    content, remarks = run_list.read("47289\n\n# checked\n47291  # good\n47289\n", {47291: 3}.get)
    assert content == RunLumiMap({47289: LumiSet.parse("1"), 47291: LumiSet.parse("1-3")})
    assert remarks == ("Runs that stand there twice: 1, for example 47289.",)
    assert run_list.write(content) == "47289\n47291\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("47289\nx\n", "line 2: “x” is no run number"),
        ("0\n", "line 1: .*no run 0"),
        ("-5\n", "is no run number"),
        ("1" * 30, "far too large"),
        ("5000000000", "above"),
    ],
)
def test_it_names_the_line_that_is_wrong(text: str, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        run_list.read(text)


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (b'  {"1": [[1, 2]]}', "golden-json"),
        (b'\xef\xbb\xbf{"1": [[1, 2]]}', "golden-json"),
        (b"<LumiRangeCollection/>", "grl-xml"),
        (b"run,first,last\n", "csv"),
        (b"47289\n", "run-list"),
        (b"# runs\n47289\n", "run-list"),
    ],
)
def test_it_recognises_a_format_by_its_beginning(data: bytes, form: str) -> None:
    assert formats.read(data).format == form


@pytest.mark.parametrize("data", [b"", b"   \n", b"hello", b"\xff\xfe{\0", b"%PDF-1.4"])
def test_it_says_when_it_is_none(data: bytes) -> None:
    with pytest.raises(FormatError):
        formats.read(data)
