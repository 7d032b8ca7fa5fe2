"""The queue over REST: who reads, who decides, and what a refusal looks like."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from certifier.accounts.models import System, User
from certifier.review import claims, services
from certifier.review.models import Decision, Item, ItemState
from tests import cast

from .queue_world import CORRUPT, NOISE, RUN, F, define, queue

V1 = "/api/v1"
Api = Callable[[User | None], APIClient]


@pytest.fixture
def found(lar: System) -> list[Item]:
    define(lar)
    return queue(lar, F("5-9"), F("30-41", "unsure"))


def decide(client: APIClient, item: Item, body: dict[str, Any] | None = None, /, **headers: str) -> Any:
    address = f"{V1}/review-items/{item.pk}/decisions/"
    return client.post(address, {"verdict": "confirm", **(body or {})}, format="json", headers=headers)


def test_a_viewer_reads_what_waits(found: list[Item], api: Api) -> None:
    answer = api(cast.make_user("vic", "viewer")).get(f"{V1}/review-items/?system=lar&run={RUN}").json()
    first, second = answer["results"]
    assert (first["lumisections"], first["verdict"], first["recorded_inv_nb"]) == ("30-41", "unsure", 1200.0)
    assert (second["suspected_defect"], second["score"], second["held_by"]) == (NOISE, 0.99, None)
    assert second["reason"] == "5 LS, 500 /nb, bad and sure, for less than a minute"


def test_filters_choose(found: list[Item], api: Api, ada: User, pixel: System) -> None:
    client = api(ada)
    decide(client, found[0])
    assert [row["id"] for row in client.get(f"{V1}/review-items/").json()["results"]] == [found[1].pk]
    assert [row["id"] for row in client.get(f"{V1}/review-items/?state=decided").json()["results"]] == [found[0].pk]
    assert client.get(f"{V1}/review-items/?system=PIXEL").json()["results"] == []
    assert client.get(f"{V1}/review-items/?run=1").json()["results"] == []
    for query, field in (("system=NONE", "system"), ("state=lost", "state"), ("run=x", "run")):
        answer = client.get(f"{V1}/review-items/?{query}")
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)


def test_an_expert_decides(found: list[Item], api: Api, ada: User) -> None:
    answer = decide(api(ada), found[0], {"lumisections": "6-9", "defect": f"{NOISE}, {CORRUPT}", "comment": "seen"})
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert (body["verdict"], body["bad"], body["good"], body["by"]) == ("confirm", "6-9", "5", "ada")
    assert len(body["defects"]) == len(body["entries"]) == 2
    item = api(ada).get(f"{V1}/review-items/{found[0].pk}/").json()
    assert (item["state"], item["is_audit"], item["decisions"]) == ("decided", False, [body])


def test_the_same_key_decides_once(found: list[Item], api: Api, ada: User) -> None:
    first, second = (decide(api(ada), found[0], None, **{"Idempotency-Key": "k1"}) for _ in range(2))
    assert first.json() == second.json()
    assert Decision.objects.count() == 1
    assert decide(api(ada), found[0]).status_code == 409


def test_a_decision_on_a_superseded_item_is_refused(found: list[Item], api: Api, ada: User) -> None:
    Item.objects.filter(pk=found[0].pk).update(state=ItemState.SUPERSEDED)
    answer = decide(api(ada), found[0])
    assert answer.status_code == 409
    assert "replaced by a newer scoring. Nothing was decided." in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"verdict": "undo"}, "verdict"),
        ({"lumisections": "x"}, "lumisections"),
        ({"lumisections": 5}, "lumisections"),
        ({"defect": "NONE"}, "defect"),
        ({"verdicts": "confirm"}, "verdicts"),
    ],
)
def test_what_makes_no_sense_is_400_at_its_field(
    found: list[Item], api: Api, ada: User, body: dict[str, Any], field: str
) -> None:
    answer = decide(api(ada), found[0], body)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, field)


def test_who_lacks_the_role_is_403(found: list[Item], api: Api, dee: User, pixel: System, ada: User) -> None:
    done = decide(api(ada), found[0]).json()["id"]
    for person in (cast.make_user("ben", "shifter"), dee, cast.make_expert("eli", pixel)):
        client = api(person)
        assert decide(client, found[1]).status_code == 403
        for act in ("claim", "release"):
            assert client.post(f"{V1}/review-items/{found[1].pk}/{act}/").status_code == 403
        assert client.post(f"{V1}/decisions/{done}/undo/", {}, format="json").status_code == 403
    assert api(dee).get(f"{V1}/review-items/").status_code == 403
    assert api(None).get(f"{V1}/review-items/").status_code == 401


def test_items_are_held_and_given_back(found: list[Item], api: Api, ada: User, chi: User) -> None:
    mine, other = api(ada), api(chi)
    item = mine.post(f"{V1}/review-items/next/", {"system": "LAR"}, format="json").json()["item"]
    assert (item["id"], item["held_by"]) == (found[1].pk, "ada")
    refused = other.post(f"{V1}/review-items/{item['id']}/claim/")
    assert (refused.status_code, "ada holds item" in refused.json()["detail"]) == (409, True)
    assert other.post(f"{V1}/review-items/next/", {}, format="json").json()["item"]["id"] == found[0].pk
    assert other.post(f"{V1}/review-items/next/", {"run": 1}, format="json").json() == {"item": None}
    assert mine.post(f"{V1}/review-items/{item['id']}/release/").json()["held_by"] is None
    assert other.post(f"{V1}/review-items/{item['id']}/claim/").json()["held_by"] == "chi"


def test_a_decision_is_undone(found: list[Item], api: Api, ada: User, lar: System) -> None:
    client = api(ada)
    done = decide(client, found[0]).json()["id"]
    services.sign_off(actor=ada, run=found[0].run, system=lar, stage="express")
    answer = client.post(f"{V1}/decisions/{done}/undo/", {}, format="json")
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "comment")
    answer = client.post(f"{V1}/decisions/{done}/undo/", {"comment": "It was the trigger."}, format="json")
    assert (answer.status_code, answer.json()["undoes"]) == (201, done)
    again = client.post(f"{V1}/decisions/{done}/undo/", {"comment": "Again."}, format="json")
    assert again.status_code == 409


def test_what_does_not_exist_is_404(ada: User, api: Api) -> None:
    client = api(ada)
    assert client.get(f"{V1}/review-items/4711/").status_code == 404
    assert client.post(f"{V1}/decisions/4711/undo/", {}, format="json").status_code == 404


def test_a_list_asks_little_of_the_database(
    lar: System, api: Api, ada: User, django_assert_max_num_queries: Any
) -> None:
    define(lar)
    found = queue(lar, *[F(f"{first}", "unsure") for first in range(1, 99, 2)])
    claims.claim(actor=ada, item=found[0])
    client = api(ada)
    # Of the token, its owner, its use and the list: no more for fifty than for one.
    with django_assert_max_num_queries(8):
        assert len(client.get(f"{V1}/review-items/").json()["results"]) == 49
