"""GET changes/: what a mirror follows."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from certifier.accounts.models import User
from certifier.audit.unit import unit_of_work
from certifier.runs import services
from certifier.runs.changes import announce
from certifier.runs.models import Change

pytestmark = pytest.mark.django_db
Api = Callable[[User | None], APIClient]


class Interrupted(Exception):
    pass


def test_it_gives_changes_in_order(api: Api, chi: User, ben: User) -> None:
    services.put_runs(actor=chi, runs=[{"run": 2}, {"run": 1}])
    services.put_lumisections(actor=None, run=1, columns={"pileup": [1, 2]})
    body = api(ben).get("/api/v1/changes/").json()
    assert body["next"] == 3
    assert [change["sequence"] for change in body["changes"]] == [1, 2, 3]
    assert set(body["changes"][0]) == {"sequence", "kind", "run", "at", "by", "data"}
    assert [(change["kind"], change["run"], change["by"]) for change in body["changes"]] == [
        ("runs.run", 2, "chi"),
        ("runs.run", 1, "chi"),
        ("runs.lumisections", 1, "system"),
    ]


def test_it_continues_where_the_reader_stopped(api: Api, ben: User) -> None:
    services.put_runs(actor=None, runs=[{"run": number} for number in range(1, 8)])
    client, seen, after = api(ben), [], 0
    while True:
        body = client.get("/api/v1/changes/", {"after": after, "limit": 3}).json()
        if not body["changes"]:
            break
        seen += [change["sequence"] for change in body["changes"]]
        after = body["next"]
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    assert body["next"] == 7
    assert client.get("/api/v1/changes/", {"after": 2**63 - 1}).json() == {"changes": [], "next": 2**63 - 1}


def test_it_gives_the_numbers_of_a_roll_back_to_the_next() -> None:
    services.put_run(actor=None, run=1, facts={})
    with pytest.raises(Interrupted), unit_of_work(None) as unit:
        announce(unit, "test.lost")
        raise Interrupted
    services.put_run(actor=None, run=2, facts={})
    assert list(Change.objects.values_list("sequence", "run")) == [(1, 1), (2, 2)]


def test_it_leaves_out_what_an_inner_unit_took_back() -> None:
    with unit_of_work(None) as outer:
        announce(outer, "test.kept", data={"n": 1})
        with pytest.raises(Interrupted), unit_of_work(None) as inner:
            announce(inner, "test.lost")
            services.put_run(actor=None, run=1, facts={})
            raise Interrupted
        announce(outer, "test.kept", data={"n": 2})
    assert list(Change.objects.values_list("sequence", "kind", "data__n")) == [(1, "test.kept", 1), (2, "test.kept", 2)]


def test_it_says_who_made_the_change_in_an_inner_unit(chi: User, ova: User) -> None:
    with unit_of_work(chi) as outer:
        announce(outer, "test.one")
        with unit_of_work(ova) as inner:
            announce(inner, "test.two")
        announce(outer, "test.three")
    assert list(Change.objects.values_list("by", flat=True)) == ["chi", "ova", "chi"]
