"""Roles on pages: everybody sees who has which, coordinators give and take them without SQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from certifier.accounts import permissions
from certifier.accounts.models import Role, RoleGrant, System, User

pytestmark = pytest.mark.django_db
Page = Callable[[User | None], Client]


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def test_they_say_who_is_what(page: Page, ben: User, ada: User, chi: User, dee: User) -> None:
    client = page(ben)
    text = text_of(client.get("/account/people/"))
    assert "expert of LAR" in text
    assert "coordinator" in text
    assert "/account/people/dee/" in text_of(client.get("/account/people/?role=none"))
    narrowed = text_of(client.get("/account/people/?role=expert&system=LAR"))
    assert "/account/people/ada/" in narrowed
    assert "/account/people/chi/" not in narrowed
    assert "/account/people/chi/" in text_of(client.get("/account/people/?q=CH"))
    assert "Nobody fits." in text_of(client.get("/account/people/?q=nosuch"))


def test_a_coordinator_gives_and_takes(page: Page, chi: User, dee: User, lar: System) -> None:
    client, address = page(chi), "/account/people/dee/"
    text = text_of(client.post(address, {"act": "grant", "role": "expert", "system": "LAR"}, follow=True))
    assert "dee is expert of LAR now." in text
    assert "<b>chi</b> gave expert of LAR" in text
    assert permissions.can_reopen(User.objects.get(pk=dee.pk), lar)
    text = text_of(client.post(address, {"act": "revoke", "role": "expert", "system": "LAR"}, follow=True))
    assert "dee is no longer expert of LAR." in text
    assert not RoleGrant.objects.filter(user=dee).exists()


def test_a_grant_that_makes_no_sense_is_explained(page: Page, chi: User, dee: User) -> None:
    answer = page(chi).post("/account/people/dee/", {"act": "grant", "role": "expert", "system": ""})
    assert answer.status_code == 400
    assert "An expert is expert of a system" in text_of(answer)


@pytest.mark.usefixtures("ova")
@pytest.mark.parametrize("act", ["grant", "revoke"])
def test_who_may_not_is_refused(page: Page, ada: User, chi: User, dee: User, act: str) -> None:
    body = {"act": act, "role": Role.ADMIN, "system": ""}
    for actor in (ada, chi):
        assert page(actor).post("/account/people/ova/", body).status_code == 403
    assert page(ada).post("/account/people/chi/", body | {"role": "viewer"}).status_code == 403
    assert page(dee).get("/account/people/").status_code == 403
    assert page(dee).post("/account/people/dee/", body).status_code == 403
    assert "Granting the role viewer needs the role coordinator" in text_of(page(ada).get("/account/people/dee/"))
    assert RoleGrant.objects.filter(role=Role.ADMIN).count() == 1


def test_a_coordinator_is_offered_only_what_coordinators_give(page: Page, chi: User, ova: User, dee: User) -> None:
    assert 'value="coordinator"' not in text_of(page(chi).get("/account/people/dee/"))
    assert 'value="coordinator"' in text_of(page(ova).get("/account/people/dee/"))
    assert "Take away" not in text_of(page(chi).get("/account/people/ova/"))


@pytest.mark.parametrize("address", ["/account/people/", "/account/people/ada/"])
def test_they_ask_little_of_the_database(
    page: Page, chi: User, ada: User, address: str, django_assert_max_num_queries: Any
) -> None:
    client = page(chi)
    client.get(address)
    with django_assert_max_num_queries(12):
        client.get(address)
