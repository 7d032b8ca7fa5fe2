"""The tables on real files: no row and a word where the files are absent; run-blocked and honest where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mlcore.bench import autodqm_real, real_histograms
from mlcore.bench.peers.dinamo_s import dinamo_s_frozen
from mlcore.bench.real import run_learners
from tests.needs import shared_data_folder


@pytest.mark.parametrize("table", [autodqm_real, real_histograms], ids=["autodqm", "histograms"])
def test_without_the_files_there_is_no_row_and_a_word_about_it(
    table: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHARED_DATA", str(tmp_path))
    assert table.run([100], quick=True) == []  # type: ignore[attr-defined]
    assert "is not on this machine" in capsys.readouterr().err


def test_frozen_dinamo_s_sees_a_histogram_unlike_its_history() -> None:
    rng = np.random.default_rng(1)
    history = rng.poisson(200.0, (300, 20)).astype(float)
    fresh = rng.poisson(200.0, (50, 20)).astype(float)
    odd = fresh.copy()
    odd[:, 4] *= 1.5
    scores = dinamo_s_frozen(history, np.vstack([fresh, odd]), memory=0.9)
    assert roc_auc_score(np.repeat([0, 1], 50), scores) > 0.95


@pytest.mark.data
@pytest.mark.slow
def test_real_runs_are_scored_in_blocks_of_time_and_the_note_says_what_limits_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SHARED_DATA", str(shared_data_folder()))
    monkeypatch.setattr(run_learners, "TREES", 20)
    monkeypatch.setattr(autodqm_real, "RESAMPLED", 50)
    unsupervised, supervised = autodqm_real.run([100], quick=True)
    assert unsupervised.peers["mean rank of PCA chi2', not grouped"].value == pytest.approx(0.755, abs=0.005)
    assert unsupervised.peers["histograms flagged by pull, 99%, not grouped"].value == pytest.approx(0.726, abs=0.005)
    assert (unsupervised.target, supervised.target) == (0.80, 0.85)
    assert 0.68 < unsupervised.value < 0.82
    assert 0.68 < supervised.value < supervised.peers["ExtraTrees, shuffled folds"].value
    for row in (unsupervised, supervised):
        for words in ("43 bad runs", "bootstrap", "undecided", "259 decided runs", "within one block", "training runs"):
            assert words in row.note


@pytest.mark.data
def test_real_histograms_are_scored_with_whole_runs_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARED_DATA", str(shared_data_folder()))
    what, file, _ = real_histograms.TASKS[0]
    monkeypatch.setattr(real_histograms, "TASKS", [(what, file, ("good_pixel",))])
    rows = real_histograms.run([100], quick=True)
    assert [row.task for row in rows] == [
        "AUC, pixel charge, label good_pixel",
        "average precision, pixel charge, label good_pixel",
    ]
    for row in rows:
        for peer in ("EWMA of DINAMO-S", "PCA", "isolation forest", "autoencoder"):
            assert {peer, f"{peer}, beside its run"} <= set(row.peers)
        assert row.target == max(peer.value for name, peer in row.peers.items() if name not in real_histograms.PARTS)
        assert row.value > row.target
        assert "Chosen inside the training runs" in row.note
