"""`python -m mlcore.simulate`: files, manifest, determinism to the byte, refusals."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from mlcore.readers.parquet import read_parquet
from mlcore.simulate.__main__ import main
from mlcore.simulate.elements import SYSTEMS
from mlcore.simulate.storage import file_of
from mlcore.simulate.world import PARTS, simulate

FEW = ["Muons/hitsPerEvent", "DriftTubes/MB2/occupancy"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("world") / "small"
    assert main(["--size", "s", "--seed", "3", "--out", str(target), "--elements", *FEW, "--quiet"]) == 0
    return target


def test_the_manifest_has_seed_versions_and_the_hash_of_every_file(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["seed"], manifest["size"], manifest["format"]) == (3, "s", 1)
    assert manifest["bad_share_of_physics"] == pytest.approx(0.10, abs=0.01)
    assert set(manifest["elements"]) == set(FEW)
    assert len(manifest["families"]) == 20
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")}
    assert set(manifest["files"]) == written
    for name, facts in manifest["files"].items():
        content = (folder / name).read_bytes()
        assert facts == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_the_same_seed_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    assert main(["--size", "s", "--seed", "3", "--out", str(again), "--elements", *FEW, "--quiet"]) == 0
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (again / path.relative_to(folder)).read_bytes(), path.name


def test_what_is_read_back_is_what_was_drawn(folder: Path) -> None:
    world = simulate("s", 3)
    for element in FEW:
        drawn, (read,) = world.block(element), read_parquet(folder / file_of(element))
        assert read.element == element
        assert read.flow is not None
        np.testing.assert_array_equal(read.counts, drawn.counts)
        np.testing.assert_array_equal(read.flow, drawn.flow)
        assert read.axes == drawn.axes
        assert read.physics_object == drawn.physics_object
        np.testing.assert_array_equal(read.conditions.time, drawn.conditions.time)


def test_truth_labels_and_parts_are_there(folder: Path) -> None:
    world = simulate("s", 3)
    labels = pq.read_table(folder / "labels.parquet").to_pydict()
    n = len(world.year)
    assert len(labels["run"]) == n * len(SYSTEMS)
    for place, system in enumerate(SYSTEMS):
        rows = slice(place * n, (place + 1) * n)
        assert set(labels["system"][rows]) == {system}
        np.testing.assert_array_equal(labels["truth"][rows], world.truth[system].bad)
        np.testing.assert_array_equal(labels["first"][rows], world.labels[system].first)
        np.testing.assert_array_equal(labels["confirmed"][rows], world.labels[system].confirmed)
    parts = dict(zip(*pq.read_table(folder / "split.parquet").to_pydict().values(), strict=True))
    for name in PARTS:
        assert {run for run, part in parts.items() if part == name} == set(world.conditions.run[world.split[name]])
    defects = pq.read_table(folder / "defects.parquet").to_pylist()
    assert {row["defect"] for row in defects} == set(range(len(world.defects)))
    assert all(row["first"] <= row["last"] for row in defects)
    facts = pq.read_table(folder / "lumisections.parquet")
    assert {"run", "lumisection", "pileup", "physics", "dose", "solenoid", "drift_ECAL"} <= set(facts.column_names)
    flags = pq.read_table(folder / "flags.parquet")
    assert set(flags["why"].to_pylist()) <= {"seen", "run-wide", "imagined", "copied"}
    assert pq.read_table(folder / "rates.parquet").num_rows == n


def test_a_folder_that_is_not_empty_is_refused_and_left_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(path.name for path in folder.rglob("*"))
    assert main(["--out", str(folder)]) == 2
    assert "is not empty; name a new folder" in capsys.readouterr().err
    assert sorted(path.name for path in folder.rglob("*")) == before


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main(["--out", str(tmp_path / "file" / "below"), "--quiet"]) == 2
    assert "below cannot be written: Not a directory." in capsys.readouterr().err
    assert main(["--out", str(tmp_path / "file"), "--quiet"]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_an_unknown_element_and_a_prevalence_that_cannot_be_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "a"), "--elements", "Moon/dust"]) == 2
    assert "no element Moon/dust" in capsys.readouterr().err
    assert main(["--out", str(tmp_path / "b"), "--prevalence", "0.9"]) == 2
    assert "above 0 and up to 0.5" in capsys.readouterr().err
    assert main(["--out", str(tmp_path / "b"), "--prevalence", "sometimes"]) == 2
    assert "usual, hard, clean" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_progress_goes_to_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--out", str(tmp_path / "w"), "--elements", "Rpc/time", "--prevalence", "clean"]
    assert main([*command, "--lumisection-seconds", "23.3"]) == 0
    shown = capsys.readouterr()
    assert "40 of 40 runs" in shown.err
    assert "% of physics bad, " in shown.out
    assert file_of("Rpc/time") == "histograms/Rpc__time.parquet"
