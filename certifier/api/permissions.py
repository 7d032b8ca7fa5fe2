"""Who comes through the door of REST: whoever has a role. What they may change there, services decide."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from certifier.accounts import permissions


class ViewerReads(BasePermission):
    """Nobody logged in is 401; somebody without a role is 403, told whom to ask, for reading and writing."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user.is_authenticated:
            return False
        verdict = permissions.can_view(request.user)
        self.message = verdict.reason
        if not verdict and request.method not in SAFE_METHODS:
            self.message = f"{request.user.get_username()} has no role yet. Ask an administrator to grant one."
        return bool(verdict)
