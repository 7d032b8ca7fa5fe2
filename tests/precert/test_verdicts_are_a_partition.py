"""Whatever is wrong with a run: each lumisection has one verdict, and what is missing is never good."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from certifier.lumi import LumiSet
from certifier.precert.models import Verdict
from certifier.precert.scoring import NEAR, judge, together
from mlcore.conditions import Conditions
from mlcore.histograms import HistogramBlock
from tests.precert import world

LAST = 30
numbers = st.sets(st.integers(1, LAST), max_size=LAST)
some = numbers.map(lambda found: str(LumiSet.from_numbers(found)))
faulty = st.fixed_dictionaries(
    {"noise": some, "corrupt": some, "strength": st.floats(0.001, 0.2), "seed": st.integers(0, 9)}
)


@given(faults=faulty, missing=numbers, half=numbers)
@settings(max_examples=30)
def test_each_lumisection_has_one_verdict_and_what_is_not_good_one_finding(
    faults: dict[str, Any], missing: set[int], half: set[int]
) -> None:
    blocks = world.histograms(lumisections=LAST, **faults)
    blocks = [without(blocks[0], missing | half), without(blocks[1], missing)]
    domain = Conditions(run=np.full(LAST, world.RUN), lumisection=np.arange(1, LAST + 1))
    judgement = judge(world.model().score(blocks, conditions=domain), LAST)
    judgement.check()
    sets = [judgement.good, judgement.bad, judgement.unsure, judgement.unscored]
    assert sum(map(len, sets)) == LAST
    assert LumiSet.from_numbers(missing) <= judgement.unscored
    assert judgement.good.isdisjoint(LumiSet.from_numbers(missing | half))
    why = [len(where) for where in judgement.why_unscored.values()]
    assert sum(why) == len(judgement.unscored)
    looked_at = [stretch.lumisections for stretch in judgement.stretches]
    assert sum(map(len, looked_at)) == len(judgement.bad) + len(judgement.unsure)
    for stretch in judgement.stretches:
        assert stretch.lumisections <= judgement.bad | judgement.unsure
        assert stretch.verdict in {Verdict.BAD, Verdict.UNSURE}
        assert (stretch.verdict == Verdict.BAD) == bool(stretch.lumisections & judgement.bad)


def without(block: HistogramBlock, missing: set[int]) -> HistogramBlock:
    return block.select(~np.isin(block.conditions.lumisection, list(missing)))


@given(found=numbers)
def test_what_lies_near_is_looked_at_together(found: set[int]) -> None:
    pieces = list(together(LumiSet.from_numbers(found)))
    assert sorted(number for piece in pieces for number in piece.numbers()) == sorted(found)
    for before, after in itertools.pairwise(pieces):
        assert (after.first or 0) - (before.last or 0) > NEAR
    for piece in pieces:
        inside = list(piece.numbers())
        assert all(after - before <= NEAR for before, after in itertools.pairwise(inside))
