"""Parquet files of histograms in the storage: one row group per element, read alone.

The format is that of `mlcore.readers.parquet`, so a file can be read anywhere. It is written here because that writer
cuts an element by rows and stores 32-bit floats; ours is one row group per element, and exact. A file is named by the
hash of its bytes and never changes.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from mlcore.histograms import HistogramBlock

from . import axes
from .errors import HistogramsLost

Floats = npt.NDArray[np.floating[Any]]
# The last word of a Parquet file; one that was cut off does not have it.
END: Final = b"PAR1"
LONGEST_SLUG: Final = 80
TYPES: Final[dict[np.dtype[Any], pa.DataType]] = {
    np.dtype(np.int32): pa.int32(),
    np.dtype(np.int64): pa.int64(),
    np.dtype(np.float32): pa.float32(),
    np.dtype(np.float64): pa.float64(),
}


@dataclass(frozen=True)
class Saved:
    name: str
    # False when the very same bytes lay there already.
    is_new: bool


@dataclass(frozen=True, eq=False)
class Rows:
    """What a row group holds: (n,) lumisections, (n, bins) counts, (n, 2 x axes) flow."""

    lumisections: npt.NDArray[np.int64]
    counts: Floats
    flow: Floats


def encode(run: int, blocks: Sequence[HistogramBlock]) -> bytes:
    """One file of these blocks, block n as row group n."""
    exact = all(_is_exact(block.counts) for block in blocks)
    metadata = {
        "axes": json.dumps({block.element: axes.stored(block.axes) for block in blocks}),
        "physics_objects": json.dumps({block.element: block.physics_object for block in blocks}),
    }
    schema = pa.schema(
        [
            ("element", pa.dictionary(pa.int32(), pa.string())),
            ("run", pa.int64()),
            ("lumisection", pa.int64()),
            ("counts", pa.list_(pa.float32() if exact else pa.float64())),
            ("flow", pa.list_(pa.float64())),
        ],
        metadata=metadata,
    )
    out = pa.BufferOutputStream()
    with pq.ParquetWriter(out, schema, compression="zstd", use_dictionary=["element"]) as writer:
        for block in blocks:
            writer.write_table(_table(block, schema), row_group_size=max(len(block), 1))
    return bytes(out.getvalue())


def _is_exact(counts: Floats) -> bool:
    """Whether single precision holds them: whole numbers up to 2**24, as nearly all counts are."""
    return counts.dtype == np.float32 or bool(np.array_equal(counts.astype(np.float32), counts))


def _table(block: HistogramBlock, schema: pa.Schema) -> pa.Table:
    assert block.flow is not None
    rows = len(block)
    counts = np.float32 if schema.field("counts").type.value_type == pa.float32() else np.float64
    columns = [
        pa.DictionaryArray.from_arrays(_array(np.zeros(rows, dtype=np.int32)), _text(block.element)),
        _array(block.conditions.run),
        _array(block.conditions.lumisection),
        _lists(block.flat.astype(counts)),
        _lists(block.flow.reshape(rows, -1)),
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _lists(values: Floats) -> pa.ListArray:
    offsets = np.arange(values.shape[0] + 1, dtype=np.int32) * values.shape[1]
    return pa.ListArray.from_arrays(_array(offsets), _array(values.reshape(-1)))


def _text(text: str) -> pa.Array:
    data = text.encode()
    offsets = pa.py_buffer(np.array([0, len(data)], dtype=np.int32))
    return pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(data)])


def _array(values: npt.NDArray[Any]) -> pa.Array:
    """Without a copy, and without pandas, which pyarrow loads for its own way of doing it: 1.7 s and 60 MB."""
    kind = TYPES[values.dtype]
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(np.ascontiguousarray(values))])


def save(run: int, dataset: str, encoded: bytes) -> Saved:
    """Lay a file into the storage. A name that exists is taken only if the bytes are these, to the last one."""
    folder = f"histograms/{run}/{slug(dataset)}"
    name = f"{folder}/{hashlib.sha256(encoded).hexdigest()}.parquet"
    if default_storage.exists(name):
        with default_storage.open(name) as file:
            if file.read() == encoded:
                return Saved(name, False)
    # Where a broken file has the name, the storage chooses another one.
    return Saved(default_storage.save(name, ContentFile(encoded)), True)


def remove(saved: Saved | None) -> None:
    if saved is not None and saved.is_new:
        default_storage.delete(saved.name)


def slug(dataset: str) -> str:
    """The dataset as the name of a folder: readable, and different for different datasets."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "_", dataset).strip("._")[:LONGEST_SLUG]
    if readable == dataset:
        return readable
    return f"{readable}-{hashlib.sha256(dataset.encode()).hexdigest()[:8]}".lstrip("-")


def is_whole(name: str) -> bool:
    """Whether the file is there to its end."""
    try:
        with default_storage.open(name) as file:
            file.seek(-len(END), io.SEEK_END)
            return bool(file.read() == END)
    except (OSError, ValueError):
        return False


def read(name: str, row_groups: Sequence[int]) -> Iterator[Rows]:
    """The row groups asked for, in that order. Raises HistogramsLost when the file is missing or damaged."""
    try:
        with default_storage.open(name) as file, pq.ParquetFile(file) as parquet:
            for number in row_groups:
                yield _rows(parquet.read_row_group(number, columns=["lumisection", "counts", "flow"]))
    except (OSError, ValueError, IndexError, pa.ArrowException) as error:
        raise HistogramsLost(name) from error


def _rows(table: pa.Table) -> Rows:
    lumisections = _values(table["lumisection"].combine_chunks())
    return Rows(lumisections, _matrix(table["counts"], len(lumisections)), _matrix(table["flow"], len(lumisections)))


def _matrix(column: pa.ChunkedArray, rows: int) -> Floats:
    return _values(column.combine_chunks().flatten()).reshape(rows, -1)


def _values(column: pa.Array) -> npt.NDArray[Any]:
    """The numbers of a column without NULLs, as `_array` took them."""
    (kind,) = (dtype for dtype, type_ in TYPES.items() if type_ == column.type)
    return np.frombuffer(column.buffers()[1], dtype=kind)[column.offset : column.offset + len(column)]
