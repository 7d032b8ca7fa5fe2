"""Repeats of the whole calibration: a bound is broken no more often than promised, though lumisections of a run are
alike, and the rule that ignores this is seen to break it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from mlcore.bench.guarantee import METHODS, NAIVE, Tally, draw, least_grey_zone, ours, run, true_rates
from mlcore.selective import SelectivePolicy, design_effect

REPEATS = 120


def tally(method: object, repeats: int, runs: int, **world: object) -> Tally:
    made = Tally()
    for repeat in range(repeats):
        rng = np.random.default_rng([2026, runs, repeat])
        made.add(repeat, *method(draw(rng, runs, **world)))  # type: ignore[operator,arg-type]
    return made


def test_the_bounds_hold_in_95_percent_of_repeats_and_the_naive_rule_breaks_them() -> None:
    pollution, loss, grey = tally(ours, REPEATS, 50).rates()
    # No more than chance allows a rule that breaks each bound with probability 0.05 exactly.
    allowed = binom.ppf(0.999, REPEATS, 0.05)
    assert pollution.sum() <= allowed
    assert loss.sum() <= allowed
    naive = tally(METHODS[NAIVE], REPEATS // 2, 50).rates()
    assert naive[1].mean() > 0.12
    assert naive[0].mean() > 0.12
    assert np.median(grey) < 0.06
    assert least_grey_zone() < grey.min() + 0.01


@pytest.mark.parametrize("world", [{"rho": 0.0}, {"uneven": True}, {"uneven_weights": True}])
def test_the_bounds_hold_without_likeness_with_uneven_runs_and_with_uneven_luminosity(world: dict[str, object]) -> None:
    pollution, loss, _ = tally(ours, 50, 60, **world).rates()
    allowed = binom.ppf(0.999, 50, 0.05)
    assert pollution.sum() <= allowed
    assert loss.sum() <= allowed


def test_truth_from_the_generator_is_what_a_large_sample_shows() -> None:
    sample = draw(np.random.default_rng(0), 2000)
    pollution, loss, grey = (float(a[0]) for a in true_rates(np.array([1.5]), np.array([2.0])))
    good, bad = sample.score < 1.5, sample.score > 2.0
    assert sample.label[good].mean() == pytest.approx(pollution, rel=0.15)
    assert bad[sample.label == 0].mean() == pytest.approx(loss, rel=0.1)
    assert (~good & ~bad).mean() == pytest.approx(grey, rel=0.1)


def test_the_design_effect_of_identical_lumisections_is_the_length_of_the_run() -> None:
    rng = np.random.default_rng(1)
    wrong: np.ndarray = (rng.random(4000) < 0.2)[:, None] * 25.0
    sizes: np.ndarray = np.full((4000, 1), 25.0)
    assert design_effect(wrong, sizes, np.array([100_000.0]))[0] == pytest.approx(25, rel=0.01)
    independent = rng.binomial(25, 0.2, 4000)[:, None].astype(float)
    assert design_effect(independent, sizes, np.array([100_000.0]))[0] == pytest.approx(1, rel=0.1)


def test_lumisections_that_are_alike_and_uneven_weights_count_less() -> None:
    plain = draw(np.random.default_rng(3), 100, rho=0.0)
    alike = draw(np.random.default_rng(3), 100, rho=0.5)
    sides = [SelectivePolicy().fit(s.probability_bad, s.label, s.run).guarantee_.parts[0].loss for s in (plain, alike)]
    assert sides[0] is not None
    assert sides[1] is not None
    assert sides[1].design_effect > 1.5 * sides[0].design_effect
    heavy = SelectivePolicy().fit(
        plain.probability_bad, plain.label, plain.run, weights=np.where(np.arange(plain.run.size) % 2, 9.0, 1.0)
    )
    weighted = heavy.guarantee_.parts[0].loss
    assert weighted is not None
    # Two weights of 1 and 9: (1 + 9)^2 / (2 (1 + 81)) of the number.
    assert weighted.n_kish == pytest.approx(sides[0].n_kish * 100 / 164, rel=0.01)


def test_the_table_has_a_row_for_each_bound_and_for_its_price_beside_the_same_peers() -> None:
    rows = run([0], quick=True)
    assert [row.task.split(":")[0] for row in rows] == [f"{runs} runs" for runs in (50, 150, 700) for _ in range(3)]
    assert [row.target for row in rows] == [0.05, 0.05, 0.02] * 3
    assert all(set(METHODS) <= set(row.peers) and row.better == "lower" and row.seeds == [0] for row in rows)
    assert any(name.startswith("MAPIE") for name in rows[0].peers)
    for row in rows[2::3]:
        assert row.peers[NAIVE].value == 0.0
        assert row.bayes is not None
        assert row.bayes < row.value
    # More runs, less grey.
    assert rows[2].value > rows[8].value
