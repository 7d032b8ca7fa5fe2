"""Progress by luminosity: reviewed, awaiting, and what nobody could ask about because nothing scored it."""

from __future__ import annotations

import pytest

from certifier.accounts.models import System, User
from certifier.review.deciding import decide
from certifier.review.intake import find_items
from certifier.review.queue import not_scored, progress, waiting_counts
from certifier.runs import services as runs

from .queue_world import RUN, F, champion, define, part, queue, score, take


def test_reviewed_is_the_share_of_luminosity_that_was_asked_about(lar: System, ada: User) -> None:
    define(lar)
    first, _ = queue(lar, F("5-9"), F("30-44", "unsure"))
    assert progress([lar]).reviewed == 0.0
    decide(actor=ada, item=first, verdict="confirm")
    found = progress([lar])
    assert (found.decided, found.decided_inv_nb, found.waiting, found.waiting_inv_nb) == (1, 500.0, 1, 1500.0)
    assert found.reviewed == pytest.approx(0.25)


def test_where_nothing_was_asked_there_is_no_share(lar: System) -> None:
    assert progress([lar]).reviewed is None


def test_what_was_not_scored_is_counted_apart(lar: System) -> None:
    version = champion(lar)
    score(version, take(), F("5-9"), unscored="91-100")
    find_items()
    assert (not_scored([lar]).lumisections, not_scored([lar]).recorded_inv_nb) == (10, 1000.0)


def test_where_a_run_has_grown_the_rest_is_not_scored(lar: System) -> None:
    queue(lar, F("5-9"))
    runs.put_run(actor=None, run=RUN, facts={"lumisections": 130})
    assert not_scored([lar]).lumisections == 30


def test_a_run_with_histograms_that_nobody_scored_is_not_scored(lar: System, pixel: System) -> None:
    champion(lar)
    part(take(), lar, "1-100")
    assert not_scored([lar]).lumisections == 100
    assert not_scored([pixel]).lumisections == 0


def test_each_counts_what_they_may_decide(lar: System, ada: User, ben: User, chi: User) -> None:
    queue(lar, F("5-9"), F("30-44", "unsure"))
    assert waiting_counts(ada) == waiting_counts(chi) == {lar.pk: 2}
    assert waiting_counts(ben) == {}
