"""The reader of the walk itself: what it lets pass and what it does not."""

from __future__ import annotations

import json

import pytest

from tests.api.walk import Step, differences, steps

DOCUMENT = """# REST

```sh
not part of it
```

## The walk

```sh
echo '{"id": 7}'
```
```json
{"id": "<id>"}
```

```sh
true
```

## Afterwards

```sh
not part of it either
```
"""


def test_it_reads_commands_with_their_answers() -> None:
    assert steps(DOCUMENT) == [Step(9, "echo '{\"id\": 7}'\n", "json", '{"id": "<id>"}\n'), Step(16, "true\n")]


@pytest.mark.parametrize(
    ("shown", "got"),
    [
        ({"a": 1, "b": [1, None]}, {"b": [1, None], "a": 1.0}),
        ({"id": "<id>", "at": "<time>", "sum": "<sha256>"}, {"id": 3, "at": "2026-03-01T12:00:00.5Z", "sum": "a" * 64}),
        ({"a": 1, "…": "…"}, {"a": 1, "b": 2}),
        (["…", {"…": "…"}], [7, {"x": 1}]),
    ],
)
def test_it_lets_pass_what_is_shown(shown: object, got: object) -> None:
    assert differences(Step(1, "", "json", json.dumps(shown)), json.dumps(got)) == []


@pytest.mark.parametrize(
    ("shown", "got"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": "1"}),
        ({"a": 1}, {"a": True}),
        ({"a": None}, {}),
        ({}, {"a": None}),
        ({"a": 1, "…": "…"}, {"b": 2}),
        ([1], [1, 2]),
        ([1, 2], [1]),
        ({"id": "<id>"}, {"id": "7"}),
        ({"at": "<time>"}, {"at": "today"}),
        ({"sum": "<sha256>"}, {"sum": "abc"}),
        ({"a": {"b": [{"c": 1}]}}, {"a": {"b": [{"c": 2}]}}),
    ],
)
def test_it_finds_what_differs(shown: object, got: object) -> None:
    assert differences(Step(1, "", "json", json.dumps(shown)), json.dumps(got))


@pytest.mark.parametrize(
    ("shown", "got", "same"),
    [
        ("201\n", "201", True),
        ("201\n201", "201\n", False),
        ("entry <id> of <sha256>", "entry 12 of " + "0" * 64, True),
        ("entry <id>", "entry twelve", False),
        ("a.c", "abc", False),
    ],
)
def test_it_compares_lines(shown: str, got: str, same: bool) -> None:
    assert (not differences(Step(1, "", "text", shown), got)) == same
