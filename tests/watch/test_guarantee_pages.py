"""The pages say what is promised, what is realised, and what to look at."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from certifier.accounts.models import System, User
from certifier.watch.services import check

from .world import FIRST_RUN, answer, audited, automatic

Pages = Callable[[User], Client]


def page(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def test_without_a_champion_nothing_is_automatic(client: Client, ben: User, lar: System) -> None:
    client.force_login(ben)
    assert "Nothing is automatic." in page(client, "/guarantees/")
    assert "Nobody has looked yet." in page(client, "/guarantees/LAR/")


def test_promise_and_what_is_realised_stand_side_by_side(client: Client, ada: User, chi: User, lar: System) -> None:
    version = automatic(lar, chi)
    answer(audited(version, FIRST_RUN), ada, bad="1-2")
    check(lar)
    client.force_login(ada)
    listed = page(client, "/guarantees/")
    assert "10.00%" in listed
    assert "pollution" in listed.split("to look at")[1], "above its limit is something to look at"
    shown = page(client, "/guarantees/lar/")
    assert "Promises pollution below 5%" in shown
    assert "above the limit of 5.00%, but that may still be chance" in shown
    assert 'data-plot="pollution-plot"' in shown
    assert "Look now" not in shown


def test_a_coordinator_looks_now(client: Client, ben: User, chi: User, lar: System) -> None:
    automatic(lar, chi)
    client.force_login(chi)
    assert "Look now" in page(client, "/guarantees/LAR/")
    assert "No verdict has been audited yet" in client.post("/guarantees/LAR/look/", follow=True).content.decode()
    client.force_login(ben)
    assert client.post("/guarantees/LAR/look/").status_code == 403


def test_looking_at_a_system_without_a_model_is_refused_in_words(client: Client, chi: User, lar: System) -> None:
    client.force_login(chi)
    shown = client.post("/guarantees/LAR/look/", follow=True).content.decode()
    assert "Promote a model first." in shown


def test_an_unknown_system_is_not_found_and_dee_sees_nothing(client: Client, dee: User, lar: System) -> None:
    client.force_login(dee)
    assert client.get("/guarantees/LAR/").status_code == 403
    assert client.get("/guarantees/").status_code == 403


def test_unknown_system(client: Client, ben: User) -> None:
    client.force_login(ben)
    assert client.get("/guarantees/NOPE/").status_code == 404
