"""Score tables of AutoDQM: order of runs, undecided verdicts, and what is refused."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from mlcore import readers
from mlcore.errors import UnreadableFile


def scores_file(folder: Path, *rows: list[object], header: list[str] | None = None) -> Path:
    path = folder / "scores.csv"
    names = [
        "",
        "run_number",
        "label",
        "L1T/Run summary/uGMT/pt_chi2",
        "run_number",
        "label",
        "L1T/Run summary/Calo/et_chi2",
    ]
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header or names, *rows])
    return path


def test_scores_come_in_order_of_runs_with_undecided_counted_as_good(tmp_path: Path) -> None:
    read = readers.read_autodqm_scores(
        scores_file(tmp_path, [0, 9, 1, 1.5, 9, 1, -99.0], [1, 7, -1, "", 7, -1, 2.5], [2, 8, 0, 0.5, 8, 0, "inf"])
    )
    assert read.table.conditions.run.tolist() == [7, 8, 9]
    assert read.labels.tolist() == [0, 0, 1]
    assert read.verdict.tolist() == [-1, 0, 1]
    assert read.table.groups == ("uGMT", "Calo")
    assert np.array_equal(read.table.values, [[np.nan, 2.5], [0.5, np.nan], [1.5, np.nan]], equal_nan=True)


@pytest.mark.parametrize(
    ("rows", "reason", "number"),
    [
        ([[0, 9, 1, 1.5, 8, 1, 2.0]], "disagree", 2),
        ([[0, 9, 3, 1.5, 9, 3, 2.0]], "none of -1, 0 and 1", 2),
        ([[0, 9, 1, 1.5, 9, 1, 2.0], [0, 9, 1, 1.5, 9, 1, 2.0]], "already in line 2", 3),
        ([[0, 9, 1, "high", 9, 1, 2.0]], "not a number", 2),
        ([[0, "x", 1, 1.0, "x", 1, 2.0]], "not a whole number", 2),
        ([[0, 9, 1, 1.5]], "cut off", 2),
        ([], "no run", None),
    ],
)
def test_broken_scores_are_refused(tmp_path: Path, rows: list[list[object]], reason: str, number: int | None) -> None:
    with pytest.raises(UnreadableFile, match=reason) as caught:
        readers.read_autodqm_scores(scores_file(tmp_path, *rows))
    assert caught.value.line == number


def test_scores_of_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="not an AutoDQM"):
        readers.read_autodqm_scores(scores_file(tmp_path, header=["a", "b"]))
    with pytest.raises(UnreadableFile, match="comes twice"):
        readers.read_autodqm_scores(scores_file(tmp_path, header=["run_number", "label", "a", "a"]))
