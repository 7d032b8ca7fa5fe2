"""Signing in and out; what one's roles allow; API tokens."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from certifier.accounts import demo_accounts, services
from certifier.accounts.models import ApiToken, User
from certifier.audit.models import AuditEvent
from certifier.demo import finish
from tests.web.experiment import words

Page = Callable[[User | None], Client]
ACCOUNT = "/account/"


def key_in(html: str) -> str:
    found = re.search(r'value="([\w-]+)" aria-label="The new token"', html)
    assert found
    return found[1]


def sign_in(password: str, **more: str) -> Any:
    return Client().post("/account/sign-in/", {"username": "ada", "password": password, **more})


def test_it_lets_people_in_and_leads_where_they_wanted(ada: User) -> None:
    ada.set_password("correct horse")
    ada.save()
    assert sign_in("correct horse").headers["Location"] == "/"
    assert sign_in("correct horse", next="/runs/7/?tag=A").headers["Location"] == "/runs/7/?tag=A"
    assert sign_in("correct horse", next="https://elsewhere.example/").headers["Location"] == "/"


def test_it_keeps_out_who_has_the_wrong_password_or_no_account(ada: User) -> None:
    ada.set_password("correct horse")
    ada.save()
    response = sign_in("wrong")
    assert response.status_code == 200
    assert "Please enter a correct username and password." in words(response.content.decode())
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert sign_in("correct horse").status_code == 200


def test_it_forgets_who_was_deactivated_or_lost_a_role(page: Page, ada: User, lar: Any) -> None:
    client = page(ada)
    assert client.get("/").status_code == 200
    services.revoke_role(actor=None, user=ada, role="expert", system=lar)
    assert client.get("/").status_code == 403
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert client.get("/").status_code == 302


def test_it_signs_out_by_post_only(page: Page, ada: User) -> None:
    client = page(ada)
    assert client.get("/account/sign-out/").status_code == 405
    assert client.post("/account/sign-out/").headers["Location"] == "/account/sign-in/"
    assert client.get("/").status_code == 302


def test_it_says_in_words_what_each_role_allows(page: Page, ada: User, chi: User) -> None:
    services.grant_role(actor=chi_as_admin(chi), user=ada, role="shifter")
    text = words(page(ada).get(ACCOUNT).content.decode())
    assert "expert of LAR Defines and records defects of LAR, signs and reopens every stage of it." in text
    assert "shifter Records defects of every system and signs the express stage of each. chi" in text


def chi_as_admin(chi: User) -> User:
    services.grant_role(actor=None, user=chi, role="admin")
    return chi


def test_it_tells_an_outsider_whom_to_ask(page: Page, dee: User) -> None:
    text = words(page(dee).get(ACCOUNT).content.decode())
    assert "You have no role yet." in text
    assert "A token acts with your roles, and you have none yet." in text
    assert page(dee).post("/account/tokens/", {"name": "x", "lifetime": "never"}).status_code == 403
    assert not ApiToken.objects.exists()


def test_it_makes_a_token_and_shows_it_once(page: Page, ada: User) -> None:
    client = page(ada)
    made = client.post("/account/tokens/", {"name": "mirror", "lifetime": "30"})
    assert made.status_code == 201
    assert "no-store" in made.headers["Cache-Control"]
    key = key_in(made.content.decode())
    rest = APIClient()
    rest.credentials(HTTP_AUTHORIZATION=f"Token {key}")
    assert rest.get("/api/v1/systems/").status_code == 200
    text = client.get(ACCOUNT).content.decode()
    assert key not in text
    assert f"mirror {key[:8]}… ● works" in words(text)
    token = ApiToken.objects.get()
    assert token.expires_at is not None
    assert timedelta(days=29) < token.expires_at - timezone.now() < timedelta(days=31)
    assert AuditEvent.objects.filter(code="accounts.create_token", actor=ada).exists()


def test_it_revokes_a_token_at_once(page: Page, ada: User, api: Any) -> None:
    rest = api(ada)
    token = ApiToken.objects.get()
    client = page(ada)
    assert client.post(f"/account/tokens/{token.pk}/revoke/").headers["Location"] == ACCOUNT
    assert rest.get("/api/v1/systems/").status_code == 401
    assert "revoked" in words(client.get(ACCOUNT).content.decode())


def test_it_leaves_the_tokens_of_others_alone(page: Page, ben: User, ada: User, api: Any) -> None:
    rest = api(ada)
    token = ApiToken.objects.get()
    client = page(ben)
    assert client.post(f"/account/tokens/{token.pk}/revoke/").status_code == 404
    assert token.prefix not in client.get(ACCOUNT).content.decode()
    assert rest.get("/api/v1/systems/").status_code == 200


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"name": "", "lifetime": "30"}, "This field is required."),
        ({"name": "x", "lifetime": "7"}, "not one of the available"),
        ({"name": "x" * 81, "lifetime": "30"}, "at most 80 characters"),
    ],
)
def test_it_says_what_is_wrong_with_a_token_to_be_made(page: Page, ada: User, sent: dict[str, str], said: str) -> None:
    response = page(ada).post("/account/tokens/", sent)
    assert response.status_code == 422
    assert said in words(response.content.decode())
    assert not ApiToken.objects.exists()


def test_it_is_for_those_who_are_signed_in(page: Page) -> None:
    for address in (ACCOUNT, "/account/tokens/"):
        assert page(None).get(address).headers["Location"] == f"/account/sign-in/?next={address}"


def test_it_reads_the_accounts_as_the_demo_writes_them(tmp_path: Path, settings: Any) -> None:
    settings.CERTIFIER_VAR = tmp_path
    assert demo_accounts.read(tmp_path) is None
    assert "Demo accounts" not in words(Client().get("/account/sign-in/").content.decode())
    finish.write_accounts()
    text = words(Client().get("/account/sign-in/").content.decode())
    assert "Demo accounts, password certifier" in text
    assert "ada expert of LAR" in text
    assert "dee no role" in text


@pytest.mark.parametrize("text", ["", "\n", "Demo accounts:\n", "nothing “quoted”", "\x00“”"])
def test_it_makes_nothing_of_other_files(text: str) -> None:
    assert demo_accounts.parse(text) is None
