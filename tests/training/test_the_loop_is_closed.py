"""What experts decide in one week, the next model has learned: it says otherwise of the same pattern.

Nothing is pretended here: histograms are drawn and sent, models trained, runs scored, items decided.
"""

from __future__ import annotations

import pytest

from certifier.accounts.models import System, User
from certifier.lumi import LumiSet
from certifier.precert.models import ModelVersion, Scoring
from certifier.precert.scoring import Scorer
from certifier.precert.selectors import models_of_system
from certifier.review.deciding import decide
from certifier.review.intake import find_items
from certifier.review.models import Item, ItemState
from certifier.runs.models import Dataset
from certifier.training.models import Outcome
from tests.precert import world as precert
from tests.precert.world import CORRUPT, NOISE
from tests.training import world

pytestmark = [pytest.mark.django_db, pytest.mark.once]
# A pattern that every run of the next weeks shows, and that experts find harmless after all.
PATTERN, BROKEN = "4-9", "15-19"
RECIPE = world.RECIPE["*"] | {
    "classifier": "boosting",
    "classifier_parameters": {"n_estimators": 25},
    "shares": [0.2, 0.3, 0.1, 0.4],
    # Signatures of the first runs say the opposite of what is decided later: thresholds must not follow both.
    "promise": "last",
}
# Of twice as many runs the last ten suffice for thresholds, and the others are learned from.
LATER = RECIPE | {"shares": [0.2, 0.55, 0.05, 0.2]}


def probe(version: ModelVersion, system: System) -> Scoring:
    """What a model says of a run with the pattern, and with something that is really broken."""
    dataset = Dataset.objects.select_related("run").get(run__number=999_999)
    return precert.score(version, dataset)


def champion(system: System) -> ModelVersion:
    found = models_of_system(system).champion
    assert found is not None
    return found


def a_week(system: System, first: int, runs: int, ada: User) -> None:
    """Runs with the pattern come, the champion scores them, and Ada overrides what it calls wrong about them."""
    scorer, version = Scorer(), champion(system)
    for number in range(first, first + runs):
        world.run(system, number, {NOISE: PATTERN}, recorded={}, signed=False)
        scorer.score(version, Dataset.objects.select_related("run").get(run__number=number))
    find_items()
    for item in Item.objects.filter(system=system, state=ItemState.OPEN, run__number__range=(first, first + runs)):
        decide(actor=ada, item=item, verdict="override")


def test_overrides_of_one_week_change_what_the_next_model_says(
    lar: System, ada: User, settings: pytest.FixtureRequest
) -> None:
    settings.TRAINING_RECIPE = {"*": RECIPE}  # type: ignore[attr-defined]
    world.season(lar, 28)
    world.run(lar, 999_999, {NOISE: PATTERN, CORRUPT: BROKEN}, signed=False)
    first = world.train(lar)
    assert first.outcome == Outcome.PROMOTED, first.words
    before = probe(champion(lar), lar)
    pattern, broken = LumiSet.parse(PATTERN), LumiSet.parse(BROKEN)
    assert pattern <= before.bad

    a_week(lar, world.FIRST + 100, 24, ada)
    settings.TRAINING_RECIPE = {"*": LATER}  # type: ignore[attr-defined]
    second = world.train(lar)
    assert second.outcome in {Outcome.PROMOTED, Outcome.SHADOW}, second.words
    assert second.labels["decision"]["good"] > 100
    assert second.challenger is not None
    after = probe(second.challenger, lar)
    assert not pattern & after.bad
    here, there = pattern.to_mask(world.LENGTH), broken.to_mask(world.LENGTH)
    assert (after.scores[here] < before.scores[here]).all()
    assert before.scores[here].mean() > 0.9
    assert after.scores[here].mean() < 0.4
    assert after.scores[there].min() > 0.5, "what is really broken still is"
