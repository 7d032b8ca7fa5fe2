"""Associations: a planted one is found and measured; where there is none, the promise about false ones is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, mannwhitneyu, rankdata
from sklearn.metrics import roc_auc_score

from mlcore import associate as module
from mlcore.associate import associate
from mlcore.conditions import Conditions
from mlcore.errors import BadLabels, ShapeError, TooFewData
from mlcore.features import FeatureTable

RUNS, LENGTH = 20, 30


def table(values: Any, **known: Any) -> FeatureTable:
    count, width = values.shape
    length = count // RUNS
    conditions = Conditions(
        run=np.repeat(np.arange(1, RUNS + 1), length), lumisection=np.tile(np.arange(1, length + 1), RUNS), **known
    )
    return FeatureTable(values, tuple(f"f{place}" for place in range(width)), ("any",) * width, conditions)


def drifting(rng: np.random.Generator, count: int, width: int, memory: float = 0.9) -> Any:
    """Features that remember: an autoregressive walk, of unit variance."""
    steps = rng.normal(size=(count, width)) * np.sqrt(1 - memory**2)
    values = np.empty((count, width))
    values[0] = rng.normal(size=width)
    for row in range(1, count):
        values[row] = memory * values[row - 1] + steps[row]
    return values


def stretches(rng: np.random.Generator, count: int, many: int = 6) -> Any:
    flags = np.zeros(count, dtype=bool)
    for start in rng.integers(0, count, many):
        flags[start : start + rng.integers(5, 20)] = True
    return flags


def test_the_feature_that_was_moved_is_found_with_its_size() -> None:
    rng = np.random.default_rng(1)
    values = drifting(rng, RUNS * LENGTH, 40)
    flags = stretches(rng, RUNS * LENGTH)
    values[flags, 7] += 2.5
    first, second, *_ = associate(table(values), flags)
    assert first.feature == "f7"
    assert first.p_family < 0.02
    assert first.shift == pytest.approx(2.5, abs=0.6)
    assert first.area == pytest.approx(roc_auc_score(flags, values[:, 7]))
    assert second.p_family > 0.05
    assert (first.affected, first.others) == (flags.sum(), (~flags).sum())


def test_a_defect_that_moves_none_finds_one_in_twenty_times_at_most() -> None:
    rng = np.random.default_rng(2)
    repeats, found, naive = 200, 0, 0
    for _ in range(repeats):
        values, flags = drifting(rng, RUNS * LENGTH, 20), stretches(rng, RUNS * LENGTH)
        found += associate(table(values), flags)[0].p_family < 0.05
        smallest = min(mannwhitneyu(values[flags, each], values[~flags, each]).pvalue for each in range(20))
        naive += 20 * smallest < 0.05
    assert found <= binom.ppf(0.999, repeats, 0.05)
    # What the correction is for: lumisections taken as independent, though corrected for twenty features.
    assert naive > 0.5 * repeats


def test_what_luminosity_explains_is_no_association() -> None:
    rng = np.random.default_rng(3)
    luminosity = np.tile(np.linspace(200, 80, LENGTH), RUNS)
    # A defect of the beginning of fills, and features that follow the luminosity.
    flags = np.tile(np.arange(LENGTH) < 4, RUNS) & (rng.random(RUNS * LENGTH) < 0.7)
    values = rng.normal(size=(RUNS * LENGTH, 10)) + 0.05 * luminosity[:, None]
    given_luminosity = table(values, luminosity=luminosity)
    assert associate(given_luminosity, flags, conditioned=False)[0].area > 0.8
    assert all(abs(each.area - 0.5) < 0.15 for each in associate(given_luminosity, flags))
    assert associate(given_luminosity, flags)[0].p_family > 0.01


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.4))
def test_every_shift_is_what_moving_the_flags_by_hand_gives(seed: int, missing: float) -> None:
    rng = np.random.default_rng(seed)
    values, flags = rng.normal(size=(60, 3)), rng.random(60) < 0.2
    flags[:3] = True
    values[rng.random(values.shape) < missing] = np.nan
    moved = np.conj(np.fft.rfft(flags.astype(float)))
    found = module._statistics(values, flags, moved)
    for place in range(3):
        known = np.isfinite(values[:, place])
        ranks = np.zeros(60)
        ranked = rankdata(values[known, place])
        ranks[known] = ranked - ranked.mean()
        by_hand = []
        for shift in range(60):
            inside = known & np.roll(flags, shift)
            outside = known & ~np.roll(flags, shift)
            both = inside.sum() and outside.sum()
            by_hand.append(abs(ranks[inside].sum()) / np.sqrt(inside.sum() * outside.sum()) if both else 0.0)
        scale = np.sqrt(np.mean(np.square(by_hand)))
        np.testing.assert_allclose(found[:, place], np.array(by_hand) / (scale or 1.0), atol=1e-8)


def test_rows_in_any_order_say_the_same() -> None:
    rng = np.random.default_rng(4)
    values, flags = drifting(rng, RUNS * LENGTH, 5), stretches(rng, RUNS * LENGTH)
    whole = table(values)
    order = rng.permutation(len(whole))
    assert associate(whole, flags) == associate(whole.select(order), flags[order])


def test_what_is_hardly_known_or_constant_is_left_out() -> None:
    rng = np.random.default_rng(5)
    values, flags = drifting(rng, RUNS * LENGTH, 4), stretches(rng, RUNS * LENGTH)
    values[:, 1] = 3.0
    values[flags, 2] = np.nan
    values[90:, 3] = np.nan
    assert [each.feature for each in associate(table(values), flags)] == ["f0"]
    assert associate(table(values[:, 1:2]), flags) == []


@pytest.mark.parametrize(
    ("flags", "error", "words"),
    [
        (np.zeros(600, dtype=bool), BadLabels, "nowhere, or everywhere"),
        (np.ones(600, dtype=bool), BadLabels, "nowhere, or everywhere"),
        (np.zeros(5, dtype=bool), ShapeError, "one per lumisection"),
        (np.zeros(600), ShapeError, "send booleans"),
        (np.arange(600) < 2, TooFewData, "2 with the defect"),
    ],
)
def test_what_cannot_be_compared_is_refused(flags: Any, error: type[Exception], words: str) -> None:
    values = np.random.default_rng(6).normal(size=(600, 2))
    with pytest.raises(error, match=words):
        associate(table(values), flags)


def test_too_few_lumisections_are_refused() -> None:
    with pytest.raises(TooFewData, match="60 lumisections"):
        associate(table(np.random.default_rng(7).normal(size=(60, 2))), np.arange(60) < 9)
