"""How somebody with a session becomes a user: with all roles, in one query."""

from __future__ import annotations

from django.contrib.auth.backends import ModelBackend

from .models import User
from .selectors import user_with_roles


class RolesBackend(ModelBackend):
    """Django's own accounts; whoever is known from the session comes with the roles that every page asks for."""

    def get_user(self, user_id: int | str) -> User | None:
        user = user_with_roles(user_id)
        return user if user is not None and self.user_can_authenticate(user) else None
