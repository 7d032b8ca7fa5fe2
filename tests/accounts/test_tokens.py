"""API tokens: the key is shown once and stored nowhere; whoever owns it revokes it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.serializers import serialize
from django.utils import timezone

from certifier.accounts import permissions, services
from certifier.accounts.models import ApiToken, User
from certifier.audit.models import AuditEvent

pytestmark = pytest.mark.django_db


def test_the_key_is_stored_nowhere(ada: User) -> None:
    token, key = services.create_token(actor=ada, user=ada, name="sync script")
    stored = serialize("json", [*ApiToken.objects.all(), *AuditEvent.objects.all()])
    assert key not in stored
    assert key[8:] not in stored
    assert token.prefix == key[:8]
    assert token.digest == services.digest_of(key)


def test_two_tokens_have_two_keys(ada: User) -> None:
    assert services.create_token(actor=ada, user=ada)[1] != services.create_token(actor=ada, user=ada)[1]


def test_a_revoked_or_ended_token_is_not_live(ada: User) -> None:
    live, _ = services.create_token(actor=ada, user=ada, expires_at=timezone.now() + timedelta(days=1))
    services.create_token(actor=ada, user=ada, expires_at=timezone.now() - timedelta(seconds=1))
    revoked, _ = services.create_token(actor=ada, user=ada)
    services.revoke_token(actor=ada, token=revoked)
    assert list(ApiToken.objects.live()) == [live]


def test_revoking_twice_keeps_the_first_time(ada: User) -> None:
    token, _ = services.create_token(actor=ada, user=ada)
    first = services.revoke_token(actor=ada, token=token).revoked_at
    assert services.revoke_token(actor=ada, token=token).revoked_at == first
    assert AuditEvent.objects.filter(code="accounts.revoke_token").count() == 1


def test_an_administrator_makes_and_revokes_a_robots_token(ova: User) -> None:
    robot = services.create_user(actor=ova, username="sys:sync", is_robot=True)
    token, _ = services.create_token(actor=ova, user=robot)
    assert services.revoke_token(actor=ova, token=token).revoked_at is not None


def test_nobody_makes_or_revokes_anothers_token(ada: User, chi: User) -> None:
    with pytest.raises(permissions.NotAllowed, match="another account's tokens"):
        services.create_token(actor=chi, user=ada)
    token, _ = services.create_token(actor=ada, user=ada)
    with pytest.raises(permissions.NotAllowed, match="another account's tokens"):
        services.revoke_token(actor=chi, token=token)
    assert ApiToken.objects.live().count() == 1


def test_somebody_without_a_role_makes_no_token(dee: User) -> None:
    with pytest.raises(permissions.NotAllowed):
        services.create_token(actor=dee, user=dee)
