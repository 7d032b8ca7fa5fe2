"""Parquet gives back what was written; what is broken is refused with its row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mlcore import readers
from mlcore.conditions import Conditions
from mlcore.errors import FileBinning, FileCounts, MlcoreError, UnreadableFile
from mlcore.histograms import Axis, HistogramBlock


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
        ({"axes": '{"x": []}', "counts": [[1], [2]]}, "one axis or more", UnreadableFile, 1),
        ({"luminosity": [1.0, float("inf")]}, "not known", UnreadableFile, 1),
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


def test_labels_must_be_as_many_as_histograms() -> None:
    with pytest.raises(MlcoreError, match="label good"):
        readers.LabelledBlock(some_blocks()[0], {"good": np.zeros(2, dtype=np.int64)})
