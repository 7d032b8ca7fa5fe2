"""Tables of numbers: ROOT, Parquet and CSV alike, samples mixed from sources, scores beside their input, validation."""
# ruff: noqa: N806  # X is what scikit-learn calls it

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import LinearSVC

from mlcore.columns import mixed, read_columns, write_scored
from mlcore.errors import BadLabels, MlcoreError, ShapeError, TooFewData, UnreadableFile
from mlcore.evaluate import auc
from mlcore.simulate.particles import particles
from mlcore.validate import confusion_matrix, cross_validated, roc

SCORED = {"forest": [0.1, 0.9, 0.4], "cuts": [0.0, 1.0, 1.0]}


@pytest.fixture
def columns() -> dict[str, Any]:
    return {"run": np.array([1, 1, 2]), "p": np.array([0.5, 1.5, np.nan])}


@pytest.mark.parametrize("suffix", [".root", ".parquet"])
def test_what_models_say_is_written_beside_the_input_and_read_again(
    tmp_path: Path, columns: dict[str, Any], suffix: str
) -> None:
    path = write_scored(tmp_path / f"scored{suffix}", columns, SCORED, [0, 1, 1])
    again = read_columns(path)
    assert list(again) == ["run", "p", "probability_forest", "probability_cuts", "decision"]
    assert again["p"] == pytest.approx(columns["p"], nan_ok=True)
    assert again["probability_forest"].tolist() == SCORED["forest"]
    assert again["decision"].tolist() == [0, 1, 1]
    with pytest.raises(MlcoreError, match="has a column decision"):
        write_scored(tmp_path / "twice.root", again, {}, [0, 1, 1])


def test_a_csv_file_is_read_with_what_is_missing(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("run,p,name\n1,0.5,a\n2,,b\n")
    found = read_columns(file)
    assert list(found) == ["run", "p"]
    assert np.isnan(found["p"]).tolist() == [False, True]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "", "line 1: the file is empty"),
        ("b.csv", "x,x\n1,2\n", "same name"),
        ("c.csv", "x,y\n1\n", "line 2: 1 cells"),
        ("d.csv", "x\nword\n", "no column of numbers"),
        ("e.parquet", "no parquet", "e.parquet"),
        ("f.root", "no root", "f.root"),
    ],
)
def test_a_broken_file_is_refused_by_name(tmp_path: Path, name: str, content: str, words: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(UnreadableFile, match=words):
        read_columns(tmp_path / name)


def test_one_of_two_trees_must_be_named(tmp_path: Path, columns: dict[str, Any]) -> None:
    with uproot.recreate(tmp_path / "two.root") as stream:
        for tree in ("first", "second"):
            stream.mktree(tree, {"p": "f8"}).extend({"p": columns["p"][:2]})
    with pytest.raises(UnreadableFile, match="first, second"):
        read_columns(tmp_path / "two.root")
    assert list(read_columns(tmp_path / "two.root", tree="second")) == ["p"]


def test_other_kinds_of_files_and_lengths_are_refused(tmp_path: Path, columns: dict[str, Any]) -> None:
    with pytest.raises(MlcoreError, match="are read from"):
        read_columns(tmp_path / "table.xlsx")
    with pytest.raises(MlcoreError, match="are written as"):
        write_scored(tmp_path / "table.csv", columns, {}, [0, 1, 1])
    with pytest.raises(ShapeError, match="has 3 rows"):
        write_scored(tmp_path / "table.root", columns, {"forest": [0.5]}, [0, 1, 1])


def test_samples_are_mixed_from_sources_with_whole_runs_on_one_side() -> None:
    rng = np.random.default_rng(0)
    data = {"run": np.repeat(np.arange(20), 50), "p": rng.normal(size=1000)}
    simulation = {"run": np.repeat(np.arange(100, 110), 50), "p": rng.normal(1.0, 1.0, 500)}
    sources = {"data": (data, 0), "simulation": (simulation, 1)}
    train, test = mixed(sources, ["p", "run"], rows={"data": 600}, groups="run")
    assert len(train.y) + len(test.y) == 1100
    assert not set(train.X[:, 1]) & set(test.X[:, 1])
    assert set(train.source[train.y == 1]) == {"simulation"}
    assert 0.2 < len(test.y) / 1100 < 0.4
    with pytest.raises(MlcoreError, match="source data has no column q"):
        mixed(sources, ["q"])
    with pytest.raises(TooFewData, match="a sample is empty"):
        mixed(sources, ["p"], test=0.0)


def test_the_roc_curve_encloses_the_area() -> None:
    rng = np.random.default_rng(1)
    score, label = rng.normal(size=500).round(1), rng.integers(2, size=500)
    score += label
    curve = roc(score, label)
    assert (curve.false[0], curve.true[0], curve.false[-1], curve.true[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(curve.true, curve.false) == pytest.approx(auc(score, label))
    with pytest.raises(BadLabels, match="both classes"):
        roc(score, np.zeros(500))


def test_a_confusion_matrix_counts_efficiency_and_purity() -> None:
    found = confusion_matrix([0, 1, 1, 1], [0, 0, 1, 1], ["pion", "kaon", "proton"])
    assert found.counts[:2, :2].tolist() == [[1, 1], [0, 2]]
    assert found.efficiency[:2].tolist() == [0.5, 1.0]
    assert found.purity[1] == pytest.approx(2 / 3)
    assert np.isnan(found.efficiency[2])
    assert found.accuracy == 0.75
    with pytest.raises(BadLabels, match="numbers 0 to 1"):
        confusion_matrix([2], [0], ["a", "b"])
    with pytest.raises(ShapeError, match="do not belong"):
        confusion_matrix([0], [0, 1], ["a", "b"])
    with pytest.raises(TooFewData, match="no row"):
        confusion_matrix([], [], ["a"])


def test_cross_validation_does_not_show_a_model_what_it_is_asked() -> None:
    rng = np.random.default_rng(2)
    run = np.repeat(np.arange(30), 10)
    y = np.repeat(rng.integers(2, size=30), 10)
    X = np.column_stack([run, rng.normal(size=300)])  # the run tells everything to whoever has seen it
    forest = RandomForestClassifier(20, random_state=0)
    shuffled = auc(cross_validated(forest, X, y)[:, 1], y)
    blocked = auc(cross_validated(forest, X, y, groups=run)[:, 1], y)
    assert shuffled > 0.85
    assert blocked < 0.75
    with pytest.raises(TooFewData, match="fewer folds"):
        cross_validated(forest, X[:6], y[:6], groups=run[:6])
    with pytest.raises(MlcoreError, match="no probabilities"):
        cross_validated(LinearSVC(), X, y)
    with pytest.raises(ShapeError, match="do not belong"):
        cross_validated(forest, X, y[1:])


def test_simulated_particles_are_what_detectors_see() -> None:
    columns, kind = particles(3, count=4000)
    slow = (columns["p"] < 0.6) & np.isfinite(columns["beta"])
    assert np.median(columns["signal"][slow & (kind == 3)]) > 2 * np.median(columns["signal"][slow & (kind == 1)])
    assert np.median(columns["beta"][slow & (kind == 2)]) < 0.85
    assert 0.2 < np.isnan(columns["beta"]).mean() < 0.6
