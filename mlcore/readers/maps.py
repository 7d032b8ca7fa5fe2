"""Occupancy maps in HDF5: one dataset per monitoring element, (lumisections, x, y)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from mlcore.conditions import Conditions
from mlcore.errors import FileCounts, UnreadableFile
from mlcore.histograms import Axis, HistogramBlock

#: Axes of maps that are known by their shape: crystals and towers of an electromagnetic barrel.
KNOWN_SHAPES = {
    (170, 360): (
        Axis.regular("ieta", 170, -85.0, 85.0),
        Axis.regular("iphi", 360, 0.5, 360.5, circular=True),
    ),
    (34, 72): (
        Axis.regular("ieta", 34, -17.0, 17.0, label="tower"),
        Axis.regular("iphi", 72, 0.5, 72.5, label="tower", circular=True),
    ),
}


def read_hdf5_maps(
    path: str | Path, *, run: int | None = None, first_lumisection: int = 1, axes: tuple[Axis, ...] | None = None
) -> list[HistogramBlock]:
    """Every dataset of a file as a block of maps.

    Parameters
    ----------
    path : the file.
    run : run number; when not given, the number of five or more digits in the name of the file.
    first_lumisection : number of the first map; the file has no lumisections of its own.
    axes : of the maps; when not given, those known for the shape, else bins counted from 0.

    Raises UnreadableFile and FileCounts with file, dataset and reason.
    """
    pieces: dict[str, list[HistogramBlock]] = {}
    for block in iterate_hdf5_maps(path, run=run, first_lumisection=first_lumisection, axes=axes):
        pieces.setdefault(block.element, []).append(block)
    return [HistogramBlock.concatenate(parts) for parts in pieces.values()]


def iterate_hdf5_maps(
    path: str | Path,
    *,
    run: int | None = None,
    first_lumisection: int = 1,
    axes: tuple[Axis, ...] | None = None,
    rows: int = 256,
) -> Iterator[HistogramBlock]:
    """The same in blocks of at most `rows` maps, one dataset after the other."""
    file = Path(path)
    number = _run_of(file) if run is None else run
    try:
        with h5py.File(file, "r") as stream:
            names = _datasets(file, stream)
            for name in names:
                dataset = stream[name]
                known = _axes_of(file, name, dataset.shape, axes)
                for start in range(0, dataset.shape[0], rows):
                    counts = np.asarray(dataset[start : start + rows])
                    lumisections = np.arange(start, start + len(counts)) + first_lumisection
                    conditions = Conditions(run=np.full(len(counts), number), lumisection=lumisections)
                    if np.isinf(counts).any() or (counts < 0).any():
                        raise FileCounts(file, None, f"dataset {name}: counts are negative or infinite.")
                    yield HistogramBlock(name, known, counts, conditions)
    except OSError as problem:
        raise UnreadableFile(file, None, f"not a whole HDF5 file ({problem}).") from problem


def _run_of(path: Path) -> int:
    found = re.search(r"(?<!\d)(\d{5,9})(?!\d)", path.name)
    if found is None:
        raise UnreadableFile(path, None, "its name has no run number; give run=.")
    return int(found[1])


def _datasets(path: Path, stream: Any) -> list[str]:
    names: list[str] = []

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            if item.ndim < 2 or not np.issubdtype(item.dtype, np.number):
                raise UnreadableFile(
                    path, None, f"dataset {name} of shape {item.shape} {item.dtype} holds no histograms."
                )
            names.append(name)

    stream.visititems(visit)
    if not names:
        raise UnreadableFile(path, None, "there is no dataset in it.")
    return names


def _axes_of(path: Path, name: str, shape: tuple[int, ...], axes: tuple[Axis, ...] | None) -> tuple[Axis, ...]:
    if axes is not None:
        if tuple(axis.bins for axis in axes) != shape[1:]:
            raise UnreadableFile(
                path,
                None,
                f"dataset {name} has maps of {shape[1:]}, the axes given {tuple(axis.bins for axis in axes)}.",
            )
        return axes
    known = KNOWN_SHAPES.get(shape[1:]) if len(shape) == 3 else None
    if known is not None:
        return known
    return tuple(
        Axis.regular(letter, bins, 0.0, float(bins)) for letter, bins in zip("xyzuvw", shape[1:], strict=False)
    )
