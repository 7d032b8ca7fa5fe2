"""docs/mlcore.md: its blocks run in order in one namespace, and print what stands below them."""

from __future__ import annotations

import contextlib
import doctest
import io
import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "mlcore.md"
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.DOTALL | re.MULTILINE)


def blocks() -> list[tuple[str, str | None]]:
    return [(code, shown or None) for code, shown in BLOCK.findall(PAGE.read_text())]


@pytest.mark.slow
def test_every_block_runs_and_prints_what_is_shown() -> None:
    namespace: dict[str, Any] = {"__name__": "tutorial"}
    checker = doctest.OutputChecker()
    found = blocks()
    assert len(found) > 10
    for number, (code, shown) in enumerate(found, start=1):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, f"docs/mlcore.md block {number}", "exec"), namespace)
        if shown is not None:
            same = checker.check_output(shown, printed.getvalue(), doctest.ELLIPSIS)
            assert same, f"block {number} prints\n{printed.getvalue()}\nbut the page shows\n{shown}"


def test_every_output_that_is_shown_belongs_to_a_block() -> None:
    page = PAGE.read_text()
    assert page.count("```text\n") == sum(shown is not None for _, shown in blocks())
    assert page.count("```python\n") == len(blocks())


def test_there_is_a_place_for_the_tables() -> None:
    page = PAGE.read_text()
    assert page.index("<!-- tables -->") < page.index("<!-- /tables -->")


def test_every_detector_has_its_line() -> None:
    folder = PAGE.parents[1] / "mlcore" / "detectors"
    found = {
        path.stem
        for path in folder.glob("*.py")
        if re.search(r"^class [A-Z]\w*\((?:\w*Detector)", path.read_text(), re.M)
    }
    listed = set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.M))
    assert found - {"base"} <= listed
