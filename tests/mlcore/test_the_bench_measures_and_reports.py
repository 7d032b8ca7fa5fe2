"""`python -m mlcore.bench`: every table measures in quick mode, each row says what a reader needs; the report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlcore import bench
from mlcore.bench import report
from mlcore.bench.rows import Row, over_seeds
from tests.needs import REPOSITORY

FIELDS = {
    "name",
    "task",
    "published",
    "target",
    "value",
    "spread",
    "seeds",
    "reached",
    "seconds",
    "peak_memory_mb",
    "peers",
}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "mlcore.bench", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", bench.names())
def test_every_table_measures_in_quick_mode(name: str, tmp_path: Path) -> None:
    target = tmp_path / "rows.json"
    done = run(name, "--quick", "--seed", "3", "--json", str(target))
    assert done.returncode == 0, done.stderr[-3000:]
    document = json.loads(target.read_text())
    if not document["rows"]:
        # Tables on real files have nothing to measure where those files are not.
        assert name.startswith(("real-", "autodqm-"))
        pytest.skip(f"{name} measures real files, which are not on this machine")
    for row in document["rows"]:
        assert set(row) >= FIELDS
        assert row["name"] == name
        assert row["reached"] in {True, False}
        assert row["seconds"] >= 0
        assert row["peak_memory_mb"] > 0
        assert row["value"] == row["value"], f"{row['task']} has no value"


def test_an_unknown_table_is_refused_with_the_list_of_those_there_are() -> None:
    done = run("no-such-table")
    assert done.returncode == 2
    assert "There is no table no-such-table. There are: " in done.stderr


def a_row(**changes: Any) -> Row:
    values: dict[str, Any] = {
        "name": "weak-region", "task": "AUC", "published": "0.64", "target": 0.99, "value": 0.995, "spread": 0.001,
        "seeds": [100], "seconds": 1.5, "peak_memory_mb": 200.0,
    }  # fmt: skip
    return Row(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "reached"),
    [
        ({}, True),
        ({"value": 0.98}, False),
        ({"better": "lower"}, False),
        ({"better": "lower", "value": 0.99}, True),
        ({"value": float("nan")}, False),
    ],
)
def test_a_row_says_whether_it_reaches_its_target(changes: dict[str, Any], reached: bool) -> None:
    assert a_row(**changes).reached is reached
    assert a_row(**changes).as_json()["reached"] is reached


def test_methods_are_measured_on_the_same_draws() -> None:
    drawn: list[int] = []

    def draw(seed: int) -> int:
        drawn.append(seed)
        return 10 * seed

    peers = over_seeds([1, 2, 3], {"ours": float, "twice": lambda sample: 2.0 * sample}, draw)
    assert drawn == [1, 2, 3]
    assert (peers["ours"].value, peers["twice"].value) == (20.0, 40.0)
    assert peers["ours"].spread == pytest.approx(8.16497, abs=1e-5)


def document(rows: list[Row]) -> dict[str, Any]:
    return {"machine": "a machine", "python": "3.11", "wall_seconds": 600, "rows": [row.as_json() for row in rows]}


def test_the_report_fills_the_place_between_the_markers_and_nothing_else(tmp_path: Path) -> None:
    page, figures, plots = tmp_path / "page.md", tmp_path / "rows.json", tmp_path / "plots"
    page.write_text("# Before\n<!-- tables -->\nold words\n<!-- /tables -->\nafter\n")
    figures.write_text(json.dumps(document([a_row(), a_row(task="another", value=0.5, note="Why it is so.")])))
    assert report.main([str(figures), "--page", str(page), "--plots", str(plots)]) == 0
    text = page.read_text()
    assert text.startswith("# Before\n<!-- tables -->\n")
    assert text.endswith("<!-- /tables -->\nafter\n")
    assert "old words" not in text
    assert "1 of 2 rows reach their target. Measured in 10 minutes" in text
    assert "| another | 0.64 | ≥ 0.99 | 0.5000 ± 0.0010 | **missed** |" in text
    assert "Why it is so." in text
    assert "](plots/weak-region.png)" in text
    assert (plots / "weak-region.png").read_bytes().startswith(b"\x89PNG")


def test_a_page_without_a_place_for_the_tables_is_refused() -> None:
    with pytest.raises(ValueError, match="has no place for the tables"):
        report.placed("# A page\n", "words")


def test_tables_of_several_calls_make_one_page_and_none_comes_twice() -> None:
    def measured(name: str, machine: str = "here") -> dict[str, Any]:
        return {"machine": machine, "python": "3.11", "wall_seconds": 30.0, "rows": [{"name": name}, {"name": name}]}

    both = report.together([measured("rates"), measured("pulses")])
    assert [row["name"] for row in both["rows"]] == ["rates", "rates", "pulses", "pulses"]
    assert both["wall_seconds"] == 60.0
    with pytest.raises(ValueError, match="measured twice"):
        report.together([measured("rates"), measured("rates")])
    with pytest.raises(ValueError, match="different machines"):
        report.together([measured("rates"), measured("pulses", "there")])
