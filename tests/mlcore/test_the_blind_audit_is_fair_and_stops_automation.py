"""The audit sample is random, reproducible and unbiased; its bound may be looked at after every run; planted pollution
stops automation, chance does not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from mlcore.audit import choose_audit, decide_loss, decide_pollution, rate_bounds
from mlcore.conditions import Conditions
from mlcore.errors import BadLabels, MlcoreError, ShapeError
from mlcore.evaluate import BAD, GOOD, UNSCORED, UNSURE


def stream(rng: np.random.Generator, rate: float, runs: int, *, per_run: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Errors that come together: a run is either clean or wrong in half of its lumisections."""
    run = np.repeat(np.arange(runs), per_run)
    guilty = rng.random(runs) < 2 * rate
    return (guilty[run] & (rng.random(run.size) < 0.5)).astype(int), run


def conditions(runs: int, per_run: int = 200) -> Conditions:
    return Conditions(
        run=np.repeat(np.arange(1, runs + 1), per_run), lumisection=np.tile(np.arange(1, per_run + 1), runs)
    )


def test_the_same_lumisections_are_chosen_whenever_and_in_whatever_order_it_is_asked() -> None:
    rows = conditions(50)
    verdicts = np.random.default_rng(0).choice([GOOD, BAD, UNSURE, UNSCORED], len(rows), p=[0.8, 0.1, 0.05, 0.05])
    sample = choose_audit(verdicts, rows, share=0.05, seed=3)
    shuffled = np.random.default_rng(1).permutation(len(rows))
    again = choose_audit(verdicts[shuffled], rows.select(shuffled), share=0.05, seed=3)
    assert np.array_equal(again.chosen, sample.chosen[shuffled])
    assert not sample.chosen[np.isin(verdicts, (UNSURE, UNSCORED))].any()
    assert np.isnan(sample.probability[verdicts == UNSURE]).all()
    assert sample.chosen.sum() == pytest.approx(0.05 * 9000, rel=0.2)
    other = choose_audit(verdicts, rows, share=0.05, seed=4)
    assert (other.chosen & sample.chosen).sum() < 0.15 * sample.chosen.sum()


def test_estimates_from_the_sample_are_unbiased_for_uneven_luminosity() -> None:
    rows = conditions(40)
    rng = np.random.default_rng(2)
    luminosity = rng.uniform(0.1, 5.0, len(rows))
    wrong = rng.random(len(rows)) < 0.02 * luminosity
    verdicts = np.zeros(len(rows), dtype=int)
    estimates = []
    for seed in range(300):
        sample = choose_audit(verdicts, rows, share=0.05, weights=luminosity, seed=seed)
        weight = luminosity[sample.chosen] / sample.probability[sample.chosen]
        estimates.append((weight * wrong[sample.chosen]).sum())
    expected = (luminosity * wrong).sum()
    assert np.mean(estimates) == pytest.approx(expected, abs=4 * np.std(estimates) / np.sqrt(300))
    assert np.std(estimates) < expected


def test_both_bounds_hold_after_every_run_at_once() -> None:
    rng = np.random.default_rng(4)
    rate, repeats = 0.05, 80
    low_broken = high_broken = 0
    for _ in range(repeats):
        bounds = rate_bounds(*stream(rng, rate, 120), confidence=0.9, largest_run=8.0)
        low_broken += int((bounds.lower > rate).any())
        high_broken += int((bounds.upper < rate).any())
        assert (np.diff(bounds.lower) >= 0).all()
        assert (np.diff(bounds.upper) <= 0).all()
        assert (bounds.lower <= bounds.upper).all()
    allowed = binom.ppf(0.999, repeats, 0.1)
    assert low_broken <= allowed
    assert high_broken <= allowed


def test_bounds_close_in_on_the_rate() -> None:
    bounds = rate_bounds(*stream(np.random.default_rng(0), 0.1, 1500))
    assert 0.05 < bounds.lower[-1] < 0.1 < bounds.upper[-1] < 0.16
    assert bounds.estimate[-1] == pytest.approx(0.1, abs=0.02)
    assert bounds.lower[5] < 0.02
    assert bounds.run.tolist() == list(range(1500))


