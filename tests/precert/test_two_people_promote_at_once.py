"""Several coordinators who promote in the same moment: one act after another, one champion at the end."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from certifier.accounts.models import Role, System
from certifier.precert import services
from certifier.precert.errors import NotPossibleNow
from certifier.precert.models import Promotion
from certifier.precert.selectors import models_of_system
from tests import cast
from tests.precert import world

PEOPLE = ("chi", "eve", "fay", "gil")


def at_once(act: Callable[[int], None]) -> list[str]:
    together = Barrier(len(PEOPLE))

    def one(place: int) -> str:
        try:
            together.wait()
            act(place)
        except NotPossibleNow as refusal:
            return str(refusal)
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(len(PEOPLE)) as pool:
        return sorted(pool.map(one, range(len(PEOPLE))))


@pytest.mark.django_db(transaction=True)
def test_all_who_looked_at_the_same_state_but_one_are_told_so() -> None:
    lar = cast.make_system("LAR")
    people = [cast.make_user(name, Role.COORDINATOR) for name in PEOPLE]
    versions = [world.register(lar, another=number) for number in range(len(PEOPLE))]
    outcomes = at_once(lambda place: void(services.promote(actor=people[place], version=versions[place], seen=0)))
    assert outcomes.count("done") == 1
    assert all("Meanwhile" in outcome for outcome in outcomes if outcome != "done")
    act = Promotion.objects.get()
    assert act.champion == act.version == models_of_system(lar).champion


@pytest.mark.django_db(transaction=True)
def test_those_who_insist_come_one_after_another() -> None:
    lar = cast.make_system("LAR")
    people = [cast.make_user(name, Role.COORDINATOR) for name in PEOPLE]
    versions = [world.register(lar, another=number) for number in range(len(PEOPLE))]
    outcomes = at_once(lambda place: void(services.promote(actor=people[place], version=versions[place])))
    assert outcomes == ["done"] * len(PEOPLE)
    acts = list(Promotion.objects.order_by("id"))
    assert [act.number for act in acts] == [1, 2, 3, 4]
    assert models_of_system(lar).champion == acts[-1].version
    assert sorted(models_of_system(lar).standing.state_of(version).value for version in versions) == [
        "champion", "retired", "retired", "retired",
    ]  # fmt: skip


@pytest.mark.django_db
def test_the_database_takes_no_second_act_on_the_same_state(lar: System) -> None:
    version = world.champion(lar)
    other = world.register(lar, another=1)
    second = {"system": lar, "number": 1, "version": other, "state": "champion", "by_name": "x", "at": timezone.now()}
    with pytest.raises(IntegrityError), transaction.atomic():
        Promotion.objects.create(**second, champion=other)
    # Nor one that says one thing and means another.
    for state, champion in (("champion", version), ("champion", None), ("retired", other)):
        with pytest.raises(IntegrityError), transaction.atomic():
            Promotion.objects.create(**{**second, "number": 2, "state": state}, champion=champion)


def void(_: object) -> None:
    return None
