"""A policy that cannot prove its limits says what is missing, and decides nothing."""

from __future__ import annotations

import numpy as np
import pytest

from mlcore.errors import MlcoreError
from mlcore.selective import BAD, GOOD, UNSURE, SelectivePolicy, clean_needed, upper_bound


def sample(good: int, bad: int, *, runs: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Perfectly separated probabilities, spread evenly over runs."""
    p = np.concatenate([np.linspace(0.0, 0.4, good), np.linspace(0.6, 1.0, bad)])
    return p, np.repeat([0, 1], [good, bad]), np.arange(good + bad) % runs


def test_598_clean_lumisections_prove_half_a_percent_and_597_do_not() -> None:
    assert clean_needed(0.005, 0.95) == 598
    assert clean_needed(0.005, 0.975) == 736
    assert upper_bound(0, 598)[()] <= 0.005 < upper_bound(0, 597)[()]


@pytest.mark.parametrize("floor", [1.0, 5.0])
def test_loss_is_certified_from_598_effective_good_lumisections_and_refused_below(floor: float) -> None:
    for good, certified in ((int(597 * floor), False), (int(598 * floor), True)):
        # With a floor of 1 every lumisection is a run of its own: independent, as in the textbook.
        p, labels, runs = sample(good, 50, runs=good + 50 if floor == 1 else 20)
        policy = SelectivePolicy(pollution=None, design_effect_floor=floor, prior_runs=1e9).fit(p, labels, runs)
        assert np.isfinite(policy.t_bad_) == certified
        assert (BAD in policy.decide(p)) == certified
        assert bool(policy.refusal_) != certified
    assert np.isnan(policy.t_good_)


def test_the_refusal_says_how_many_are_there_and_how_many_are_needed() -> None:
    p, labels, runs = sample(2000, 50)
    policy = SelectivePolicy().fit(p, labels, runs)
    assert "count as 400" in policy.refusal_
    assert "736" in policy.refusal_
    assert set(policy.decide(p)) == {UNSURE}


def test_few_runs_promise_nothing_however_long_they_are() -> None:
    p, labels, runs = sample(20_000, 500, runs=4)
    policy = SelectivePolicy().fit(p, labels, runs)
    assert "4 runs" in policy.refusal_
    assert set(policy.decide(p)) == {UNSURE}


def test_few_bad_lumisections_promise_loss_but_no_pollution() -> None:
    p, labels, runs = sample(20_000, 29)
    policy = SelectivePolicy().fit(p, labels, runs)
    assert np.isnan(policy.t_good_)
    assert "29 bad" in policy.refusal_
    assert GOOD not in policy.decide(p)
    assert BAD in policy.decide(p)


def test_wrong_labels_end_in_a_refusal_and_not_in_confident_thresholds() -> None:
    p, labels, runs = sample(20_000, 5_000)
    policy = SelectivePolicy().fit(p, 1 - labels, runs)
    assert np.isnan(policy.t_good_)
    assert np.isnan(policy.t_bad_)
    assert "Look at the labels first" in policy.refusal_
    assert set(policy.decide(p)) == {UNSURE}


def test_a_bound_is_asked_for_between_0_and_1() -> None:
    for limit, confidence in ((0.0, 0.95), (0.005, 1.0)):
        with pytest.raises(MlcoreError):
            clean_needed(limit, confidence)
