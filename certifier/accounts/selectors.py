"""Reads of this room that join."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import ValidationError

from .errors import NoSuchSystem, NoSuchUser, SeveralUsers, UserSwitchedOff
from .models import ApiToken, RoleGrant, System, User
from .permissions import remember_roles
from .services import digest_of


def system_named(code: object) -> System:
    """The system that a filter, a body, a command or a job names, ignoring case. Raises NoSuchSystem."""
    is_text = isinstance(code, str) and "\0" not in code
    system = System.objects.filter(code__iexact=code).first() if is_text else None
    if system is None:
        raise NoSuchSystem(code, list(System.objects.values_list("code", flat=True)))
    return system


def user_named(name: str) -> User:
    """The account in whose name something is done, ignoring case. Raises NoSuchUser, UserSwitchedOff, SeveralUsers."""
    rows = list(User.objects.filter(username__iexact=name).order_by("username")) if "\0" not in name else []
    exact = [user for user in rows if user.username == name]
    active = [user for user in exact or rows if user.is_active]
    if not rows:
        raise NoSuchUser(name)
    if not active:
        raise UserSwitchedOff(rows[0].username)
    if len(active) > 1:
        raise SeveralUsers(name, [user.username for user in active])
    return active[0]


def token_of_key(key: str) -> ApiToken | None:
    """The token of a key with its user, whose roles are then known. It may be revoked or expired: the caller looks."""
    sql = f"SELECT * FROM {ApiToken._meta.db_table} WHERE digest = %s"  # noqa: S608  # the name is the model's
    token = next(iter(ApiToken.objects.raw(sql, [digest_of(key)])), None)
    if token is not None:
        token.user = _user_with_roles(token.user_id)
    return token


def user_with_roles(pk: int | str) -> User | None:
    """The account of a primary key, whose roles are then known: one query, one row per grant."""
    try:
        return _user_with_roles(User._meta.pk.to_python(pk))
    except (User.DoesNotExist, ValidationError):
        return None


def _user_with_roles(pk: int) -> User:
    """Raises User.DoesNotExist.

    Every request asks this once or twice. As SQL it takes a third of the time, which goes into putting the same SQL
    together anew.
    """
    rows: list[Any] = list(User.objects.raw(_USER_AND_GRANTS, [pk]))
    if not rows:
        raise User.DoesNotExist(f"There is no user {pk}.")
    user: User = rows[0]
    remember_roles(user, ((row.granted, row.granted_system) for row in rows if row.granted is not None))
    return user


_USER_AND_GRANTS: Final = (
    "SELECT person.*, given.role AS granted, given.system_id AS granted_system "  # noqa: S608  # the models' own names
    f"FROM {User._meta.db_table} person LEFT JOIN {RoleGrant._meta.db_table} given ON given.user_id = person.id "
    "WHERE person.id = %s"
)
