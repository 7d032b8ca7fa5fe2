"""Twenty experts on one queue, on PostgreSQL and on SQLite: no item is given to two, or lost, or decided twice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from certifier.accounts.models import System, User
from certifier.defects.models import Entry
from certifier.review import claims
from certifier.review.bulk import confirm_all, preview
from certifier.review.deciding import decide, undo
from certifier.review.errors import AlreadyDecided, AlreadyUndone, BulkChanged
from certifier.review.intake import find_items
from certifier.review.models import Claim, Decision, Item
from tests import cast

from .queue_world import F, champion, define, queue, score, take

pytestmark = pytest.mark.django_db(transaction=True)
EXPERTS, EACH = 20, 3


def experts(lar: System, count: int = EXPERTS) -> list[User]:
    return [cast.make_expert(f"expert{number}", lar) for number in range(count)]


def at_once(people: list[User], act: Callable[[User], Any]) -> list[Any]:
    together = Barrier(len(people))

    def one(person: User) -> Any:
        try:
            together.wait()
            return act(person)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(people)) as pool:
        return list(pool.map(one, people))


def findings(count: int) -> list[F]:
    return [F(f"{first}-{first + 1}") for first in range(1, 3 * count, 3)]


def test_no_two_are_given_the_same_item() -> None:
    lar = cast.make_system("LAR")
    queue(lar, *findings(EXPERTS + 5), last=100)
    given = at_once(experts(lar), lambda person: claims.claim_next(actor=person))
    keys = [item.pk for item in given if item is not None]
    assert len(keys) == len(set(keys)) == EXPERTS
    assert Claim.objects.count() == EXPERTS


def test_when_there_are_fewer_items_than_experts_the_others_are_told_so() -> None:
    lar = cast.make_system("LAR")
    queue(lar, *findings(7), last=100)
    given = at_once(experts(lar), lambda person: claims.claim_next(actor=person))
    keys = [item.pk for item in given if item is not None]
    assert len(keys) == len(set(keys)) == 7
    assert given.count(None) == EXPERTS - 7


def test_who_decides_and_goes_on_never_meets_another() -> None:
    lar = cast.make_system("LAR")
    define(lar)
    queue(lar, *findings(EXPERTS * EACH), last=200)

    def work(person: User) -> list[int]:
        done = []
        for _ in range(EACH):
            item = claims.claim_next(actor=person)
            assert item is not None
            done.append(decide(actor=person, item=item, verdict="confirm").item_id)
        return done

    decided = [key for keys in at_once(experts(lar), work) for key in keys]
    assert len(decided) == len(set(decided)) == EXPERTS * EACH
    assert Decision.objects.count() == Entry.objects.count() == EXPERTS * EACH
    assert not Claim.objects.exists()


def test_one_of_many_decides_an_item_that_nobody_holds() -> None:
    lar = cast.make_system("LAR")
    define(lar)
    [item] = queue(lar, F("5-9"))

    def work(person: User) -> str:
        try:
            decide(actor=person, item=item, verdict="confirm")
        except AlreadyDecided:
            return "late"
        return "done"

    outcomes = at_once(experts(lar, 8), work)
    assert sorted(outcomes) == ["done", *["late"] * 7]
    assert Entry.objects.count() == 1


def test_one_of_many_undoes_a_decision() -> None:
    lar = cast.make_system("LAR")
    define(lar)
    people = experts(lar, 6)
    [item] = queue(lar, F("5-9"))
    done = decide(actor=people[0], item=item, verdict="confirm")

    def work(person: User) -> str:
        try:
            undo(actor=person, decision=done)
        except AlreadyUndone:
            return "late"
        return "done"

    assert sorted(at_once(people, work)) == ["done", *["late"] * 5]
    assert Entry.objects.count() == 2


def test_of_two_bulks_over_the_same_items_one_does_nothing() -> None:
    lar = cast.make_system("LAR")
    define(lar)
    found = queue(lar, *findings(10), last=100)
    people = experts(lar, 4)
    keys = [item.pk for item in found]
    seen = preview(people[0], keys).seen

    def work(person: User) -> str:
        try:
            confirm_all(actor=person, keys=keys, seen=seen)
        except BulkChanged:
            return "changed"
        return "done"

    assert sorted(at_once(people, work)) == ["changed", "changed", "changed", "done"]
    assert Decision.objects.count() == 10


def test_two_sweeps_at_once_ask_once() -> None:
    lar = cast.make_system("LAR")
    score(champion(lar), take(), *findings(20))
    outcomes = at_once(experts(lar, 4), lambda person: find_items()["opened"])
    assert sorted(outcomes) == [0, 0, 0, 20]
    assert Item.objects.count() == 20
