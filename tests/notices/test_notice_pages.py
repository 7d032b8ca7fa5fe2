"""The bell, the list of notices, reading them, and choosing what one is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from certifier.accounts.models import System, User
from certifier.audit.models import AuditEvent
from certifier.notices.models import Notice, Preference
from tests.notices import world
from tests.web.experiment import words

pytestmark = pytest.mark.django_db
Page = Callable[[User | None], Client]
LIST, READ, SETTINGS = "/notices/", "/notices/read/", "/notices/settings/"
HTMX = {"HX-Request": "true", "HX-Target": "notices"}


def text_of(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return words(response.content.decode())


@pytest.fixture
def told(lar: System, ada: User, eve: User) -> list[Notice]:
    world.new_findings(lar, 350479, 3)
    world.stop_automation(lar)
    world.told()
    return list(Notice.objects.of(ada).order_by("pk"))


def test_the_bell_counts_what_is_unread_on_every_page(page: Page, told: list[Notice], ada: User, ben: User) -> None:
    for url in ("/", "/runs/", "/account/", LIST):
        assert "Notices 2 unread" in text_of(page(ada), url)
        assert "Notices 2 unread" not in text_of(page(ben), url)


def test_the_bell_asks_nothing_of_who_has_no_role(page: Page, dee: User) -> None:
    assert "unread" not in text_of(page(dee), "/account/")


def test_it_shows_what_happened_the_unread_first(page: Page, told: list[Notice], ada: User) -> None:
    client = page(ada)
    client.post(READ, {"notice": told[1].pk, "up_to": told[1].event_id})
    html = client.get(LIST).content.decode()
    text = words(html)
    assert text.index("3 new findings of LAR") < text.index("Automation of LAR stopped")
    assert "Pollution is above its limit." in text
    assert "· 3 wait now" in text
    assert html.count('class="unread"') == 1


def test_opening_one_reads_it_and_leads_there(page: Page, told: list[Notice], ada: User) -> None:
    response = page(ada).post(f"/notices/{told[0].pk}/open/")
    assert response.headers["Location"] == "/review/?system=LAR"
    assert [notice.read_at is None for notice in Notice.objects.of(ada).order_by("pk")] == [False, True]


def test_all_of_a_kind_are_read_at_once(page: Page, told: list[Notice], ada: User) -> None:
    response = page(ada).post(READ, {"kind": "stopped", "up_to": told[1].event_id})
    assert response.headers["Location"] == "/notices/?kind=stopped"
    assert world.titles(ada) == ["3 new findings of LAR"]
    assert AuditEvent.objects.get(code="notices.read").data == {"read": 1}


def test_all_means_what_the_page_had_shown(page: Page, told: list[Notice], ada: User, lar: System) -> None:
    up_to = told[1].event_id
    world.new_findings(lar, 350480, 1)
    world.told()
    page(ada).post(READ, {"up_to": up_to})
    assert world.titles(ada) == ["4 new findings of LAR"]


def test_htmx_gets_the_list_and_the_bell(page: Page, told: list[Notice], ada: User) -> None:
    html = page(ada).get(LIST, headers=HTMX).content.decode()
    assert "<html" not in html
    assert 'id="notices"' in html
    assert 'hx-swap-oob="true"' in html
    whole = page(ada).get(LIST).content.decode()
    assert whole.count('id="bell"') == 1
    assert "hx-swap-oob" not in whole


def test_it_can_be_filtered_by_kind(page: Page, told: list[Notice], ada: User) -> None:
    text = text_of(page(ada), f"{LIST}?kind=stopped")
    assert "Automation of LAR stopped" in text
    assert "3 new findings of LAR" not in text
    assert "You were told nothing of this kind." in text_of(page(ada), f"{LIST}?kind=list")
    assert "3 new findings of LAR" in text_of(page(ada), f"{LIST}?kind=nonsense")


def test_an_empty_one_says_why(page: Page, ben: User) -> None:
    assert "When something happens that concerns you, it stands here." in text_of(page(ben), LIST)


def test_nobody_reads_those_of_others(page: Page, told: list[Notice], ada: User, eve: User) -> None:
    client = page(eve)
    assert client.post(f"/notices/{told[0].pk}/open/").status_code == 404
    assert client.post(READ, {"notice": told[0].pk, "up_to": told[1].event_id}).status_code == 404
    assert len(world.titles(ada)) == 2
    client.post(READ, {"up_to": Notice.objects.latest("event_id").event_id})
    assert (len(world.titles(ada)), world.titles(eve)) == (2, [])


@pytest.mark.parametrize("odd", ["", "x", "-1", "9" * 30, "１"])
def test_odd_numbers_find_nothing(page: Page, told: list[Notice], ada: User, odd: str) -> None:
    assert page(ada).post(READ, {"notice": odd or "0", "up_to": "1"}).status_code == 404
    assert page(ada).post(READ, {"up_to": odd}).status_code == 302
    assert len(world.titles(ada)) == 2


def test_boxes_say_what_one_is_told_and_keep_it(page: Page, ada: User) -> None:
    client = page(ada)
    html = client.get(SETTINGS).content.decode()
    assert 'name="items:page" checked' in html
    assert 'name="items:mail">' in html
    assert 'name="list:page">' in html
    client.post(SETTINGS, {"items:mail": "on", "stopped:page": "on"})
    html = client.get(SETTINGS).content.decode()
    assert 'name="items:page">' in html
    assert 'name="items:mail" checked' in html
    assert not Preference.objects.exclude(person=ada).exists()


def test_it_says_where_mail_and_webhooks_go(page: Page, ada: User, chi: User, settings: Any) -> None:
    text = text_of(page(ada), SETTINGS)
    assert "Your account has no address." in text
    assert "None of yours. A coordinator can define one for you." in text
    world.define("https://ada.example.org/", name="ada's phone", person=ada)
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    text = text_of(page(ada), SETTINGS)
    assert "ada's phone" in text.replace("&#x27;", "'")
    assert "This installation sends no mail." in text


@pytest.mark.parametrize("url", [LIST, SETTINGS])
def test_an_outsider_is_refused_and_a_stranger_signs_in(page: Page, dee: User, url: str) -> None:
    assert page(dee).get(url).status_code == 403
    assert page(None).get(url).headers["Location"] == f"/account/sign-in/?next={url}"


@pytest.mark.parametrize("url", [READ, SETTINGS, "/notices/1/open/"])
def test_an_outsider_and_a_stranger_change_nothing(page: Page, told: list[Notice], dee: User, url: str) -> None:
    for person in (dee, None):
        assert page(person).post(url, {"up_to": "99"}).status_code in {302, 403}
    assert page(dee).post(url).status_code == 403
    assert not Notice.objects.exclude(read_at=None).exists()
    assert not Preference.objects.exists()