def test_planted_pollution_stops_automation_and_says_why() -> None:
    rng = np.random.default_rng(5)
    truth, run = stream(rng, 0.05, 150)
    verdicts = np.zeros(truth.size, dtype=int)
    decision = decide_pollution(verdicts, truth, run, limit=0.005, probability=np.full(truth.size, 0.03))
    assert decision.stop
    assert decision.reason.startswith("Stop.")
    assert "0.50%" in decision.reason
    assert decision.audited == truth.size
    assert decision.runs == 150


def test_automation_within_the_limit_is_hardly_ever_stopped() -> None:
    rng = np.random.default_rng(6)
    stopped = 0
    for _ in range(40):
        truth, run = stream(rng, 0.005, 150)
        decision = decide_pollution(0 * truth, truth, run, limit=0.005, probability=np.full(truth.size, 0.03))
        stopped += decision.stop
        assert decision.stop == ("Stop" in decision.reason)
    assert stopped <= binom.ppf(0.999, 40, 0.05)


def test_good_lumisections_called_bad_stop_automation_too() -> None:
    rng = np.random.default_rng(7)
    n = 30_000
    run, truth = np.arange(n) // 200, (rng.random(n) < 0.1).astype(int)
    for lost, stops in ((0.05, True), (0.001, False)):
        called_bad = (truth == 1) | (rng.random(n) < lost)
        verdicts = np.where(called_bad, BAD, np.where(rng.random(n) < 0.1, UNSURE, GOOD))
        rows = Conditions(run=run, lumisection=np.arange(n) % 200 + 1)
        sample = choose_audit(verdicts, rows, share=0.05)
        seen = sample.chosen | (verdicts == UNSURE)
        probability = np.where(verdicts == UNSURE, 1.0, sample.probability)
        decision = decide_loss(verdicts[seen], truth[seen], run[seen], limit=0.005, probability=probability[seen])
        assert decision.stop == stops
        assert decision.side == "loss"
        assert decision.audited == sample.chosen[truth == 0].sum()


def test_a_rate_above_the_limit_that_may_be_chance_is_told_but_does_not_stop() -> None:
    truth, run = np.array([1, 0, 0, 0]), np.array([1, 1, 2, 2])
    decision = decide_pollution([0, 0, 0, 0], truth, run, limit=0.005, probability=np.full(4, 0.03))
    assert not decision.stop
    assert "may still be chance" in decision.reason
    clean = decide_pollution([0, 0], [0, 0], [1, 2], limit=0.005, probability=[0.03, 0.03])
    assert "within the limit" in clean.reason


def test_before_any_answer_nothing_is_known_and_nothing_is_claimed() -> None:
    decision = decide_pollution([], [], [], limit=0.005, probability=[])
    assert not decision.stop
    assert (decision.lower, decision.upper) == (0.0, 1.0)
    assert "nothing is known" in decision.reason


def test_bad_input_is_refused() -> None:
    rows = conditions(1, 3)
    for share in (0.0, 1.5):
        with pytest.raises(MlcoreError, match="share"):
            choose_audit([0, 0, 0], rows, share=share)
    with pytest.raises(ShapeError):
        choose_audit([0], rows)
    with pytest.raises(ShapeError):
        choose_audit([0, 0, 0], rows, weights=[1.0, -1.0, 1.0])
    with pytest.raises(ShapeError):
        rate_bounds([0, 1], [1])
    with pytest.raises(ShapeError):
        rate_bounds([0, 1], [1, 1], [1.0, np.nan])
    with pytest.raises(BadLabels):
        rate_bounds([0, 2], [1, 1])
    with pytest.raises(MlcoreError):
        rate_bounds([0, 1], [1, 1], confidence=1.0)
    with pytest.raises(MlcoreError, match="probability"):
        decide_pollution([0], [0], [1], limit=0.005, probability=[0.0])
    with pytest.raises(ShapeError):
        decide_loss([0], [0], [1], limit=0.005, probability=[0.1, 0.2])
    with pytest.raises(MlcoreError, match="limit"):
        decide_loss([0], [0], [1], limit=0.0, probability=[0.1])


def test_nothing_automatic_means_nothing_to_audit() -> None:
    rows = conditions(2, 10)
    sample = choose_audit(np.full(20, UNSURE), rows)
    assert not sample.chosen.any()
    assert np.isnan(sample.probability).all()
