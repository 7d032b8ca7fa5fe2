"""Writes of this room: systems, roles and tokens."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from certifier.audit.errors import CertifierError, Conflict
from certifier.audit.unit import unit_of_work

from . import permissions
from .models import ApiToken, Role, RoleGrant, System, User

CODE = re.compile(r"[A-Za-z0-9_]{1,40}")
USERNAME_LENGTH = 150
SYSTEM_NAME_LENGTH = 120
# What robots sign with in ATLAS; no person's name can hold the colon.
ROBOT_PREFIX = "sys:"


class SystemRefused(CertifierError):
    """The system cannot be created as asked; the message says why."""


class SystemExists(Conflict):
    """A system of that code (ignoring case) is there already."""


class UserRefused(CertifierError):
    """The account cannot be created as asked; the message says why."""


class UserExists(Conflict):
    """An account of that name (ignoring case) is there already."""


class RoleRefused(CertifierError):
    """The grant makes no sense as asked; the message says why."""


@contextmanager
def exists_already(refusal: Conflict) -> Iterator[None]:
    """Leave it to the database who was first; for the second, `refusal`."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        raise refusal from error


def create_system(*, actor: User | None, code: str, name: str = "", family: str = "", position: int = 100) -> System:
    """A new system. Coordinators only. Codes are ASCII and unique ignoring case."""
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_manage_systems(actor))
        if not CODE.fullmatch(code):
            raise SystemRefused(
                f"“{code[:60]}” is not a system code: use 1 to 40 ASCII letters, digits and underscores.", field="code"
            )
        if len(name) > SYSTEM_NAME_LENGTH:
            raise SystemRefused(f"A system's name has {SYSTEM_NAME_LENGTH} characters at most.", field="name")
        with exists_already(SystemExists(f"The system {code} exists already (case is ignored).")):
            system = System.objects.create(code=code, name=name or code, family=family, position=position)
        unit.audit("accounts.create_system", f"system {code}", {"name": system.name})
    return system


def create_user(
    *,
    actor: User | None,
    username: str,
    first_name: str = "",
    last_name: str = "",
    email: str = "",
    password: str | None = None,
    is_robot: bool = False,
) -> User:
    """A new account, without any role. Administrators only. Names are unique ignoring case.

    Without a password nobody can log in with it; a robot never has one, its tokens are its keys. A robot's name may
    begin with `sys:`.
    """
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_manage_people(actor))
        try:
            User.username_validator(username.removeprefix(ROBOT_PREFIX) if is_robot else username)
        except ValidationError as error:
            raise UserRefused(
                f"“{username[:60]}” is not a user name: use letters, digits and @ . + - _ only."
            ) from error
        if len(username) > USERNAME_LENGTH:
            raise UserRefused(f"A user name has {USERNAME_LENGTH} characters at most.")
        if User.objects.filter(username__iexact=username).exists():
            raise UserExists(f"The user {username} exists already (case is ignored).")
        with exists_already(UserExists(f"The user {username} exists already.")):
            user: User = User.objects.create_user(
                username,
                email,
                None if is_robot else password,
                first_name=first_name,
                last_name=last_name,
                is_robot=is_robot,
            )
        unit.audit("accounts.create_user", f"user {username}", {"robot": is_robot})
    return user


def grant_role(*, actor: User | None, user: User, role: str, system: System | None = None) -> RoleGrant:
    """Give a role; giving it twice changes nothing. Coordinators give viewer, shifter and expert, administrators all
    (actor None: the installation itself).
    """
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_grant(actor, role))
        if role not in Role.values:
            raise RoleRefused(f"There is no role “{role[:40]}”. Choose one of {', '.join(Role.values)}.")
        if (role == Role.EXPERT) != (system is not None):
            raise RoleRefused("An expert is expert of a system; every other role holds for all systems.")
        grant, created = RoleGrant.objects.get_or_create(
            user=user, role=role, system=system, defaults={"granted_by": actor}
        )
        if created:
            _open_administration(user, role, open_now=True)
            unit.audit("accounts.grant_role", f"user {user.username}", {"role": role, "system": system and system.code})
    permissions.forget_roles(user)
    return grant


def revoke_role(*, actor: User | None, user: User, role: str, system: System | None = None) -> bool:
    """Take a role away; True when there was one. Who may give it may take it; the last administrator stays one."""
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_grant(actor, role))
        if actor is not None and role == Role.ADMIN and _is_last_administrator(user):
            raise RoleRefused("Nobody else is administrator. Make somebody else one first.")
        deleted, _ = RoleGrant.objects.filter(user=user, role=role, system=system).delete()
        if deleted:
            _open_administration(user, role, open_now=user.is_superuser)
            unit.audit(
                "accounts.revoke_role", f"user {user.username}", {"role": role, "system": system and system.code}
            )
    permissions.forget_roles(user)
    return bool(deleted)


def _is_last_administrator(user: User) -> bool:
    """Locks the grants of this role, so that two administrators cannot take it from each other at once."""
    grants = RoleGrant.objects.select_for_update().filter(role=Role.ADMIN, user__is_active=True)
    holders = set(grants.values_list("user_id", flat=True))
    superusers = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
    return user.pk in holders and len(holders) == 1 and not superusers.exists()


def _open_administration(user: User, role: str, *, open_now: bool) -> None:
    """Django's administration pages look at a flag of the account; the role admin is what sets it."""
    if role == Role.ADMIN and user.is_staff != open_now:
        user.is_staff = open_now
        user.save(update_fields=["is_staff"])


def digest_of(key: str) -> str:
    # The key has 256 random bits, so a plain hash is enough: there is nothing to guess.
    return hashlib.sha256(key.encode()).hexdigest()


def create_token(
    *, actor: User | None, user: User, name: str = "", expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """A new API token and its key. The key is returned this once and stored nowhere."""
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_own_tokens(actor, user))
        key = secrets.token_urlsafe(32)
        token = ApiToken.objects.create(
            user=user, name=name, prefix=key[:8], digest=digest_of(key), expires_at=expires_at
        )
        unit.audit("accounts.create_token", f"user {user.username}", {"token": token.prefix, "name": name})
    return token, key


def revoke_token(*, actor: User | None, token: ApiToken) -> ApiToken:
    """The token stops working at once; its row stays as history."""
    with unit_of_work(actor) as unit:
        permissions.require(permissions.can_own_tokens(actor, token.user))
        if token.revoked_at is None:
            token.revoked_at = timezone.now()
            token.save(update_fields=["revoked_at"])
            unit.audit("accounts.revoke_token", f"user {token.user.username}", {"token": token.prefix})
    return token
