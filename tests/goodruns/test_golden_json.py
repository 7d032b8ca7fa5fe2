"""Golden JSON is read strictly, written canonically, and repeated byte for byte where it was canonical."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certifier.goodruns.formats import FormatError, golden_json, layout
from certifier.lumi import LumiSet, RunLumiMap

CONTENT = RunLumiMap({355381: LumiSet.parse("1-10 20-728"), 99999: LumiSet.parse("3")})
CANONICAL = '{"99999": [[3, 3]], "355381": [[1, 10], [20, 728]]}'

numbers = st.integers(1, 60)
contents = st.dictionaries(
    st.integers(1, 400_000), st.sets(numbers, min_size=1).map(LumiSet.from_numbers), max_size=6
).map(RunLumiMap)


def test_it_writes_one_line_with_runs_in_the_order_of_numbers() -> None:
    assert golden_json.write(CONTENT) == CANONICAL
    assert golden_json.sha256(CONTENT) == hashlib.sha256(CANONICAL.encode()).hexdigest()


def test_it_writes_what_json_writes() -> None:
    assert golden_json.write(CONTENT) == json.dumps(CONTENT.to_golden())
    assert golden_json.write(RunLumiMap()) == "{}"


@given(contents)
def test_it_reads_what_it_writes(content: RunLumiMap) -> None:
    file = golden_json.read(golden_json.write(content))
    assert file.content == content
    assert file.layout == layout.CANONICAL
    assert file.remarks == ()


def one_run_per_line(content: RunLumiMap, indent: int) -> str:
    blank = " " * indent
    lines = [f'{blank}"{run}": {json.dumps(ranges)}' for run, ranges in content.to_golden().items()]
    return "{\n" + ",\n".join(lines) + "\n}"


LAYOUTS: dict[str, Any] = {
    "one line": lambda c: json.dumps(c.to_golden()),
    "compact": lambda c: json.dumps(c.to_golden(), separators=(",", ":")),
    "indent 1": lambda c: json.dumps(c.to_golden(), indent=1),
    "indent 2": lambda c: json.dumps(c.to_golden(), indent=2),
    "indent 4": lambda c: json.dumps(c.to_golden(), indent=4),
    "tabs": lambda c: json.dumps(c.to_golden(), indent="\t"),
    "a run a line": lambda c: one_run_per_line(c, 2),
    "a run a line, 4": lambda c: one_run_per_line(c, 4),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
@settings(max_examples=20)
@given(content=contents)
def test_it_repeats_a_file_in_any_regular_layout(content: RunLumiMap, name: str, end: str) -> None:
    text = LAYOUTS[name](content) + end
    if end == "\r\n":
        text = text.replace("\r\n", "\n").replace("\n", "\r\n")
    file = golden_json.read(text.encode())
    assert file.content == content
    assert file.layout is not None
    kept = layout.Layout.from_json(json.loads(json.dumps(file.layout.to_json())))
    assert golden_json.write(file.content, kept) == text


def test_it_repeats_a_layout_that_breaks_only_wide_runs() -> None:
    text = (
        '{\n  "1": [[1, 2], [4, 5]],\n  "2": [\n    [1, 100],\n    [200, 300],\n    [400, 500]],\n  "3": [[7, 7]]\n}\n'
    )
    file = golden_json.read(text)
    assert file.layout is not None
    assert file.layout.from_width is not None
    assert golden_json.write(file.content, file.layout) == text


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ('{"2": [[1, 2]], "1": [[1, 2]]}', "not in ascending order"),
        ('{"1": [[5, 9], [1, 6]]}', "overlap, touch or are out of order in 1 of the runs, for example 1"),
        ('{"1": [[1, 2], [3, 4]]}', "overlap, touch or are out of order"),
        ('{"1": [], "2": [[1, 1]]}', "without a range were left out: 1, for example 1"),
        ('\ufeff{"1": [[1, 1]]}', "byte order mark"),
    ],
)
def test_it_reads_sloppy_files_and_says_what_was_sloppy(text: str, remark: str) -> None:
    assert remark in " ".join(golden_json.read(text.encode()).remarks)


def test_it_keeps_no_layout_of_sloppy_content() -> None:
    file = golden_json.read('{"1": [[5, 9], [1, 6]]}')
    assert file.layout is None
    assert golden_json.write(file.content) == '{"1": [[1, 9]]}'


def test_it_keeps_no_layout_where_there_is_no_rule() -> None:
    file = golden_json.read('{"1": [[1, 2]],"2": [[1,  2]], "3":[[1, 2]]}')
    assert file.layout is None


def test_it_reads_keys_that_are_integers_in_other_clothes() -> None:
    assert golden_json.read('{" 0355381 ": [[1, 2]]}').content.runs == (355381,)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("[1, 2]", "the file holds a list"),
        ("5", "the file holds a number"),
        ("null", "the file holds null"),
        ('[{"run_number": 1, "reference_run_number": 2}]', "load it with import_runs"),
        ('{"1": [[1, 2]],\n "1": [[3, 4]]}', 'line 2: the key "1" stands there twice'),
        ('{"1": [[1, 2]],\n "01": [[3, 4]]}', "line 2: run 1 stands there twice"),
        ('{"1": [[1, 2]],\n "2": [[3, ', "line 2: the file ends in the middle of its JSON; it looks like half a file"),
        ('{"1": [[1, 2]], "2', "half a file"),
        ('{"1": [[1, 2]]}}', "something follows after the end"),
        ('{"1": [[1, 2]],\n "2": [[1, NaN]]}', "line 2: NaN is not a number"),
        ('{"1": [[1, 2]],\n\n "2": [[9, 1]]}', "line 3: run 2: range [9, 1]: the range 9-1 is reversed"),
        ('{"1": [[0, 1]]}', "there is no lumisection 0"),
        ('{"1": [[-2, 1]]}', "numbered from 1"),
        ('{"1": [[1, 1000000000]]}', "above 100000"),
        ('{"1": [[1, 1' + "0" * 5000 + "]]}", "5001 digits"),
        ('{"1": [[1.0, 2]]}', "1.0 is not a lumisection number"),
        ('{"1": [[true, 2]]}', "True is not a lumisection number"),
        ('{"1": [["1", "2"]]}', "not a lumisection number"),
        ('{"1": [[1, 2, 3]]}', "not a range"),
        ('{"1": [1, 2]}', "not a range"),
        ('{"1": "1-2"}', "not a list of ranges"),
        ('{"x": [[1, 2]]}', "not a run number"),
        ('{"0": [[1, 2]]}', "not a run number"),
        ('{"9999999999": [[1, 2]]}', "above"),
        ('{"1": ' + "[" * 100_000, "nested too deep"),
        ('{"1": [[1 2]]}', "column 11: this is no JSON"),
    ],
)
def test_it_names_the_place_of_what_is_wrong(text: str, words: str) -> None:
    with pytest.raises(FormatError) as refusal:
        golden_json.read(text)
    assert words in str(refusal.value)
    assert refusal.value.status == 400


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b'{"1": [[1, 2]],\n"\xe9": []}', "line 2: byte 17 is not UTF-8"),
        ('{"1": [[1, 2]]}'.encode("utf-16"), "UTF-16"),
        (b'{"1": [[1, 2]]}\0', "zero bytes"),
    ],
)
def test_it_reads_utf_8_only(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        golden_json.read(data)


@given(st.text(alphabet='{}[]":, 0123456789\n', max_size=60))
def test_it_never_fails_in_another_way(text: str) -> None:
    try:
        file = golden_json.read(text)
    except FormatError:
        return
    if file.layout is not None:
        assert golden_json.write(file.content, file.layout) == text
