"""A signature speaks of a whole run; what is learned from are the lumisections that have a histogram."""

from __future__ import annotations

import numpy as np
import pytest

from certifier.accounts.models import System
from certifier.training.recipe import recipe_of
from certifier.training.sample import plan, read
from tests.precert.world import NOISE
from tests.training import world

pytestmark = pytest.mark.django_db


def test_only_what_could_be_seen_is_learned_from(lar: System) -> None:
    world.define(lar)
    row = world.run(lar, 350001, only="5-24")
    world.record(row, NOISE, "3-6")
    [of_run] = plan(lar, recipe_of(lar)).runs
    bad, good = of_run.labels.of(bad=True), of_run.labels.of(bad=False)
    assert (str(of_run.seen), str(bad), str(good)) == ("5-24", "5-6", "7-24")
    planned = plan(lar, recipe_of(lar))
    assert (planned.good, planned.bad, planned.extent["lumisections"]) == (18, 2, 20)


def test_rows_say_which_lumisections_they_are(lar: System) -> None:
    world.season(lar, 12)
    world.run(lar, 350900, only="5-24")
    sample = read(plan(lar, recipe_of(lar)), lambda share, words: None)
    mine = sample.conditions.run == 350900
    assert sample.conditions.lumisection[mine].tolist() == list(range(5, 25))
    assert not np.isnan(sample.label[mine]).any()
