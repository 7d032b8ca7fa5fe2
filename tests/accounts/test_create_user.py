"""An account is made by an administrator, with its audit event, and can do nothing until it has a role."""

from __future__ import annotations

import pytest

from certifier.accounts import permissions, services
from certifier.accounts.models import User
from certifier.audit.models import AuditEvent


def test_it_makes_an_account_that_can_do_nothing_yet(ova: User) -> None:
    user = services.create_user(actor=ova, username="eli", first_name="Eli", email="eli@example.org", password="wörter")
    assert user.check_password("wörter")
    assert not permissions.can_view(user)
    assert not user.is_staff


def test_it_leaves_an_audit_event_without_the_password(ova: User) -> None:
    services.create_user(actor=ova, username="eli", password="secret words")
    event = AuditEvent.objects.get(code="accounts.create_user", subject="user eli")
    assert event.actor_name == "ova"
    assert "secret" not in str(event.data)


def test_it_gives_a_robot_no_password(ova: User) -> None:
    robot = services.create_user(actor=ova, username="bot", password="ignored", is_robot=True)
    assert not robot.has_usable_password()


@pytest.mark.parametrize("name", ["", "two words", "semi;colon", "x" * 151])
def test_it_refuses_a_name_that_is_none(ova: User, name: str) -> None:
    with pytest.raises(services.UserRefused):
        services.create_user(actor=ova, username=name)


def test_it_refuses_a_name_that_differs_in_case_only(ova: User, dee: User) -> None:
    with pytest.raises(services.UserExists, match="exists already"):
        services.create_user(actor=ova, username="DEE")


def test_it_refuses_a_coordinator(chi: User) -> None:
    with pytest.raises(permissions.NotAllowed, match="needs the role admin"):
        services.create_user(actor=chi, username="eli")
    assert not User.objects.filter(username="eli").exists()


def test_it_lets_a_robots_name_begin_with_sys_and_no_persons(ova: User) -> None:
    robot = services.create_user(actor=ova, username="sys:hancool", is_robot=True)
    assert robot.username == "sys:hancool"
    with pytest.raises(services.UserRefused):
        services.create_user(actor=ova, username="sys:eli")
