"""docs/particle-identification.md: its blocks run in order in one namespace, and print what stands below them."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

from tests.mlcore.test_the_tutorial_works_as_written import BLOCK

PAGE = Path(__file__).resolve().parents[2] / "docs" / "particle-identification.md"


def test_every_block_prints_what_is_shown() -> None:
    blocks = BLOCK.findall(PAGE.read_text())
    assert len(blocks) == PAGE.read_text().count("```python\n") > 5
    namespace: dict[str, Any] = {"__name__": "tutorial"}
    for number, (code, shown) in enumerate(blocks, start=1):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, f"particle-identification.md block {number}", "exec"), namespace)
        assert printed.getvalue() == shown


def test_the_forest_of_the_page_beats_the_cuts() -> None:
    page = PAGE.read_text()
    cuts, forest = (
        float(line.rsplit(" ", 1)[1]) for line in page.splitlines() if line.startswith(("cuts: ", "forest: "))
    )
    assert forest > cuts
