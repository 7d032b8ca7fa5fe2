"""Score tables of AutoDQM_ML (arXiv:2501.13789): one row per run, one column per histogram and kind of score."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from mlcore.conditions import Conditions
from mlcore.errors import UnreadableFile
from mlcore.features import FeatureTable

from .labelled import LabelledTable

#: What stands for a score that could not be computed.
NO_SCORE = -99.0
_RUN, _LABEL = "run_number", "label"
_OTHER = ("", "year", "algo")


def read_autodqm_scores(path: str | Path) -> LabelledTable:
    """The table of a file, runs in order: NaN where there is no score, groups by monitoring folder.

    Label 1 is bad, 0 good and -1 undecided; the authors count the latter as not bad and so does `labels`, while
    `verdict` keeps them apart. Columns of run and label that come again must agree. Raises UnreadableFile with file,
    line and reason.
    """
    file = Path(path)
    header, lines = _read(file)
    places = [place for place, name in enumerate(header) if name not in (_RUN, _LABEL, *_OTHER)]
    if _RUN not in header or _LABEL not in header or not places:
        raise UnreadableFile(file, 1, f"not an AutoDQM score table: it needs {_RUN}, {_LABEL} and scores.")
    names = [header[place] for place in places]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UnreadableFile(file, 1, f"the column {twice} comes twice.")
    runs, verdicts, values = [], [], []
    seen: dict[int, int] = {}
    for line, cells in lines:
        if len(cells) != len(header):
            raise UnreadableFile(file, line, f"{len(cells)} cells, the header has {len(header)}; is the file cut off?")
        run = _agreed(file, line, header, cells, _RUN)
        verdict = _agreed(file, line, header, cells, _LABEL)
        if verdict not in (-1, 0, 1):
            raise UnreadableFile(file, line, f"label {verdict} is none of -1, 0 and 1.")
        if run in seen:
            raise UnreadableFile(file, line, f"run {run} came already in line {seen[run]}.")
        seen[run] = line
        runs.append(run)
        verdicts.append(verdict)
        values.append(_numbers(file, line, [cells[place] for place in places]))
    if not runs:
        raise UnreadableFile(file, None, "there is no run in it.")
    order = np.argsort(runs)
    verdict_array = np.asarray(verdicts, dtype=np.int64)[order]
    conditions = Conditions(run=np.asarray(runs)[order], lumisection=np.ones(len(runs), dtype=np.int64))
    table = FeatureTable(np.array(values)[order], tuple(names), tuple(_folder(name) for name in names), conditions)
    return LabelledTable(table, (verdict_array == 1).astype(np.int64), verdict_array)


def _read(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream, strict=True)
            header = next(reader, [])
            return header, [(reader.line_num, cells) for cells in reader if cells]
    except (csv.Error, UnicodeDecodeError) as problem:
        raise UnreadableFile(path, None, f"this is not CSV text ({problem}).") from problem
    except OSError as problem:
        raise UnreadableFile(path, None, f"cannot be opened ({problem.strerror}).") from problem


def _agreed(path: Path, line: int, header: list[str], cells: list[str], name: str) -> int:
    values = {cell for title, cell in zip(header, cells, strict=True) if title == name}
    if len(values) != 1:
        raise UnreadableFile(path, line, f"the columns called {name} disagree: {', '.join(sorted(values))}.")
    text = values.pop()
    try:
        return int(text)
    except ValueError as problem:
        raise UnreadableFile(path, line, f"{name} is {text!r}, not a whole number.") from problem


def _numbers(path: Path, line: int, cells: list[str]) -> list[float]:
    try:
        numbers = [float(cell) if cell.strip() else np.nan for cell in cells]
    except ValueError as problem:
        raise UnreadableFile(path, line, f"a score is not a number ({problem}).") from problem
    return [np.nan if number == NO_SCORE or not np.isfinite(number) else number for number in numbers]


def _folder(name: str) -> str:
    """`L1T/Run summary/L1TStage2uGMT/ugmtMuonPt_chi2_score_beta` belongs to L1TStage2uGMT."""
    parts = [part for part in name.split("/") if part]
    return parts[2] if len(parts) > 3 else parts[0]
