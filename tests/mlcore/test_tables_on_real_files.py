"""The tables on real files: no row and a word where the files are absent; run-blocked and honest where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mlcore.bench import autodqm_real, real_histograms
from mlcore.bench.peers.dinamo_s import dinamo_s_frozen
from tests.needs import shared_data_folder


@pytest.mark.parametrize("table", [autodqm_real, real_histograms], ids=["autodqm", "histograms"])
def test_without_the_files_there_is_no_row_and_a_word_about_it(
    table: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHARED_DATA", str(tmp_path))
    assert table.run([100], quick=True) == []  # type: ignore[attr-defined]
    assert "is not on this machine" in capsys.readouterr().err


def test_blocks_of_runs_never_touch_what_was_learned_from() -> None:
    seen = []
    for train, test in autodqm_real._blocks(np.arange(50), 5):
        assert not set(train) & set(test)
        assert test.tolist() == list(range(test[0], test[-1] + 1))
        assert np.abs(train[:, None] - test[None, :]).min() == 2
        seen += test.tolist()
    assert seen == list(range(50))


def test_ranks_are_shares_of_training_runs_below_and_a_half_where_unknown() -> None:
    values = np.array([[1.0], [2.0], [3.0], [np.nan], [2.5], [np.nan]])
    ranks = autodqm_real._ranks(values, np.array([0, 1, 2, 3]), np.array([4, 5]))
    assert ranks.tolist() == [pytest.approx(2 / 3), 0.5]


def test_the_area_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, 60), rng.integers(0, 9, 60).astype(float)
    assert autodqm_real._area(scores, labels) == pytest.approx(roc_auc_score(labels, scores))


def test_frozen_dinamo_s_sees_a_histogram_unlike_its_history() -> None:
    rng = np.random.default_rng(1)
    history = rng.poisson(200.0, (300, 20)).astype(float)
    fresh = rng.poisson(200.0, (50, 20)).astype(float)
    odd = fresh.copy()
    odd[:, 4] *= 1.5
    scores = dinamo_s_frozen(history, np.vstack([fresh, odd]), memory=0.9)
    assert roc_auc_score(np.repeat([0, 1], 50), scores) > 0.95


@pytest.mark.data
def test_real_runs_are_scored_in_blocks_of_time_beside_every_candidate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARED_DATA", str(shared_data_folder()))
    monkeypatch.setattr(autodqm_real, "TREES", 20)
    monkeypatch.setattr(autodqm_real, "RESAMPLED", 50)
    unsupervised, supervised = autodqm_real.run([100], quick=True)
    assert unsupervised.peers["mean rank of PCA chi2', not grouped"].value == pytest.approx(0.755, abs=0.005)
    assert unsupervised.peers["histograms flagged by pull, 99%, not grouped"].value == pytest.approx(0.726, abs=0.005)
    assert 0.7 < unsupervised.value < 0.8
    assert 0.7 < supervised.value < supervised.peers["ExtraTrees, shuffled folds"].value
    assert "undecided" in supervised.note


@pytest.mark.data
def test_real_histograms_are_scored_with_whole_runs_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARED_DATA", str(shared_data_folder()))
    monkeypatch.setattr(real_histograms, "TREES", 20)
    what, file, _ = real_histograms.TASKS[0]
    monkeypatch.setattr(real_histograms, "TASKS", [(what, file, ("good_pixel",))])
    rows = real_histograms.run([100], quick=True)
    assert [row.task for row in rows] == [
        "AUC, pixel charge, label good_pixel",
        "average precision, pixel charge, label good_pixel",
    ]
    for row in rows:
        assert set(row.peers) >= {"EWMA of DINAMO-S", "PCA", "isolation forest", "autoencoder"}
        assert row.target == max(peer.value for name, peer in row.peers.items() if name not in real_histograms.PARTS)
        assert row.value > row.target
