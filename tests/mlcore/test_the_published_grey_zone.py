"""The published rule of thresholds and the rates counted after it, against counting one by one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.bench import greyzone_blocked, greyzone_shuffled, offline_ae
from mlcore.bench.peers.greyzone import (
    Batch,
    Method,
    Outcome,
    at_true_rates,
    best_work_saved,
    outcome,
    published_method,
    stream,
    thresholds,
)
from mlcore.conditions import BoolArray, FloatArray, IntArray
from mlcore.simulate.tables import TPC, SimulatedTable, tpc_table


def sample(seed: int, n: int = 40) -> tuple[FloatArray, IntArray, FloatArray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.3).astype(np.int64)
    good = np.asarray(np.clip(rng.normal(0.7 - 0.4 * labels, 0.25), 0.0, 1.0).round(2), dtype=np.float64)
    return good, labels, rng.uniform(0.5, 2.0, n)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 500), st.sampled_from([0.0, 0.02, 0.1, 0.3]), st.sampled_from([0.0, 0.03, 0.5]))
def test_thresholds_keep_their_limits_where_they_were_chosen(seed: int, limit: float, quantile: float) -> None:
    good, labels, weights = sample(seed)
    low, high = thresholds(good, labels, weights, pollution=limit, loss=limit, quantile=quantile)
    bad = labels == 1

    def pollution(cut: float) -> float:
        taken = good >= cut
        return float(weights[taken & bad].sum() / weights[taken].sum())

    allowed = [cut for cut in np.unique(good) if pollution(cut) <= limit]
    assert high == (pytest.approx(np.quantile(allowed, quantile)) if allowed else np.inf)
    lossless = [
        cut for cut in np.unique(good) if weights[(good < cut) & ~bad].sum() <= limit * weights[~bad].sum() + 1e-12
    ]
    assert low == (pytest.approx(np.quantile(lossless, 1.0 - quantile)) if lossless else -np.inf)


def test_without_anything_clean_nothing_is_taken_as_good() -> None:
    good, weights = np.array([0.9, 0.8, np.nan]), np.ones(3)
    low, high = thresholds(good, np.array([1, 0, 0]), weights, pollution=0.0, loss=0.0)
    assert high == np.inf
    assert low == pytest.approx(0.8)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 500), st.sampled_from([0.01, 0.1]))
def test_the_most_that_can_be_saved_is_what_trying_every_cut_finds(seed: int, rate: float) -> None:
    good, labels, weights = sample(seed)
    rng = np.random.default_rng(seed)
    bad = 1.0 - good + 1e-6 * rng.random(len(good))
    most_good = most_bad = 0
    for cut in bad:
        taken, thrown = bad <= cut, bad >= cut
        if weights[taken & (labels == 1)].sum() <= rate * weights[taken].sum():
            most_good = max(most_good, int(taken.sum()))
        if weights[thrown & (labels == 0)].sum() <= rate * weights[labels == 0].sum():
            most_bad = max(most_bad, int(thrown.sum()))
    got = best_work_saved(bad, labels, weights, rate)
    assert got == pytest.approx(min(1.0, (most_good + most_bad) / len(good)))


def small(seed: int, *, lumisections: int) -> SimulatedTable:
    """A quarter of the columns and a quarter bad: tables run as they do, in a fraction of the time."""
    law = replace(TPC.law, share=0.25, strength=20.0)
    return tpc_table(
        seed, lumisections=lumisections, recipe=replace(TPC, law=law, nature=replace(TPC.nature, missing=0.0))
    )


def batch(seed: int, n: int = 400) -> Batch:
    good, labels, weights = sample(seed, n)
    rows = np.arange(n)
    return Batch(good, labels, weights, *sample(seed + 1, n), rows, rows)


def test_true_rates_are_kept_and_stricter_ones_save_less() -> None:
    batches = [batch(seed) for seed in (1, 3, 5)]
    outcomes = [at_true_rates(batches, rate) for rate in (0.2, 0.05, 0.01)]
    for got, rate in zip(outcomes, (0.2, 0.05, 0.01), strict=True):
        assert got.pollution <= rate
        assert got.loss <= rate
    assert outcomes[0].saved > outcomes[1].saved >= outcomes[2].saved


def test_what_both_thresholds_claim_is_decided_by_neither() -> None:
    got = outcome([batch(0)], [(1.1, 0.0)])
    assert got == Outcome(0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def drawn() -> SimulatedTable:
    return tpc_table(0, lumisections=900)


def test_only_the_grey_zone_is_labelled_as_the_stream_goes_on(drawn: SimulatedTable) -> None:
    calls: list[tuple[int, int]] = []

    def method(
        drawn: SimulatedTable, pool: IntArray, known: BoolArray, batch: IntArray, seed: int
    ) -> tuple[FloatArray, npt.NDArray[np.float64]]:
        calls.append((len(pool), int(known.sum())))
        assert not set(pool) & set(batch)
        return 1.0 - drawn.belief[pool], 1.0 - drawn.belief[batch]

    batches = stream(drawn, method, 0, limit=0.01)
    assert len(batches) == 7
    assert sum(len(one.labels) for one in batches) + calls[0][0] == len(drawn.labels)
    pools, known = zip(*calls, strict=True)
    assert list(pools) == sorted(pools)
    assert pools[-1] < known[-1] - len(batches[-1].labels)


def test_our_method_and_the_published_one_take_part_in_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = small(0, lumisections=1_000)
    calls = []

    def published(*given: object) -> tuple[FloatArray, FloatArray]:
        calls.append(given)
        return greyzone_shuffled.our_method(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(greyzone_shuffled, "published_method", published)
    monkeypatch.setattr(greyzone_shuffled, "certification_table", lambda seed, lumisections: drawn)
    rows = greyzone_shuffled.run([0, 1], quick=True)
    assert [row.target for row in rows] == [0.85, 0.30]
    assert len(calls) == 2
    assert rows[0].seeds == [0]
    assert rows[0].bayes is not None
    assert 0 <= rows[0].value <= rows[0].bayes + 0.3
    assert len(rows[0].peers) == 2
    assert "points come from reading the neighbours" in rows[0].note


@pytest.mark.parametrize("method", [greyzone_shuffled.our_method, greyzone_shuffled.alone, published_method])
def test_no_label_outside_the_pool_is_read(method: Method) -> None:
    drawn = small(3, lumisections=1_000)
    n = len(drawn.labels)
    dealt = np.random.default_rng(0).permutation(n)
    # The judged batch, and lumisections that were judged earlier and never labelled.
    pool, earlier, batch = dealt[: n // 2], dealt[n // 2 : n // 2 + 150], dealt[n // 2 + 150 : n // 2 + 300]
    known = np.zeros(n, dtype=bool)
    known[np.concatenate([pool, earlier, batch])] = True
    honest = method(drawn, pool, known, batch, 0)
    lied = drawn.labels.copy()
    lied[~np.isin(np.arange(n), pool)] = np.random.default_rng(1).permutation(lied[~np.isin(np.arange(n), pool)])
    assert (lied[batch] != drawn.labels[batch]).any()
    truthless = replace(drawn, labels=lied, belief=np.full(n, np.nan), alone=np.full(n, np.nan))
    for before, after in zip(honest, method(truthless, pool, known, batch, 0), strict=True):
        assert np.array_equal(before, after, equal_nan=True)


def test_the_blocked_table_counts_on_later_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greyzone_blocked, "QUICK", 1_500)
    monkeypatch.setattr(greyzone_blocked, "certification_table", small)
    (row,) = greyzone_blocked.run([100], quick=True)
    # So few lumisections cannot promise 0.5%: the policy refuses, and nothing is saved.
    assert row.value == 0.0
    assert next(iter(row.peers.values())).value > 0.0
    assert "kept in" in row.note
    assert row.note.endswith("looked at before the world was fixed: 100")


def test_the_offline_table_has_a_figure_for_ours_and_for_both_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offline_ae, "QUICK", 2_500)
    monkeypatch.setattr(offline_ae, "offline_table", small)
    (row,) = offline_ae.run([0], quick=True)
    # With a handful of bad lumisections the value itself says nothing.
    assert 0.0 <= row.value <= 1.0
    assert len(row.peers) == 2
