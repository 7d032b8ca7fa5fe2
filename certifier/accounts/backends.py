"""How somebody with a session becomes a user: with all roles, in one query."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend

from . import permissions
from .models import User
from .selectors import user_with_roles


class RolesBackend(ModelBackend):
    """Django's own accounts; whoever is known from the session comes with the roles that every page asks for."""

    def get_user(self, user_id: int | str) -> User | None:
        user = user_with_roles(user_id)
        return user if user is not None and self.user_can_authenticate(user) else None

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """The administration pages ask Django's permissions: whoever may manage people has them all."""
        return bool(permissions.can_manage_people(user_obj)) or super().has_perm(user_obj, perm, obj)

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return bool(permissions.can_manage_people(user_obj)) or super().has_module_perms(user_obj, app_label)
