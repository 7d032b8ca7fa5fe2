"""With `least` the walk begins where so much of the luminosity is called good; what lies before it proves nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.errors import MlcoreError
from mlcore.selective import SelectivePolicy
from mlcore.selective.bounds import upper_bound
from mlcore.selective.sequence import LUMPS, Sequence

RUNS, LENGTH = 200, 100
LIMITS: dict[str, Any] = {"pollution": 0.01, "loss": None, "confidence": 0.95}
Judged = tuple[np.ndarray, np.ndarray, np.ndarray]


def season(*, among_the_surest: int = 0, hidden: float = 0.0) -> Judged:
    """Probabilities, labels and runs: 3% bad and plain to see; so many in every tenth run are among the surest of all,
    and such a share of the upper half of the good ones is bad after all."""
    rng = np.random.default_rng(8)
    n = RUNS * LENGTH
    label = (rng.random(n) < 0.03).astype(int)
    p = np.where(label == 1, rng.uniform(0.6, 1.0, n), rng.uniform(0.0, 0.3, n))
    upper = (label == 0) & (p > 0.1)
    label[upper & (rng.random(n) < hidden)] = 1
    run = np.repeat(np.arange(RUNS), LENGTH)
    for number in range(0, RUNS, 10):
        first = number * LENGTH
        p[first : first + among_the_surest] = rng.uniform(0.0, 0.02, among_the_surest)
        label[first : first + among_the_surest] = 1
    return p, label, run


def fitted(judged: Judged, **parameters: Any) -> SelectivePolicy:
    p, label, run = judged
    return SelectivePolicy(**LIMITS, **parameters).fit(p, label, run)


def test_errors_among_the_surest_hide_nothing_of_the_rest() -> None:
    judged = season(among_the_surest=4)
    assert np.isnan(fitted(judged).t_good_)
    policy = fitted(judged, least=0.5)
    part = policy.guarantee_.parts[0]
    assert part.automatic > 0.9
    assert part.pollution is not None
    good = judged[0] < policy.t_good_
    assert judged[1][good].sum() >= 80
    assert part.pollution.observed == pytest.approx(judged[1][good].mean()), "they count all the same"
    assert part.pollution.bound is not None
    assert part.pollution.bound <= 0.01


def test_where_half_cannot_be_proved_nothing_is_called_good() -> None:
    judged = season(hidden=0.05)
    assert 0.2 < fitted(judged).guarantee_.parts[0].automatic < 0.5
    policy = fitted(judged, least=0.5)
    assert np.isnan(policy.t_good_)
    assert "of 50% of the luminosity and more, pollution cannot be shown to be below 1.00%" in policy.refusal_


def test_where_nothing_stands_in_the_way_it_changes_nothing() -> None:
    judged = season()
    assert fitted(judged, least=0.5).report_ == fitted(judged).report_


@pytest.mark.parametrize(("least", "enough"), [(-0.1, 1.0), (0.95, 0.95), (1.0, 1.0)])
def test_it_is_a_share_below_what_is_enough(least: float, enough: float) -> None:
    with pytest.raises(MlcoreError, match="the first below the second"):
        fitted(season(), least=least, enough=enough)


numbers = st.lists(st.tuples(st.floats(0, 30), st.floats(0, 0.15), st.booleans()), min_size=1, max_size=25)


@given(numbers, st.floats(0, 0.9), st.floats(0.1, 1.0), st.floats(0.005, 0.1))
def test_it_is_the_walk_that_one_would_take_step_by_step(
    steps: list[tuple[float, float, bool]], least: float, enough: float, limit: float
) -> None:
    share = np.minimum(np.cumsum([each[1] for each in steps]), 1.0)
    n, errors = 5_000.0 * share + 1.0, np.array([each[0] for each in steps])
    effect = np.full(len(steps), 5.0)
    sequence = Sequence(
        np.linspace(0, 1, len(steps)), errors, n, effect, effect, errors / n, share,
        np.array([each[2] for each in steps]),
    )  # fmt: skip
    found, done = -1, False
    for place in range(len(steps)):
        if share[place] < least:
            continue
        bound, allowed = (float(upper_bound(k, n[place], 5.0, confidence=0.95)) for k in (errors[place], LUMPS * 5.0))
        if bound > max(limit, allowed):
            break
        if bound <= limit and steps[place][2] and not done:
            found, done = place, share[place] >= enough
    assert sequence.certify(limit, 0.95, least, enough) == found
