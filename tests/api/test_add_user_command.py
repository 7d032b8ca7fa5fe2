"""`manage.py add_user NAME --role R [--system S]`."""

from __future__ import annotations

import getpass
import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from certifier.accounts.models import RoleGrant, System, User

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("add_user", *arguments, stdout=out)
    return out.getvalue()


def test_it_creates_an_account_with_its_roles(lar: System, pixel: System) -> None:
    said = run("ada", "--role", "shifter", "--role", "expert", "--system", "LAR", "--system", "pixel")
    assert said == "Created ada: expert of LAR, expert of PIXEL, shifter.\n"
    assert not User.objects.get(username="ada").has_usable_password()


def test_it_changes_nothing_the_second_time(db: None) -> None:
    run("chi", "--role", "coordinator")
    assert run("CHI", "--role", "coordinator") == "Found chi: coordinator.\n"
    assert (User.objects.count(), RoleGrant.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ada", "--role", "expert"], "give --system"),
        (["ada", "--role", "shifter", "--system", "LAR"], "give --role expert"),
        (["ada", "--role", "expert", "--system", "TILES"], "There is no system “TILES”. Systems are .*LAR"),
        (["a b", "--role", "shifter"], "not a user name"),
        (["ada", "--role", "king"], "invalid choice"),
    ],
)
def test_it_says_what_is_wrong_and_creates_nothing(systems: Any, arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        run(*arguments)
    assert not User.objects.exists()


def test_it_gives_no_role_to_an_account_that_is_switched_off(ben: User) -> None:
    User.objects.update(is_active=False)
    with pytest.raises(CommandError, match="The account ben is switched off"):
        run("Ben", "--role", "coordinator")
    assert [grant.role for grant in ben.grants.all()] == ["shifter"]


def answers(monkeypatch: Any, *typed: str) -> None:
    words = iter(typed)
    monkeypatch.setattr(getpass, "getpass", lambda _: next(words))


def test_it_asks_for_a_password_twice(db: None, monkeypatch: Any) -> None:
    answers(monkeypatch, "lumi-block-7-quiet", "lumi-block-7-quiet")
    run("ben", "--role", "shifter", "--ask-password")
    assert User.objects.get(username="ben").check_password("lumi-block-7-quiet")


@pytest.mark.parametrize(("typed", "words"), [(("a", "b"), "differ"), (("12345", "12345"), "too short")])
def test_it_refuses_a_password_that_will_not_do(db: None, monkeypatch: Any, typed: tuple[str, str], words: str) -> None:
    answers(monkeypatch, *typed)
    with pytest.raises(CommandError, match=words):
        run("ben", "--ask-password")
    assert not User.objects.exists()
