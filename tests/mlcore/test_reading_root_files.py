"""ROOT files of histograms per lumisection, as folders of TH1 and TH2 or as n-tuples of arrays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from mlcore.errors import FileBinning, FileCounts, UnreadableFile
from mlcore.readers import read_root

EDGES = np.linspace(0.0, 10.0, 6)
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(**content: Any) -> Path:
        path = tmp_path / "some.root"
        with uproot.recreate(path) as file:
            for name, value in content.items():
                file[name] = value
        return path

    return written


def one(*counts: float) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    return np.array(counts, dtype=float), EDGES


def test_folders_say_run_lumisection_and_element(write: Write) -> None:
    path = write(**{
        "Run 356381/LS 2/Pixel/charge": one(0, 1, 2, 3, 4),
        "Run 356381/LS 1/Pixel/charge": one(5, 6, 7, 8, 9),
        "Run 356382/LS 1/Pixel/charge": one(1, 1, 1, 1, 1),
    })  # fmt: skip
    [block] = read_root(path)
    assert block.element == "Pixel/charge"
    assert list(zip(block.conditions.run, block.conditions.lumisection, strict=True)) == [
        (356381, 1), (356381, 2), (356382, 1),
    ]  # fmt: skip
    assert block.counts[1].tolist() == [0, 1, 2, 3, 4]
    assert block.axes[0].edges.tolist() == EDGES.tolist()


@pytest.mark.parametrize(
    "name",
    [
        "DQMData/Run 356381/Ecal/Run summary/By Lumi Section 12-12/map",
        "run356381/lumisection_12/Ecal/map",
        "Ecal/Run_356381/LB12/map",
        "356381/../LS-12/Ecal/map",
    ],
)
def test_names_as_people_spell_them(write: Write, name: str) -> None:
    if ".." in name:
        name = "LS-12/Ecal/map"
    [block] = read_root(write(**{name: one(1, 2, 3, 4, 5)}), run=356381)
    assert (block.element, block.conditions.run.tolist(), block.conditions.lumisection.tolist()) == (
        "Ecal/map", [356381], [12],
    )  # fmt: skip


def test_maps_keep_their_under_and_overflow(write: Write) -> None:
    x, y = np.array([0.5, 0.5, -1.0, 3.0]), np.array([0.5, 1.5, 0.5, 9.0])
    import hist

    map_: Any = hist.Hist(hist.axis.Regular(2, 0, 2, label="ieta"), hist.axis.Regular(3, 0, 3))
    map_.fill(x, y)
    [block] = read_root(write(**{"Run 1/LS 7/map": map_}))
    assert block.counts[0].tolist() == [[1, 1, 0], [0, 0, 0]]
    assert block.flow is not None
    assert block.flow[0].tolist() == [[1, 1], [0, 1]]
    assert block.axes[0].label == "ieta"


def test_an_n_tuple_has_an_array_of_counts_per_lumisection(tmp_path: Path) -> None:
    path = tmp_path / "tuple.root"
    with uproot.recreate(path) as file:
        branches = {"run": "int32", "lumi": "int32", "charge": ("float32", (4,)), "mean": "float64"}
        file.mktree("Events", branches)
        file["Events"].extend(
            {
                "run": np.full(3, 9), "lumi": np.array([3, 1, 2]), "mean": np.zeros(3),
                "charge": np.arange(12, dtype=np.float32).reshape(3, 4),
            }
        )  # fmt: skip
    [block] = read_root(path)
    assert block.element == "charge"
    assert block.conditions.lumisection.tolist() == [1, 2, 3]
    assert block.counts[0].tolist() == [4, 5, 6, 7]


def test_an_n_tuple_of_vectors_may_have_one_length_only(tmp_path: Path) -> None:
    import awkward

    path = tmp_path / "vectors.root"
    for counts, refused in (([[1, 2], [3, 4]], False), ([[1, 2], [3]], True)):
        with uproot.recreate(path) as file:
            file["t"] = {"ls": np.array([1, 2]), "h": awkward.Array(counts)}
        if refused:
            with pytest.raises(FileBinning, match="1 to 2 bins"):
                read_root(path, run=5)
        else:
            [block] = [each for each in read_root(path, run=5) if each.element == "h"]
            assert block.counts.tolist() == counts


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        ({"Run 1/charge": one(1, 1, 1, 1, 1)}, UnreadableFile, "no folder of one lumisection"),
        ({"LS 3/charge": one(1, 1, 1, 1, 1)}, UnreadableFile, "no folder of a run"),
        ({"Run 1/By Lumi Section 1-9/charge": one(1, 1, 1, 1, 1)}, UnreadableFile, "1 to 9 together"),
        ({"Run 1/LS 3/charge": one(1, -1, 1, 1, 1)}, FileCounts, "negative"),
        ({"Run 1/LS 3/charge": one(1, np.nan, 1, 1, 1)}, FileCounts, "not finite"),
        ({"Run 1/LS 3/a": one(1, 1, 1, 1, 1), "Run 1/LS 03/a": one(1, 1, 1, 1, 1)}, UnreadableFile, "twice"),
        ({"Run 1/LS 1/a": one(1, 1, 1, 1, 1), "Run 1/LS 2/a": (np.ones(2), np.arange(3.0))}, FileBinning, "other axes"),
        ({"t": {"ls": np.array([1]), "x": np.array([2.0])}}, UnreadableFile, "no run was given"),
        ({"t": {"run": np.array([1]), "x": np.array([2.0])}}, UnreadableFile, "no branch for the lumisection"),
        ({"t": {"run": np.array([1]), "ls": np.array([2])}}, UnreadableFile, "no arrays of counts"),
    ],
)
def test_what_cannot_be_histograms_is_refused_by_name(
    write: Write, content: dict[str, Any], error: type[UnreadableFile], words: str
) -> None:
    with pytest.raises(error, match=words):
        read_root(write(**content))


def test_half_a_file_and_an_empty_one_are_refused(write: Write, tmp_path: Path) -> None:
    whole = write(**{"Run 1/LS 3/charge": one(1, 1, 1, 1, 1)}).read_bytes()
    for content in (whole[: len(whole) // 2], whole[:100], b"root", b"something else"):
        (tmp_path / "half.root").write_bytes(content)
        with pytest.raises(UnreadableFile):
            read_root(tmp_path / "half.root")
    with pytest.raises(UnreadableFile, match="neither a TH1"):
        read_root(write())
