"""Scorings become items: once, and again when the evidence is another one."""

from __future__ import annotations

import pytest

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.precert import services as precert
from certifier.review.deciding import decide
from certifier.review.intake import find_items, unpulled
from certifier.review.models import Item, ItemState, Kind, Pull
from certifier.runs import services as runs

from .queue_world import CORRUPT, NOISE, RUN, F, champion, define, items, queue, score, take, version_of


def stretches(found: list[Item]) -> list[str]:
    return [str(item.lumisections) for item in found]


def test_every_finding_waits_for_an_expert(lar: System) -> None:
    found = queue(lar, F("5-9", "bad", NOISE), F("30-41", "unsure", ""))
    assert [(str(item.lumisections), item.verdict, item.recorded_inv_nb) for item in found] == [
        ("5-9", "bad", 500.0),
        ("30-41", "unsure", 1200.0),
    ]


def test_asking_twice_does_nothing_twice(lar: System) -> None:
    queue(lar, F("5-9"))
    before = list(Item.objects.values_list("pk", flat=True))
    assert find_items() == {"scorings": 0, "opened": 0, "superseded": 0}
    assert list(Item.objects.values_list("pk", flat=True)) == before
    assert Pull.objects.count() == 1


def test_a_scoring_without_findings_is_done_with_at_once(lar: System) -> None:
    queue(lar)
    assert unpulled() == []


def test_a_version_in_shadow_asks_nobody(lar: System) -> None:
    dataset = take()
    shadow = version_of(lar)
    precert.shadow(actor=None, version=shadow, reason="to be tried")
    score(shadow, dataset, F("5-9"))
    find_items()
    assert not Item.objects.exists()


def test_only_who_may_score_brings_the_queue_up_to_date(lar: System, ada: User) -> None:
    with pytest.raises(NotAllowed):
        find_items(actor=ada)


def test_a_new_champion_replaces_what_is_open(lar: System) -> None:
    [old] = queue(lar, F("5-9"))
    score(champion(lar, 2), old.scoring.dataset, F("7-12"))
    find_items()
    old.refresh_from_db()
    assert old.state == ItemState.SUPERSEDED
    [new] = items(lar)
    assert str(new.lumisections) == "7-12"
    assert new.since == old.since, "who waited before goes on waiting"


def test_a_run_that_grew_is_asked_about_what_is_new(lar: System, ada: User) -> None:
    define(lar)
    [old] = queue(lar, F("91-100"))
    decide(actor=ada, item=old, verdict="confirm")
    runs.put_run(actor=None, run=RUN, facts={"lumisections": 120})
    score(old.scoring.version, old.scoring.dataset, F("91-106"), fresh=True)
    find_items()
    assert stretches(items(lar)) == ["101-106"]


def test_a_decision_stands_when_a_new_model_says_the_same(lar: System, ada: User) -> None:
    define(lar)
    first, second = queue(lar, F("5-9"), F("30-41", "unsure"))
    decide(actor=ada, item=first, verdict="override")
    decide(actor=ada, item=second, verdict="confirm")
    score(champion(lar, 2), first.scoring.dataset, F("5-9"), F("30-41", "bad"))
    find_items()
    assert items(lar) == []
    assert not Item.objects.filter(kind=Kind.RETURN).exists()


def test_what_a_new_model_contradicts_returns_and_says_what_changed(lar: System, ada: User) -> None:
    define(lar)
    [old] = queue(lar, F("30-41", "unsure"))
    decide(actor=ada, item=old, verdict="confirm")
    score(champion(lar, 2), old.scoring.dataset)
    find_items()
    [back] = items(lar, kind=Kind.RETURN)
    assert str(back.lumisections) == "30-41"
    assert back.came_from == old
    assert not back.is_blind
    assert back.what_changed == "ada said bad; model 2 calls it good, model 1 did not"
    old.refresh_from_db()
    assert old.state == ItemState.DECIDED


def test_a_doubt_of_a_new_model_does_not_bring_a_decision_back(lar: System, ada: User) -> None:
    define(lar)
    [old] = queue(lar, F("30-41", "bad"))
    decide(actor=ada, item=old, verdict="confirm")
    score(champion(lar, 2), old.scoring.dataset, F("30-41", "unsure"))
    find_items()
    assert items(lar) == []


def test_a_doubt_after_reprocessing_brings_it_back(lar: System, ada: User) -> None:
    define(lar)
    [old] = queue(lar, F("30-41", "bad"))
    decide(actor=ada, item=old, verdict="confirm")
    runs.put_dataset(actor=None, run=RUN, name="physics_Main", stage="bulk")
    bulk = old.run.datasets.get(name="physics_Main")
    score(old.scoring.version, bulk, F("30-41", "unsure", CORRUPT))
    find_items()
    [back] = items(lar)
    assert back.what_changed == "ada said bad; physics_Main, processed since, is called unsure"


def test_a_champion_that_comes_back_finds_its_items_again(lar: System, chi: User) -> None:
    [old] = queue(lar, F("5-9"))
    score(champion(lar, 2), old.scoring.dataset, F("50-60"))
    find_items()
    precert.roll_back(actor=chi, system=lar, reason="The second calls noise what is none.")
    find_items()
    old.refresh_from_db()
    assert old.state == ItemState.OPEN
    assert stretches(items(lar)) == ["5-9"]


def test_what_nobody_scored_asks_for_no_decision(lar: System) -> None:
    version = champion(lar)
    score(version, take(), F("5-9"), unscored="50-100")
    find_items()
    covered = [item.lumisections for item in Item.objects.all()]
    assert all(not (each & version.scorings.get().unscored) for each in covered)
