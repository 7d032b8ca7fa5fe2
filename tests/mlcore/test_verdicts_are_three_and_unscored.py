"""The policy's verdicts: a partition, monotone in the limits, by strata, the same after a trip through JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.bench.guarantee import draw
from mlcore.errors import BadLabels, MlcoreError, ShapeError
from mlcore.evaluate import confusion
from mlcore.selective import BAD, GOOD, UNSCORED, UNSURE, SelectivePolicy, pileup_strata
from mlcore.selective import Sequence as Thresholds


def fitted(runs: int = 60, **parameters: object) -> tuple[SelectivePolicy, np.ndarray, np.ndarray, np.ndarray]:
    sample = draw(np.random.default_rng(runs), runs)
    policy = SelectivePolicy(**parameters).fit(sample.probability_bad, sample.label, sample.run)  # type: ignore[arg-type]
    return policy, sample.probability_bad, sample.label, sample.run


def test_every_lumisection_has_one_of_four_verdicts_by_the_two_thresholds() -> None:
    policy, p, labels, _ = fitted()
    p = p.copy()
    p[:7] = np.nan
    verdicts = policy.decide(p)
    assert policy.refusal_ == ""
    assert policy.t_good_ < policy.t_bad_
    assert ((verdicts == GOOD) == (p < policy.t_good_)).all()
    assert ((verdicts == BAD) == (p > policy.t_bad_)).all()
    assert (np.flatnonzero(verdicts == UNSCORED) == np.arange(7)).all()
    assert set(verdicts) == {GOOD, BAD, UNSURE, UNSCORED}
    found = confusion(verdicts, labels)
    assert found.pollution < 0.005
    assert found.loss < 0.005
    assert found.automatic > 0.9


def test_unscored_lumisections_prove_nothing_but_are_counted() -> None:
    sample = draw(np.random.default_rng(60), 60)
    p = sample.probability_bad
    with_gaps = np.concatenate([p, np.full(500, np.nan)])
    plain = SelectivePolicy().fit(p, sample.label, sample.run)
    gaps = SelectivePolicy().fit(with_gaps, np.append(sample.label, np.zeros(500)), np.append(sample.run, [0] * 500))
    assert gaps.t_good_ == plain.t_good_
    assert gaps.t_bad_ == plain.t_bad_
    assert gaps.report_["unscored"] == 500


@st.composite
def calibration(pick: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(pick(st.integers(0, 10**6)))
    n, runs = pick(st.integers(200, 3000)), pick(st.integers(10, 40))
    labels = (rng.random(n) < pick(st.sampled_from([0.05, 0.3, 0.7]))).astype(int)
    score = rng.normal(size=n) + pick(st.sampled_from([0.0, 2.0, 4.0, 9.0])) * labels
    p = 1 / (1 + np.exp(-score))
    if pick(st.booleans()):
        p = np.round(p, 2)
    wrong = rng.random(n) < pick(st.sampled_from([0.0, 0.02]))
    weights = rng.uniform(0.2, 3.0, n) if pick(st.booleans()) else np.ones(n)
    return p, np.where(wrong, 1 - labels, labels), rng.integers(0, runs, n), weights


@settings(max_examples=60, deadline=None, derandomize=True)
@given(calibration(), st.floats(0.002, 0.2), st.floats(1.0, 4.0), st.sampled_from([1.0, 5.0]))
def test_a_stricter_limit_never_enlarges_what_is_automatic(
    sample: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], strict: float, ratio: float, floor: float
) -> None:
    p, labels, runs, weights = sample
    by_limit = []
    for limit in (strict, min(strict * ratio, 0.9)):
        policy = SelectivePolicy(pollution=limit, loss=limit, design_effect_floor=floor)
        verdicts = policy.fit(p, labels, runs, weights=weights).decide(p)
        part = policy.guarantee_.parts[0]
        for side in part.sides:
            if side.threshold is None:
                assert side.refusal
            else:
                assert side.bound is not None
                assert side.observed is not None
                assert side.observed <= side.bound <= limit
        by_limit.append(verdicts)
    strictly, loosely = by_limit
    assert set(np.unique(strictly)) <= {GOOD, BAD, UNSURE}
    # Where both promises overlap one cut is drawn between them, so only being automatic is monotone.
    assert not (np.isin(strictly, (GOOD, BAD)) & (loosely == UNSURE) & (p != policy.t_good_)).any()


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.floats(0.001, 0.05), st.floats(1.0, 5.0), st.sampled_from([1.0, 5.0, 20.0]))
def test_a_stricter_limit_never_walks_further(seed: int, strict: float, ratio: float, effect: float) -> None:
    # Errors come in bursts, as many at the surest as anywhere, so that walks end in all places.
    rng = np.random.default_rng(seed)
    n = np.cumsum(rng.integers(20, 400, 80)).astype(float)
    burst = rng.poisson(rng.choice([0.2, 3.0, 12.0], 80, p=[0.7, 0.2, 0.1]) * rng.choice([0.2, 1.0]))
    errors = np.minimum(np.cumsum(burst), n)
    d = np.maximum.accumulate(effect * rng.uniform(0.5, 3.0, 80))
    sensible, share = rng.random(80) < 0.9, n / n[-1]
    walk = Thresholds(np.linspace(0.0, 1.0, 80), errors, n, np.maximum(d, 1.0), d, errors / n, share, sensible)
    assert walk.certify(strict, 0.975) <= walk.certify(strict * ratio, 0.975)


def spoilt_at_the_surest(n: int) -> SelectivePolicy:
    """Nine of the 1,000 surest are bad, each in a run of its own; among all of n good that is far below the limit."""
    p = np.append(np.linspace(0.001, 0.4, n), np.linspace(0.6, 0.999, n // 4))
    labels = (p > 0.5).astype(int)
    labels[np.linspace(10, 1000, 9).astype(int)] = 1
    runs = np.random.default_rng(0).permutation(p.size) % 100
    return SelectivePolicy().fit(p, labels, runs)


def test_a_few_unlucky_lumisections_among_the_surest_do_not_refuse_a_whole_side() -> None:
    assert spoilt_at_the_surest(16_000).t_good_ > 0.4
    # Of 5,000 nine are too many, wherever they lie.
    assert "cannot be shown" in spoilt_at_the_surest(5_000).refusal_
    # And so is one in a hundred all the way.
    p = np.append(np.linspace(0.001, 0.4, 16_000), np.linspace(0.6, 0.999, 4_000))
    labels = (p > 0.5).astype(int)
    labels[:16_000:100] = 1
    assert np.isnan(SelectivePolicy().fit(p, labels, np.arange(p.size) % 100).t_good_)


def test_classes_that_do_not_overlap_leave_no_grey_zone() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random(20_000) < 0.3).astype(int)
    p = np.where(labels == 1, rng.uniform(0.8, 1.0, 20_000), rng.uniform(0.0, 0.2, 20_000))
    policy = SelectivePolicy().fit(p, labels, np.arange(20_000) // 200)
    assert policy.t_good_ == policy.t_bad_
    assert 0.2 < policy.t_good_ < 0.8
    assert (policy.decide(p) == labels).all()


def test_a_side_that_is_switched_off_is_never_automatic() -> None:
    policy, p, _, _ = fitted(pollution=None)
    assert set(policy.decide(p)) == {BAD, UNSURE}
    both, p, _, _ = fitted()
    assert both.side_confidence("loss") == pytest.approx(0.975)
    assert policy.side_confidence("loss") == pytest.approx(0.95)
    assert policy.t_bad_ <= both.t_bad_


def test_strata_have_their_own_thresholds_small_ones_share_and_unknown_ones_are_never_automatic() -> None:
    sample = draw(np.random.default_rng(8), 150)
    harder = np.isin(sample.run % 3, (1,))
    p = np.where(harder, 0.5 + 0.999 * (sample.probability_bad - 0.5), sample.probability_bad)
    names = np.where(harder, "pile-up 45-inf", "pile-up 30-45").astype(object)
    names[sample.run == 3] = "van der Meer"
    names[sample.run == 6] = "low"
    policy = SelectivePolicy().fit(p, sample.label, sample.run, strata=names.astype(str))
    parts = {part.stratum: part for part in policy.guarantee_.parts}
    assert set(parts) == {"pile-up 30-45", "pile-up 45-inf", "rest"}
    assert parts["rest"].members == ("low", "van der Meer")
    assert "rest" in policy.refusal_
    assert parts["pile-up 30-45"].t_good != parts["pile-up 45-inf"].t_good
    verdicts = policy.decide(p, strata=names.astype(str))
    assert set(verdicts[names == "low"]) == {UNSURE}
    assert GOOD in verdicts[names == "pile-up 45-inf"]
    assert set(policy.decide(p, strata=np.full(p.size, "heavy ions"))) == {UNSURE}
    with pytest.raises(MlcoreError, match="strata"):
        policy.decide(p)
    with pytest.raises(ShapeError):
        policy.decide(p, strata=["a"])
    with pytest.raises(ShapeError):
        policy.fit(p, sample.label, sample.run, strata=["a"])


def test_strata_are_named_after_beam_and_pile_up() -> None:
    names = pileup_strata([10.0, 30.0, 60.0, np.nan], beam=["pp", "pp", "pp", "HI"])
    assert names.tolist() == ["pp pile-up 0-30", "pp pile-up 30-45", "pp pile-up 45-inf", "HI pile-up unknown"]
    assert pileup_strata([31.0]).tolist() == ["pile-up 30-45"]
    with pytest.raises(MlcoreError):
        pileup_strata([1.0], edges=(3.0, 2.0))


def test_the_report_is_plain_json_and_brings_the_same_policy_back() -> None:
    policy, p, _, _ = fitted()
    text = json.dumps(policy.report_, allow_nan=False)
    back = SelectivePolicy.from_report(json.loads(text))
    assert back.guarantee_ == policy.guarantee_
    assert (back.decide(p) == policy.decide(p)).all()
    words = policy.guarantee_.in_words()
    assert "97.5% confidence" in words
    assert "drift" in words
    part = policy.report_["parts"][0]
    assert part["runs"] == 60
    assert part["lumisections"] == 12_000
    assert part["loss"]["n_effective"] == pytest.approx(part["loss"]["n_kish"] / part["loss"]["design_effect"])


def test_one_class_is_refused_in_words() -> None:
    p, runs = np.linspace(0, 1, 10_000), np.arange(10_000) // 200
    only_good = SelectivePolicy().fit(p, np.zeros(10_000), runs)
    only_bad = SelectivePolicy().fit(p, np.ones(10_000), runs)
    for policy in (only_good, only_bad):
        assert np.isnan(policy.t_good_)
        assert np.isnan(policy.t_bad_)
        assert policy.refusal_
        assert set(policy.decide(p)) == {UNSURE}
    nothing = SelectivePolicy().fit(np.full(5, np.nan), np.zeros(5), np.arange(5))
    assert "0 runs" in nothing.refusal_


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (([0.1, 1.2], [0, 1], [1, 1]), MlcoreError),
        (([0.1, np.inf], [0, 1], [1, 1]), MlcoreError),
        (([0.1, 0.2], [0, 2], [1, 1]), BadLabels),
        (([0.1, 0.2], [0.0, np.nan], [1, 1]), BadLabels),
        (([0.1, 0.2], [0, 1], [1]), ShapeError),
        (([0.1], [0, 1], [1, 1]), ShapeError),
        (([[0.1, 0.2]], [0, 1], [1, 1]), ShapeError),
    ],
)
def test_bad_input_is_a_typed_error(arguments: tuple[object, object, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        SelectivePolicy().fit(*arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "parameters",
    [{"pollution": 0.0}, {"loss": 1.0}, {"confidence": 1.0}, {"pollution_share": 0.0}, {"design_effect_floor": 0.5}],
)
def test_impossible_parameters_are_refused(parameters: dict[str, float]) -> None:
    with pytest.raises(MlcoreError):
        SelectivePolicy(**parameters).fit([0.1, 0.9], [0, 1], [1, 2])  # type: ignore[arg-type]
