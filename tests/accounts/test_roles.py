"""Roles are given and taken by administrators; each leaves an audit event and holds at once."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from certifier.accounts import permissions, services
from certifier.accounts.models import Role, RoleGrant, System, User
from certifier.audit.models import AuditEvent

pytestmark = pytest.mark.django_db


def test_a_role_that_is_given_holds_at_once(ova: User, dee: User) -> None:
    assert not permissions.can_tag(dee)
    services.grant_role(actor=ova, user=dee, role=Role.COORDINATOR)
    assert permissions.can_tag(dee)


def test_a_role_that_is_taken_is_gone_at_once(ova: User, chi: User) -> None:
    assert permissions.can_tag(chi)
    assert services.revoke_role(actor=ova, user=chi, role=Role.COORDINATOR)
    assert not permissions.can_tag(chi)
    assert not services.revoke_role(actor=ova, user=chi, role=Role.COORDINATOR), "there was none any more"


def test_giving_twice_changes_nothing(ova: User, dee: User) -> None:
    first = services.grant_role(actor=ova, user=dee, role=Role.VIEWER)
    assert services.grant_role(actor=ova, user=dee, role=Role.VIEWER).pk == first.pk
    assert AuditEvent.objects.filter(code="accounts.grant_role", subject="user dee").count() == 1


def test_who_gave_it_is_kept(ova: User, dee: User, lar: System) -> None:
    grant = services.grant_role(actor=ova, user=dee, role=Role.EXPERT, system=lar)
    assert grant.granted_by == ova
    assert str(grant) == "dee: expert of LAR"
    event = AuditEvent.objects.get(code="accounts.grant_role", subject="user dee")
    assert event.data == {"role": "expert", "system": "LAR"}


@pytest.mark.parametrize("role", [role for role in Role.values if role != Role.EXPERT])
def test_only_experts_have_a_system(ova: User, dee: User, lar: System, role: str) -> None:
    with pytest.raises(services.RoleRefused, match="every other role holds for all systems"):
        services.grant_role(actor=ova, user=dee, role=role, system=lar)


def test_an_expert_needs_a_system(ova: User, dee: User) -> None:
    with pytest.raises(services.RoleRefused, match="An expert is expert of a system"):
        services.grant_role(actor=ova, user=dee, role=Role.EXPERT)


def test_there_are_no_other_roles(ova: User, dee: User) -> None:
    with pytest.raises(services.RoleRefused, match=r"There is no role “boss”\. Choose one of viewer, shifter"):
        services.grant_role(actor=ova, user=dee, role="boss")


def test_the_database_itself_keeps_a_role_once(dee: User, lar: System) -> None:
    for system, role in ((None, Role.VIEWER), (lar, Role.EXPERT)):
        RoleGrant.objects.create(user=dee, role=role, system=system)
        with pytest.raises(IntegrityError), transaction.atomic():
            RoleGrant.objects.create(user=dee, role=role, system=system)


@pytest.mark.parametrize("role", ["viewer", "shifter"])
def test_a_coordinator_gives_and_takes_what_reading_and_shifts_need(chi: User, dee: User, role: str) -> None:
    services.grant_role(actor=chi, user=dee, role=role)
    assert permissions.can_view(dee)
    assert services.revoke_role(actor=chi, user=dee, role=role)
    assert AuditEvent.objects.filter(actor_name="chi", subject="user dee").count() == 2


def test_a_coordinator_makes_experts(chi: User, dee: User, lar: System) -> None:
    services.grant_role(actor=chi, user=dee, role=Role.EXPERT, system=lar)
    assert permissions.can_reopen(dee, lar)


@pytest.mark.parametrize("role", ["coordinator", "admin"])
def test_a_coordinator_makes_nobody_coordinator_or_administrator(chi: User, ova: User, dee: User, role: str) -> None:
    with pytest.raises(permissions.NotAllowed, match="needs the role admin"):
        services.grant_role(actor=chi, user=dee, role=role)
    with pytest.raises(permissions.NotAllowed, match="needs the role admin"):
        services.revoke_role(actor=chi, user=ova, role=role)


@pytest.mark.parametrize("person", ["ada", "ben", "dee"])
def test_nobody_else_gives_or_takes_roles(person: str, request: pytest.FixtureRequest) -> None:
    actor: User = request.getfixturevalue(person)
    before = RoleGrant.objects.count()
    with pytest.raises(permissions.NotAllowed, match="needs the role admin"):
        services.grant_role(actor=actor, user=actor, role=Role.ADMIN)
    with pytest.raises(permissions.NotAllowed, match="needs the role coordinator"):
        services.revoke_role(actor=actor, user=actor, role=Role.VIEWER)
    assert RoleGrant.objects.count() == before


def test_the_last_administrator_stays_one(ova: User, dee: User) -> None:
    with pytest.raises(services.RoleRefused, match="Nobody else is administrator"):
        services.revoke_role(actor=ova, user=ova, role=Role.ADMIN)
    services.grant_role(actor=ova, user=dee, role=Role.ADMIN)
    assert services.revoke_role(actor=ova, user=ova, role=Role.ADMIN)
