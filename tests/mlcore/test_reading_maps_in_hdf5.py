"""Maps in HDF5: axes and run numbers that are known or given, pieces that add up, and what is refused."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from mlcore import readers
from mlcore.errors import FileCounts, UnreadableFile
from mlcore.histograms import Axis


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
