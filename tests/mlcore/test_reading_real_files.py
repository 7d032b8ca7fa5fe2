"""Readers: what they understand, and how they refuse what is broken. Real files where they are, small ones always."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlcore import readers
from mlcore.conditions import Conditions
from mlcore.errors import BadCounts, FileBinning, FileCounts, IncompatibleBinning, MlcoreError, UnreadableFile
from mlcore.histograms import Axis, HistogramBlock
from tests.needs import shared_data_folder

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


def test_binary_junk_and_absent_files_are_refused(tmp_path: Path) -> None:
    junk = tmp_path / "junk_297050.bin"
    junk.write_bytes(bytes(range(256)) * 20)
    for read in (
        readers.read_ml4dqm_csv,
        readers.read_autodqm_scores,
        readers.read_hdf5_maps,
        readers.read_parquet,
    ):
        for path in (junk, tmp_path / "absent_297050.bin"):
            with pytest.raises(UnreadableFile, match=path.name):
                read(path)


# HDF5


def maps_file(folder: Path, counts: np.ndarray, *, name: str = "occupancy_276582.hdf5") -> Path:
    path = folder / name
    with h5py.File(path, "w") as stream:
        stream["EB/occupancy"] = counts
    return path


def test_maps_are_read_with_known_axes_and_the_run_of_the_name(tmp_path: Path) -> None:
    counts = np.random.default_rng(0).poisson(5.0, size=(7, 34, 72)).astype(np.float32)
    path = maps_file(tmp_path, counts)
    (block,) = readers.read_hdf5_maps(path, first_lumisection=3)
    assert block.element == "EB/occupancy"
    assert np.array_equal(block.counts, counts)
    assert block.axes[1].circular
    assert set(block.conditions.run) == {276582}
    assert block.conditions.lumisection.tolist() == list(range(3, 10))
    pieces = list(readers.iterate_hdf5_maps(path, run=5, rows=4))
    assert [len(piece) for piece in pieces] == [4, 3]
    assert pieces[1].conditions.lumisection[0] == 5


def test_maps_of_another_shape_count_bins_or_take_the_axes_given(tmp_path: Path) -> None:
    path = maps_file(tmp_path, np.ones((2, 4, 5)))
    (block,) = readers.read_hdf5_maps(path)
    assert block.bins == (4, 5)
    axes = (Axis.regular("eta", 4, -2.0, 2.0), Axis.regular("phi", 5, 0.0, 5.0, circular=True))
    assert readers.read_hdf5_maps(path, axes=axes)[0].axes == axes
    with pytest.raises(UnreadableFile, match="the axes given"):
        readers.read_hdf5_maps(path, axes=axes[::-1])


def test_broken_maps_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no run number"):
        readers.read_hdf5_maps(maps_file(tmp_path, np.ones((1, 2, 2)), name="maps.hdf5"))
    with pytest.raises(FileCounts, match="negative or infinite"):
        readers.read_hdf5_maps(maps_file(tmp_path, -np.ones((1, 2, 2))))
    with pytest.raises(UnreadableFile, match="holds no histograms"):
        readers.read_hdf5_maps(maps_file(tmp_path, np.ones(3)))
    whole = maps_file(tmp_path, np.ones((50, 20, 20)))
    whole.write_bytes(whole.read_bytes()[:5000])
    with pytest.raises(UnreadableFile, match="not a whole HDF5 file"):
        readers.read_hdf5_maps(whole)
    with h5py.File(tmp_path / "empty_12345.hdf5", "w"):
        pass
    with pytest.raises(UnreadableFile, match="no dataset"):
        readers.read_hdf5_maps(tmp_path / "empty_12345.hdf5")


# Parquet


def some_blocks() -> list[HistogramBlock]:
    rng = np.random.default_rng(1)
    known = Conditions(
        run=np.array([1, 1, 2]),
        lumisection=np.array([1, 2, 1]),
        luminosity=np.array([1.0, np.nan, 3.0]),
        time=np.ones(3),
    )
    charge = rng.poisson(5.0, size=(3, 4)).astype(np.float32)
    charge[1] = np.nan
    odd = Axis("charge", np.array([0.0, 1.0, 5.0, 6.0, 9.0]), unit="e")
    phi = Axis.regular("phi", 3, 0.0, 3.0, circular=True, label="angle")
    flow = rng.poisson(2.0, size=(3, 1, 2)).astype(np.float64)
    return [
        HistogramBlock("Pixel/charge", (odd,), charge, known, flow, "tracks"),
        HistogramBlock("EB/map", (odd, phi), rng.poisson(9.0, size=(3, 4, 3)).astype(np.float32), known),
    ]


def test_parquet_gives_back_what_was_written(tmp_path: Path) -> None:
    blocks = some_blocks()
    readers.write_parquet(tmp_path / "year.parquet", iter(blocks), rows=2)
    for block, back in zip(blocks, readers.read_parquet(tmp_path / "year.parquet"), strict=True):
        assert back.element == block.element
        assert back.axes == block.axes
        assert [axis.unit + axis.label for axis in back.axes] == [axis.unit + axis.label for axis in block.axes]
        assert back.physics_object == block.physics_object
        assert np.array_equal(back.counts, block.counts, equal_nan=True)
        assert back.flow is not None and block.flow is not None  # noqa: PT018
        assert np.array_equal(back.flow, block.flow)
        for name in ("run", "lumisection", "luminosity", "pileup", "time"):
            assert np.array_equal(
                getattr(back.conditions, name), getattr(block.conditions, name), equal_nan=name not in ("run",)
            )


def plain_parquet(
    folder: Path, *, axes: str | None = '{"x": [{"name": "x", "bins": 2, "low": 0, "high": 1}]}', **columns: object
) -> Path:
    table = pa.table({"element": ["x", "x"], "lumisection": [1, 2], "counts": [[1, 2], [3, 4]], **columns})
    if axes is not None:
        table = table.replace_schema_metadata({"axes": axes})
    path = folder / "plain.parquet"
    pq.write_table(table, path)
    return path


def test_parquet_of_one_run_needs_no_column_of_runs(tmp_path: Path) -> None:
    path = plain_parquet(tmp_path)
    (block,) = readers.read_parquet(path, run=7)
    assert block.counts.tolist() == [[1, 2], [3, 4]]
    assert block.conditions.run.tolist() == [7, 7]
    assert [len(piece) for piece in readers.iterate_parquet(path, run=7, rows=1)] == [1, 1]
    with pytest.raises(UnreadableFile, match="give run="):
        readers.read_parquet(path)


@pytest.mark.parametrize(
    ("columns", "reason", "error", "row"),
    [
        ({"axes": None}, "no `axes`", UnreadableFile, None),
        ({"axes": "{"}, "cannot be read", UnreadableFile, None),
        ({"axes": "[]"}, "cannot be read", UnreadableFile, None),
        ({"axes": '{"x": [{"name": "x", "bins": -2, "low": 0, "high": 1}]}'}, "cannot be read", UnreadableFile, None),
        ({"axes": '{"x": [{"name": "x", "edges": [2, 1]}]}'}, "cannot be read", UnreadableFile, None),
        ({"axes": "{}"}, "no axes of x", FileBinning, 1),
        ({"counts": [[1, 2], [3, 4, 5]]}, "3 counts", FileBinning, 2),
        ({"counts": [[1, 2], [3, -4]]}, "negative", FileCounts, 2),
        ({"lumisection": [1, None]}, "integer in every row", UnreadableFile, 1),
        ({"lumisection": [1.5, 2.0]}, "integer in every row", UnreadableFile, 1),
        ({"lumisection": [3, 3]}, "comes twice", UnreadableFile, 1),
        ({"lumisection": [0, 3]}, "numbered from 1", UnreadableFile, 1),
        ({"element": ["x", None]}, "no element", UnreadableFile, 2),
        ({"flow": [[1, 2], [3]]}, "1 flow", FileBinning, 2),
    ],
)
def test_broken_parquet_is_refused(
    tmp_path: Path, columns: dict[str, object], reason: str, error: type[UnreadableFile], row: int | None
) -> None:
    with pytest.raises(error, match=reason) as caught:
        readers.read_parquet(plain_parquet(tmp_path, **columns), run=1)  # type: ignore[arg-type]
    assert caught.value.line == row


def test_half_a_parquet_file_missing_columns_and_repeats_across_pieces_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "year.parquet"
    readers.write_parquet(path, some_blocks())
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UnreadableFile, match="not a whole Parquet file"):
        readers.read_parquet(path)
    pq.write_table(pa.table({"lumisection": [1]}).replace_schema_metadata({"axes": "{}"}), path)
    with pytest.raises(UnreadableFile, match="no column element, counts"):
        readers.read_parquet(path, run=1)
    readers.write_parquet(path, [])
    with pytest.raises(UnreadableFile, match="no histogram"):
        readers.read_parquet(path)
    block = some_blocks()[0]
    readers.write_parquet(path, [block, block])
    with pytest.raises(UnreadableFile, match="comes twice"):
        readers.read_parquet(path)
    with pytest.raises(FileBinning, match="other axes"):
        readers.write_parquet(path, [block.rebin(1), block.rebin(2)])


# AutoDQM


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


def test_labels_must_be_as_many_as_histograms() -> None:
    with pytest.raises(MlcoreError, match="label good"):
        readers.LabelledBlock(some_blocks()[0], {"good": np.zeros(2, dtype=np.int64)})


# The real files


@pytest.mark.data
def test_real_pixel_charge_has_the_labels_it_is_known_for() -> None:
    folder = shared_data_folder() / "cms_hist"
    (read,) = readers.read_ml4dqm_csv(folder / "chargeInner_PXLayer_1_2017B_medium_train.csv")
    assert read.block.counts.shape == (2636, 100)
    assert len(np.unique(read.block.conditions.run)) == 14
    assert (read.labels["good"].sum(), read.labels["good_pixel"].sum()) == (402, 297)
    assert read.block.axes[0].edges[-1] == 80_000


@pytest.mark.data
def test_real_dumps_with_repeated_columns_are_read() -> None:
    folder = shared_data_folder() / "cms_hist"
    (diagonal,) = readers.read_ml4dqm_csv(folder / "MainDiagonal_2017_random_subset.csv")
    assert (diagonal.labels["json"].sum(), diagonal.labels["dcsbit"].sum()) == (1025, 946)
    assert (diagonal.block.totals == 0).sum() >= 449
    strips = readers.read_ml4dqm_csv(folder / "ZeroBias_2018A_DataFrame_1D_2.csv")
    assert len(strips) == 9
    assert strips[0].block.conditions.run.tolist() == [315488]


@pytest.mark.data
def test_half_of_a_real_dump_is_refused_where_it_ends(tmp_path: Path) -> None:
    text = (shared_data_folder() / "cms_hist" / "MainDiagonal_2017_random_subset.csv").read_text()
    half = tmp_path / "half.csv"
    half.write_text(text[:20_000])
    with pytest.raises(UnreadableFile) as caught:
        readers.read_ml4dqm_csv(half)
    assert caught.value.line in (text[:20_000].count("\n"), text[:20_000].count("\n") + 1)


@pytest.mark.data
def test_real_maps_and_scores_are_read() -> None:
    folder = shared_data_folder()
    (maps,) = readers.read_hdf5_maps(folder / "cms_hist" / "ECAL_rechit_occ_time_276582_missing_modules.hdf5")
    assert maps.counts.shape == (19, 170, 360)
    for name, columns in (
        ("HLTPhysics_8_REF.csv", 124),
        ("HLTPhysics_PCA_131224_modified_chi2_values.csv", 186),
    ):
        scores = readers.read_autodqm_scores(folder / "autodqm_ml" / name)
        assert scores.table.values.shape == (308, columns)
        assert [(scores.verdict == value).sum() for value in (0, 1, -1)] == [216, 43, 49]
