"""The adaptive reference: follows drift, learns systematics, survives jumps and wrong labels, sees dead bins."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from mlcore.checks import check_detector
from mlcore.conditions import Conditions
from mlcore.detectors.ewma import EwmaReference
from mlcore.errors import IncompatibleBinning, MlcoreError, ShapeError
from mlcore.histograms import Axis, HistogramBlock

AXIS = Axis.regular("x", 50, -4.0, 4.0)


def shapes(mean: np.ndarray) -> np.ndarray:
    """Gaussians (n, 50) of width 1, normalised."""
    density = np.exp(-0.5 * (AXIS.centres[None, :] - mean[:, None]) ** 2)
    return density / density.sum(axis=1, keepdims=True)


def block(expected: np.ndarray, rng: np.random.Generator) -> HistogramBlock:
    conditions = Conditions(run=np.arange(1, len(expected) + 1), lumisection=np.ones(len(expected), dtype=np.int64))
    return HistogramBlock("Toy/x", (AXIS,), rng.poisson(expected).astype(np.float64), conditions)


def good_runs(n: int, seed: int = 0, *, mean: float | np.ndarray = 0.0, entries: float = 5_000.0) -> HistogramBlock:
    return block(entries * shapes(np.broadcast_to(np.asarray(mean, dtype=float), (n,))), np.random.default_rng(seed))


def test_keeps_the_contract_of_detectors() -> None:
    assert len(check_detector(EwmaReference)) > 10


def test_the_score_of_good_runs_is_minus_the_logarithm_of_their_p_value() -> None:
    detector = EwmaReference().fit(good_runs(400))
    scores = detector.follow(good_runs(1_000, 1), np.zeros(1_000, dtype=int))
    for p in (0.5, 0.1, 0.02):
        assert np.mean(scores > -np.log(p)) == pytest.approx(p, rel=0.35)


def test_a_dead_bin_stands_out_where_the_chi_square_hardly_moves() -> None:
    detector = EwmaReference().fit(good_runs(300))
    fresh = good_runs(400, 2, entries=1_500.0)
    dead = fresh.counts.copy()
    dead[::2, 17] = 0.0
    scores = detector.score(HistogramBlock("Toy/x", (AXIS,), dead, fresh.conditions))
    assert np.median(scores[::2]) > 12
    assert roc_auc_score(np.arange(400) % 2 == 0, scores) > 0.995


def test_what_good_runs_do_together_is_no_anomaly_but_the_same_size_elsewhere_is() -> None:
    rng = np.random.default_rng(3)
    right = np.where(np.arange(50) >= 25, 1.0, 0.0)

    def wobbly(n: int) -> np.ndarray:
        return 8_000 * shapes(np.zeros(n)) * (1 + 0.3 * rng.standard_normal(n)[:, None].clip(-3, 3) * right)

    detector = EwmaReference().fit(block(wobbly(500), rng))
    usual, odd = wobbly(300), 8_000 * shapes(np.zeros(300))
    odd[:, ::2] *= 1.25
    scores = detector.score(block(np.vstack([usual, odd]), rng))
    assert roc_auc_score(np.repeat([0, 1], 300), scores) > 0.99


def test_follows_a_slow_drift_that_a_fixed_reference_takes_for_a_fault() -> None:
    drift = np.linspace(0.0, 1.0, 600)
    runs = good_runs(600, 4, mean=drift)
    head, tail = runs.select(slice(0, 200)), runs.select(slice(200, None))
    fixed = EwmaReference().fit(head).score(tail)
    followed = EwmaReference().fit(head).follow(tail, np.zeros(400, dtype=int))
    alone = EwmaReference().fit(head).follow(tail)
    assert np.median(fixed[-100:]) > 30
    assert np.median(followed[-100:]) < 3
    assert np.median(alone[-100:]) < 3


@pytest.mark.parametrize("doubt", [0.0, 0.05])
def test_after_a_jump_the_next_confirmed_run_fits(doubt: float) -> None:
    mean = np.where(np.arange(60) < 20, 0.0, 1.2)
    detector = EwmaReference(doubt=doubt).fit(good_runs(300))
    scores = detector.follow(good_runs(60, 5, mean=mean), np.zeros(60, dtype=int))
    assert scores[20] > 50
    assert np.median(scores[21:26]) < 4
    assert np.median(scores[30:]) < 3


def test_one_bad_run_confirmed_as_good_does_not_spoil_the_reference() -> None:
    mean = np.where(np.isin(np.arange(200), [50, 120]), 1.2, 0.0)
    labels = np.zeros(200, dtype=int)
    detector = EwmaReference().fit(good_runs(300))
    scores = detector.follow(good_runs(200, 6, mean=mean), labels)
    usual = np.delete(scores, [50, 120])
    assert scores[[50, 120]].min() > 50
    assert np.quantile(usual, 0.98) < 8
    assert len(detector.reference_) <= 2


def test_labels_that_are_partly_wrong_hardly_matter() -> None:
    rng = np.random.default_rng(7)
    bad = rng.random(500) < 0.1
    runs = good_runs(500, 8, mean=np.where(bad, rng.choice([-0.3, 0.3], 500), 0.1 * np.sin(np.arange(500) / 60)))
    wrong = np.where(rng.random(500) < 0.1, ~bad, bad).astype(int)
    area = []
    for labels in (bad.astype(int), wrong):
        detector = EwmaReference().fit(runs.select(slice(0, 200)), labels[:200])
        area.append(roc_auc_score(bad[200:], detector.follow(runs.select(slice(200, None)), labels[200:])))
    assert area[0] > 0.99
    assert area[1] > area[0] - 0.01


def test_confirmations_that_are_not_believed_change_nothing() -> None:
    detector = EwmaReference().fit(good_runs(300))
    before = detector.reference_.copy()
    weights = np.zeros(20)
    weights[0] = 1e-9
    detector.follow(good_runs(20, 9, mean=0.2), np.zeros(20, dtype=int), weights=weights)
    assert np.allclose(detector.reference_, before, atol=1e-8)
    detector.follow(good_runs(20, 9), np.ones(20, dtype=int))
    assert np.allclose(detector.reference_, before, atol=1e-8)


def test_without_labels_it_follows_what_looks_good_and_not_what_does_not() -> None:
    detector = EwmaReference().fit(good_runs(300))
    before = detector.reference_.copy()
    detector.follow(good_runs(30, 10, mean=2.0))
    assert np.allclose(detector.reference_, before)
    detector.follow(good_runs(30, 11))
    assert not np.allclose(detector.reference_, before)


def test_runs_that_scatter_more_than_was_known_are_learned_not_remembered_one_by_one() -> None:
    rng = np.random.default_rng(12)
    detector = EwmaReference().fit(good_runs(300))
    scattered = good_runs(150, 13, mean=rng.normal(0.0, 0.3, 150))
    scores = detector.follow(scattered, np.zeros(150, dtype=int))
    assert np.median(scores[-50:]) < np.median(scores[:10]) / 5


def test_missing_and_empty_histograms_are_not_scored_and_teach_nothing() -> None:
    detector = EwmaReference().fit(good_runs(300))
    before = detector.reference_.copy()
    counts = good_runs(3, 14).counts.copy()
    counts[0], counts[1, 4] = 0.0, np.nan
    holed = HistogramBlock("Toy/x", (AXIS,), counts[:2], Conditions.plain(2))
    assert np.isnan(detector.follow(holed, [0, 0])).all()
    assert np.array_equal(detector.reference_, before)


def test_other_data_and_maps_are_refused() -> None:
    detector = EwmaReference().fit(good_runs(100))
    with pytest.raises(IncompatibleBinning):
        detector.follow(good_runs(3).rebin(2))
    with pytest.raises(MlcoreError, match="takes a HistogramBlock"):
        detector.follow(good_runs(3).counts)  # type: ignore[arg-type]
    square = HistogramBlock("Map", (AXIS, AXIS), np.ones((30, 50, 50)), Conditions.plain(30))
    with pytest.raises(ShapeError, match="one axis"):
        EwmaReference().fit(square)


def test_constant_and_almost_empty_histograms_give_finite_scores() -> None:
    counts = np.zeros((40, 50))
    counts[:, 3] = 1.0
    lonely = HistogramBlock("Toy/x", (AXIS,), counts, Conditions.plain(40))
    assert np.isfinite(EwmaReference().fit(lonely).score(lonely)).all()
