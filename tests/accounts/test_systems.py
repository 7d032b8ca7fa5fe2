"""Systems are made by coordinators; their codes are unique ignoring case."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from certifier.accounts import permissions, services
from certifier.accounts.models import System, User
from certifier.audit.models import AuditEvent

pytestmark = pytest.mark.django_db


def test_a_coordinator_makes_a_system(chi: User) -> None:
    system = services.create_system(actor=chi, code="EGAMMA", name="Electrons and photons", position=3)
    assert (str(system), system.name, system.position) == ("EGAMMA", "Electrons and photons", 3)
    assert AuditEvent.objects.get(code="accounts.create_system", subject="system EGAMMA").actor == chi


def test_a_system_without_a_name_is_called_by_its_code(chi: User) -> None:
    assert services.create_system(actor=chi, code="EGAMMA").name == "EGAMMA"


@pytest.mark.parametrize("code", ["", "two words", "LÀR", "x" * 41, "LAR-1", "LAR\n"])
def test_it_refuses_a_code_that_is_none(chi: User, code: str) -> None:
    with pytest.raises(services.SystemRefused, match="is not a system code"):
        services.create_system(actor=chi, code=code)


def test_it_refuses_a_name_the_column_cannot_hold(chi: User) -> None:
    with pytest.raises(services.SystemRefused, match="120 characters at most"):
        services.create_system(actor=chi, code="X", name="x" * 121)


def test_it_refuses_a_code_that_differs_in_case_only(chi: User, lar: System) -> None:
    with pytest.raises(services.SystemExists, match="exists already"):
        services.create_system(actor=chi, code="lar")
    with pytest.raises(IntegrityError), transaction.atomic():
        System.objects.create(code="Lar", name="by hand")


@pytest.mark.parametrize("person", ["ada", "ben", "dee"])
def test_others_are_refused(person: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises(permissions.NotAllowed, match="needs the role coordinator"):
        services.create_system(actor=request.getfixturevalue(person), code="EGAMMA")
    assert not System.objects.filter(code="EGAMMA").exists()
