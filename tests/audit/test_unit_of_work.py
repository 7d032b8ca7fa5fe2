"""One write path: the change, its audit event and what comes last commit together, or none of it does."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from certifier.accounts.models import System, User
from certifier.audit.models import AuditEvent
from certifier.audit.request_id import request_id_scope
from certifier.audit.unit import Unit, unit_of_work

pytestmark = pytest.mark.django_db


class Refused(Exception):
    pass


def codes() -> list[str]:
    return list(AuditEvent.objects.order_by("id").values_list("code", flat=True))


def make(code: str, unit: Unit) -> None:
    System.objects.create(code=code, name=code)
    unit.audit("tests.make", f"system {code}")


def test_change_and_event_are_written_together(chi: User) -> None:
    AuditEvent.objects.count()
    with request_id_scope("click-1"), unit_of_work(chi) as unit:
        make("A", unit)
        unit.audit("tests.also", "system A", {"why": "because"})
    event = AuditEvent.objects.get(code="tests.also")
    assert (event.actor, event.actor_name, event.subject, event.data) == (chi, "chi", "system A", {"why": "because"})
    assert event.request_id == "click-1" == AuditEvent.objects.get(code="tests.make").request_id


def test_without_an_actor_it_was_the_system() -> None:
    with unit_of_work(None) as unit:
        unit.audit("tests.sweep", "everything")
    event = AuditEvent.objects.get()
    assert (event.actor, event.actor_name) == (None, "system")


def test_an_error_takes_everything_with_it() -> None:
    with pytest.raises(Refused), unit_of_work(None) as unit:
        make("A", unit)
        raise Refused
    assert not System.objects.exists()
    assert not AuditEvent.objects.exists()


def test_the_unit_after_a_failed_one_starts_clean() -> None:
    with pytest.raises(Refused), unit_of_work(None) as unit:
        make("A", unit)
        raise Refused
    with unit_of_work(None) as unit:
        make("B", unit)
    assert [event.subject for event in AuditEvent.objects.all()] == ["system B"]


def test_an_inner_unit_joins_the_outer_one(chi: User, ben: User) -> None:
    with pytest.raises(Refused), unit_of_work(chi) as outer:
        make("A", outer)
        with unit_of_work(ben) as inner:
            make("B", inner)
        raise Refused
    assert not System.objects.exists()
    with unit_of_work(chi) as outer:
        with unit_of_work(ben) as inner:
            make("B", inner)
        make("A", outer)
    actors = AuditEvent.objects.filter(code="tests.make").order_by("id").values_list("actor_name", "subject")
    assert list(actors) == [("ben", "system B"), ("chi", "system A")]


def test_an_inner_failure_that_is_survived_leaves_nothing_of_itself(chi: User) -> None:
    written: list[Any] = []
    with unit_of_work(chi) as outer:
        make("A", outer)
        outer.before_commit("feed", written.extend, "A")
        with pytest.raises(Refused), unit_of_work(chi) as inner:
            make("B", inner)
            inner.before_commit("feed", written.extend, "B")
            inner.before_commit("other", written.extend, "B elsewhere")
            raise Refused
        make("C", outer)
        outer.before_commit("feed", written.extend, "C")
    assert sorted(System.objects.values_list("code", flat=True)) == ["A", "C"]
    assert written == ["A", "C"]
    assert codes()[-2:] == ["tests.make", "tests.make"]
    assert not AuditEvent.objects.filter(subject="system B").exists()


def test_what_comes_last_is_written_once_by_the_outermost_unit(chi: User) -> None:
    calls: list[list[str]] = []
    with unit_of_work(chi) as outer:
        with unit_of_work(chi) as inner:
            inner.before_commit("feed", calls.append, "first")
        assert calls == [], "the outer unit is not over"
        outer.before_commit("feed", calls.append, "second")
    assert calls == [["first", "second"]]


def test_what_comes_last_fails_with_everything(chi: User) -> None:
    def fail(items: list[str]) -> None:
        raise IntegrityError(f"no place for {items}")

    with pytest.raises(IntegrityError), transaction.atomic(), unit_of_work(chi) as unit:
        make("A", unit)
        unit.before_commit("feed", fail, "x")
    assert not System.objects.exists()


def test_a_subject_longer_than_its_column_is_cut(chi: User) -> None:
    with unit_of_work(chi) as unit:
        unit.audit("tests.long", "x" * 500)
    assert len(AuditEvent.objects.get(code="tests.long").subject) == 200
