"""Reads of this room that join."""

from __future__ import annotations

from django.db.models import F

from certifier.audit.errors import CertifierError

from .models import ApiToken, System, User
from .permissions import remember_roles
from .services import digest_of


def system_asked_for(code: str) -> System:
    """The system that a filter or a body names, ignoring case. Raises CertifierError naming the field."""
    system = System.objects.filter(code__iexact=code).first() if "\0" not in code else None
    if system is None:
        raise CertifierError(f"There is no system “{code[:40]}”.", field="system")
    return system


def token_of_key(key: str) -> ApiToken | None:
    """The token of a key with its user, whose roles are then known: one query, one row per grant.

    It may be revoked or expired: the caller looks.
    """
    rows = list(
        ApiToken.objects.filter(digest=digest_of(key))
        .select_related("user")
        .annotate(granted=F("user__grants__role"), granted_system=F("user__grants__system_id"))
    )
    if not rows:
        return None
    token = rows[0]
    remember_roles(token.user, ((row.granted, row.granted_system) for row in rows if row.granted is not None))
    return token


def user_with_roles(pk: int | str) -> User | None:
    """The account of a primary key, whose roles are then known: one query, one row per grant."""
    rows = list(User.objects.filter(pk=pk).annotate(granted=F("grants__role"), granted_system=F("grants__system_id")))
    if not rows:
        return None
    user = rows[0]
    remember_roles(user, ((row.granted, row.granted_system) for row in rows if row.granted is not None))
    return user
