"""`enough` draws t_good back to where that share of the luminosity is called good; the limit is kept by more."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mlcore.errors import MlcoreError
from mlcore.evaluate import BAD, GOOD
from mlcore.selective import SelectivePolicy

RUNS, LENGTH = 200, 100


@pytest.fixture(scope="module")
def judged() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, labels, runs and luminosity: 3% bad, some of them among the good ones."""
    rng = np.random.default_rng(5)
    label = (rng.random(RUNS * LENGTH) < 0.03).astype(int)
    score = rng.normal(size=label.size) + 2.5 * label
    return 1 / (1 + np.exp(3 - score)), label, np.repeat(np.arange(RUNS), LENGTH), rng.uniform(0.5, 1.0, label.size)


def fitted(judged: tuple[np.ndarray, ...], **parameters: Any) -> SelectivePolicy:
    p, label, run, weight = judged
    return SelectivePolicy(**({"pollution": 0.02, "loss": 0.02} | parameters)).fit(p, label, run, weights=weight)


@pytest.mark.parametrize("enough", [0.5, 0.8, 0.95])
def test_as_much_is_called_good_as_is_enough_and_hardly_more(judged: tuple[np.ndarray, ...], enough: float) -> None:
    p, label, _, weight = judged
    all_of_it, some = fitted(judged), fitted(judged, enough=enough)
    good = some.decide(p) == GOOD
    assert np.all(all_of_it.decide(p)[good] == GOOD)
    assert enough <= weight[good].sum() / weight.sum() < enough + 0.03
    kept, before = some.guarantee_.parts[0].pollution, all_of_it.guarantee_.parts[0].pollution
    assert kept is not None
    assert before is not None
    assert kept.observed is not None
    assert before.observed is not None
    assert kept.bound is not None
    assert kept.observed < before.observed
    assert kept.bound <= kept.limit
    assert weight[good & (label == 1)].sum() / weight[good].sum() == pytest.approx(kept.observed, abs=1e-9)


def test_what_is_called_bad_stays(judged: tuple[np.ndarray, ...]) -> None:
    p = judged[0]
    strict = {"pollution": 0.008}
    bad = fitted(judged, **strict).decide(p) == BAD
    assert bad.any()
    assert np.array_equal(bad, fitted(judged, **strict, enough=0.5).decide(p) == BAD)


def test_where_less_can_be_promised_all_of_it_is_taken(judged: tuple[np.ndarray, ...]) -> None:
    strict = {"pollution": 0.008}
    most = fitted(judged, **strict)
    share = (most.decide(judged[0]) == GOOD).mean()
    assert 0 < share < 0.99
    assert fitted(judged, **strict, enough=0.999).t_good_ == most.t_good_


@pytest.mark.parametrize("enough", [0.0, 1.1, -1.0])
def test_it_is_a_share(judged: tuple[np.ndarray, ...], enough: float) -> None:
    with pytest.raises(MlcoreError, match="shares of the luminosity"):
        fitted(judged, enough=enough)
