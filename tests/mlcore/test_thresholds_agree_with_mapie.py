"""On independent lumisections our exact test must certify what MAPIE's learn-then-test certifies, and a little more:
its Hoeffding-Bentkus p-values are up to e times the exact binomial ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from mlcore.bench.peers.mapie_ltt import controlled, mapie_thresholds
from mlcore.selective import SelectivePolicy, upper_bound

LIMIT, CONFIDENCE = 0.02, 0.95


def sample(seed: int, n: int = 6000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = (rng.random(n) < 0.2).astype(int)
    return 1 / (1 + np.exp(-(3 * rng.normal(size=n) + 8 * labels - 5))), labels


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("side", ["loss", "pollution"])
def test_the_fixed_sequence_certifies_all_that_mapie_does(seed: int, side: str) -> None:
    p, labels = sample(seed)
    grid = np.linspace(0.05, 0.98, 40)
    outwards = grid[::-1] if side == "loss" else grid
    theirs = controlled(p, labels, side, outwards, limit=LIMIT, confidence=CONFIDENCE, method="fixed_sequence")
    if side == "loss":
        wrong, n = [int(((p > t) & (labels == 0)).sum()) for t in outwards], [int((labels == 0).sum())] * 40
    else:
        wrong, n = [int(((p <= t) & (labels == 1)).sum()) for t in outwards], [int((p <= t).sum()) for t in outwards]
    bound = upper_bound(wrong, n, confidence=CONFIDENCE)
    exact = binom.cdf(wrong, n, LIMIT) <= 1 - CONFIDENCE
    assert ((bound <= LIMIT) == exact).all()
    first_failure = int(np.argmin(exact)) if not exact.all() else 40
    mine = outwards[:first_failure]
    assert theirs.size > 0
    assert set(theirs) <= set(mine)
    assert len(mine) - len(theirs) <= 4


def test_the_policy_reaches_further_out_than_mapie_when_every_lumisection_is_its_own_run() -> None:
    p, labels = sample(5)
    policy = SelectivePolicy(pollution=LIMIT, loss=LIMIT, design_effect_floor=1.0, prior_runs=0.0)
    policy.fit(p, labels, np.arange(p.size))
    t_good, t_bad = mapie_thresholds(p, labels, limit=LIMIT, confidence=0.975)
    part = policy.guarantee_.parts[0]
    assert part.pollution is not None
    assert part.loss is not None
    assert part.pollution.threshold is not None
    assert part.loss.threshold is not None
    assert part.pollution.threshold >= t_good
    assert part.loss.threshold <= t_bad
