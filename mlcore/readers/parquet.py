"""Histograms per lumisection in Parquet, as the REST API takes them: one row per histogram, axes in the metadata.

Columns: `element` (text), `lumisection` (integer), `counts` (list of numbers, the last axis running fastest; null for
a missing histogram); optional `run`, `flow` (list of under- and overflow axis by axis), `luminosity`, `pileup`,
`events`, `time`. The file's metadata hold under `axes` a JSON object: element -> list of axes
`{"name", "edges"}` or `{"name", "bins", "low", "high"}` with optional `label`, `unit`, `circular`; and under
`physics_objects` element -> group.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from mlcore.conditions import Conditions, FloatArray, IntArray
from mlcore.errors import FileBinning, FileCounts, MlcoreError, UnreadableFile
from mlcore.histograms import Axis, HistogramBlock

from .labelled import LabelledBlock, joined

CONDITIONS = ("luminosity", "pileup", "events", "time")
SCHEMA = pa.schema(
    [
        ("element", pa.dictionary(pa.int32(), pa.string())),
        ("run", pa.int64()),
        ("lumisection", pa.int64()),
        ("counts", pa.list_(pa.float32())),
        ("flow", pa.list_(pa.float32())),
        *((name, pa.float64()) for name in CONDITIONS),
    ]
)


def write_parquet(path: str | Path, blocks: Iterable[HistogramBlock], *, rows: int = 2_000) -> None:
    """Write blocks, one after the other, in row groups of at most `rows` histograms; the blocks may come from a
    generator. Raises FileBinning when an element comes again with other axes. Counts are stored as 32-bit floats."""
    axes: dict[str, tuple[Axis, ...]] = {}
    groups: dict[str, str] = {}
    with pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for block in blocks:
            if axes.setdefault(block.element, block.axes) != block.axes:
                raise FileBinning(path, None, f"{block.element} comes again with other axes; rebin it first.")
            groups[block.element] = block.physics_object
            for start in range(0, len(block), rows):
                writer.write_batch(_batch(block.select(slice(start, start + rows))))
        named = {element: [_axis_as_json(axis) for axis in known] for element, known in axes.items()}
        writer.add_key_value_metadata({"axes": json.dumps(named), "physics_objects": json.dumps(groups)})


def read_parquet(path: str | Path, *, run: int | None = None) -> list[HistogramBlock]:
    """All elements of a file, each with its lumisections in order of time.

    `run` is the run of files without that column. Raises UnreadableFile (FileBinning, FileCounts) with file, row and
    reason.
    """
    parts = [LabelledBlock(block) for block in iterate_parquet(path, run=run)]
    return [whole.block for whole in joined(Path(path), parts)]


def iterate_parquet(path: str | Path, *, run: int | None = None, rows: int = 2_000) -> Iterator[HistogramBlock]:
    """The same in pieces of at most `rows` histograms, in the order of the file, one block per element and piece."""
    file = Path(path)
    try:
        with pq.ParquetFile(file) as stream:
            axes, groups = _metadata(file, stream)
            columns = _columns(file, stream, run)
            start = 0
            for batch in stream.iter_batches(batch_size=rows, columns=columns):
                yield from _Piece(file, batch, start).blocks(axes, groups, run)
                start += batch.num_rows
    except (pa.ArrowException, OSError) as problem:
        raise UnreadableFile(file, None, f"not a whole Parquet file ({problem}).") from problem
    if not start:
        raise UnreadableFile(file, None, "there is no histogram in it.")


def _batch(block: HistogramBlock) -> Any:
    assert block.flow is not None
    known = block.conditions
    counts = block.flat.astype(np.float32)
    lists = pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(counts).ravel()), counts.shape[1], mask=pa.array(block.missing)
    )
    flow = np.ascontiguousarray(block.flow.reshape(len(block), -1).astype(np.float32))
    columns = {
        "element": pa.array([block.element] * len(block)).dictionary_encode(),
        "run": pa.array(known.run),
        "lumisection": pa.array(known.lumisection),
        "counts": lists.cast(pa.list_(pa.float32())),
        "flow": pa.FixedSizeListArray.from_arrays(pa.array(flow.ravel()), flow.shape[1]).cast(pa.list_(pa.float32())),
        **{name: pa.array(getattr(known, name), from_pandas=True) for name in CONDITIONS},
    }
    return pa.RecordBatch.from_arrays([columns[field.name] for field in SCHEMA], schema=SCHEMA)


def _metadata(path: Path, stream: Any) -> tuple[dict[str, tuple[Axis, ...]], dict[str, str]]:
    found = stream.metadata.metadata or {}
    if b"axes" not in found:
        raise UnreadableFile(path, None, "its metadata have no `axes`; see mlcore.readers.parquet for the format.")
    try:
        named = json.loads(found[b"axes"])
        groups = json.loads(found.get(b"physics_objects", b"{}"))
        axes = {element: tuple(_axis_from_json(axis) for axis in known) for element, known in named.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise UnreadableFile(path, None, f"its axes cannot be read ({problem}).") from problem
    return axes, {str(element): str(group) for element, group in dict(groups).items()}


def _axis_as_json(axis: Axis) -> dict[str, Any]:
    named: dict[str, Any] = {"name": axis.name, "label": axis.label, "unit": axis.unit, "circular": axis.circular}
    regular = np.linspace(axis.edges[0], axis.edges[-1], axis.bins + 1)
    if np.array_equal(regular, axis.edges):
        return {**named, "bins": axis.bins, "low": float(axis.edges[0]), "high": float(axis.edges[-1])}
    return {**named, "edges": axis.edges.tolist()}


def _axis_from_json(axis: dict[str, Any]) -> Axis:
    more: dict[str, Any] = {"label": str(axis.get("label", "")), "unit": str(axis.get("unit", ""))}
    more["circular"] = bool(axis.get("circular", False))
    if "edges" in axis:
        return Axis(str(axis["name"]), np.asarray(axis["edges"], dtype=np.float64), **more)
    bins = int(axis["bins"])
    if not 1 <= bins <= 10_000_000:
        raise ValueError(f"axis {axis['name']}: {bins} bins")
    return Axis.regular(str(axis["name"]), bins, float(axis["low"]), float(axis["high"]), **more)


def _columns(path: Path, stream: Any, run: int | None) -> list[str]:
    names = stream.schema_arrow.names
    needed = ["element", "lumisection", "counts"] + (["run"] if run is None else [])
    missing = [name for name in needed if name not in names]
    if missing:
        hint = "; give run= for a file of one run" if missing == ["run"] else ""
        raise UnreadableFile(path, None, f"there is no column {', '.join(missing)}{hint}.")
    return [name for name in (*needed, "flow", *CONDITIONS) if name in names]


@dataclass(frozen=True)
class _Piece:
    """Some rows of a file, which begin at row `start`."""

    path: Path
    batch: Any
    start: int

    def fail(self, row: int, reason: str, kind: type[UnreadableFile] = UnreadableFile) -> UnreadableFile:
        return kind(self.path, self.start + int(row) + 1, reason)

    def has(self, name: str) -> bool:
        return name in self.batch.schema.names

    def blocks(
        self, axes: dict[str, tuple[Axis, ...]], groups: dict[str, str], run: int | None
    ) -> Iterator[HistogramBlock]:
        """One block per element."""
        elements = np.asarray(self.batch.column("element").cast(pa.string()).to_pylist(), dtype=object)
        if (where := np.flatnonzero([element is None for element in elements])).size:
            raise self.fail(where[0], "there is no element in this row.")
        lumisection = self.integers("lumisection")
        runs = np.full(len(elements), run) if run is not None else self.integers("run")
        known = {name: self.floats(name) for name in CONDITIONS if self.has(name)}
        for element in dict.fromkeys(elements):
            rows = np.flatnonzero(elements == element)
            if element not in axes:
                raise self.fail(rows[0], f"the metadata have no axes of {element}.", FileBinning)
            bins = tuple(axis.bins for axis in axes[element])
            counts = self.lists("counts", rows, int(np.prod(bins)), element)
            flow = None
            if self.has("flow"):
                given = self.lists("flow", rows, 2 * len(bins), element)
                flow = np.nan_to_num(given, nan=0.0).astype(np.float64).reshape(len(rows), len(bins), 2)
            try:
                columns = {name: values[rows] for name, values in known.items()}
                conditions = Conditions(run=runs[rows], lumisection=lumisection[rows], **columns)
                shaped = counts.reshape(len(rows), *bins)
                block = HistogramBlock(element, axes[element], shaped, conditions, flow, groups.get(element, ""))
            except MlcoreError as problem:
                raise self.fail(rows[0], f"{element}: {problem}") from problem
            yield block

    def integers(self, name: str) -> IntArray:
        column = self.batch.column(name)
        if not pa.types.is_integer(column.type) or column.null_count:
            raise self.fail(0, f"column {name} must hold an integer in every row.")
        return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.int64)

    def floats(self, name: str) -> FloatArray:
        column = self.batch.column(name).cast(pa.float64())
        return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)

    def lists(self, name: str, rows: IntArray, expected: int, element: str) -> npt.NDArray[np.float32]:
        """Lists of equal length as (rows, expected), NaN for null."""
        column = self.batch.column(name).take(pa.array(rows))
        lengths = np.asarray(column.value_lengths().fill_null(expected).to_numpy(zero_copy_only=False))
        if (wrong := np.flatnonzero(lengths != expected)).size:
            reason = f"{element}: {lengths[wrong[0]]} {name}, its axes have {expected}."
            raise self.fail(rows[wrong[0]], reason, FileBinning)
        values = np.full((len(rows), expected), np.nan, dtype=np.float32)
        present = ~np.asarray(column.is_null().to_numpy(zero_copy_only=False))
        values[present] = column.flatten().cast(pa.float32()).to_numpy(zero_copy_only=False).reshape(-1, expected)
        if (bad := np.flatnonzero((np.isinf(values) | (values < 0)).any(axis=1))).size:
            raise self.fail(rows[bad[0]], f"{element}: {name} are negative or infinite.", FileCounts)
        return values
