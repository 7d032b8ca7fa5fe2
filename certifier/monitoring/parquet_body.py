"""Histograms of one run as a Parquet file in a request: looked at before it is unpacked, then read by mlcore."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from mlcore.errors import MlcoreError, UnreadableFile
from mlcore.histograms import HistogramBlock

from .errors import HistogramsRefused

# Beyond this a small file would unpack to more than a server has.
MOST_NUMBERS: Final = 100_000_000
MOST_HISTOGRAMS: Final = 1_000_000


def read(body: bytes, run: int) -> list[HistogramBlock]:
    """The blocks of a file. Raises HistogramsRefused naming the row and the reason."""
    check(io.BytesIO(body))
    from mlcore.readers import read_parquet

    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        file.write(body)
        file.flush()
        try:
            return read_parquet(Path(file.name), run=run)
        except UnreadableFile as error:
            place = f"Row {error.line}: " if error.line is not None else "The Parquet file: "
            raise HistogramsRefused(f"{place}{error.reason}", field="histograms") from None
        except MlcoreError as error:
            raise HistogramsRefused(str(error), field="histograms") from None


def check(file: io.BytesIO | Path) -> None:
    """That the file is whole, has the columns of histograms and does not unpack to a flood.

    Raises HistogramsRefused.
    """
    try:
        with pq.ParquetFile(file) as parquet:
            schema, metadata = parquet.schema_arrow, parquet.metadata
    except (pa.ArrowException, OSError) as error:
        raise HistogramsRefused(f"The body is not a whole Parquet file ({error}).", field="histograms") from None
    for name, fits, what in (
        ("element", _is_text, "text"),
        ("lumisection", pa.types.is_integer, "integers"),
        ("counts", _is_numbers, "lists of numbers"),
        ("flow", _is_numbers, "lists of numbers"),
        ("run", pa.types.is_integer, "integers"),
    ):
        if name in schema.names and not fits(schema.field(name).type):
            message = f"The column {name} holds {schema.field(name).type}; it must hold {what}."
            raise HistogramsRefused(message, field="histograms")
    numbers = sum(
        metadata.row_group(group).column(column).num_values
        for group in range(metadata.num_row_groups)
        for column in range(metadata.num_columns)
    )
    if metadata.num_rows > MOST_HISTOGRAMS or numbers > MOST_NUMBERS:
        message = f"The file holds {metadata.num_rows:,} histograms with {numbers:,} numbers. Split it into several."
        raise HistogramsRefused(message, field="histograms")


def _is_text(kind: pa.DataType) -> bool:
    held = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(held) or pa.types.is_large_string(held))


def _is_numbers(kind: pa.DataType) -> bool:
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        return False
    return bool(pa.types.is_integer(kind.value_type) or pa.types.is_floating(kind.value_type))
