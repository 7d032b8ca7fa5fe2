"""CSV files of ML4DQM: what is understood, and how what is broken is refused with file, line and reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mlcore import readers
from mlcore.errors import BadCounts, FileBinning, FileCounts, IncompatibleBinning, MlcoreError, UnreadableFile

HEADER = "fromrun,fromlumi,hname,fromrun,fromlumi,metype,hname,histo,entries,Xmax,Xmin,Xbins,Ymax,Ymin,Ybins,Json"


def line(run: int = 297050, lumisection: int = 1, counts: str = "[0, 1, 2, 3, 4]", **more: object) -> str:
    cells = {"again": run, "bins": 3, "json": True, "high": 3.0, **more}
    return (
        f'{run},{lumisection},charge,{cells["again"]},{lumisection},3,charge,"{counts}",10,{cells["high"]},0.0,'
        f"{cells['bins']},1,0,1,{cells['json']}"
    )


def written(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "dump.csv"
    path.write_text("\n".join((header, *lines)) + "\n")
    return path


def test_histograms_in_a_cell_are_read_with_flow_labels_and_in_order_of_time(tmp_path: Path) -> None:
    path = written(tmp_path, line(lumisection=7, json=False), line(lumisection=2, counts="[5, 0, 0, 1, 0]"))
    (read,) = readers.read_ml4dqm_csv(path)
    assert read.block.element == "charge"
    assert read.block.conditions.lumisection.tolist() == [2, 7]
    assert read.block.counts.tolist() == [[0, 0, 1], [1, 2, 3]]
    assert read.block.flow is not None
    assert read.block.flow.tolist() == [[[5, 0]], [[0, 4]]]
    assert read.block.axes[0].edges.tolist() == [0, 1, 2, 3]
    assert read.labels["json"].tolist() == [0, 1]


def test_one_bin_per_column_means_the_same(tmp_path: Path) -> None:
    header = ",run,lumi,hname,metype,entries,xmax,xmin,xbins,ymax,ymin,ybins,good,bin_0,bin_1,bin_2,bin_3,bin_4,y"
    path = written(tmp_path, "0,297050,3,charge,3,10,3.0,0.0,3,1.0,0.0,1,1,0,1,2,3,4,0", header=header)
    (read,) = readers.read_ml4dqm_csv(path)
    assert read.block.counts.tolist() == [[1, 2, 3]]
    assert read.labels["good"].tolist() == [0]
    assert read.labels["y"].tolist() == [1]


def test_a_map_in_a_cell_has_x_running_fastest(tmp_path: Path) -> None:
    # Bins of 2 x 1 with flow: 4 by 3 numbers, of which the middle row holds the two bins.
    row = '1,1,map,1,1,6,map,"[0, 0, 0, 0, 7, 1, 2, 8, 0, 0, 9, 0]",10,2.0,0.0,2,2.0,0.0,2,True'
    row = row.replace(",2.0,0.0,2,True", ",3.0,0.0,3,True").replace(
        "[0, 0, 0, 0, 7, 1, 2, 8, 0, 0, 9, 0]", str([0] * 4 + [7, 1, 2, 8] + [0, 3, 4, 0] + [0, 5, 6, 0] + [0, 0, 9, 0])
    )
    (read,) = readers.read_ml4dqm_csv(written(tmp_path, row))
    assert read.block.counts.tolist() == [[[1, 3, 5], [2, 4, 6]]]
    assert read.block.flow is not None
    assert read.block.flow.tolist() == [[[7, 8], [0, 9]]]


def test_a_large_file_comes_in_pieces_that_add_up(tmp_path: Path) -> None:
    path = written(tmp_path, *(line(lumisection=number) for number in range(1, 26)))
    pieces = list(readers.iterate_ml4dqm_csv(path, rows=10))
    assert [len(piece.block) for piece in pieces] == [10, 10, 5]
    assert len(readers.read_ml4dqm_csv(path)[0].block) == 25


BROKEN_CSV = {
    "a line is cut off": (lambda: [line(), line(lumisection=2)[:40]], 3, "cut off|not CSV", UnreadableFile),
    "junk": (lambda: ["\x00\x01\x02"], None, "CSV|cells", UnreadableFile),
    "no run number": (lambda: [line().replace("297050", "none")], 2, "not a whole number", UnreadableFile),
    "run twice, differently": (lambda: [line(again=297051)], 2, "disagree", UnreadableFile),
    "lumisection 0": (lambda: [line(lumisection=0)], 2, "numbered from 1", UnreadableFile),
    "a lumisection twice": (lambda: [line(), line(lumisection=2), line()], 4, "already in line 2", UnreadableFile),
    "negative counts": (lambda: [line(counts="[0, -1, 2, 3, 4]")], 2, "negative", FileCounts),
    "infinite counts": (lambda: [line(counts="[0, Infinity, 2, 3, 4]")], 2, "not finite", FileCounts),
    "words for counts": (lambda: [line(counts="[0, a, 2, 3, 4]")], 2, "not a list of numbers", UnreadableFile),
    "a list of lists": (lambda: [line(counts="[[0, 1], [2, 3]]")], 2, "have 5", FileBinning),
    "too few bins": (lambda: [line(counts="[0, 1, 2, 3]")], 2, "4 bins", FileBinning),
    "axes change": (lambda: [line(), line(lumisection=2, high=6.0)], 3, "line 2", FileBinning),
    "bins change": (
        lambda: [line(), line(lumisection=2, bins=4, counts="[0, 1, 2, 3, 4, 5]")],
        3,
        "it had",
        FileBinning,
    ),
    "no bins": (lambda: [line(bins=0)], 2, "no bins", UnreadableFile),
    "no axis": (lambda: [line(high="wide")], 2, "not a number", UnreadableFile),
    "an unknown label": (lambda: [line(json="perhaps")], 2, "perhaps", UnreadableFile),
    "no line": (list, None, "no histogram", UnreadableFile),
}


@pytest.mark.parametrize(("lines", "number", "reason", "error"), BROKEN_CSV.values(), ids=BROKEN_CSV.keys())
def test_a_broken_csv_is_refused_with_file_line_and_reason(
    tmp_path: Path, lines: Callable[[], list[str]], number: int | None, reason: str, error: type[UnreadableFile]
) -> None:
    path = written(tmp_path, *lines())
    with pytest.raises(error, match=reason) as caught:
        readers.read_ml4dqm_csv(path)
    assert isinstance(caught.value, MlcoreError)
    assert str(path) in str(caught.value)
    if number is not None:
        assert caught.value.line == number


def test_errors_of_files_are_errors_of_what_is_wrong_too() -> None:
    assert issubclass(FileBinning, IncompatibleBinning)
    assert issubclass(FileCounts, BadCounts)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("a,b,c", "no column run, lumisection, element"),
        ("", "no column"),
        (HEADER.replace("histo", "other"), "histo or bin_0"),
        (HEADER.replace("histo", "bin_1"), "gap"),
    ],
)
def test_a_table_of_something_else_is_refused(tmp_path: Path, header: str, reason: str) -> None:
    with pytest.raises(UnreadableFile, match=reason):
        readers.read_ml4dqm_csv(written(tmp_path, line(), header=header))
