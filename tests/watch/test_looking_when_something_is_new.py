"""A system is looked at when experts have answered something, and not over and over."""

from __future__ import annotations

import pytest

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.audit.append_only import AppendOnlyError
from certifier.ops.models import Job
from certifier.watch.models import Check
from certifier.watch.services import NothingToWatch, check, due
from certifier.watch.tasks import find_due

from .world import FIRST_RUN, answer, audited, automatic, promising


def test_nothing_is_due_without_a_champion(lar: System) -> None:
    assert due() == []
    with pytest.raises(NothingToWatch, match="LAR has no champion"):
        check(lar)


def test_an_answer_makes_it_due_and_a_look_does_not(lar: System, ada: User, chi: User) -> None:
    version = automatic(lar, chi)
    assert due() == [], "nothing has been scored or answered"
    items = audited(version, FIRST_RUN)
    check(lar)
    assert due() == []
    answer(items, ada)
    assert due() == [lar]
    assert check(lar).number == 2
    assert due() == []


def test_a_new_champion_makes_it_due(lar: System, chi: User) -> None:
    automatic(lar, chi)
    check(lar)
    promising(lar, 2)
    assert due() == [lar]


def test_asking_for_it_twice_starts_one_job(lar: System, ada: User, chi: User) -> None:
    answer(audited(automatic(lar, chi), FIRST_RUN), ada)
    assert find_due() == {"due": 1}
    assert find_due() == {"due": 1}
    assert Job.objects.filter(kind="watch.check").count() == 1


def test_who_may_not_set_the_mode_may_not_look(lar: System, ada: User, ben: User, dee: User, chi: User) -> None:
    automatic(lar, chi)
    for person in (ada, ben, dee):
        with pytest.raises(NotAllowed):
            check(lar, actor=person)
    assert check(lar, actor=chi).number == 1


def test_what_was_seen_is_never_changed(lar: System, chi: User) -> None:
    automatic(lar, chi)
    row = check(lar)
    row.words = "all is well"
    with pytest.raises(AppendOnlyError):
        row.save()
    with pytest.raises(AppendOnlyError):
        Check.objects.all().delete()
