"""The gate promotes what is surely not worse, rejects what is worse, and says why in words, whatever it decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from certifier.precert.models import Mode
from certifier.training.gate import Bench, Circumstances, rule
from certifier.training.models import Outcome
from certifier.training.recipe import Recipe

RECIPE = Recipe(config={"pollution": 0.05, "loss": 0.05})


def side(limit: float, threshold: float | None) -> dict[str, Any]:
    return {
        "limit": limit, "confidence": 0.95, "threshold": threshold, "bound": 0.04 if threshold else None,
        "observed": 0.01 if threshold else None, "lumisections": 900, "n_effective": 180.0, "design_effect": 5.0,
        "needed": 60, "refusal": "" if threshold else "Too few.", "side": "pollution",
    }  # fmt: skip


def guarantee(promises: bool) -> dict[str, Any]:
    threshold = 0.01 if promises else None
    part = {
        "stratum": "", "lumisections": 900, "bad": 60, "runs": 30, "automatic": 0.8, "t_good": threshold,
        "t_bad": None, "pollution": side(0.05, threshold), "loss": None,
    }  # fmt: skip
    return {"parts": [part], "first_run": "1", "last_run": "30", "assumptions": []}


PROMISES, PROMISES_NOTHING = guarantee(promises=True), guarantee(promises=False)
AROUND = Circumstances("LAR", Mode.ASSIST, PROMISES, PROMISES)


def bench(*, challenger: float, champion: float | None, runs: int = 40, seed: int = 1) -> Bench:
    """Lumisections of which a tenth is bad, and two models that see it so clearly."""
    rng = np.random.default_rng(seed)
    run = np.repeat(np.arange(runs), 25)
    label = (rng.random(run.size) < 0.1).astype(np.int64)
    noise = rng.normal(size=run.size)

    def scores(clear: float) -> np.ndarray:
        return clear * label + noise + 0.3 * rng.normal(size=run.size)

    return Bench(
        run=run, label=label, weight=np.full(run.size, 100.0), challenger=scores(challenger),
        champion=None if champion is None else scores(champion),
    )  # fmt: skip


def test_a_better_one_is_promoted() -> None:
    ruling = rule(bench(challenger=5.0, champion=3.0), AROUND, RECIPE)
    assert ruling.outcome == Outcome.PROMOTED, ruling.words
    assert "On 1,000 lumisections of 40 runs, as each judged them before it had learned:" in ruling.words
    assert "Area under the ROC curve" in ruling.words
    assert "It is not worse, and knows more." in ruling.words
    assert ruling.figures["difference"]["auc"]["low"] > 0


def test_one_that_is_alike_is_promoted_for_it_knows_more() -> None:
    assert rule(bench(challenger=5.0, champion=5.0), AROUND, RECIPE).outcome == Outcome.PROMOTED


def test_a_worse_one_is_kept_out() -> None:
    ruling = rule(bench(challenger=1.0, champion=5.0), AROUND, RECIPE)
    assert ruling.outcome == Outcome.REJECTED
    assert ruling.words.count("the champion's") == 2
    assert "It is worse." in ruling.words
    assert ruling.figures["difference"]["auc"]["high"] < 0


def test_where_too_little_can_be_said_it_scores_in_shadow() -> None:
    ruling = rule(bench(challenger=2.4, champion=2.6, runs=8), AROUND, RECIPE)
    assert ruling.outcome == Outcome.SHADOW, ruling.words
    assert "That is too uncertain to replace the champion." in ruling.words
    ruling = rule(bench(challenger=5.0, champion=3.0, runs=4), AROUND, RECIPE)
    assert ruling.outcome == Outcome.SHADOW
    assert "Too little to compare on" in ruling.words


def few_bad(data: Bench, bad: int) -> Bench:
    """Of which only so many are bad."""
    label = data.label.copy()
    label[np.flatnonzero(label)[bad:]] = 0
    return replace(data, label=label)


def test_a_first_one_that_promises_need_not_wait_for_bad_ones_among_the_last_runs() -> None:
    last_runs = few_bad(bench(challenger=5.0, champion=None), 3)
    first = replace(AROUND, champion_guarantee=None)
    ruling = rule(last_runs, first, RECIPE)
    assert ruling.outcome == Outcome.PROMOTED, ruling.words
    assert "its promise is measured on 900 lumisections of 30 runs: the first model of LAR." in ruling.words
    ruling = rule(last_runs, replace(first, challenger_guarantee=PROMISES_NOTHING), RECIPE)
    assert ruling.outcome == Outcome.SHADOW
    assert "Too little to compare on: 3 bad lumisections in 40 runs" in ruling.words


@pytest.mark.parametrize("bad", [0, 60])
def test_a_first_one_that_promises_must_be_able_to_score_and_must_not_be_surely_poor(bad: int) -> None:
    poor = few_bad(bench(challenger=0.0, champion=None), bad)
    first = replace(AROUND, champion_guarantee=None)
    assert rule(poor, replace(first, scored=0.4), RECIPE).outcome == Outcome.SHADOW
    expected = Outcome.SHADOW if bad else Outcome.PROMOTED
    assert rule(poor, first, RECIPE).outcome == expected


def deciding(data: Bench, *, challenger: float, champion: float) -> Bench:
    """Both right wherever they decide, of so much of the lumisections."""
    rng = np.random.default_rng(6)
    shares = {"challenger": challenger, "champion": champion}
    verdicts = {who: np.where(rng.random(data.run.size) < share, data.label, 2) for who, share in shares.items()}
    return replace(data, verdicts=verdicts)


def test_one_that_leaves_more_to_experts_at_its_own_thresholds_scores_in_shadow() -> None:
    both = bench(challenger=5.0, champion=5.0)
    ruling = rule(deciding(both, challenger=0.7, champion=0.9), AROUND, RECIPE)
    assert ruling.outcome == Outcome.SHADOW, ruling.words
    assert "But at its own thresholds it would leave" in ruling.words
    assert ruling.figures["difference"]["automatic"]["high"] < -0.05
    assert rule(deciding(both, challenger=0.88, champion=0.9), AROUND, RECIPE).outcome == Outcome.PROMOTED


def test_more_work_is_taken_where_the_champion_breaks_its_promise() -> None:
    data = deciding(bench(challenger=5.0, champion=5.0), challenger=0.7, champion=0.9)
    champion = np.where(data.label == 1, 0, data.verdicts["champion"])
    ruling = rule(replace(data, verdicts={**data.verdicts, "champion": champion}), AROUND, RECIPE)
    assert ruling.outcome == Outcome.PROMOTED, ruling.words


def test_at_its_thresholds_the_champion_is_held_to_what_it_decided_since_they_were_chosen() -> None:
    data = deciding(bench(challenger=5.0, champion=5.0), challenger=0.9, champion=0.9)
    late = data.run >= 30
    champion = np.where(late & (data.label == 0), 1, data.verdicts["champion"])
    data = replace(data, verdicts={**data.verdicts, "champion": champion})
    figures = [
        rule(each, AROUND, RECIPE).figures["champion"]["decided_between"]["loss"]["value"]
        for each in (data, replace(data, since=late), replace(data, since=~late))
    ]
    assert figures[1] == pytest.approx(1.0)
    assert figures[2] == pytest.approx(0.0)
    assert figures[2] < figures[0] < figures[1]
    alone = rule(replace(data, since=data.run == 39), AROUND, RECIPE)
    assert "decided_between" not in alone.figures["champion"], "of one run there is no interval"


def aged(data: Bench, *, unsure: float = 0.0, wrong: float = 0.0) -> Bench:
    """With a champion that leaves so many to experts now, and calls so many of the good bad."""
    rng = np.random.default_rng(3)
    verdict = np.where(data.label == 1, 1, 0)
    verdict[(data.label == 0) & (rng.random(data.run.size) < wrong)] = 1
    verdict[rng.random(data.run.size) < unsure] = 2
    return replace(data, verdicts={"champion": verdict})


def test_a_champion_that_has_aged_is_followed_by_one_that_is_not_surely_worse() -> None:
    """What is usual moves, and thresholds do not: that shows in what it decides, not in the order of its scores."""
    uncertain = bench(challenger=2.4, champion=2.6, runs=8)
    assert rule(aged(uncertain), AROUND, RECIPE).outcome == Outcome.SHADOW, "it does what it did"
    ruling = rule(aged(uncertain, unsure=0.6), AROUND, RECIPE)
    assert ruling.outcome == Outcome.PROMOTED
    assert "It is not surely worse, and the champion has aged: it decides 4" in ruling.words
    assert "80.0% when it was calibrated" in ruling.words
    loses = {**PROMISES["parts"][0], "loss": {**side(0.05, 0.9), "side": "loss"}}
    around = replace(AROUND, champion_guarantee=PROMISES | {"parts": [loses]})
    ruling = rule(aged(uncertain, wrong=0.2), around, RECIPE)
    assert ruling.outcome == Outcome.PROMOTED
    assert "on these runs, and it promises 5%" in ruling.words
    assert rule(aged(uncertain, wrong=0.2), AROUND, RECIPE).outcome == Outcome.SHADOW, "loss was not promised"


def test_an_aged_champion_is_not_followed_by_a_worse_one() -> None:
    assert rule(aged(bench(challenger=1.0, champion=5.0), unsure=0.9), AROUND, RECIPE).outcome == Outcome.REJECTED
    little = replace(RECIPE, worse_auc=0.5, worse_precision=0.9)
    ruling = rule(aged(bench(challenger=2.0, champion=5.0), unsure=0.9), AROUND, little)
    assert ruling.outcome == Outcome.SHADOW, "surely worse, by no more than the recipe allows"
    blind, strict = aged(bench(challenger=0.4, champion=0.4), unsure=0.9), replace(RECIPE, worse_auc=0.001)
    assert rule(blind, AROUND, strict).outcome == Outcome.SHADOW, "what neither can see is no reason to prefer one"
    assert rule(blind, AROUND, replace(strict, first_auc=0.5)).outcome == Outcome.PROMOTED
    lost = replace(AROUND, challenger_guarantee=PROMISES_NOTHING, mode=Mode.AUTO)
    ruling = rule(aged(bench(challenger=2.4, champion=2.6, runs=8), unsure=0.6), lost, RECIPE)
    assert ruling.outcome == Outcome.SHADOW, "the promise that people rely on would be lost all the same"


def test_nothing_is_promoted_where_a_promise_that_counts_would_be_lost() -> None:
    good = bench(challenger=5.0, champion=3.0)
    loses = replace(AROUND, challenger_guarantee=PROMISES_NOTHING)
    for mode in (Mode.AUTO, Mode.STOPPED):
        ruling = rule(good, replace(loses, mode=mode), RECIPE)
        assert ruling.outcome == Outcome.SHADOW
        assert f"LAR is in mode {mode.label}, and the champion's promise on pollution would be lost." in ruling.words
    assert rule(good, loses, RECIPE).outcome == Outcome.PROMOTED, "in assist nobody relies on it"
    both = replace(loses, mode=Mode.AUTO, champion_guarantee=PROMISES_NOTHING)
    assert rule(good, both, RECIPE).outcome == Outcome.PROMOTED, "nothing is lost that there was"


def test_what_a_person_decided_stands() -> None:
    ruling = rule(
        bench(challenger=5.0, champion=3.0), replace(AROUND, held_back=["chi has paused learning: repairs"]), RECIPE
    )
    assert ruling.outcome == Outcome.SHADOW
    assert ruling.words.endswith("chi has paused learning: repairs It scores in shadow.")
    worse = rule(bench(challenger=1.0, champion=5.0), replace(AROUND, held_back=["x"]), RECIPE)
    assert worse.outcome == Outcome.REJECTED, "that needs no person"


@pytest.mark.parametrize(("clear", "outcome"), [(5.0, Outcome.PROMOTED), (0.5, Outcome.SHADOW)])
def test_a_first_model_is_promoted_when_it_is_surely_good_enough(clear: float, outcome: Outcome) -> None:
    ruling = rule(bench(challenger=clear, champion=None), replace(AROUND, champion_guarantee=None), RECIPE)
    assert ruling.outcome == outcome
    assert ruling.words.startswith("There is no champion. Its area under the ROC curve is 0.")
    assert "difference" not in ruling.figures


def test_more_work_is_no_progress() -> None:
    """Alike in area, but no threshold leaves few lumisections to experts any more."""
    data = bench(challenger=6.0, champion=6.0)
    found = np.flatnonzero(data.label == 1)
    spoiled = data.challenger.copy()
    # In every run one bad lumisection of many looks as good as can be: enough for the limits, too little for the area.
    first = [found[data.run[found] == run][0] for run in np.unique(data.run[found])]
    spoiled[first] = data.challenger.min() - 1
    recipe = replace(RECIPE, worse_auc=0.9, worse_precision=0.9, config={"pollution": 0.001, "loss": 0.001})
    ruling = rule(replace(data, challenger=np.where(data.label == 1, spoiled, data.challenger)), AROUND, recipe)
    assert ruling.outcome != Outcome.PROMOTED
    assert "more would be left to experts" in ruling.words or "uncertain" in ruling.words


def test_lumisections_that_could_not_be_scored_are_left_out_and_never_counted_as_right() -> None:
    data = bench(challenger=5.0, champion=3.0)
    blind = np.where(np.arange(data.run.size) % 2 == 0, np.nan, data.challenger)
    ruling = rule(replace(data, challenger=blind), AROUND, RECIPE)
    assert ruling.figures["challenger"]["grey_zone"]["value"] >= 0.5
    assert ruling.outcome == Outcome.SHADOW
    nothing = rule(replace(data, challenger=np.full(data.run.size, np.nan)), AROUND, RECIPE)
    assert nothing.outcome == Outcome.SHADOW
    assert nothing.figures["challenger"]["auc"]["value"] is None
