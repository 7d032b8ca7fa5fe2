"""The own notices over REST: read, and marked as read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from certifier.accounts.models import System, User
from certifier.accounts.permissions import NotAllowed
from certifier.notices import services
from certifier.notices.models import Notice
from tests.notices import world

pytestmark = pytest.mark.django_db
Api = Callable[[User | None], APIClient]
PATH, READ = "/api/v1/notices/", "/api/v1/notices/read/"


@pytest.fixture
def told(lar: System, ada: User, eve: User, settings: Any) -> list[Notice]:
    settings.SITE_URL = "https://certifier.example.org"
    world.new_findings(lar, 350479, 3)
    world.stop_automation(lar)
    world.told()
    return list(Notice.objects.of(ada).order_by("pk"))


def test_it_lists_the_own_the_newest_first(api: Api, told: list[Notice], ada: User, ben: User) -> None:
    newest, oldest = api(ada).get(PATH).json()["results"]
    assert newest["kind"] == "stopped"
    assert oldest["data"]["run"] == 350479
    known = {key: oldest[key] for key in ("id", "kind", "system", "count", "title", "url", "up_to", "read_at")}
    assert known == {
        "id": told[0].pk,
        "kind": "items",
        "system": "LAR",
        "count": 3,
        "title": "3 new findings of LAR",
        "url": "https://certifier.example.org/review/?system=LAR",
        "up_to": told[0].event_id,
        "read_at": None,
    }
    assert api(ben).get(PATH).json()["results"] == []


def test_it_filters(api: Api, told: list[Notice], ada: User) -> None:
    client = api(ada)
    services.mark_read(actor=ada, ids=[told[0].pk])
    for query, found in {"unread=true": 1, "unread=false": 0, "kind=items": 0, "kind=stopped": 1}.items():
        assert [row["id"] for row in client.get(f"{PATH}?{query}").json()["results"]] == [told[found].pk]
    assert client.get(f"{PATH}?kind=x").status_code == 400


def test_it_marks_some_or_all_as_read(api: Api, told: list[Notice], ada: User, eve: User) -> None:
    client = api(ada)
    assert client.post(READ, {"ids": [told[0].pk]}, format="json").json() == {"read": 1}
    assert client.post(READ, {"ids": [told[0].pk]}, format="json").json() == {"read": 0}
    assert client.post(READ, {"ids": "all", "up_to": told[0].event_id}, format="json").json() == {"read": 0}
    assert client.post(READ, {"ids": "all"}, format="json").json() == {"read": 1}
    assert (len(world.titles(ada)), len(world.titles(eve))) == (0, 2)


def test_those_of_others_do_not_exist(api: Api, told: list[Notice], ada: User, eve: User) -> None:
    mine = Notice.objects.of(eve).first()
    assert mine is not None
    answer = api(eve).post(READ, {"ids": [mine.pk, told[0].pk]}, format="json")
    assert answer.status_code == 404
    assert f"You have no notice {told[0].pk}." in answer.content.decode()
    assert (len(world.titles(ada)), len(world.titles(eve))) == (2, 2)


@pytest.mark.parametrize(
    "body",
    [{}, {"ids": "some"}, {"ids": []}, {"ids": [0]}, {"ids": [True]}, {"ids": ["1"]}, {"ids": 1}, {"ids": [2**63]},
     {"ids": None}, {"ids": "all", "kind": "list"}, {"ids": "all", "up_to": 0}, [], {"ids": list(range(1, 1002))}],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(api: Api, told: list[Notice], ada: User, body: object) -> None:
    answer = api(ada).post(READ, body, format="json")
    assert answer.status_code == 400, answer.content
    assert len(world.titles(ada)) == 2


def test_who_has_no_role_or_no_token_is_refused(api: Api, told: list[Notice], dee: User) -> None:
    for person, status in ((dee, 403), (None, 401)):
        assert api(person).get(PATH).status_code == status
        assert api(person).post(READ, {"ids": "all"}, format="json").status_code == status
    with pytest.raises(NotAllowed):
        services.mark_read(actor=dee)
    with pytest.raises(NotAllowed):
        services.set_preferences(actor=dee, wanted={("list", "page"): True})
    with pytest.raises(NotAllowed):
        services.find(actor=dee)
